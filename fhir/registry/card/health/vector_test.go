package health

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/samples"
)

const exampleIssuer = "https://spec.smarthealth.cards/examples/issuer"

// published is the trust in the issuer of the examples.
func published(t testing.TB) Trust {
	t.Helper()
	i, err := ReadIssuer(os.DirFS(samples.Path(t, "health-cards", "issuer")), exampleIssuer)
	if err != nil {
		t.Fatal(err)
	}
	return Trust{exampleIssuer: i}
}

// TestVectors holds the published examples, each in its four forms, to one another.
func TestVectors(t *testing.T) {
	trust := published(t)
	for _, file := range samples.Files(t, "health-cards", "example-*-d-jws.txt") {
		name := strings.TrimSuffix(filepath.Base(file), "-d-jws.txt")
		jws := strings.TrimSpace(string(samples.Read(t, file)))
		form := func(suffix string) []byte {
			return samples.Read(t, samples.Path(t, "health-cards", name+suffix))
		}
		for _, text := range [][]byte{form("-e-file.smart-health-card"), []byte(jws), bytes.Join(codesOf(t, name), []byte("\n"))} {
			found, err := Find(text)
			if err != nil || len(found) != 1 || found[0] != jws {
				t.Errorf("%s: %v %.40q", name, err, found)
			}
		}
		var codes []string
		for _, c := range codesOf(t, name) {
			codes = append(codes, string(c))
		}
		if got := Codes(jws); strings.Join(got, "\n") != strings.Join(codes, "\n") {
			t.Errorf("%s: the codes differ", name)
		}
		r := trust.Check(jws, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
		want := Valid
		if r.Signed != nil && trust[exampleIssuer].Lists[0].Has(r.Signed.RID, r.Signed.From) {
			want = Revoked
		}
		if r.Verdict != want || r.Signed == nil {
			t.Fatalf("%s: %s, want %s", name, r.Verdict, want)
		}
		var p payload
		if err := json.Unmarshal(form("-c-jws-payload-minified.json"), &p); err != nil {
			t.Fatal(err)
		}
		if string(p.VC.Subject.Bundle) != string(r.Signed.Bundle) || p.Issuer != r.Signed.Issuer || p.VC.RID != r.Signed.RID {
			t.Errorf("%s: the content differs", name)
		}
	}
}

func codesOf(t *testing.T, name string) (codes [][]byte) {
	t.Helper()
	for _, file := range samples.Files(t, "health-cards", name+"-f-qr-code-numeric-value-*.txt") {
		codes = append(codes, bytes.TrimSpace(samples.Read(t, file)))
	}
	return codes
}

// TestVectorsAltered changes each character of an example: it is not believed any more.
func TestVectorsAltered(t *testing.T) {
	trust := published(t)
	jws := strings.TrimSpace(string(samples.Read(t, samples.Path(t, "health-cards", "example-00-d-jws.txt"))))
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for i := range jws {
		changed := []byte(jws)
		if changed[i] = 'A'; jws[i] == 'A' {
			changed[i] = 'B'
		}
		if r := trust.Check(string(changed), now); r.Verdict == Valid {
			t.Fatalf("character %d changed, and it is believed", i)
		}
	}
	if r := (Trust{}).Check(jws, now); r.Verdict != Unknown {
		t.Errorf("nobody is trusted: %s", r.Verdict)
	}
}
