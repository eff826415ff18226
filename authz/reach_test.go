package authz_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
)

// text is o as JSON.
func text(o object) string {
	body, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(body)
}

// shownIds lists the entries of a searchset.
func shownIds(body string) (refs []string) {
	var set struct {
		Entry []struct {
			Resource struct{ ResourceType, ID string }
		}
	}
	if err := json.Unmarshal([]byte(body), &set); err != nil {
		return []string{body}
	}
	for _, e := range set.Entry {
		refs = append(refs, e.Resource.ResourceType+"/"+e.Resource.ID)
	}
	slices.Sort(refs)
	return refs
}

// TestWhatARefusalReaches: what Bundles, Binaries and Provenances tell of a patient who
// refuses, or whose record is blocked, is hidden like the record itself.
func TestWhatARefusalReaches(t *testing.T) {
	observation := func(patient string) object {
		return object{"resource": object{"resourceType": "Observation", "status": "final", "code": concept(codeA), "subject": reference("Patient/%s", patient)}}
	}
	document := func(id, patient string, more ...any) object {
		return object{"resourceType": "Bundle", "id": id, "type": "document", "timestamp": "2026-01-01T00:00:00Z", "identifier": object{"system": "urn:d", "value": id},
			"entry": append([]any{object{"fullUrl": base + "/Composition/1", "resource": object{
				"resourceType": "Composition", "status": "final", "type": concept(codeA), "date": "2026-01-01", "title": "Nota",
				"author": []any{reference("Practitioner/d0")}, "subject": reference("Patient/%s", patient)}}}, more...)}
	}
	binary := func(id, context string) object {
		return object{"resourceType": "Binary", "id": id, "contentType": "text/plain", "data": "aG9sYQ==", "securityContext": reference("%s", context)}
	}
	provenance := func(id string, targets ...string) object {
		o := object{"resourceType": "Provenance", "id": id, "recorded": "2026-01-01T00:00:00Z", "agent": []any{object{"who": reference("Practitioner/d0")}}}
		var list []any
		for _, target := range targets {
			list = append(list, reference("%s", target))
		}
		o["target"] = list
		return o
	}
	// Whom each is about: a refuses, b does not.
	people := []object{
		{"resourceType": "Patient", "id": "a"}, {"resourceType": "Patient", "id": "b"},
		{"resourceType": "Practitioner", "id": "d0"},
		{"resourceType": "DocumentReference", "id": "fa", "status": "current", "subject": reference("Patient/a"), "content": []any{object{"attachment": object{"contentType": "text/plain"}}}},
		{"resourceType": "DocumentReference", "id": "fb", "status": "current", "subject": reference("Patient/b"), "content": []any{object{"attachment": object{"contentType": "text/plain"}}}},
		document("ua", "a"), document("ub", "b"), document("uba", "b", observation("a")),
		{"resourceType": "Bundle", "id": "ca", "type": "collection", "entry": []any{observation("a")}},
		{"resourceType": "Bundle", "id": "cb", "type": "collection", "entry": []any{observation("b")}},
		{"resourceType": "Bundle", "id": "cab", "type": "collection", "entry": []any{observation("a"), observation("b")}},
		binary("xa", "Patient/a"), binary("xb", "Patient/b"), binary("xfa", "DocumentReference/fa"), binary("xfb", "DocumentReference/fb"),
		provenance("va", "Patient/a"), provenance("vb", "Patient/b"), provenance("vfa", "DocumentReference/fa"), provenance("vfb", "DocumentReference/fb"),
		provenance("vua", "Bundle/ua"), provenance("vfba", "DocumentReference/fb", "DocumentReference/fa"),
	}
	ofB := []string{"Binary/xb", "Binary/xfb", "Bundle/cb", "Bundle/ub", "DocumentReference/fb", "Patient/b", "Practitioner/d0", "Provenance/vb", "Provenance/vfb"}
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t, store: open(t), all: map[string]object{}}
			for _, o := range people {
				w.put(o)
			}
			anew := func() {
				w.guard = authz.NewGuard(authz.GuardConfig{Store: w.store, Base: base})
				w.serve()
			}
			visible := func(p *authz.Principal) (refs []string) {
				anew()
				for _, o := range people {
					if a := w.ask(p, "GET", "/"+refOf(o), ""); a.Code == 200 {
						refs = append(refs, refOf(o))
					}
				}
				slices.Sort(refs)
				found := shownIds(w.ask(p, "GET", "/?_count=500&_type=Patient,Practitioner,DocumentReference,Bundle,Binary,Provenance", "").Body.String())
				if !slices.Equal(found, refs) {
					t.Errorf("%s reads %v and finds %v", p.ID, refs, found)
				}
				return refs
			}
			doctor := &authz.Principal{ID: "doctor", Roles: []string{"clinician"}, Purpose: "TREAT", User: fhir.Ref{Type: "Practitioner", ID: "d0"}, Scopes: []string{"user/*.cruds"}}
			all := visible(doctor)
			if len(all) != len(people) {
				t.Fatalf("without a refusal, %v is shown", all)
			}
			w.put(object{"resourceType": "Consent", "id": "k", "status": "active", "scope": concept("http://terminology.hl7.org/CodeSystem/consentscope|patient-privacy"),
				"category": []any{concept("http://loinc.org|59284-0")}, "patient": reference("Patient/a"), "policyRule": concept("http://terminology.hl7.org/CodeSystem/v3-ActCode|OPTOUT"),
				"provision": object{"type": "deny"}})
			if got := visible(doctor); !slices.Equal(got, ofB) {
				t.Errorf("refused: got %v, want %v", got, ofB)
			}
			own := &authz.Principal{ID: "b", Roles: []string{"patient"}, Purpose: "PATRQT", User: fhir.Ref{Type: "Patient", ID: "b"}, Patient: "b", Scopes: []string{"patient/*.rs"}}
			want := []string{"Binary/xb", "Binary/xfb", "Bundle/cb", "Bundle/ub", "Bundle/uba", "DocumentReference/fb", "Patient/b", "Practitioner/d0", "Provenance/vb"}
			if got := visible(own); !slices.Equal(got, want) {
				t.Errorf("own record: got %v, want %v", got, want)
			}
			a := w.ask(own, "GET", "/Patient/b/$everything", "")
			for _, ref := range []string{"xb", "ub", "cb"} {
				if !strings.Contains(a.Body.String(), fmt.Sprintf("%q", ref)) {
					t.Errorf("$everything lacks %s: %d %.300s", ref, a.Code, a.Body)
				}
			}
			// Whom the refusal binds cannot lift it by writing the document without its patient.
			for _, o := range []object{document("ua", "b"), {"resourceType": "Bundle", "id": "ca", "type": "collection"}, {"resourceType": "Binary", "id": "xfa", "contentType": "text/plain", "data": "aG9sYQ=="}} {
				if a := w.ask(doctor, "PUT", "/"+refOf(o), text(o)); a.Code != 403 && a.Code != 404 {
					t.Errorf("a hidden %s was replaced: %d %s", refOf(o), a.Code, a.Body)
				}
			}
			w.put(object{"resourceType": "Consent", "id": "k", "status": "inactive", "scope": concept("http://terminology.hl7.org/CodeSystem/consentscope|patient-privacy"),
				"category": []any{concept("http://loinc.org|59284-0")}, "patient": reference("Patient/a"), "policyRule": concept("http://terminology.hl7.org/CodeSystem/v3-ActCode|OPTOUT")})
			w.put(object{"resourceType": "Patient", "id": "a", "meta": object{"security": []any{object{"system": authz.LabelSystem, "code": authz.Blocked}}}})
			if got := visible(doctor); !slices.Equal(got, ofB) {
				t.Errorf("blocked: got %v, want %v", got, ofB)
			}
		})
	}
}
