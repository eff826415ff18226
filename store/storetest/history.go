package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// versions follows a history to its end, count versions a page.
func (f *fixture) versions(h search.History, count int) []fhir.Resource {
	f.Helper()
	h.Count = count
	h.Restriction = search.Unrestricted
	var all []fhir.Resource
	for {
		v, err := f.s.History(f.ctx, &h)
		if err != nil {
			f.Fatalf("history %+v: %v", h, err)
		}
		all = append(all, v.Entries...)
		if v.Next == "" {
			return all
		}
		if h.After = v.Next; len(v.Entries) != count {
			f.Errorf("a page of %d that is not the last", len(v.Entries))
		}
	}
}

func names(versions []fhir.Resource) string {
	all := make([]string, len(versions))
	for i, v := range versions {
		all[i] = fmt.Sprintf("%s/%d", v.Ref.ID, v.Ref.Version)
	}
	return strings.Join(all, " ")
}

var historyTests = map[string]func(*fixture){
	"of one, of a type, of all": func(f *fixture) {
		at := make(map[string]time.Time)
		step := func(text string, write func()) {
			write()
			v := f.versions(search.History{}, 1000)
			at[text] = v[0].Updated
			time.Sleep(2 * time.Millisecond)
		}
		step("a1", func() { f.apply(update("Patient/a", "1", search.Index{})) })
		step("b1", func() { f.apply(update("Patient/b", "1", search.Index{})) })
		step("a2", func() { f.apply(update("Patient/a", "2", search.Index{})) })
		step("g1", func() { f.apply(update("Group/g", "1", search.Index{})) })
		step("a3", func() { f.apply(remove("Patient/a")) })
		step("a4", func() { f.apply(update("Patient/a", "4", search.Index{})) })
		for _, c := range []struct {
			h    search.History
			want string
		}{
			{search.History{Type: "Patient", ID: "a"}, "a/4 a/3 a/2 a/1"},
			{search.History{Type: "Patient"}, "a/4 a/3 a/2 b/1 a/1"},
			{search.History{}, "a/4 a/3 g/1 a/2 b/1 a/1"},
			{search.History{Type: "Device"}, ""},
			{search.History{Since: at["g1"]}, "a/4 a/3 g/1"},
			{search.History{Type: "Patient", ID: "a", Since: at["a3"]}, "a/4 a/3"},
			{search.History{Type: "Patient", ID: "a", Since: at["a4"].Add(time.Hour)}, ""},
			{search.History{At: at["g1"]}, "a/4 a/3 g/1 a/2 b/1"},
			{search.History{Type: "Patient", ID: "a", At: at["b1"]}, "a/4 a/3 a/2 a/1"},
			{search.History{Type: "Patient", ID: "a", At: at["a4"]}, "a/4"},
			{search.History{Type: "Patient", At: time.Now().Add(time.Hour)}, "a/4 b/1"},
		} {
			for _, count := range []int{1, 2, 100} {
				got := f.versions(c.h, count)
				if names(got) != c.want {
					f.Errorf("%+v by %d: %s, want %s", c.h, count, names(got), c.want)
				}
			}
		}
		all := f.versions(search.History{Type: "Patient", ID: "a"}, 100)
		f.holds(&all[0], "4")
		if all[1].Method != fhir.DELETE || all[1].JSON != nil || all[3].Method != fhir.PUT {
			f.Errorf("methods: %v %v", all[1], all[3])
		}
		if !slices.IsSortedFunc(all, func(a, b fhir.Resource) int { return b.Updated.Compare(a.Updated) }) {
			f.Error("versions out of order")
		}
	},
	"how many versions": func(f *fixture) {
		for i := range 3 {
			f.apply(update("Patient/a", fmt.Sprint(i), search.Index{}))
		}
		v, err := f.s.History(f.ctx, &search.History{Type: "Patient", ID: "a", Count: 1, Restriction: search.Unrestricted})
		if err != nil || v.Total != 3 || len(v.Entries) != 1 {
			f.Errorf("%+v, %v", v, err)
		}
	},
	"of what never was": func(f *fixture) {
		f.apply(create("Observation/o", "x", search.Index{Links: []search.Link{{Param: 1, Target: ref("Patient/placeholder")}}}))
		for _, h := range []search.History{{Type: "Patient", ID: "nobody"}, {Type: "Patient", ID: "placeholder"}, {Type: "Nothing"}} {
			h.Restriction = search.Unrestricted
			want := fhir.NotFound
			if h.ID == "" {
				want = fhir.UnknownType
			}
			if _, err := f.s.History(f.ctx, &h); fhir.CodeOf(err) != want {
				f.Errorf("%+v: %v", h, err)
			}
		}
	},
	"times of one batch are one time": func(f *fixture) {
		r := f.apply(update("Patient/a", "1", search.Index{}), update("Patient/b", "1", search.Index{}))
		if !r[0].Resource.Updated.Equal(r[1].Resource.Updated) {
			f.Errorf("%v and %v", r[0].Resource.Updated, r[1].Resource.Updated)
		}
		if got := f.versions(search.History{}, 1); len(got) != 2 {
			f.Errorf("a history by pages of one has %s", names(got))
		}
	},
}
