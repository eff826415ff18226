package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

const base = "http://x/fhir"

// find searches AuditEvents and returns, of each, whom it is about and what was done.
func (l *lab) find(s *Store, query string, only *search.Restriction) (found []string) {
	l.Helper()
	params, err := search.SplitQuery(query)
	if err != nil {
		l.Fatal(err)
	}
	q, err := search.Parse("AuditEvent", params, search.Options{Base: base, Now: time.Now(), DefaultCount: 3, MaxCount: 100})
	if err != nil {
		l.Fatalf("%s: %v", query, err)
	}
	q.Restriction = only
	for page := 0; page < 50; page++ {
		result, err := s.Search(l.Context(), q)
		if err != nil {
			l.Fatalf("%s: %v", query, err)
		}
		for i := range result.Matches {
			found = append(found, brief(l.T, &result.Matches[i]))
		}
		if result.Next == "" {
			return found
		}
		q.After = result.Next
	}
	l.Fatalf("%s: the pages do not end", query)
	return nil
}

// brief returns the patients and the request id of an event: "p1 r3".
func brief(t *testing.T, r *fhir.Resource) string {
	t.Helper()
	doc, err := element.Parse(r.JSON)
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	entities := doc.Get(0, "entity")
	for n := doc.First(entities); n != element.None; n = doc.Next(entities, n) {
		what := doc.Get(n, "what")
		if ref := doc.Get(what, "reference"); ref != element.None {
			if id, ok := strings.CutPrefix(doc.Text(ref), "Patient/"); ok {
				parts = append(parts, id)
			}
		} else if id := doc.Get(doc.Get(what, "identifier"), "value"); id != element.None {
			parts = append(parts, doc.Text(id))
		}
	}
	return strings.Join(parts, " ")
}

// saw records that the doctor, or a system, used the API.
func (l *lab) saw(n int, a *rest.Access) {
	l.Helper()
	ctx := doctor.With(l.Context())
	if n%2 == 1 {
		other := *doctor
		other.ID, other.User = "account-odd", fhir.Ref{Type: "Patient", ID: "p2"}
		ctx = other.With(l.Context())
	}
	a.Request, a.Started = fmt.Sprintf("r%d", n), time.Now()
	if err := l.trail.Keep(ctx, []fhir.Event{l.trail.Event(ctx, a)}); err != nil {
		l.Fatal(err)
	}
}

// matching is the restriction to events that a query finds.
func (l *lab) matching(query string) *search.Restriction {
	l.Helper()
	params, err := search.SplitQuery(query)
	if err != nil {
		l.Fatal(err)
	}
	q, err := search.Parse("AuditEvent", params, search.Options{Base: base, Now: time.Now(), MaxCount: 9})
	if err != nil {
		l.Fatal(err)
	}
	return &search.Restriction{Types: map[string][]search.Expr{"AuditEvent": q.Where}}
}

func TestSearch(t *testing.T) {
	onEngines(t, func(l *lab) {
		s := NewStore(l.store, l.trail, base)
		// 0 to 3 read an observation of p1 and p2 by turns, 4 lists both, 5 fails, 6 writes.
		for n := range 4 {
			l.saw(n, &rest.Access{Interaction: rest.Read, Action: 'R', Type: "Observation", ID: "o", Status: 200,
				Refs: []fhir.Ref{{Type: "Observation", ID: fmt.Sprint("o", n%2)}}, Patients: []string{fmt.Sprint("p", n%2+1)}})
		}
		l.saw(4, &rest.Access{Interaction: rest.SearchType, Action: 'E', Type: "Observation", Status: 200, Patients: []string{"p1", "p2"},
			Listed: []fhir.Ref{{Type: "Observation", ID: "o0"}, {Type: "Observation", ID: "o1"}}, Params: []search.Param{{Name: "code", Value: "x"}}})
		l.saw(5, &rest.Access{Interaction: rest.Read, Action: 'R', Type: "Patient", ID: "p1", Status: 403, Patients: []string{"p1"}})
		l.saw(6, &rest.Access{Interaction: rest.Update, Action: 'U', Type: "Observation", ID: "o0", Status: 200,
			Refs: []fhir.Ref{{Type: "Observation", ID: "o0", Version: 7}}, Patients: []string{"p1"}})
		day := time.Now().UTC().Format(time.DateOnly)
		open := search.Unrestricted
		for query, want := range map[string]string{
			"":                                 "6 5 4 3 2 1 0",
			"_sort=date":                       "0 1 2 3 4 5 6",
			"_sort=-date&_count=2":             "6 5 4 3 2 1 0",
			"patient=p1":                       "6 5 4 2 0",
			"patient=Patient/p1":               "6 5 4 2 0",
			"patient=p2":                       "5 4 3 1", // 5: p2 asked
			"patient=p1,p2&action=E":           "4",
			"patient=nobody":                   "",
			"entity=Observation/o0":            "6 2 0",
			"entity=Observation/o0&outcome=0":  "6 2 0",
			"agent=Practitioner/dr":            "6 4 2 0",
			"agent=Patient/p2":                 "5 3 1",
			"altid=account-odd":                "5 3 1",
			"altid=account-7&action=R":         "2 0",
			"action=R":                         "5 3 2 1 0",
			"outcome=4":                        "5",
			"subtype=update":                   "6",
			"date=" + day:                      "6 5 4 3 2 1 0",
			"date=ge" + day + "&date=lt9999":   "6 5 4 3 2 1 0",
			"date=lt" + day:                    "",
			"date=gt2099":                      "",
			"agent-name:contains=zzz":          "",
			"agent:missing=true":               "",
			"patient=p1&entity=Observation/o0": "6 2 0",
		} {
			if got := l.find(s, query, open); !slices.Equal(got, events(l, s, want)) {
				l.Errorf("%s found %v, want %s", query, got, want)
			}
		}
		// Who may see the events of p1 only gets them by no way else.
		own := l.matching("patient=p1")
		for query, want := range map[string]string{
			"": "6 5 4 2 0", "patient=p2": "5 4", "entity=Observation/o1": "", "agent=Patient/p2": "5", "action=R": "5 2 0",
		} {
			if got := l.find(s, query, own); !slices.Equal(got, events(l, s, want)) {
				l.Errorf("restricted, %s found %v, want %s", query, got, want)
			}
		}
		if got := l.find(s, "", &search.Restriction{}); len(got) > 0 {
			l.Errorf("without a right to AuditEvents: %v", got)
		}
		l.ways(s, own)
		// A citizen learns that a search showed their record, and nobody else's name.
		citizen := &authz.Principal{ID: "c", User: fhir.Ref{Type: "Patient", ID: "p1"}, Patient: "p1"}
		q := l.query("patient=p1&action=E")
		q.Restriction = own
		result, err := s.Search(citizen.With(l.Context()), q)
		if err != nil || len(result.Matches) != 1 {
			l.Fatalf("%+v %v", result, err)
		}
		if json := string(result.Matches[0].JSON); !strings.Contains(json, "Patient/p1") || strings.Contains(json, "Patient/p2") || strings.Contains(json, `"query"`) || strings.Contains(json, "Observation/") {
			l.Errorf("a citizen reads %s", json)
		}
	})
}

// events returns what brief says of some, by their numbers.
func events(l *lab, s *Store, numbers string) (want []string) {
	l.Helper()
	all := l.find(s, "_sort=date", search.Unrestricted)
	for number := range strings.FieldsSeq(numbers) {
		for _, one := range all {
			if strings.HasSuffix(one, " r"+number) {
				want = append(want, one)
			}
		}
	}
	return want
}

// ways tries the others: counts, reads, histories, and what is refused.
func (l *lab) ways(s *Store, own *search.Restriction) {
	l.Helper()
	ctx := l.Context()
	result, err := s.Search(ctx, &search.Query{Type: "AuditEvent", Count: 1, Total: search.TotalAccurate, Restriction: own})
	if err != nil || result.Total != 5 || len(result.Matches) != 1 {
		l.Fatalf("%+v %v", result, err)
	}
	one := result.Matches[0]
	if r, err := s.Read(ctx, one.Ref); err != nil || string(r.JSON) != string(one.JSON) {
		l.Errorf("read: %v", err)
	}
	for _, ref := range []fhir.Ref{{Type: "AuditEvent", ID: one.Ref.ID, Version: 2}, {Type: "AuditEvent", ID: uuid.NewString()}, {Type: "AuditEvent", ID: "x"}} {
		if _, err := s.Read(ctx, ref); fhir.CodeOf(err) != fhir.NotFound {
			l.Errorf("%s: %v", ref, err)
		}
	}
	if h, err := s.History(ctx, &search.History{Type: "AuditEvent", ID: one.Ref.ID, Count: 9, Restriction: own}); err != nil || len(h.Entries) != 1 {
		l.Errorf("history: %+v %v", h, err)
	}
	if _, err := s.History(ctx, &search.History{Type: "AuditEvent", ID: one.Ref.ID, Count: 9, Restriction: &search.Restriction{}}); fhir.CodeOf(err) != fhir.NotFound {
		l.Errorf("history of what may not be seen: %v", err)
	}
	if _, err := s.Search(ctx, &search.Query{Type: "AuditEvent", Count: 1}); err == nil {
		l.Error("a search without a restriction")
	}
	for _, op := range []bundle.Op{bundle.Update, bundle.Patch, bundle.Delete} {
		_, err := s.Apply(ctx, &bundle.Batch{Changes: []bundle.Change{{Op: op, Ref: one.Ref.Current()}}})
		if fhir.CodeOf(err) != fhir.NotAllowed {
			l.Errorf("op %d: %v", op, err)
		}
	}
}

// TestAccept: what applications send is in the same chain, alone and together with
// what it tells of.
func TestAccept(t *testing.T) {
	onEngines(t, func(l *lab) {
		s := NewStore(l.store, l.trail, base)
		create := func(typ, id, json string) bundle.Change {
			src, err := bundle.Parse([]byte(json))
			if err != nil {
				l.Fatal(err)
			}
			c, err := bundle.Maker{Base: base}.Create(src, fhir.Ref{Type: typ, ID: id})
			if err != nil {
				l.Fatal(err)
			}
			return c
		}
		const sent = `{"resourceType":"AuditEvent","type":{"system":"http://dicom.nema.org/resources/ontology/DCM","code":"110112"},"action":"E","recorded":"2026-01-02T03:04:05Z",` +
			`"agent":[{"who":{"reference":"Practitioner/far"},"requestor":true}],"source":{"observer":{"display":"HIS"}},"entity":[{"what":{"reference":"Patient/p8"}}]}`
		first, second := uuid.Must(uuid.NewV7()).String(), uuid.Must(uuid.NewV7()).String()
		results, err := s.Apply(l.Context(), &bundle.Batch{Changes: []bundle.Change{create("AuditEvent", first, sent)}})
		if err != nil || results[0].Outcome != bundle.Created || !strings.Contains(string(results[0].Resource.JSON), first) {
			l.Fatalf("%+v %v", results, err)
		}
		results, err = s.Apply(l.Context(), &bundle.Batch{Changes: []bundle.Change{
			create("Patient", "p8", `{"resourceType":"Patient"}`), create("AuditEvent", second, sent), create("Patient", "p9", `{"resourceType":"Patient"}`),
		}})
		if err != nil || len(results) != 3 || results[1].Resource.Ref.ID != second || results[2].Resource.Ref.ID != "p9" {
			l.Fatalf("%+v %v", results, err)
		}
		// A transaction that fails leaves no event behind.
		third := uuid.Must(uuid.NewV7()).String()
		_, err = s.Apply(l.Context(), &bundle.Batch{Changes: []bundle.Change{
			create("AuditEvent", third, sent), {Op: bundle.Patch, Ref: fhir.Ref{Type: "Patient", ID: "none"}},
		}})
		if fhir.CodeOf(err) != fhir.NotFound {
			l.Errorf("error %v", err)
		}
		if _, err := s.Apply(l.Context(), &bundle.Batch{Changes: []bundle.Change{create("AuditEvent", "chosen", sent)}}); fhir.CodeOf(err) != fhir.NotAllowed {
			l.Errorf("an id of the client's choice: %v", err)
		}
		found, err := s.Search(l.Context(), l.query("patient=p8&agent=Practitioner/far&_sort=date"))
		if err != nil || len(found.Matches) != 2 || found.Matches[0].Ref.ID != first || found.Matches[1].Ref.ID != second {
			l.Fatalf("%+v %v", found, err)
		}
		l.trail.Flush(l.Context())
		l.sound(2)
	})
}

func (l *lab) query(text string) *search.Query {
	l.Helper()
	params, err := search.SplitQuery(text)
	if err != nil {
		l.Fatal(err)
	}
	q, err := search.Parse("AuditEvent", params, search.Options{Base: base, Now: time.Now(), DefaultCount: 20, MaxCount: 100})
	if err != nil {
		l.Fatal(err)
	}
	q.Restriction = search.Unrestricted
	return q
}

// TestSearchesApart: a search of other resources that asks something of AuditEvents is
// refused, and every other one goes on.
func TestSearchesApart(t *testing.T) {
	tests := []struct {
		typ, query string
		refused    bool
	}{
		{"Patient", "_has:AuditEvent:entity:action=R", true},
		{"Patient", "_has:Observation:patient:_has:AuditEvent:entity:action=R", true},
		{"Patient", "_revinclude=AuditEvent:entity", true},
		{"Patient", "_filter=active eq true", false},
		{"Patient", "_revinclude=Provenance:target&_has:Observation:patient:code=x", false},
		{"", "_type=AuditEvent,Patient", true},
		{"", "_type=Patient", false},
		{"", "_id=x", false},
	}
	for _, tt := range tests {
		params, err := search.SplitQuery(tt.query)
		if err != nil {
			t.Fatal(err)
		}
		q, err := search.Parse(tt.typ, params, search.Options{Base: base})
		if err != nil {
			t.Fatalf("%s: %v", tt.query, err)
		}
		if err := apart(q); (err != nil) != tt.refused {
			t.Errorf("%s?%s: %v", tt.typ, tt.query, err)
		}
	}
}

// stuck are chains to which nothing can be added while they are.
type stuck struct {
	Chains
	is atomic.Bool
}

func (s *stuck) LinkEvents(ctx context.Context, events []fhir.Event, again bool, inbox int, link func(fhir.Event, []fhir.Event) error) (int, error) {
	if s.is.Load() {
		return 0, errors.New("it is busy")
	}
	return s.Chains.LinkEvents(ctx, events, again, inbox, link)
}

// TestReadBeforeLinked: of an event that could not be linked yet nobody is told that there is
// none.
func TestReadBeforeLinked(t *testing.T) {
	onEngines(t, func(l *lab) {
		chains := &stuck{Chains: l.config.Chains}
		l.config.Chains = chains
		l.checkpoint() // closes the trail and opens another
		s := NewStore(l.store, l.trail, "http://h/fhir")
		chains.is.Store(true)
		ctx := doctor.With(l.Context())
		e := l.trail.Event(ctx, &rest.Access{Request: "r", Interaction: rest.Read, Type: "Observation", ID: "o1", Action: 'R', Status: 200})
		if err := l.trail.Keep(ctx, []fhir.Event{e}); err != nil {
			l.Fatal(err)
		}
		ref := fhir.Ref{Type: "AuditEvent", ID: uuid.UUID(e.ID).String()}
		if _, err := s.Read(ctx, ref); fhir.CodeOf(err) != fhir.Unavailable {
			l.Errorf("while it cannot be linked: %v", err)
		}
		chains.is.Store(false)
		if _, err := s.Read(ctx, ref); err != nil {
			l.Errorf("later: %v", err)
		}
	})
}
