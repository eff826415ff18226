package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// echo answers with what it was called on, for tests.
func echo(_ context.Context, c *operation.Call) (*operation.Answer, error) {
	if c.Restriction == nil {
		return nil, fmt.Errorf("no restriction")
	}
	text, err := c.In.Text("text")
	if err != nil {
		return nil, err
	}
	if text == "fail" {
		return nil, fhir.Errorf(fhir.Unprocessable, "told to fail")
	}
	kind := "none"
	if _, bare := c.In.Body(); bare {
		kind = "bare"
	} else if c.In.Document() != nil {
		kind = "parameters"
	}
	p := []byte(`{"resourceType":"Parameters","parameter":[{"name":"said","valueString":`)
	p = element.Quote(p, strings.Join([]string{c.Type, c.ID, kind, text}, "|"))
	return &operation.Answer{JSON: append(p, `}]}`...)}, nil
}

const definition = "http://example.org/OperationDefinition/"

// offers mounts operations of every kind.
func offers(c *rest.Config) {
	c.Operations = []operation.Operation{
		{Name: "echo", URL: definition + "echo", Scope: operation.OnSystem | operation.OnType | operation.OnInstance, Run: echo},
		{Name: "lookup", URL: definition + "lookup", Scope: operation.OnType, Types: []string{"CodeSystem"}, Run: echo},
		{Name: "lookup", URL: definition + "lookup-2", Scope: operation.OnType, Types: []string{"ValueSet"}, Run: echo},
		{Name: "run", URL: definition + "run", Scope: operation.OnType, Types: []string{"ViewDefinition"}, Run: echo},
		{Name: "change", URL: definition + "change", Scope: operation.OnSystem, Changes: true, Run: echo},
		{Name: "break", URL: definition + "break", Scope: operation.OnSystem, Run: func(context.Context, *operation.Call) (*operation.Answer, error) {
			panic("planted")
		}},
	}
}

// said returns what echo answered.
func said(t testing.TB, body string) string {
	t.Helper()
	var p struct {
		Parameter []struct{ ValueString string }
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil || len(p.Parameter) != 1 {
		t.Fatalf("%v in %.300s", err, body)
	}
	return p.Parameter[0].ValueString
}

func TestOperations(t *testing.T) {
	s := serve(t, offers)
	parameters := `{"resourceType":"Parameters","parameter":[{"name":"text","valueString":"hi"}]}`
	tests := []struct{ method, path, body, want string }{
		{"GET", "/$echo?text=a&_format=json", "", "||none|a"},
		{"POST", "/$echo", parameters, "||parameters|hi"},
		{"POST", "/$echo/", parameters, "||parameters|hi"},
		{"POST", "/%24echo", parameters, "||parameters|hi"},
		{"POST", "/$echo", "", "||none|"},
		{"POST", "/Patient/$echo", patient("", "1"), "Patient||bare|"},
		{"POST", "/Patient/$echo?text=a", patient("", "1"), "Patient||bare|a"},
		{"GET", "/Patient/7/$echo?text=b", "", "Patient|7|none|b"},
		{"POST", "/CodeSystem/$lookup", parameters, "CodeSystem||parameters|hi"},
		{"GET", "/ValueSet/$lookup?text=c", "", "ValueSet||none|c"},
		{"POST", "/ViewDefinition/$run", `{"resourceType":"ViewDefinition"}`, "ViewDefinition||bare|"},
		{"POST", "/$change", parameters, "||parameters|hi"},
	}
	for _, tt := range tests {
		a := s.do(tt.method, tt.path, tt.body)
		if a.status != 200 {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, a.status, a.body)
		} else if got := said(t, a.body); got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.method, tt.path, got, tt.want)
		}
		if r := s.records.last(); r.Interaction != rest.Operation {
			t.Errorf("%s %s: recorded as %q", tt.method, tt.path, r.Interaction)
		}
	}
}

func TestOperationsRefused(t *testing.T) {
	s := serve(t, offers)
	tests := []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/$ekho", "", 404, "did you mean echo?"},
		{"GET", "/$version", "", 404, "did you mean versions?"},
		{"GET", "/Patient/1/$everything", "", 404, "$everything is not offered"},
		{"GET", "/$lookup", "", 404, "/CodeSystem/$lookup, /ValueSet/$lookup"},
		{"GET", "/Patient/$lookup", "", 404, "is offered at"},
		{"GET", "/Pacient/$echo", "", 404, "no resource type"},
		{"GET", "/ViewDefinitions/$echo", "", 404, "no resource type"},
		{"GET", "/Patient/a_b/$echo", "", 400, "the id"},
		{"GET", "/Patient/1/_history/1/$echo", "", 404, ""},
		{"GET", "/$change", "", 405, ""},
		{"PUT", "/Patient/$echo", patient("", "1"), 405, ""},
		{"POST", "/$echo", "[]", 400, "Parameters or another resource"},
		{"POST", "/$echo", "{", 400, ""},
		{"GET", "/$echo?text=a&text=b", "", 400, "given once"},
		{"GET", "/$echo?text=fail", "", 422, "told to fail"},
		{"GET", "/$break", "", 500, "internal error"},
		{"POST", "/$echo", strings.Repeat(`{"a":`, 2000), 413, ""},
	}
	for _, tt := range tests {
		a := s.do(tt.method, tt.path, tt.body)
		if a.status != tt.status || !a.outcome(t).says(tt.says) {
			t.Errorf("%s %s: %d %s; want %d %q", tt.method, tt.path, a.status, a.body, tt.status, tt.says)
		}
	}
	if allow := s.do("PUT", "/$echo", "").header.Get("Allow"); allow != "GET, POST, HEAD" {
		t.Errorf("Allow: %s", allow)
	}
	if allow := s.do("DELETE", "/$change", "").header.Get("Allow"); allow != "POST" {
		t.Errorf("Allow: %s", allow)
	}
	s.want(415, s.do("POST", "/$echo", "a=b", "Content-Type", "text/plain"))
}

func TestOperationsInBundles(t *testing.T) {
	s := serve(t, offers)
	entries := func(kind, more string) string {
		return `{"resourceType":"Bundle","type":"` + kind + `","entry":[
			{"request":{"method":"GET","url":"$echo?text=a"}},
			{"resource":` + patient("", "9") + `,"request":{"method":"POST","url":"Patient/$echo"}},
			{"resource":` + patient("b1", "9") + `,"request":{"method":"PUT","url":"Patient/b1"}}` + more + `]}`
	}
	for _, kind := range []string{"batch", "transaction"} {
		b := s.want(200, s.do("POST", "/", entries(kind, ""))).bundle(t)
		if got := said(t, string(b.Entry[0].Resource)); got != "||none|a" {
			t.Errorf("%s: %q", kind, got)
		}
		if got := said(t, string(b.Entry[1].Resource)); got != "Patient||bare|" {
			t.Errorf("%s: %q", kind, got)
		}
	}
	more := `,{"request":{"method":"POST","url":"$change"}},{"request":{"method":"GET","url":"$break"}},{"request":{"method":"GET","url":"$none"}}`
	b := s.want(200, s.do("POST", "/", entries("batch", more))).bundle(t)
	for i, want := range map[int]string{3: "200 OK", 4: "500 Internal Server Error", 5: "404 Not Found"} {
		if got := b.Entry[i].Response.Status; got != want {
			t.Errorf("entry %d: %s, want %s", i, got, want)
		}
	}
	a := s.want(501, s.do("POST", "/", entries("transaction", `,{"request":{"method":"POST","url":"$change"}}`)))
	if !a.outcome(t).says("cannot be part of a transaction") {
		t.Error(a.body)
	}
}

// asked notes what a Guard was asked.
type asked struct {
	mu   sync.Mutex
	last []string
}

func (g *asked) Check(_ context.Context, r *rest.Request) (rest.Decision, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = append(g.last, fmt.Sprintf("%s %s %s/%s", r.Interaction, r.Operation, r.Type, r.ID))
	if r.Operation == "change" {
		return rest.Decision{}, fhir.Errorf(fhir.Forbidden, "not this")
	}
	return rest.Decision{Restriction: search.Unrestricted}, nil
}

func TestGuardIsAskedAboutOperations(t *testing.T) {
	g := &asked{}
	s := serve(t, offers, func(c *rest.Config) { c.Guard = g })
	s.want(200, s.do("GET", "/Patient/7/$echo", ""))
	s.want(403, s.do("POST", "/$change", ""))
	if got := strings.Join(g.last, ", "); got != "operation echo Patient/7, operation change /" {
		t.Error(got)
	}
}

// veiled shows Patients without their names.
type veiled struct{}

func (veiled) Check(context.Context, *rest.Request) (rest.Decision, error) {
	veil := rest.NewVeil(rest.MaskRules{Types: []string{"HumanName"}})
	return rest.Decision{Restriction: search.Unrestricted, Mask: rest.NewMask(map[string][]*rest.Veil{"Patient": {veil}})}, nil
}

// TestWhatQuotesIsRefused: a message could quote what a mask leaves out.
func TestWhatQuotesIsRefused(t *testing.T) {
	quotes := operation.Operation{Name: "quote", URL: definition + "quote", Scope: operation.OnType | operation.OnInstance, Quotes: true, Run: echo}
	s := serve(t, func(c *rest.Config) {
		offers(c)
		c.Operations = append(c.Operations, quotes)
		c.Guard = veiled{}
	})
	s.want(403, s.do("GET", "/Patient/7/$quote", ""))
	s.want(200, s.do("GET", "/Patient/$quote", "")) // of what the caller sends
	s.want(200, s.do("GET", "/Patient/7/$echo", ""))
	s.want(200, s.do("GET", "/Observation/7/$quote", ""))
}

func TestOperationsThatCannotBeMounted(t *testing.T) {
	good := operation.Operation{Name: "x", URL: "u", Scope: operation.OnSystem, Run: echo}
	without := func(change func(*operation.Operation)) []operation.Operation {
		op := good
		change(&op)
		return []operation.Operation{op}
	}
	for name, ops := range map[string][]operation.Operation{
		"no name":     without(func(o *operation.Operation) { o.Name = "" }),
		"with dollar": without(func(o *operation.Operation) { o.Name = "$x" }),
		"no URL":      without(func(o *operation.Operation) { o.URL = "" }),
		"no scope":    without(func(o *operation.Operation) { o.Scope = 0 }),
		"no Run":      without(func(o *operation.Operation) { o.Run = nil }),
		"twice":       {good, good},
		"types overlap": {
			{Name: "x", URL: "u", Scope: operation.OnType, Types: []string{"Patient", "Group"}, Run: echo},
			{Name: "x", URL: "u", Scope: operation.OnType | operation.OnSystem, Types: []string{"Group"}, Run: echo},
		},
	} {
		cfg := rest.Config{Store: newStore(t), Guard: open{}, BaseURL: "http://a/fhir", CursorKey: make([]byte, 32), Operations: ops}
		if _, err := rest.New(cfg); err == nil {
			t.Errorf("%s: mounted", name)
		}
	}
}

func TestMetadataListsOperations(t *testing.T) {
	s := serve(t, offers)
	type list []struct{ Name, Definition string }
	var c struct {
		Rest []struct {
			Operation list
			Resource  []struct {
				Type      string
				Operation list
			}
		}
	}
	if err := json.Unmarshal([]byte(s.do("GET", "/metadata", "").body), &c); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.Rest[0].Operation); !strings.Contains(got, "{versions http://hl7.org/fhir/OperationDefinition/CapabilityStatement-versions}") ||
		!strings.Contains(got, "{echo "+definition+"echo}") || strings.Contains(got, "lookup") {
		t.Error(got)
	}
	for _, r := range c.Rest[0].Resource {
		got := fmt.Sprint(r.Operation)
		if !strings.Contains(got, "{echo ") || strings.Contains(got, "lookup") != (r.Type == "CodeSystem" || r.Type == "ValueSet") {
			t.Errorf("%s: %s", r.Type, got)
		}
	}
}
