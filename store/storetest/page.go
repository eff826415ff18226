package storetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// pages follows a search to its end, count resources a page, and returns the ids of each page.
func (f *fixture) pages(text string, count int, between func(page int)) []string {
	f.Helper()
	q := query(f, text)
	q.Count = count
	var all []string
	for {
		r := f.search(q)
		if len(r.Matches) > count {
			f.Fatalf("%s: a page of %d", text, len(r.Matches))
		}
		all = append(all, strings.Fields(ids(r.Matches))...)
		if r.Next == "" {
			return all
		}
		if len(r.Matches) != count {
			f.Errorf("%s: a page of %d that is not the last", text, len(r.Matches))
		}
		if q.After = r.Next; len(all) > 10_000 {
			f.Fatalf("%s: no end of pages", text)
		}
		if between != nil {
			between(len(all) / count)
		}
	}
}

// assorted loads patients with many equal and some missing values.
func (f *fixture) assorted() {
	f.Helper()
	for i := range 23 {
		var parts []string
		if i%4 != 0 {
			parts = append(parts, fmt.Sprintf(`"birthDate":"19%02d"`, 50+i%5))
		}
		if i%3 != 0 {
			parts = append(parts, fmt.Sprintf(`"name":[{"family":"F%d","given":["Z","A%d"]}]`, i%4, i%2))
		}
		json := fmt.Sprintf(`{"resourceType":"Patient","id":"p%02d",%s}`, (i*7)%23, strings.Join(append(parts, `"active":true`), ","))
		f.load(json)
	}
}

var pageTests = map[string]func(*fixture){
	"every order, every page size": func(f *fixture) {
		f.assorted()
		for _, sort := range []string{
			"", "_id", "-_id", "_lastUpdated", "-_lastUpdated", "birthdate", "-birthdate", "family", "-family", "given", "-given",
			"family,-birthdate", "-family,birthdate,_id", "birthdate,-family,-_id", "_lastUpdated,family",
		} {
			for _, filter := range []string{"active=true", "active=true&birthdate=gt1951"} {
				text := "Patient?" + filter
				if sort != "" {
					text += "&_sort=" + sort
				}
				whole := f.pages(text, 100, nil)
				if unique := slices.Compact(slices.Sorted(slices.Values(whole))); len(unique) != len(whole) || len(whole) < 10 {
					f.Errorf("%s: %d resources, %d of them different", text, len(whole), len(unique))
				}
				for _, count := range []int{1, 2, 5, 22, 23} {
					if got := f.pages(text, count, nil); !slices.Equal(got, whole) {
						f.Errorf("%s by %d: %v, want %v", text, count, got, whole)
					}
				}
			}
		}
	},
	"sorts": func(f *fixture) {
		f.load(
			`{"resourceType":"Patient","id":"a","name":[{"family":"Mena"},{"family":"Arce"}],"birthDate":"1980-05-17"}`,
			`{"resourceType":"Patient","id":"b","name":[{"family":"Ñ uno Beta"}],"birthDate":"1980"}`,
			`{"resourceType":"Patient","id":"c"}`,
			`{"resourceType":"Patient","id":"d","name":[{"family":"Cid"}],"birthDate":"1979"}`,
			observation("o1", "Patient/a", "x", "2020", "9"), observation("o2", "Patient/a", "x", "2020", "100"), observation("o3", "Patient/a", "x", "2021", "-5"),
		)
		for text, want := range map[string]string{
			"Patient?_sort=family": "a d b c", "Patient?_sort=-family": "b a d c", "Patient?_sort=birthdate": "d b a c",
			"Patient?_sort=-birthdate": "a b d c", "Patient?_sort=_id": "a b c d", "Patient?_sort=-_id": "d c b a",
			"Observation?_sort=value-quantity": "o3 o1 o2", "Observation?_sort=-value-quantity": "o2 o1 o3",
			"Observation?_sort=date,-value-quantity": "o2 o1 o3", "Observation?_sort=-date,value-quantity": "o3 o1 o2",
			"Patient?_sort=-_lastUpdated,_id": "a b c d",
		} {
			f.orders(text, want)
		}
	},
	"while resources come and go": func(f *fixture) {
		f.assorted()
		for _, text := range []string{"Patient?active=true", "Patient?active=true&_sort=family", "Patient?active=true&_sort=-birthdate"} {
			before := f.pages(text, 100, nil)
			n := 0
			got := f.pages(text, 3, func(page int) {
				n++
				f.load(patient(fmt.Sprintf("new%d-%d", page, n), "F1", "1951")) // not active
				f.load(`{"resourceType":"Patient","id":"gone","name":[{"family":"F2"}],"birthDate":"1952"}`)
				f.apply(remove("Patient/gone"))
			})
			if !slices.Equal(got, before) {
				f.Errorf("%s: %v, want %v", text, got, before)
			}
		}
		// A resource that is removed from a page already read does not shift the rest.
		all := f.pages("Patient?active=true", 100, nil)
		got := f.pages("Patient?active=true", 2, func(page int) { f.apply(remove("Patient/" + all[2*page-1])) })
		if !slices.Equal(got, all) {
			f.Errorf("with removals: %v, want %v", got, all)
		}
	},
	"cursors that are not ours": func(f *fixture) {
		f.assorted()
		q := query(f, "Patient?_sort=family&_count=2")
		next := f.search(q).Next
		if next == "" {
			f.Fatal("no second page")
		}
		other := query(f, "Patient?_sort=-family&_count=2")
		other.After = next
		f.refused(other)
		for _, cursor := range []string{"x", "AAAA", next[:len(next)-2], "B" + next[1:], next[:20] + "AA" + next[22:], strings.Repeat("A", 100_000), "é"} {
			q.After = cursor
			f.refused(q)
		}
		if strings.Contains(strings.ToLower(next), "f1") && len(next) < 40 {
			f.Error("the cursor shows the value it is at")
		}
		h := &search.History{Type: "Patient", Restriction: search.Unrestricted, After: next}
		if _, err := f.s.History(f.ctx, h); fhir.CodeOf(err) != fhir.Invalid {
			f.Errorf("history with the cursor of a search: %v", err)
		}
	},
}

func (f *fixture) refused(q *search.Query) {
	f.Helper()
	if _, err := f.s.Search(f.ctx, q); fhir.CodeOf(err) != fhir.Invalid {
		f.Errorf("cursor %.40q: %v, want code %d", q.After, err, fhir.Invalid)
	}
}
