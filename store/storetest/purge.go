package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// Purger is a store from which resources can be removed for good.
type Purger struct {
	Store
	Purge    func(ctx context.Context, refs []fhir.Ref) (resources, versions int, err error)
	Remnants func(ctx context.Context, typ string) ([]fhir.Resource, error)
	Contents func() string // all that the engine has on disk, in which a text can be looked for
}

// IndexOf says by what a stored resource is found.
func IndexOf(r *fhir.Resource) (search.Index, error) {
	d, err := element.Parse(r.JSON)
	if err != nil {
		return search.Index{}, err
	}
	return search.Extract(d, 0, base)
}

// marked stands in whatever is to be gone after a purge, and nowhere else.
const marked = "XQZJVKWPGHBX"

// Purging runs every test of purging on an engine. open returns a fresh, empty store.
func Purging(t *testing.T, open func(t *testing.T) Purger) {
	for name, test := range purgeTests {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			p := open(t)
			test(&purgeFixture{fixture: fixture{T: t, s: p, ctx: t.Context()}, p: p})
		})
	}
}

type purgeFixture struct {
	fixture
	p Purger
}

func (f *purgeFixture) purge(resources, versions int, refs ...string) {
	f.Helper()
	var all []fhir.Ref
	for _, r := range refs {
		all = append(all, ref(r))
	}
	r, v, err := f.p.Purge(f.ctx, all)
	if err != nil || r != resources || v != versions {
		f.Fatalf("purged %d resources and %d versions, %v; want %d and %d", r, v, err, resources, versions)
	}
}

func person(id, family, curp string) string {
	return fmt.Sprintf(`{"resourceType":"Patient","id":%q,"identifier":[{"system":"urn:curp","value":%q}],"name":[{"family":%q}],"birthDate":"1980-05-17",
"address":[{"text":%q}]}`, id, curp, family, family)
}

var purgeTests = map[string]func(*purgeFixture){
	"nothing is left": func(f *purgeFixture) {
		f.load(person("p", "Primero "+marked, "A"+marked), person("q", "Otra", "OTRA"))
		f.load(person("p", "Segundo "+marked, "B"+marked))
		f.load(coded("o", marked, "Dicho "+marked, "final", "Patient/p"), coded("other", "8302-2", "Talla", "final", "Patient/q"),
			coded("shared", "8302-2", "Talla", "final", "Patient/p"))
		f.load(coded("dead", "x"+marked, "Muerto "+marked, "final", "Patient/p"))
		f.apply(remove("Observation/dead"))
		if !strings.Contains(f.p.Contents(), marked) {
			f.Fatal("the mark is not found before the purge either")
		}
		left, err := f.p.Remnants(f.ctx, "Observation")
		if err != nil || len(left) != 1 || left[0].Ref.ID != "dead" || !strings.Contains(string(left[0].JSON), marked) {
			f.Fatalf("deleted and kept: %v, %v", left, err)
		}
		f.purge(4, 6, "Observation/o", "Observation/dead", "Observation/shared", "Observation/never", "Patient/p")
		if at := strings.Index(f.p.Contents(), marked); at >= 0 {
			text := f.p.Contents()
			f.Errorf("the mark is still there: %q", text[max(0, at-60):min(len(text), at+60)])
		}
		for _, gone := range []string{"Patient/p", "Observation/o", "Observation/shared", "Observation/dead"} {
			f.gone(gone, fhir.Gone)
			if v := f.versions(search.History{Type: ref(gone).Type, ID: ref(gone).ID}, 10); len(v) != 1 || !v[0].Deleted() {
				f.Errorf("of %s the history is %v", gone, v)
			}
		}
		if left, err := f.p.Remnants(f.ctx, "Observation"); err != nil || len(left) != 0 {
			f.Errorf("deleted and kept: %v, %v", left, err)
		}
		for text, want := range map[string]string{
			"Patient?family=segundo": "", "Patient?family=primero": "", "Observation?patient=p": "", "Observation?code=8302-2": "other",
			"Observation?code:text=talla": "other", "Patient?identifier=urn:curp|B" + marked: "", "Patient?family=otra": "q",
			"Patient?birthdate=1980": "q", "Observation?code:text=dicho": "",
		} {
			f.finds(text, want)
		}
		f.purge(0, 0, "Observation/o", "Observation/dead", "Patient/p") // again, it has nothing to do
	},
	"what was purged can come again": func(f *purgeFixture) {
		f.load(person("p", "Primero", marked), coded("o", "c1", "Dicho", "final", "Patient/p"))
		f.load(person("p", "Segundo", marked))
		f.purge(2, 3, "Patient/p", "Observation/o")
		f.load(person("p", "Tercero", marked), coded("o", "c1", "Dicho", "final", "Patient/p"))
		for text, want := range map[string]string{
			"Patient?family=tercero": "p", "Observation?patient=p": "o", "Observation?code:text=dicho": "o", "Patient?identifier=" + marked: "p",
		} {
			f.finds(text, want)
		}
		r, err := f.s.Read(f.ctx, ref("Patient/p"))
		if err != nil || r.Ref.Version != 4 {
			f.Errorf("its version is %d, %v; versions are never used twice", r.Ref.Version, err)
		}
	},
	"references to it lead nowhere": func(f *purgeFixture) {
		f.load(person("p", "Uno", "X"), coded("o", "c1", "Dicho", "final", "Patient/p"))
		f.purge(1, 1, "Patient/p")
		f.finds("Observation?patient=p", "o")
		f.finds("Observation?patient.family=uno", "")
		f.load(coded("o", "c2", "Otro", "final", "Patient/p"))
		f.finds("Observation?code=c2&patient=p", "o")
	},
}

// PurgeRecord fills s with what purges that are killed are tried on, and returns it.
func PurgeRecord(t *testing.T, s Store) []fhir.Ref {
	t.Helper()
	f := &fixture{T: t, s: s, ctx: t.Context()}
	refs := []fhir.Ref{ref("Patient/p")}
	f.load(person("p", marked, marked))
	for i := range 40 {
		var part []string
		for j := range 50 {
			id := fmt.Sprintf("o%d-%d", i, j)
			part = append(part, coded(id, marked, "Dicho "+marked, "final", "Patient/p"))
			refs = append(refs, fhir.Ref{Type: "Observation", ID: id})
		}
		f.load(part...)
	}
	return refs
}

// PurgeSurvived purges refs again, after the death of who had begun it, and expects
// that nothing is left then.
func PurgeSurvived(t *testing.T, p Purger, refs []fhir.Ref) {
	t.Helper()
	f := &fixture{T: t, s: p, ctx: t.Context()}
	left := 0
	for _, r := range refs {
		if _, err := p.Read(t.Context(), r); err == nil {
			left++
		}
	}
	if left == 0 || left == len(refs) {
		t.Logf("of %d resources %d were left: the moment of death tells little", len(refs), left)
	}
	resources, versions, err := p.Purge(t.Context(), refs)
	if err != nil || resources != left || versions != left {
		t.Fatalf("of %d left, %d resources and %d versions were purged: %v", left, resources, versions, err)
	}
	if strings.Contains(p.Contents(), marked) {
		t.Error("the mark is still there")
	}
	f.finds("Observation?patient=p&_count=10", "")
}
