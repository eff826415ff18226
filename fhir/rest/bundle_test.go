package rest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/rest"
)

// bundleOf writes a Bundle of entries.
func bundleOf(typ string, entries ...string) string {
	return `{"resourceType":"Bundle","type":"` + typ + `","entry":[` + strings.Join(entries, ",") + `]}`
}

// entry writes an entry; more is added to its request.
func entry(fullURL, method, url, resource, more string) string {
	e := `{`
	if fullURL != "" {
		e += `"fullUrl":"` + fullURL + `",`
	}
	if resource != "" {
		e += `"resource":` + resource + `,`
	}
	return e + fmt.Sprintf(`"request":{"method":%q,"url":%q%s}}`, method, url, more)
}

const urn = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0"

func TestTransaction(t *testing.T) {
	s := serve(t)
	s.put(patient("gone", "g"))
	s.put(patient("old", "o"))
	s.put(`{"resourceType":"Organization","id":"org","identifier":[{"system":"http://s","value":"org"}]}`)
	transaction := bundleOf("transaction",
		entry("", "GET", "Patient?identifier=http://s|1", "", ""),
		entry(urn+"a", "POST", "Observation", `{"resourceType":"Observation","id":"inner","status":"final","code":{"text":"x"},"subject":{"reference":"`+urn+`b"},"performer":[{"reference":"Organization?identifier=http://s|org"}]}`, ""),
		entry(urn+"b", "POST", "Patient", patient("inner", "1"), `,"ifNoneExist":"identifier=http://s|1"`),
		entry("", "PUT", "Patient/old", patient("old", "o2"), `,"ifMatch":"W/\"1\""`),
		entry("", "DELETE", "Patient/gone", "", ""),
		entry("", "GET", "Patient/nobody", "", ""),
	)
	a := s.want(200, s.do("POST", "/", transaction))
	b := a.bundle(t)
	if b.Type != "transaction-response" || len(b.Entry) != 6 {
		t.Fatalf("got %s", a.body)
	}
	for i, want := range []string{"200 OK", "201 Created", "201 Created", "200 OK", "204 No Content", "404 Not Found"} {
		if b.Entry[i].Response.Status != want {
			t.Errorf("entry %d: %s, want %s", i, b.Entry[i].Response.Status, want)
		}
	}
	location := strings.TrimPrefix(b.Entry[2].Response.Location, s.url)
	id := strings.TrimSuffix(strings.TrimPrefix(location, "/Patient/"), "/_history/1")
	var inner set
	if err := json.Unmarshal(b.Entry[0].Resource, &inner); err != nil || len(inner.Entry) != 1 || inner.ids()[0] != "Patient/"+id {
		t.Errorf("the search of the transaction did not see its create: %s", b.Entry[0].Resource)
	}
	o := s.want(200, s.do("GET", strings.TrimPrefix(b.Entry[1].Response.Location, s.url), ""))
	for _, want := range []string{`"subject":{"reference":"Patient/` + id + `"}`, `"performer":[{"reference":"Organization/org"}]`} {
		if !strings.Contains(o.body, want) {
			t.Errorf("%s lacks %s", o.body, want)
		}
	}
	if strings.Contains(o.body, "inner") {
		t.Errorf("an id within a POST was honoured: %s", o.body)
	}
	if b.Entry[1].Response.Etag != `W/"1"` || b.Entry[3].Response.Etag != `W/"2"` || b.Entry[1].Resource != nil {
		t.Errorf("replies %s", a.body)
	}
	// The same once more: the patient is there, so nothing is created; If-Match is stale.
	a = s.want(412, s.do("POST", "/", transaction))
	if e := a.outcome(t).Issue[0].Expression; len(e) != 1 || e[0] != "Bundle.entry[3]" {
		t.Errorf("the entry at fault: %s", a.body)
	}
	if h := s.do("GET", "/Observation/_history", "").bundle(t); len(h.Entry) != 1 {
		t.Errorf("a transaction that failed left %d observations", len(h.Entry))
	}
	again := bundleOf("transaction", entry(urn+"b", "POST", "Patient", patient("inner", "1"), `,"ifNoneExist":"identifier=http://s|1"`),
		entry(urn+"c", "POST", "Patient", patient("inner", "1"), `,"ifNoneExist":"identifier=http://s|1"`))
	b = s.want(200, s.do("POST", "/", again, "Prefer", "return=representation")).bundle(t)
	for i := range 2 {
		if b.Entry[i].Response.Status != "200 OK" || b.ids()[i] != "Patient/"+id || !strings.HasSuffix(b.Entry[i].Response.Location, location) {
			t.Errorf("entry %d: %+v", i, b.Entry[i])
		}
	}
}

// TestTwinsMakeOne: two creates with one criterion make one resource, also when
// there was none before.
func TestTwinsMakeOne(t *testing.T) {
	s := serve(t)
	twin := func(n string) string {
		return entry(urn+n, "POST", "Patient", patient("", "1"), `,"ifNoneExist":"identifier=http://s|1"`)
	}
	b := s.want(200, s.do("POST", "/", bundleOf("transaction", twin("a"), twin("b"),
		entry("", "POST", "Observation", observation("", urn+"b"), "")))).bundle(t)
	if b.Entry[0].Response.Status != "201 Created" || b.Entry[1].Response.Status != "200 OK" || b.Entry[0].Response.Location != b.Entry[1].Response.Location {
		t.Errorf("%+v", b.Entry)
	}
	all := s.want(200, s.do("GET", "/Patient", "")).bundle(t)
	if len(all.Entry) != 1 {
		t.Errorf("%v", all.ids())
	}
	if o := s.do("GET", "/Observation", ""); !strings.Contains(o.body, `"reference":"`+all.ids()[0]+`"`) {
		t.Errorf("%s", o.body)
	}
}

func TestTransactionFailsWhole(t *testing.T) {
	s := serve(t, func(c *rest.Config) { c.Limits.Entries = 4 })
	good := entry("", "POST", "Patient", patient("", "1"), "")
	s.put(patient("x", "twice"))
	s.put(patient("y", "twice"))
	tests := []struct {
		name, body string
		status     int
		expression string
	}{
		{"invalid resource", bundleOf("transaction", good, entry("", "POST", "Patient", patient("", "", `"gender":"x"`), "")), 422, "Bundle.entry[1].resource.gender"},
		{"no match of a reference", bundleOf("transaction", good, entry("", "POST", "Observation", observation("", "Patient?identifier=none"), "")), 0, "Bundle.entry[1].resource.subject.reference"},
		{"several matches of a reference", bundleOf("transaction", good, entry("", "POST", "Observation", observation("", "Patient?identifier=http://s|twice"), "")), 0, "Bundle.entry[1].resource.subject.reference"},
		{"several matches of a criterion", bundleOf("transaction", good, entry("", "PUT", "Patient?identifier=http://s|twice", patient("", "t"), "")), 412, "Bundle.entry[1]"},
		{"unknown urn", bundleOf("transaction", good, entry("", "POST", "Observation", observation("", urn+"f"), "")), 422, "Bundle.entry[1].resource.subject.reference"},
		{"bundle in a bundle", bundleOf("batch", good, entry("", "POST", "/", bundleOf("batch", good), "")), 200, ""},
		{"bundle in a transaction", bundleOf("transaction", good, entry("", "POST", "/", bundleOf("transaction", good), "")), 400, "Bundle.entry[1].request.url"},
		{"other type", bundleOf("collection", good), 400, "Bundle.type"},
		{"no Bundle", patient("", "1"), 400, "Bundle"},
		{"too many entries", bundleOf("transaction", good, good, good, good, good), 413, "Bundle.entry"},
	}
	for _, tt := range tests {
		a := s.do("POST", "/", tt.body)
		if tt.status == 200 {
			b := s.want(200, a).bundle(t)
			if b.Entry[0].Response.Status != "201 Created" || b.Entry[1].Response.Status != "400 Bad Request" {
				t.Errorf("%s: %s", tt.name, a.body)
			}
			continue
		}
		o := a.outcome(t)
		if tt.status != 0 && a.status != tt.status || a.status < 400 || a.status >= 500 || len(o.Issue[0].Expression) != 1 || o.Issue[0].Expression[0] != tt.expression {
			t.Errorf("%s: %d %s", tt.name, a.status, a.body)
		}
	}
	if b := s.do("GET", "/Patient?identifier=http://s|1", "").bundle(t); len(b.Entry) != 1 { // from the batch
		t.Errorf("transactions that failed left %v", b.ids())
	}
}

func TestBatch(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1"))
	a := s.want(200, s.do("POST", "/", bundleOf("batch",
		entry("", "GET", "Patient/p", "", ""),
		entry("", "GET", "/Patient/p", "", `,"ifNoneMatch":"W/\"1\""`),
		entry("", "POST", "Patient", patient("", "", `"gender":"x"`), ""),
		entry("", "POST", "Patient", patient("", "2"), ""),
		entry("", "PUT", "Patient/q", patient("q", "3"), ""),
		entry("", "DELETE", s.url+"/Patient/p", "", ""),
		entry("", "GET", "Patient/p", "", ""),
		entry("", "GET", "Patient?identifier=http://s|3&_elements=active", "", ""),
		entry("", "PATCH", "Patient/q", `{"resourceType":"Binary","contentType":"application/json-patch+json","data":"W3sib3AiOiJhZGQiLCJwYXRoIjoiL2FjdGl2ZSIsInZhbHVlIjp0cnVlfV0="}`, ""),
		entry("", "POST", "Patient", "", ""),
		entry("", "BREW", "Patient", "", ""),
		entry("", "GET", "Pacient/1", "", ""),
		entry("", "GET", "metadata", "", ""),
	)))
	b := a.bundle(t)
	want := []string{"200", "304", "422", "201", "201", "204", "410", "200", "200", "400", "405", "404", "200"}
	if b.Type != "batch-response" || len(b.Entry) != len(want) {
		t.Fatalf("got %s", a.body)
	}
	for i, e := range b.Entry {
		if !strings.HasPrefix(e.Response.Status, want[i]) {
			t.Errorf("entry %d: %s, want %s: %s", i, e.Response.Status, want[i], e.Response.Outcome)
		}
		if failed := want[i] >= "400"; failed != (len(e.Response.Outcome) > 0) {
			t.Errorf("entry %d: outcome %s", i, e.Response.Outcome)
		}
	}
	if !strings.Contains(string(b.Entry[2].Response.Outcome), `"expression":["Bundle.entry[2].resource.gender"]`) {
		t.Errorf("outcome: %s", b.Entry[2].Response.Outcome)
	}
	if !strings.Contains(string(b.Entry[7].Resource), "SUBSETTED") || strings.Contains(string(b.Entry[7].Resource), `"value":"3"`) {
		t.Errorf("search: %s", b.Entry[7].Resource)
	}
	if s.records.last().Entries != len(want) {
		t.Errorf("record: %+v", s.records.last())
	}
	s.want(200, s.do("POST", "", bundleOf("batch"))) // without a slash, and without entries
}
