package profile

import (
	"bytes"
	"compress/gzip"
	_ "embed" // for the definitions
	"encoding/json"
	"io"
	"sync"
)

// r4 holds the extensions and profiles that are part of R4: one StructureDefinition
// a line, of each only what is compiled. Written by gen.
//
//go:embed r4.ndjson.gz
var r4 []byte

// published is the Source of what R4 itself defines beside its types.
type published struct{}

// Definition returns a line of r4.
func (published) Definition(url, _ string) ([]byte, error) { return lines()[url], nil }

var lines = sync.OnceValue(func() map[string][]byte {
	z, err := gzip.NewReader(bytes.NewReader(r4))
	if err != nil {
		panic("fhir/profile: " + err.Error()) // it is part of the program
	}
	text, err := io.ReadAll(z)
	if err != nil {
		panic("fhir/profile: " + err.Error())
	}
	all := map[string][]byte{}
	for line := range bytes.Lines(text) {
		var d struct{ URL string }
		if err := json.Unmarshal(line, &d); err != nil {
			panic("fhir/profile: " + err.Error())
		}
		all[d.URL] = line
	}
	return all
})
