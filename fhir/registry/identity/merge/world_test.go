package merge

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity/members"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/sqlite"
)

// place is a real store that indexes as Links say, as a server does.
type place struct {
	*sqlite.Store
	links *Links
	fail  func() error // before a write; nil never fails
}

func (p *place) Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	if p.fail != nil {
		if err := p.fail(); err != nil {
			return nil, err
		}
	}
	return p.Store.Apply(ctx, p.links.Batch(b))
}

func (p *place) Reindex(ctx context.Context, refs []fhir.Ref) error {
	_, err := p.Store.Reindex(ctx, refs, func(r *fhir.Resource) (search.Index, error) {
		d, err := element.Parse(r.JSON)
		if err != nil {
			return search.Index{}, err
		}
		ix, err := search.Extract(d, 0, "http://h/fhir")
		return p.links.Index(r, ix), err
	}, false)
	return err
}

// world is what tests merge in.
type world struct {
	*Service
	t  rapid.TB
	at *place
}

// TB is what both tests and rapid give.
func open(t testing.TB) *place {
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "merge.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // the folder goes anyway
	return &place{Store: s, links: &Links{}}
}

// fixedMark is the text by which a resource of these tests is one that must stay.
const fixedMark = "FIRMADO"

func newWorld(t rapid.TB, p *place) *world {
	w := &world{t: t, at: p}
	w.Service = &Service{
		Store: p, State: p.Store, Links: p.links, Base: func() string { return "http://h/fhir" },
		Maker: func(base string) bundle.Maker { return bundle.Maker{Base: base} },
		Fixed: func(r *fhir.Resource) bool { return strings.Contains(string(r.JSON), fixedMark) },
		Job: func(source, id string, due time.Time) (fhir.Entry, error) {
			return fhir.Entry{Kind: "job", Key: id + fmt.Sprint(due.UnixNano()), Value: []byte(`{}`)}, nil
		},
	}
	return w
}

func (w *world) put(json string) fhir.Ref {
	w.t.Helper()
	src, err := bundle.Parse([]byte(json))
	if err != nil {
		w.t.Fatal(err)
	}
	ref := fhir.Ref{Type: src.Type(), ID: src.ID()}
	c, err := w.Maker("http://h/fhir").Update(src, ref, false)
	if err != nil {
		w.t.Fatalf("%s: %v", json, err)
	}
	if _, err := w.at.Apply(context.Background(), &bundle.Batch{Changes: []bundle.Change{c}}); err != nil {
		w.t.Fatalf("%s: %v", json, err)
	}
	return ref
}

// all returns the content of everything but Provenances, without meta's version and time,
// by reference.
func (w *world) all() map[string]string {
	w.t.Helper()
	out := map[string]string{}
	q := &search.Query{Count: 1000, Restriction: search.Unrestricted}
	found, err := w.at.Search(context.Background(), q)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range found.Matches {
		r := &found.Matches[i]
		if r.Ref.Type == "Provenance" {
			continue
		}
		o, err := parseObject(r.JSON)
		if err != nil {
			w.t.Fatal(err)
		}
		meta := mustObject(o.Get("meta")).With("versionId", "").With("lastUpdated", "")
		text := meta.String()
		if len(meta) == 0 {
			text = ""
		}
		out[r.Ref.Current().String()] = o.With("meta", text).String()
	}
	return out
}

// of returns what is found as about a patient, sorted.
func (w *world) of(id string) []string {
	w.t.Helper()
	found, err := w.at.Search(context.Background(), &search.Query{
		Where: []search.Expr{search.Record([]fhir.Ref{{Type: "Patient", ID: id}})}, Count: 1000, Restriction: search.Unrestricted,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for i := range found.Matches {
		if t := found.Matches[i].Ref.Type; t != "Provenance" && t != "Patient" {
			all = append(all, found.Matches[i].Ref.Current().String())
		}
	}
	slices.Sort(all)
	return all
}

// patient returns a random Patient.
func patient(t *rapid.T, id string) string {
	var parts []string
	add := func(s string) {
		if rapid.Bool().Draw(t, "has") {
			parts = append(parts, s)
		}
	}
	mark := rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "mark")
	add(`"meta":{"security":[{"system":"urn:l","code":"` + mark + `"}],"tag":[{"system":"urn:t","code":"x"}]}`)
	add(`"identifier":[{"system":"urn:mrn","value":"` + mark + `"},{"use":"usual","system":"urn:oid:2.16.840.1.113883.4.629","value":"PEGJ900512HJCRRS04"}]`)
	add(`"name":[{"use":"official","family":"` + mark + `","given":["Ana",null],"_given":[null,{"extension":[{"url":"urn:x","valueDecimal":1.500}]}]}]`)
	add(`"telecom":[{"system":"phone","value":"55 ` + mark + `"}]`)
	add(`"birthDate":"199` + map[string]string{"A": "0", "B": "1", "C": "2"}[mark] + `-01-01"`)
	add(`"gender":"female"`)
	add(`"deceasedBoolean":false`)
	add(`"extension":[{"url":"urn:e","valueString":"` + mark + `"}]`)
	add(`"link":[{"other":{"reference":"Patient/else"},"type":"seealso"}]`)
	return `{"resourceType":"Patient","id":"` + id + `"` + strings.Join(append([]string{""}, parts...), ",") + `}`
}

// about returns a random resource that refers to patients.
func about(t *rapid.T, n int) string {
	who := func(label string) string {
		return `{"reference":"` + rapid.SampledFrom([]string{"Patient/s", "Patient/t", "Patient/s", "http://h/fhir/Patient/s", "Patient/else", "Patient/s/_history/1"}).Draw(t, label) + `","display":"x"}`
	}
	text := ""
	if rapid.IntRange(0, 4).Draw(t, "fixed") == 0 {
		text = fixedMark
	}
	id := fmt.Sprintf(`"id":"r%d"`, n)
	switch rapid.IntRange(0, 6).Draw(t, "type") {
	case 0:
		return `{"resourceType":"Group",` + id + `,"type":"person","actual":true,"name":"` + text + `.","member":[{"entity":` + who("a") + `},{"entity":` + who("b") + `}]}`
	case 1:
		return `{"resourceType":"List",` + id + `,"status":"current","mode":"working","title":"` + text + `.","subject":` + who("a") + `,"entry":[{"item":` + who("b") + `}]}`
	case 2:
		return `{"resourceType":"RelatedPerson",` + id + `,"patient":` + who("a") + `,"name":[{"text":"` + text + `."}]}`
	case 3:
		return `{"resourceType":"Consent",` + id + `,"status":"active","scope":{"text":"` + text + `."},"category":[{"text":"c"}],"policyRule":{"text":"p"},"patient":` + who("a") + `}`
	case 4:
		return `{"resourceType":"Bundle",` + id + `,"type":"document","timestamp":"2026-01-01T00:00:00Z","identifier":{"system":"u","value":"1"},"entry":[{"fullUrl":"urn:uuid:0c0f3b7e-0000-4000-8000-000000000001","resource":{"resourceType":"Composition","status":"final","type":{"text":"n"},"date":"2026-01-01","author":[{"display":"x"}],"title":"n","subject":` + who("a") + `}}]}`
	case 5:
		return `{"resourceType":"Composition",` + id + `,"status":"final","type":{"text":"n"},"date":"2026-01-01","author":[{"display":"x"}],"title":"` + text + `.","subject":` + who("a") + `}`
	}
	return `{"resourceType":"Observation",` + id + `,"status":"final","code":{"text":"` + text + `."},"valueQuantity":{"value":1.500},"subject":` + who("a") + `,"performer":[` + who("b") + `]}`
}

// TestMergeAndBack: in random worlds, a merge leaves nothing that can be moved with the
// source, all of its record is found with the target, and the reverse gives the same
// world, found in the same way; what was written meanwhile is there as well.
func TestMergeAndBack(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(r, open(t))
		for _, id := range []string{"s", "t", "else"} {
			w.put(patient(r, id))
		}
		n := rapid.IntRange(0, 12).Draw(r, "resources")
		for i := range n {
			w.put(about(r, i))
		}
		before, ofS, ofT := w.all(), w.of("s"), w.of("t")
		if rapid.Bool().Draw(r, "crash") { // the process dies after any write: the job goes on
			left := rapid.IntRange(0, 3).Draw(r, "writes")
			w.at.fail = func() error {
				if left--; left < 0 {
					return fmt.Errorf("killed")
				}
				return nil
			}
		}
		rec, err := w.Merge(context.Background(), &Request{Source: "s", Target: "t", By: "me"})
		w.at.fail = nil
		if err != nil {
			if now := w.all(); rec == nil && !maps.Equal(before, now) {
				r.Fatalf("a merge failed with %v and changed something", err)
			}
		}
		rec = w.again(rec)
		w.merged(r, ofS, ofT)
		edits := w.later(r)
		w.back(r, rec)
		now := w.all()
		for ref, want := range before {
			if e, ok := edits[ref]; ok {
				want = e
			}
			if ref == "Patient/s" || ref == "Patient/t" {
				continue
			}
			if now[ref] != want {
				r.Errorf("%s was\n%s\nand is\n%s", ref, want, now[ref])
			}
		}
		for _, ref := range []string{"Patient/s", "Patient/t"} {
			if _, edited := edits[ref]; !edited && now[ref] != before[ref] {
				r.Errorf("%s was\n%s\nand is\n%s", ref, before[ref], now[ref])
			} else if edited && !strings.Contains(now[ref], `"language":"es"`) {
				r.Errorf("%s lost an edit: %s", ref, now[ref])
			} else if edited && !slices.Equal(sorted(mustObject(now[ref]).With("language", "")), sorted(mustObject(before[ref]))) {
				r.Errorf("%s was\n%s\nand is but for an edit\n%s", ref, before[ref], now[ref])
			}
		}
		later := func(ref string) bool { return strings.HasPrefix(ref, "Observation/later") }
		if got := slices.DeleteFunc(w.of("s"), later); !slices.Equal(got, ofS) {
			r.Errorf("of the source are %v, were %v", got, ofS)
		}
		if got := slices.DeleteFunc(w.of("t"), later); !slices.Equal(got, ofT) {
			r.Errorf("of the target are %v, were %v", got, ofT)
		}
		if w.Links.Count() != 0 {
			r.Error("a link is left in memory")
		}
	})
}

// again finishes a merge as the job would on a server that knows nothing of it yet.
func (w *world) again(rec *Record) *Record {
	w.t.Helper()
	ctx := context.Background()
	*w.at.links = Links{}
	if err := w.at.links.Load(ctx, w.at.Store, time.Now()); err != nil {
		w.t.Fatal(err)
	}
	if rec == nil {
		var err error
		if rec, err = w.Merge(ctx, &Request{Source: "s", Target: "t", By: "me"}); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.Resume(ctx, "s", rec.ID); err != nil {
		w.t.Fatal(err)
	}
	now, err := w.Of(ctx, "s")
	if err != nil || now.Stage != Merged {
		w.t.Fatalf("a merge stands at %+v, %v", now, err)
	}
	return now
}

// merged checks what is so after a merge.
func (w *world) merged(r *rapid.T, ofS, ofT []string) {
	for ref, json := range w.all() {
		typ, _, _ := strings.Cut(ref, "/")
		stays := slices.Contains(left, typ) || strings.Contains(json, fixedMark)
		if !stays && (strings.Contains(json, `"reference":"Patient/s"`) || strings.Contains(json, `/fhir/Patient/s"`)) {
			r.Errorf("%s still refers to the source: %s", ref, json)
		}
	}
	want := slices.Concat(ofS, ofT)
	slices.Sort(want)
	if got := w.of("t"); !slices.Equal(got, slices.Compact(want)) {
		r.Errorf("of the target are %v, want %v", got, slices.Compact(want))
	}
}

// later writes after the merge: to either Patient, to what was moved, and anew. It returns
// what is to be there in the end.
func (w *world) later(r *rapid.T) map[string]string {
	edits := map[string]string{}
	all := w.all()
	for _, ref := range []string{"Patient/s", "Patient/t"} {
		if rapid.Bool().Draw(r, "edit") {
			continue
		}
		w.put(mustObject(all[ref]).With("language", `"es"`).String())
		edits[ref] = ""
	}
	for i, of := range []string{"s", "t"} {
		w.put(fmt.Sprintf(`{"resourceType":"Observation","id":"later%d","status":"final","code":{"text":"n"},"subject":{"reference":"Patient/%s"}}`, i, of))
	}
	if got := w.of("t"); !slices.Contains(got, "Observation/later0") || !slices.Contains(got, "Observation/later1") {
		r.Errorf("what was written after the merge is not found with the target: %v", got)
	}
	return edits
}

// back undoes a merge, whatever dies on the way.
func (w *world) back(r *rapid.T, rec *Record) {
	ctx := context.Background()
	if rapid.Bool().Draw(r, "crash back") {
		left := rapid.IntRange(0, 2).Draw(r, "writes back")
		w.at.fail = func() error {
			if left--; left < 0 {
				return fmt.Errorf("killed")
			}
			return nil
		}
	}
	_, err := w.Unmerge(ctx, &Parting{Source: "s", By: "me"})
	w.at.fail = nil
	if now, _ := w.Of(ctx, "s"); err != nil && now.Stage == Merged {
		_, err = w.Unmerge(ctx, &Parting{Source: "s", By: "me"})
		if err != nil {
			r.Fatal(err)
		}
	}
	if err := w.Resume(ctx, "s", rec.ID); err != nil {
		r.Fatal(err)
	}
	now, err := w.Of(ctx, "s")
	if err != nil || now.Stage != Undone {
		r.Fatalf("it stands at %+v, %v", now, err)
	}
}

// sorted returns the members of o without regard to their order.
func sorted(o object) object {
	o = slices.Clone(o)
	slices.SortFunc(o, func(a, b members.Member) int { return strings.Compare(a.Name, b.Name) })
	return o
}
