package authz_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir/rest"
)

// way is a path by which something could come back. None may bring what its caller
// may not see.
type way struct {
	route  string // of rest.Routes, or an operation
	method string
	path   string // {ref}, {type}, {id} stand for those of a resource
	body   string
	typ    string // what the question is about: "" for all types, "{type}" for that of the resource
	act    string // read or search where the rules for that count

	// exact says that everything comes back that the caller may see and that f names;
	// nil asks only that nothing else does.
	exact func(w *world, o, asked object) bool

	// tells returns the resources that an answer tells of, where it does not hold them
	// as they are; nil for those that it holds.
	tells func(a *httptest.ResponseRecorder) []string
}

func isAsked(_ *world, o, asked object) bool { return refOf(o) == refOf(asked) }

func entries(kind string, list ...string) string {
	return fmt.Sprintf(`{"resourceType":"Bundle","type":%q,"entry":[%s]}`, kind, strings.Join(list, ","))
}

func get(url string) string { return fmt.Sprintf(`{"request":{"method":"GET","url":%q}}`, url) }

// ways are all of them. A route or operation without a row fails TestEveryWay.
var ways = []way{
	{route: "GET /{type}/{id}", method: "GET", path: "/{ref}", typ: "{type}", act: "read", exact: isAsked},
	{route: "GET /{type}/{id}", method: "HEAD", path: "/{ref}", typ: "{type}", act: "read"},
	{route: "GET /{type}/{id}", method: "GET", path: "/{ref}?_elements=identifier,meta", typ: "{type}", act: "read", exact: isAsked},
	{route: "GET /{type}/{id}", method: "GET", path: "/{ref}?_summary=true", typ: "{type}", act: "read", exact: isAsked},
	{route: "GET /{type}/{id}/_history/{vid}", method: "GET", path: "/{ref}/_history/1", typ: "{type}", act: "read", exact: isAsked},
	{route: "GET /{type}/{id}/_history", method: "GET", path: "/{ref}/_history", typ: "{type}", act: "read", exact: isAsked},
	{route: "GET /{type}/_history", method: "GET", path: "/{type}/_history?_count=500", typ: "{type}", act: "search", exact: func(_ *world, o, asked object) bool { return typeOf(o) == typeOf(asked) }},
	{route: "GET /_history", method: "GET", path: "/_history?_count=500", act: "search", exact: func(*world, object, object) bool { return true }},
	{route: "GET /{type}", method: "GET", path: "/{type}?_count=500", typ: "{type}", act: "search", exact: func(_ *world, o, asked object) bool { return typeOf(o) == typeOf(asked) }},
	{route: "GET /{type}", method: "GET", path: "/{type}?_id={id}", typ: "{type}", act: "search", exact: isAsked},
	{route: "GET /{type}", method: "GET", path: "/Observation?_count=500&_include=*&_include:iterate=Encounter:service-provider", typ: "Observation", act: "search"},
	{route: "GET /{type}", method: "GET", path: "/Patient?_count=500&_revinclude=*", typ: "Patient", act: "search"},
	{route: "GET /{type}", method: "GET", path: "/Patient?_count=500&_revinclude=Observation:subject&_revinclude:iterate=Consent:patient", typ: "Patient", act: "search"},
	{route: "GET /{type}", method: "GET", path: "/Observation?_count=500&subject:Patient._id=p1", typ: "Observation", act: "search", exact: func(w *world, o, _ object) bool {
		return typeOf(o) == "Observation" && subject(o) == "Patient/p1" && w.shows("Patient/p1", "Observation", "search")
	}},
	{route: "GET /{type}", method: "GET", path: "/Patient?_count=500&_has:Observation:subject:code=1-1", typ: "Patient", act: "search", exact: func(w *world, o, _ object) bool {
		return typeOf(o) == "Patient" && slices.ContainsFunc(w.order, func(ref string) bool {
			b := w.all[ref]
			return typeOf(b) == "Observation" && subject(b) == refOf(o) && str(b, "code", "coding", "code") == "1-1" && w.shows(ref, "Patient", "search")
		})
	}},
	{route: "POST /{type}/_search", method: "POST", path: "/{type}/_search?_id={id}", typ: "{type}", act: "search", exact: isAsked},
	{route: "GET /", method: "GET", path: "/?_id={id}", act: "search", exact: isAsked},
	{route: "GET /", method: "GET", path: "/?_type=Patient,Observation&_count=500", act: "search", exact: func(_ *world, o, _ object) bool { return typeOf(o) == "Patient" || typeOf(o) == "Observation" }},
	{route: "POST /_search", method: "POST", path: "/_search?_id={id}", act: "search", exact: isAsked},
	{route: "GET /{type}/{id}/{member}", method: "GET", path: "/Patient/p1/Observation?_count=500", typ: "Observation", act: "search", exact: func(_ *world, o, _ object) bool {
		return typeOf(o) == "Observation" && inCompartment(o, "Patient/p1")
	}},
	{route: "GET /{type}/{id}/{member}", method: "GET", path: "/Patient/p1/*?_count=500", act: "search"},
	{route: "POST /{type}/{id}/{member}/_search", method: "POST", path: "/Patient/p2/Condition/_search?_count=500", typ: "Condition", act: "search"},
	{route: "POST /", method: "POST", path: "/", body: entries("batch", get("{ref}"), get("{type}?_count=500"), get("{ref}/_history"), get("Patient?_revinclude=Observation:subject")), act: "either"},
	{route: "POST /", method: "POST", path: "/", body: entries("transaction", get("{ref}"), get("{type}?_id={id}")), act: "either"},
	{route: "POST /", method: "POST", path: "/", body: entries("transaction", `{"resource":{"resourceType":"{type}"},"request":{"method":"POST","url":"{type}","ifNoneExist":"_id={id}"}}`), act: "either"},
	{route: "POST /{type}", method: "POST", path: "/{type}", body: `{"resourceType":"{type}","id":"x"}`, act: "either"},
	{route: "PUT /{type}", method: "PUT", path: "/{type}?_id={id}", body: `{"resourceType":"{type}","id":"{id}"}`, act: "either"},
	{route: "PATCH /{type}", method: "PATCH", path: "/{type}?_id={id}", body: `[{"op":"test","path":"/id","value":"{id}"}]`, act: "either"},
	{route: "DELETE /{type}", method: "DELETE", path: "/{type}?_id=nobody", act: "either"},
	{route: "PATCH /{type}/{id}", method: "PATCH", path: "/{ref}", body: `[{"op":"test","path":"/id","value":"{id}"}]`, act: "either"},
	{route: "PUT /{type}/{id}", method: "PUT", path: "/{ref}", body: `{"resourceType":"{type}","id":"{id}","status":"x"}`, act: "either"},
	{route: "DELETE /{type}/{id}", method: "DELETE", path: "/{type}/nobody", act: "either"},
	{route: "GET /metadata", method: "GET", path: "/metadata", exact: func(*world, object, object) bool { return false }},
	{route: "GET /$versions", method: "GET", path: "/$versions", exact: func(*world, object, object) bool { return false }},
	{route: "POST /$versions", method: "POST", path: "/$versions", exact: func(*world, object, object) bool { return false }},
	{route: "$import", method: "POST", path: "/$import", body: `{"resourceType":"Parameters","parameter":[{"name":"input","part":[{"name":"type","valueCode":"{type}"},{"name":"url","valueUri":"file:{type}"}]}]}`, act: "either"}, // what it does: TestImportsRestricted
	{route: "$changes", method: "GET", path: "/$changes?_count=500", act: "either"},
	{route: "$changes", method: "GET", path: "/$changes?_count=500&patient=p1", act: "either"},
	{route: "$changes", method: "GET", path: "/$changes?_count=500&group=g1", act: "either"},
	{route: "$changes", method: "GET", path: "/$changes?_count=500&organization=o1", act: "either"},
	{route: "$everything", method: "GET", path: "/Patient/p1/$everything", act: "either"},
	{route: "$everything", method: "GET", path: "/Patient/$everything", act: "either"},
	{route: "$everything", method: "GET", path: "/Encounter/e1/$everything", act: "either"},
	{route: "$summary", method: "GET", path: "/Patient/p1/$summary", act: "either"},
	{route: "$summary", method: "GET", path: "/Patient/$summary?identifier=http://n|SECRETO-N1", act: "either"},
	{route: "$draft-note", method: "POST", path: "/Encounter/e1/$draft-note?type=evolucion&author=Practitioner/d0", act: "either", tells: drafted},
	{route: "$draft-note", method: "POST", path: "/Encounter/e2/$draft-note?type=9.1&author=Practitioner/d1", act: "either", tells: drafted},
	{route: "$render", method: "GET", path: "/Bundle/u0/$render", act: "either", tells: func(a *httptest.ResponseRecorder) []string { return rendered(a, "Bundle/u0") }},
	{route: "$render", method: "GET", path: "/Bundle/u1/$render?_format=application/pdf", act: "either", tells: func(a *httptest.ResponseRecorder) []string { return rendered(a, "Bundle/u1") }},
	{route: "$import-summary", method: "POST", path: "/Patient/p2/$import-summary", body: `{"resourceType":"Bundle","type":"document","entry":[{"fullUrl":"urn:c","resource":{"resourceType":"Composition","type":{"coding":[{"system":"http://loinc.org","code":"60591-5"}]},"subject":{"reference":"Patient/p2"}}},{"resource":{"resourceType":"Patient","id":"p2"}}]}`, act: "either"},
	{route: "$docref", method: "GET", path: "/DocumentReference/$docref?patient=p1", act: "either"},
	{route: "$docref", method: "POST", path: "/DocumentReference/$docref?patient=p2&type=http://loinc.org|60591-5", act: "either"},
	{route: "$lastn", method: "GET", path: "/Observation/$lastn?patient=Patient/p1&max=9", act: "either"},
	{route: "$lastn", method: "GET", path: "/Observation/$lastn?category=http://c|lab&max=99", act: "either"},
}

// drafted returns what a draft quotes: the visit, who writes, and what was found of the visit.
func drafted(a *httptest.ResponseRecorder) (refs []string) {
	type to struct{ Reference string }
	var draft struct {
		Encounter to
		Author    []to
		Section   []struct{ Entry []to }
	}
	if a.Code != 200 || json.Unmarshal(a.Body.Bytes(), &draft) != nil {
		return nil
	}
	refs = append(refs, draft.Encounter.Reference)
	for _, s := range draft.Section {
		draft.Author = append(draft.Author, s.Entry...)
	}
	for _, r := range draft.Author {
		refs = append(refs, r.Reference)
	}
	return refs
}

// rendered is what was made into a page.
func rendered(a *httptest.ResponseRecorder, ref string) []string {
	if a.Code != 200 {
		return nil
	}
	return []string{ref}
}

// shows judges for the caller of the moment.
func (w *world) shows(ref, primary, act string) bool {
	return w.viewer(w.asking, primary, act).sees(w.all[ref])
}

// TestEveryWay: whatever a random caller asks in a random world, by every path there
// is, nothing comes back but what an independent reading of policy, scopes and
// consents allows; and what it allows does come back.
func TestEveryWay(t *testing.T) {
	covered := map[string]bool{}
	for _, way := range slices.Concat(ways, rightsWays, documentWays, giisWays, birthWays, identityWays, mergeWays, doseWays, forecastWays, cardWays, prescriptionWays, referralWays, measureWays, agendaWays, subscriptionWays) {
		covered[way.route] = true
	}
	for _, route := range rest.Routes() {
		if !covered[route] {
			t.Errorf("%s has no row in the table of ways", route)
		}
	}
	for engine, worlds := range map[string]uint64{"sqlite": 5, "postgres": 1} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			for seed := range worlds {
				w := newWorld(t, seed, engines[engine])
				for range 6 {
					w.prove(w.caller())
					if w.t.Failed() {
						return
					}
					w.policy()
				}
			}
		})
	}
}

// prove asks by every way.
func (w *world) prove(p *authz.Principal) {
	w.asking = p
	before := w.truth()
	defer w.untouched(describe(w, p), before)
	all := slices.Concat(ways, rightsWays, documentWays, giisWays, birthWays, identityWays, mergeWays, doseWays, forecastWays, campaignWays)
	for i := range all {
		ref := w.order[w.rand.IntN(len(w.order))]
		w.proveWay(p, &all[i], w.all[ref])
	}
	for i := range subscriptionWays {
		w.proveWay(p, &subscriptionWays[i], w.all[w.order[0]])
	}
	for i := range agendaWays {
		w.proveWay(p, &agendaWays[i], w.all[w.order[w.rand.IntN(len(w.order))]])
	}
	for i := range measureWays {
		w.proveWay(p, &measureWays[i], w.all[w.order[0]])
	}
	for i := range prescriptionWays {
		w.proveWay(p, &prescriptionWays[i], w.all[w.order[w.rand.IntN(len(w.order))]])
	}
	for i := range referralWays {
		w.proveWay(p, &referralWays[i], w.all[w.order[w.rand.IntN(len(w.order))]])
	}
	for i := range cardWays {
		w.proveWay(p, &cardWays[i], w.all[w.order[0]])
	}
	for i := range viewWays {
		w.proveView(p, &viewWays[i])
	}
}

func (w *world) proveWay(p *authz.Principal, way *way, asked object) {
	w.t.Helper()
	fill := strings.NewReplacer("{ref}", refOf(asked), "{type}", typeOf(asked), "{id}", str(asked, "id"))
	a := w.ask(p, way.method, fill.Replace(way.path), fill.Replace(way.body), patchType(way.method)...)
	typ := fill.Replace(way.typ)
	v := w.viewer(p, typ, way.act)
	if way.act == "either" {
		v.act = ""
	}
	what := fmt.Sprintf("%s %s for %s", way.method, fill.Replace(way.path), describe(w, p))
	got := shown(a)
	if way.tells != nil {
		got = way.tells(a)
	}
	for _, ref := range got {
		o := w.all[ref]
		if o == nil {
			continue
		}
		visible := v.sees(o)
		if way.act == "either" { // several questions in one
			visible = v.sees(o) || w.viewer(p, typeOf(o), "read").sees(o) || w.viewer(p, typeOf(o), "search").sees(o)
		}
		if !visible {
			w.t.Fatalf("%s: %s came back, which is hidden\n%.3000s", what, ref, a.Body)
		}
	}
	w.unmasked(v, what, got, a.Body.String())
	if way.exact != nil && a.Code < 300 {
		w.complete(way, v, what, asked, got)
	}
}

// unmasked fails when a secret comes back from what is masked.
func (w *world) unmasked(v *viewer, what string, got []string, body string) {
	w.t.Helper()
	for _, ref := range got {
		if o := w.all[ref]; o == nil || !w.viewer(v.p, "", "").masked(o) || v.act == "" {
			return // some of it is shown as it is
		}
	}
	if strings.Contains(body, "SECRETO") {
		w.t.Fatalf("%s: a secret came back\n%.3000s", what, body)
	}
}

// complete fails unless everything came back that is visible and that was asked for.
func (w *world) complete(way *way, v *viewer, what string, asked object, got []string) {
	w.t.Helper()
	var want []string
	for _, ref := range w.order {
		if way.exact(w, w.all[ref], asked) && v.sees(w.all[ref]) {
			want = append(want, ref)
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) && !(way.method == "HEAD") {
		w.t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func patchType(method string) []string {
	if method == "PATCH" {
		return []string{"Content-Type", "application/json-patch+json"}
	}
	return nil
}

// truth returns the version of everything.
func (w *world) truth() map[string]int64 {
	now := map[string]int64{}
	for _, ref := range w.order {
		r, err := w.store.Read(w.t.Context(), mustRef(ref))
		if err != nil {
			w.t.Fatal(err)
		}
		now[ref] = r.Ref.Version
	}
	return now
}

func (w *world) untouched(what string, before map[string]int64) {
	w.t.Helper()
	for ref, version := range w.truth() {
		if version != before[ref] {
			w.t.Fatalf("%s: %s was changed", what, ref)
		}
	}
}

// describe says who asks, and by which rules.
func describe(w *world, p *authz.Principal) string {
	rules, _ := json.Marshal(fmt.Sprintf("%+v", w.rules))
	return fmt.Sprintf("%+v, bound %v, rules %s", *p, w.bound, rules)
}

// proveAll goes each way, and counts how often there was an answer of the operation, and how
// often nothing was to be seen.
func (w *world) proveAll(p *authz.Principal, ways []way, told, refused *int) {
	for _, way := range ways {
		tells := way.tells
		way.tells = func(a *httptest.ResponseRecorder) []string {
			switch a.Code {
			case 200, 422:
				*told++
			case 403, 404:
				*refused++
			}
			if tells == nil {
				return shown(a)
			}
			return tells(a)
		}
		w.proveWay(p, &way, w.all[w.order[w.rand.IntN(len(w.order))]])
	}
}
