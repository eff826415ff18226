package source

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/terminology"
)

// FuzzFiles: whatever a file holds, it is refused, or becomes resources that a server
// can read.
func FuzzFiles(f *testing.F) {
	for _, seed := range []string{
		"code,display,parent\na,A,\nb,B,a\n", "code\tdisplay\na\t\"A\n", "\"code\"\r\n\"a\"\"b\"\r\n", "code,code,code_0\n\x00,\xff,a\n", "code_0,code_9,code\nA00,A00,A000\n",
		"LOINC_NUM,LONG_COMMON_NAME,VersionLastChanged\n1-8,x,1e400\n",
		`<CVXCodes><CVXInfo><CVXCode>1</CVXCode><Status>&lt;</Status></CVXInfo></CVXCodes>`, `<MVXCodes><MVXInfo><Value>x</Value></MVXInfo></MVXCodes>`,
		`<?xml version="1.0" encoding="utf-7"?><CVXCodes/>`, `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><CVXCodes>&b;</CVXCodes>`, strings.Repeat("<a>", 20_000),
	} {
		f.Add([]byte(seed))
	}
	readers := []func([]byte) (*System, error){
		func(text []byte) (*System, error) { return readTable(text, ',') },
		func(text []byte) (*System, error) { return readTable(text, '\t') },
		readLOINC, readCDC,
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, read := range readers {
			s, err := read(text)
			if err != nil {
				continue
			}
			resources, err := s.Resources("x")
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range resources {
				if !json.Valid(r.JSON) {
					t.Fatalf("%q became %q", text, r.JSON)
				}
			}
			item, err := terminology.Read(resources[len(resources)-1].JSON, nil)
			if err != nil {
				t.Fatalf("%q became %q: %v", text, resources[0].JSON, err)
			}
			if item.System.Len() != len(s.Concepts) {
				t.Fatalf("%d concepts became %d", len(s.Concepts), item.System.Len())
			}
		}
	})
}
