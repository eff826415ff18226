package rest_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/chart"
	"github.com/amate-health/amate/fhir/rest"
)

// charted starts a server with $everything and $lastn.
func charted(t testing.TB, store rest.Store, change ...func(*rest.Config)) *server {
	t.Helper()
	return serveOn(t, store, append(change, func(c *rest.Config) { c.Operations = chart.Operations(store) })...)
}

const (
	ofA = "DocumentReference/paper Encounter/visit MedicationRequest/rx Observation/by Observation/pulse Observation/undated Patient/a Patient/b RelatedPerson/mother"
	byA = "Binary/scan Device/meter Location/room Medication/pill Organization/contact Organization/hospital Practitioner/doc"
)

// splitModes returns the matches of b and what they brought along, each sorted.
func (b *set) splitModes(t testing.TB) (matches, included string) {
	t.Helper()
	var m, i []string
	for _, id := range b.ids() {
		if other, is := strings.CutSuffix(id, " include"); is {
			i = append(i, other)
		} else {
			m = append(m, id)
		}
	}
	slices.Sort(m)
	slices.Sort(i)
	return strings.Join(m, " "), strings.Join(i, " ")
}

func TestEverything(t *testing.T) {
	bothEngines(t, func(t *testing.T, open func(testing.TB) rest.Store) {
		s := charted(t, open(t))
		s.ward()
		for _, c := range []struct{ path, matches, included string }{
			{"/Patient/a/$everything", ofA, byA},
			{"/Patient/a/$everything?_count=1000", ofA, byA},
			{"/Patient/b/$everything", "Encounter/other Observation/b Observation/by Patient/b", "Patient/a"},
			{"/Encounter/visit/$everything", "Encounter/visit Observation/pulse", "Device/meter Location/room Patient/a Practitioner/doc RelatedPerson/mother"},
			{"/Patient/a/$everything?_type=Observation", "Observation/by Observation/pulse Observation/undated", ""},
			{"/Patient/a/$everything?_type=Observation,Device&_type=Encounter", "Encounter/visit Observation/by Observation/pulse Observation/undated", "Device/meter"},
			{"/Patient/a/$everything?_type=Practitioner", "", "Practitioner/doc"},
			{"/Patient/a/$everything?_type=Binary", "", "Binary/scan"},
			{"/Patient/a/$everything?_type=VisionPrescription", "", ""},
			{"/Patient/a/$everything?_since=2999-01-01T00:00:00Z", "", ""},
			{"/Patient/a/$everything?_since=2000-01-01T00:00:00Z", ofA, byA},
			{"/Patient/a/$everything?start=2020-03-01&end=2020-12-31", "Encounter/visit Observation/pulse Observation/undated Patient/a Patient/b RelatedPerson/mother", "Device/meter Location/room Organization/contact Organization/hospital Practitioner/doc"},
			{"/Patient/a/$everything?start=2020-03-02&end=2020-03-02&_type=Encounter,Observation", "Encounter/visit Observation/undated", ""},
			{"/Patient/a/$everything?start=2022&_type=MedicationRequest,Observation,Medication", "MedicationRequest/rx Observation/undated", "Medication/pill"},
			{"/Patient/a/$everything?end=2019", "DocumentReference/paper Observation/undated Patient/a Patient/b RelatedPerson/mother", "Binary/scan Organization/contact Organization/hospital"},
		} {
			b := s.want(200, s.do("GET", c.path, "")).bundle(t)
			matches, included := b.splitModes(t)
			if matches != c.matches || included != c.included || b.Type != "searchset" || b.link("next") != "" || b.link("self") == "" {
				t.Errorf("%s: %s\nwith %s\nwant %s\nwith %s", c.path, matches, included, c.matches, c.included)
			}
		}
		if b := s.do("GET", "/Patient/a/$everything", "").bundle(t); b.ids()[0] != "Patient/a" || b.Entry[0].FullURL != s.url+"/Patient/a" || b.link("self") != s.url+"/Patient/a/$everything" {
			t.Errorf("begins with %s, %v", b.ids()[0], b.Link)
		}
	})
}

// TestEverythingUnchanged: who has an answer already is told so, until something of it changes.
func TestEverythingUnchanged(t *testing.T) {
	bothEngines(t, func(t *testing.T, open func(testing.TB) rest.Store) {
		s := charted(t, open(t))
		s.ward()
		for _, path := range []string{"/Patient/a/$everything", "/Patient/a/$everything?_count=500", "/Patient/a/$everything?_type=Observation,Device", "/Encounter/visit/$everything"} {
			tag := s.want(200, s.do("GET", path, "")).header.Get("ETag")
			if again := s.want(304, s.do("GET", path, "", "If-None-Match", tag)); again.header.Get("ETag") != tag || len(again.body) > 0 {
				t.Errorf("%s, again: %q, %d bytes", path, again.header.Get("ETag"), len(again.body))
			}
			s.want(200, s.do("GET", path, "", "If-None-Match", `W/"0123"`))
		}
		if first := s.want(200, s.do("GET", "/Patient/a/$everything?_count=5", "")); first.header.Get("ETag") != "" {
			t.Error("a page with a link to the next one has a tag")
		}
		tag := func() string { return s.want(200, s.do("GET", "/Patient/a/$everything", "")).header.Get("ETag") }
		for _, change := range []func(){
			func() { s.want(200, s.do("PUT", "/Observation/pulse", pulseOfA)) },
			func() {
				s.want(200, s.do("PUT", "/Device/meter", `{"resourceType":"Device","id":"meter","lotNumber":"7"}`))
			}, // what it refers to
			func() { s.want(201, s.do("PUT", "/Observation/late", strings.Replace(pulseOfA, "pulse", "late", 1))) },
			func() { s.do("DELETE", "/Observation/late", "") },
		} {
			before := tag()
			if change(); tag() == before {
				t.Errorf("after a change the tag is the same: %s", before)
			}
		}
		before := tag()
		s.want(200, s.do("PUT", "/Observation/b", strings.NewReplacer("pulse", "b", "Patient/a", "Patient/b").Replace(pulseOfA)))
		if tag() != before {
			t.Error("the tag changes with the record of another")
		}
	})
}

const pulseOfA = `{"resourceType":"Observation","id":"pulse","status":"amended","code":{"text":"pulse"},"subject":{"reference":"Patient/a"},"encounter":{"reference":"Encounter/visit"},"device":{"reference":"Device/meter"}}`

// unmoded sorts entries without regard to their mode.
func unmoded(ids []string) []string {
	for i := range ids {
		ids[i] = strings.TrimSuffix(ids[i], " include")
	}
	slices.Sort(ids)
	return ids
}

// TestEverythingByPages: pages of any size bring the same as one answer, each resource once.
func TestEverythingByPages(t *testing.T) {
	bothEngines(t, func(t *testing.T, open func(testing.TB) rest.Store) {
		s := charted(t, open(t))
		s.ward()
		for _, path := range []string{
			"/Patient/a/$everything?", "/Patient/a/$everything?start=2020&end=2020&", "/Encounter/visit/$everything?",
			"/Patient/a/$everything?_type=Practitioner,Encounter,Binary&", "/Patient/a/$everything?_since=2000-01-01T00:00:00Z&",
		} {
			whole := unmoded(s.want(200, s.do("GET", path, "")).bundle(t).ids())
			for _, count := range []int{1, 2, 3, 8, 9, 10} {
				var got []string
				for next := fmt.Sprint(path, "_count=", count); next != ""; {
					b := s.want(200, s.do("GET", next, "")).bundle(t)
					matches, _ := b.splitModes(t)
					if n := len(strings.Fields(matches)); n > count {
						t.Errorf("%s: a page of %d matches", path, n)
					}
					got = append(got, b.ids()...)
					next = b.link("next")
				}
				if got := unmoded(got); !slices.Equal(got, whole) {
					t.Errorf("%s by %d: %s\nwant %s", path, count, got, whole)
				}
			}
		}
	})
}

// TestEverythingOfAll: without an instance, it is of all patients, page by page.
func TestEverythingOfAll(t *testing.T) {
	bothEngines(t, func(t *testing.T, open func(testing.TB) rest.Store) {
		s := charted(t, open(t))
		want := map[string]bool{}
		var entries []string
		for i := range 27 {
			entries = append(entries,
				entry("", "PUT", fmt.Sprint("Patient/p", i), fmt.Sprintf(`{"resourceType":"Patient","id":"p%d","generalPractitioner":[{"reference":"Practitioner/doc"}]}`, i), ""),
				entry("", "PUT", fmt.Sprint("Observation/o", i), observation(fmt.Sprint("o", i), fmt.Sprint("Patient/p", i)), ""),
				entry("", "PUT", fmt.Sprint("Condition/c", i), fmt.Sprintf(`{"resourceType":"Condition","id":"c%d","subject":{"reference":"Patient/p%[1]d"},"extension":[{"url":"http://e","valueReference":{"reference":"Patient/p%d"}}]}`, i, (i*11)%27), ""))
			want[fmt.Sprint("Condition/c", i)] = true
			want[fmt.Sprint("Patient/p", i)], want[fmt.Sprint("Observation/o", i)] = true, true
		}
		entries = append(entries, entry("", "PUT", "Practitioner/doc", `{"resourceType":"Practitioner","id":"doc"}`, ""), entry("", "PUT", "Practitioner/idle", `{"resourceType":"Practitioner","id":"idle"}`, ""))
		want["Practitioner/doc include"] = true
		s.want(200, s.do("POST", "/", bundleOf("transaction", entries...)))
		for _, count := range []string{"", "?_count=7", "?_count=20", "?_count=1"} {
			seen := map[string]int{}
			for _, id := range s.pages("/Patient/$everything" + count) {
				if seen[id]++; seen[id] > 1 || !want[id] {
					t.Errorf("%s: %s came %d times", count, id, seen[id])
				}
			}
			if len(seen) != len(want) {
				t.Errorf("%s: %d resources, want %d", count, len(seen), len(want))
			}
		}
	})
}

func TestEverythingSince(t *testing.T) {
	s := charted(t, newStore(t))
	s.ward()
	a := s.do("GET", "/Observation/pulse", "")
	var was struct{ Meta struct{ LastUpdated string } }
	if err := json.Unmarshal([]byte(a.body), &was); err != nil {
		t.Fatal(err)
	}
	before, err := time.Parse(time.RFC3339Nano, was.Meta.LastUpdated)
	if err != nil {
		t.Fatal(err)
	}
	s.put(`{"resourceType":"Observation","id":"pulse","status":"amended","code":{"text":"x"},"subject":{"reference":"Patient/a"}}`)
	since := url.QueryEscape(before.Add(time.Millisecond).Format(time.RFC3339Nano))
	if got := s.want(200, s.do("GET", "/Patient/a/$everything?_since="+since, "")).bundle(t).sorted(); got != "Observation/pulse" {
		t.Errorf("since: %s", got)
	}
}

func TestEverythingByParameters(t *testing.T) {
	s := charted(t, newStore(t))
	s.ward()
	body := `{"resourceType":"Parameters","parameter":[{"name":"start","valueDate":"2020-01-01"},{"name":"_type","valueCode":"Encounter"},{"name":"_type","valueCode":"Observation"},{"name":"_count","valueInteger":1}]}`
	b := s.want(200, s.do("POST", "/Patient/a/$everything", body)).bundle(t)
	if want := s.url + "/Patient/a/$everything?start=2020-01-01&_type=Encounter&_type=Observation&_count=1"; b.link("self") != want {
		t.Errorf("self %s, want %s", b.link("self"), want)
	}
	got := b.ids()
	got = append(got, s.pages(b.link("next"))...)
	slices.Sort(got)
	if list := strings.Join(got, " "); list != "Encounter/visit Observation/by Observation/pulse Observation/undated" {
		t.Errorf("got %s", list)
	}
	a := s.want(200, s.do("GET", "/Patient/a/$everything?_elements=status&_type=Encounter", ""))
	if strings.Contains(a.body, "participant") || !strings.Contains(a.body, "SUBSETTED") {
		t.Errorf("_elements: %s", a.body)
	}
}

func TestEverythingRefusals(t *testing.T) {
	s := charted(t, newStore(t))
	s.ward()
	s.want(204, s.do("DELETE", "/Patient/b", ""))
	next := s.want(200, s.do("GET", "/Patient/a/$everything?_count=2", "")).bundle(t).link("next")
	for _, c := range []struct {
		path   string
		status int
		says   string
	}{
		{"/Patient/nobody/$everything", 404, ""},
		{"/Patient/nobody/$everything?_type=Observation", 404, ""},
		{"/Patient/b/$everything", 404, ""},
		{"/Encounter/$everything", 404, "Encounter/[id]/$everything"},
		{"/Observation/pulse/$everything", 404, "Patient"},
		{"/Patient/a/$everything?_type=Pacient", 400, "_type"},
		{"/Patient/a/$everything?_since=yesterday", 400, "_since"},
		{"/Patient/a/$everything?_since=", 400, "_since"},
		{"/Patient/a/$everything?start=ge2020", 400, "start"},
		{"/Patient/a/$everything?start=2020,2021", 400, "start"},
		{"/Patient/a/$everything?start=2020&start=2021", 400, "start"},
		{"/Patient/a/$everything?end=2020-13", 400, "end"},
		{"/Patient/a/$everything?_count=0", 400, "_count"},
		{"/Patient/a/$everything?_sort=date", 400, "_sort"},
		{"/Encounter/visit/$everything?start=2020", 400, "start"},
		{strings.Replace(next, "Patient/a", "Patient/c", 1), 400, "_cursor"},
		{next + "&_type=Patient", 400, "_cursor"},
		{strings.Replace(next, "_cursor=", "_cursor=AA", 1), 400, "_cursor"},
	} {
		if a := s.do("GET", c.path, ""); a.status != c.status || !a.outcome(t).says(c.says) {
			t.Errorf("%s: %d %s", c.path, a.status, a.body)
		}
	}
	a := s.want(200, s.do("GET", "/Patient/a/$everything?_sort=date", "", "Prefer", "handling=lenient"))
	if !strings.Contains(a.body, `"diagnostics":"_sort"`) {
		t.Errorf("lenient: %s", a.body)
	}
}
