package storetest

import (
	"fmt"
	"strings"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// tiedTo is a resource of a type whose one reference stands in an element.
func tiedTo(at, element, to string) string {
	typ, id, _ := strings.Cut(at, "/")
	return fmt.Sprintf(`{"resourceType":%q,"id":%q,%q:{"reference":%q}}`, typ, id, element, to)
}

func encounter(id, patient string) string {
	return fmt.Sprintf(`{"resourceType":"Encounter","id":%q,"status":"finished","class":{"code":"AMB"},"subject":{"reference":%q}}`, id, patient)
}

const tieBlock = "urn:label|blocked"

func blockedPatient(id string) string {
	return fmt.Sprintf(`{"resourceType":"Patient","id":%q,"meta":{"security":[{"system":"urn:label","code":"blocked"}]}}`, id)
}

// unblocked is a restriction to what is not about a patient with the label.
func unblocked() *search.Restriction {
	r := &search.Restriction{Types: map[string][]search.Expr{}}
	p := spec.Param("", "_security")
	label := search.TokenHash(p.ID, tieBlock)
	for _, typ := range spec.Resources() {
		r.Types[typ] = nil
		if params := search.OfRecords(typ); len(params) > 0 {
			r.Types[typ] = []search.Expr{search.Unblocked{Params: params, Through: search.ThroughParams(typ), Label: label}}
		}
	}
	return r
}

// hidden expects that what exists and is not shown, of all types, are these ids.
func (f *fixture) hidden(want string) {
	f.Helper()
	all := f.search(query(f, "?_count=1000"))
	for _, typ := range []string{"", "each"} { // both ways by which a search is restricted
		shown := map[string]bool{}
		seen := map[string]bool{}
		for i := range all.Matches {
			r := all.Matches[i].Ref
			if typ != "" && seen[r.Type] {
				continue
			}
			seen[r.Type] = true
			q := query(f, "?_count=1000")
			if typ != "" {
				q = query(f, r.Type+"?_count=1000")
			}
			q.Restriction = unblocked()
			for _, m := range f.search(q).Matches {
				shown[m.Ref.Current().String()] = true
			}
			if typ == "" {
				break
			}
		}
		var left []string
		for i := range all.Matches {
			if !shown[all.Matches[i].Ref.Current().String()] {
				left = append(left, all.Matches[i].Ref.ID)
			}
		}
		if got := sortedIDs(byName(strings.Join(left, " "))); got != want {
			f.Errorf("hidden (%s): %q, want %q", typ, got, want)
		}
	}
}

// tieTests hold that what belongs to a patient through something else is hidden with
// them, and by nobody else's block.
var tieTests = map[string]func(*fixture){
	"through what it refers to": func(f *fixture) {
		f.load(blockedPatient("p"), patient("q", "Otra", "1980"), encounter("ep", "Patient/p"), encounter("eq", "Patient/q"))
		f.load(tiedTo("Observation/op", "encounter", "Encounter/ep"), tiedTo("Observation/oq", "encounter", "Encounter/eq"),
			tiedTo("Observation/further", "derivedFrom", "Observation/op"), tiedTo("Task/tp", "focus", "Observation/further"),
			tiedTo("Observation/nobody", "encounter", "Encounter/none"), tiedTo("Provenance/v", "target", "Observation/op"))
		f.hidden("ep further op tp v")
		f.finds("Observation?patient=p", "") // it does not say so itself
	},
	"written before what it is tied to": func(f *fixture) {
		f.load(tiedTo("Task/t", "focus", "Observation/o"), tiedTo("Observation/o", "encounter", "Encounter/e"))
		f.hidden("")
		f.load(encounter("e", "Patient/p"))
		f.hidden("")
		f.load(blockedPatient("p"))
		f.hidden("e o t")
	},
	"in one transaction": func(f *fixture) {
		f.load(tiedTo("Task/t", "focus", "Observation/o"), tiedTo("Observation/o", "encounter", "Encounter/e"), encounter("e", "Patient/p"), blockedPatient("p"))
		f.hidden("e o t")
	},
	"what is between changes hands": func(f *fixture) {
		f.load(blockedPatient("p"), patient("q", "Otra", "1980"), encounter("e", "Patient/p"))
		f.load(tiedTo("Observation/o", "encounter", "Encounter/e"))
		f.load(tiedTo("Task/t", "focus", "Observation/o"))
		f.hidden("e o t")
		f.load(encounter("e", "Patient/q"))
		f.hidden("")
		f.load(encounter("e", "Patient/p"))
		f.hidden("e o t")
		f.load(tiedTo("Observation/o", "encounter", "Encounter/other"))
		f.hidden("e")
	},
	"what is between is deleted": func(f *fixture) {
		f.load(blockedPatient("p"), patient("q", "Otra", "1980"), encounter("e", "Patient/p"))
		f.load(tiedTo("Observation/o", "encounter", "Encounter/e"))
		f.apply(remove("Encounter/e"))
		f.hidden("o")
		f.load(strings.Replace(tiedTo("Observation/o", "encounter", "Encounter/e"), `"id"`, `"status":"final","id"`, 1))
		f.hidden("o")
		f.load(encounter("e", "Patient/q"))
		f.hidden("")
	},
	"who names the patient is of nobody else": func(f *fixture) {
		f.load(blockedPatient("p"), patient("q", "Otra", "1980"), encounter("ep", "Patient/p"))
		f.load(`{"resourceType":"Observation","id":"o","subject":{"reference":"Patient/q"},"encounter":{"reference":"Encounter/ep"}}`)
		f.hidden("ep")
	},
	"of several patients": func(f *fixture) {
		f.load(blockedPatient("p"), patient("q", "Otra", "1980"))
		f.load(`{"resourceType":"CareTeam","id":"both","participant":[{"member":{"reference":"Patient/p"}},{"member":{"reference":"Patient/q"}}]}`,
			`{"resourceType":"CareTeam","id":"one","participant":[{"member":{"reference":"Patient/p"}}]}`,
			`{"resourceType":"Group","id":"g","member":[{"entity":{"reference":"Patient/p"}}]}`)
		f.hidden("one")
	},
	"a document by its content": func(f *fixture) {
		f.load(blockedPatient("p"), `{"resourceType":"Binary","id":"b","contentType":"text/plain","securityContext":{"reference":"Patient/p"},"data":"aG9sYQ=="}`)
		f.load(`{"resourceType":"DocumentReference","id":"d","status":"current","content":[{"attachment":{"url":"Binary/b"}}]}`)
		f.hidden("b d")
	},
}
