package bundle

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
)

// FuzzPlan: whatever is sent as a transaction, planning and building it neither
// panics nor makes anything but JSON.
func FuzzPlan(f *testing.F) {
	patient := `{"resourceType":"Patient","id":"p","identifier":[{"system":"s","value":"1"}]}`
	wrap := func(entries ...string) string {
		return `{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(entries, ",") + `]}`
	}
	for _, seed := range []string{
		wrap(entry("urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a", "POST", "Patient", patient, `,"ifNoneExist":"identifier=s|1"`)),
		wrap(entry("", "PUT", "Patient/p", patient, `,"ifMatch":"W/\"1\"","ifNoneMatch":"*"`)),
		wrap(entry("", "PUT", "Patient?identifier=%zz&_id=", patient, "")),
		wrap(entry("http://x/Patient/1", "POST", "Observation", `{"resourceType":"Observation","status":"final","code":{"text":"\u0000"},"subject":{"reference":"Patient?identifier=s|1"}}`, "")),
		wrap(entry("", "PATCH", "Patient/p", `{"resourceType":"Binary","contentType":"application/json-patch+json","data":"W10="}`, "")),
		wrap(entry("", "DELETE", "Patient?_sort=name&_include=*", "", "")),
		wrap(`{"request":[]}`, `{"fullUrl":{},"request":{"method":"GET","url":null}}`, `null`),
		wrap(`{"resource":[{"resourceType":"Patient"}],"request":{"method":"POST","url":"Patient"}}`),
		wrap(entry("urn:x", "POST", "Patient", `{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"urn:x\">=\"</a></div>"}}`, "")),
		`{"resourceType":"Bundle","type":"transaction","entry":{"a":[]}}`,
		`{"resourceType":{"a":1}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		s, err := Parse([]byte(body))
		if err != nil {
			return
		}
		b, err := Open(s, 50)
		if err != nil {
			return
		}
		n := 0
		p, err := NewPlan(b, Options{Maker: Maker{Base: base}, NewID: func() string { n++; return fmt.Sprint("new-", n) }})
		if err != nil {
			return
		}
		env := &Env{}
		for i := range p.Batch.Changes {
			env.Targets = append(env.Targets, p.Batch.Changes[i].Ref)
		}
		for range p.Batch.Lookups {
			env.Lookups = append(env.Lookups, fhir.Ref{Type: "Patient", ID: "found"})
		}
		for i := range p.Batch.Changes {
			c := &p.Batch.Changes[i]
			if c.Build == nil {
				continue
			}
			content, err := c.Build(env, c.Ref, &fhir.Resource{Ref: c.Ref, JSON: []byte(patient)})
			if err != nil {
				continue
			}
			if out := content.Body.Stamp(7, time.Unix(0, 0)); !json.Valid(out) {
				t.Errorf("%s made %s", body, out)
			}
		}
	})
}
