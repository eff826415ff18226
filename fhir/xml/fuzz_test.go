package xml

import (
	"bytes"
	stdxml "encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// FuzzToJSON holds that what the reader takes is well-formed for another parser as
// well, is JSON, and survives the way back.
func FuzzToJSON(f *testing.F) {
	for _, text := range attacks {
		if len(text) < 10_000 {
			f.Add([]byte(text))
		}
	}
	f.Add([]byte(patient(`<name><given id="g"/><given value="c" id="h"></given></name><deceasedBoolean value="true"/>`)))
	f.Add([]byte(narrative(`<div` + xhtml + `><h:b xmlns:h="http://www.w3.org/1999/xhtml">x</h:b><!-- c --><![CDATA[<]]></div>`)))
	f.Add([]byte(`<f:Bundle xmlns:f="http://hl7.org/fhir"><f:entry><f:resource><f:Parameters/></f:resource></f:entry></f:Bundle>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		out, at, err := ToJSON(text, Limits{})
		if err != nil {
			var e *fhir.Error
			if !errors.As(err, &e) {
				t.Fatalf("%v", err)
			}
			return
		}
		at.Place(1, len(out)/2)
		if err := wellFormed(text); err != nil {
			t.Fatalf("taken, and not well-formed: %v", err)
		}
		d, err := element.Parse(out)
		if err != nil {
			if fhir.CodeOf(err) == fhir.TooLarge || strings.Contains(err.Error(), "longer") {
				return
			}
			t.Fatalf("%v in %s", err, out)
		}
		back, err := FromJSON(d, 0)
		if err != nil {
			t.Fatalf("cannot go back: %s from %s", explain(err), out)
		}
		again, _, err := ToJSON(back, Limits{})
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%v\n%s\n%s", err, out, again)
		}
	})
}

// wellFormed reads text with the parser of the standard library.
func wellFormed(text []byte) error {
	d := stdxml.NewDecoder(bytes.NewReader(text))
	for {
		if _, err := d.Token(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// FuzzFromJSON holds that whatever is written as XML can be read.
func FuzzFromJSON(f *testing.F) {
	f.Add([]byte(`{"resourceType":"Patient","text":{"div":"<div>&nbsp;<b>x</b></div>"},"name":[{"_given":[null,{"id":"g"}],"given":["a",null]}]}`))
	f.Add([]byte(`{"resourceType":"Patient","text":{"div":"<div></div></text><gender value='x'/>"}}`))
	f.Add([]byte(`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Parameters","parameter":[{"name":"a","valueDecimal":1.0}]}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := element.Parse(text)
		if err != nil {
			return
		}
		out, err := FromJSON(d, 0)
		if err != nil {
			return
		}
		if err := wellFormed(out); err != nil {
			t.Fatalf("not well-formed: %v: %s", err, out)
		}
		if _, _, err := ToJSON(out, Limits{}); err != nil {
			for _, allowed := range []string{"empty", "xml-depth", "resource-holder"} { // JSON that breaks these rules too
				if strings.Contains(explain(err), allowed) {
					return
				}
			}
			t.Fatalf("cannot be read back: %s from %s", explain(err), out)
		}
	})
}
