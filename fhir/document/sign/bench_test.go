package sign_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/document/sign/signtest"
)

// large is a document of 100 results, about 40 KB.
var large = func() []byte {
	var entries []string
	for i := range 100 {
		entries = append(entries, fmt.Sprintf(`{"fullUrl":"http://h/fhir/Observation/%d","resource":{"resourceType":"Observation","id":"%d","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"29463-7",`+
			`"display":"Peso corporal"}]},"subject":{"reference":"Patient/p"},"effectiveDateTime":"2026-01-02T03:04:05-06:00","valueQuantity":{"value":%d.50,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}}}`, i, i, i))
	}
	return []byte(`{"resourceType":"Bundle","type":"document","entry":[` + strings.Join(entries, ",") + `]}`)
}()

func BenchmarkDocument(b *testing.B) {
	b.SetBytes(int64(len(large)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sign.Document(large); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify is a signature of a document by an RSA key, canonical form and chain
// included.
func BenchmarkVerify(b *testing.B) {
	w := newWorld(b, signtest.RSA())
	jws, err := w.juan.Signer().Sign(canonical(b, large), time.Now(), sign.Author)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if w.trust.Verify(context.Background(), jws, canonical(b, large), person).Status() != sign.Passed {
			b.Fatal("it is not valid")
		}
	}
}
