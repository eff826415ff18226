package campaign

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
)

const one, two, three = "DFSSA000001", "DFSSA000002", "MCSSA000003"

// newborn is what every child of the tests gets.
var newborn = []shot{{"19", 0}, {"08", 0}}

// street is a town of five children.
func street(t testing.TB) *town {
	w := newTown(t)
	w.child("late", 200, "09015", one, "female", newborn...)                                                 // hexavalente since two months
	w.child("later", 400, "09015", one, "male", newborn...)                                                  // longer
	w.child("due", 70, "09014", two, "female", newborn...)                                                   // due, not overdue
	w.child("fine", 40, "15033", three, "male", newborn...)                                                  // due in three weeks
	w.child("school", 130*31, "09015", one, "female", append(newborn, shot{"146", 62}, shot{"146", 130})...) // older than children's lists go
	return w
}

func TestDue(t *testing.T) {
	w := street(t)
	for query, want := range map[string]string{
		"":                               "later late due",
		"status=overdue":                 "later late",
		"facility=" + one:                "later late",
		"facility=Organization/o":        "later late",
		"facility=" + three:              "",
		"municipality=09014":             "due",
		"state=09":                       "later late due",
		"state=15":                       "",
		"status=due-by&by=2026-12-25":    "later late due fine",
		"date=2026-12-25":                "later late due fine",
		"vaccine=hexavalente":            "later late due",
		"vaccine=Measles-Rubella":        "later",
		"vaccine=SRP,BCG":                "later",
		"min-age=12&max-age=24":          "later",
		"max-age=5":                      "due",
		"min-age=121":                    "school",
		"status=overdue&vaccine=Hib":     "later late",
		"vaccine=MMR&municipality=09014": "",
	} {
		a, err := w.call("immunization-due", query, nil)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if got := ids(a); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
		if len(a.Set.Included) != len(a.Set.Matches) {
			t.Errorf("%s: %d recommendations of %d people", query, len(a.Set.Included), len(a.Set.Matches))
		}
	}
	for _, query := range []string{"date=2026-11-21", "by=2026-12-01", "status=late", "vaccine=x", "facility=x", "municipality=99001", "state=33", "state=15&municipality=09014", "min-age=20&max-age=10", "max-age=-1", "date=2026", "_count=x", "colour=red", "status=due-by&by=2029-01-01"} {
		if _, err := w.call("immunization-due", query, nil); fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// TestDueIsOnlyOfWhomTheCallerSees: neither the page nor the file tells of who is hidden, or
// of an establishment that is not the caller's.
func TestDueIsOnlyOfWhomTheCallerSees(t *testing.T) {
	w := street(t)
	w.hidden["later"] = true
	for _, media := range []string{"", mediaCSV, mediaNDJSON} {
		a, err := w.call("immunization-due", "", func(c *operation.Call) { restricted(c); c.Media = media })
		if err != nil {
			t.Fatal(err)
		}
		text := string(a.Raw)
		if a.Set != nil {
			text = ids(a)
		}
		if strings.Contains(text, "later") || !strings.Contains(text, "late") || !strings.Contains(text, "due") {
			t.Errorf("%s", text)
		}
	}
	unit := func(c *operation.Call) { c.Caller = operation.Caller{Roles: []string{"vaccinator"}, Org: two} }
	w.desk()
	for _, k := range []struct {
		org, query, want string
		code             fhir.Code
	}{
		{"", "", "", fhir.Forbidden}, {"DFSSA000000", "", "later late due", 0}, {"DFSSA000000", "facility=" + two, "due", 0}, {"DFSSA000000", "facility=" + three, "", fhir.Forbidden},
	} {
		a, err := w.call("immunization-due", k.query, func(c *operation.Call) { unit(c); c.Caller.Org = k.org })
		if fhir.CodeOf(err) != k.code || err == nil && ids(a) != k.want {
			t.Errorf("%s at %q: %v %v", k.query, k.org, a, err)
		}
	}
}

// TestDuePages: however long pages are and whoever is hidden, the pages together are the
// list, in its order, each person once.
func TestDuePages(t *testing.T) {
	w := newTown(t)
	for i := range 60 {
		w.child(fmt.Sprintf("c%02d", i), 30+i*37%900, "09015", one, "female", newborn[:i%3]...)
	}
	rapid.Check(t, func(rt *rapid.T) {
		clear(w.hidden)
		for id := range w.keys {
			w.hidden[id] = rapid.IntRange(0, 3).Draw(rt, id) == 0
		}
		whole, err := w.call("immunization-due", "", restricted)
		if err != nil {
			rt.Fatal(err)
		}
		count := rapid.IntRange(1, 20).Draw(rt, "count")
		var pages []string
		for cursor, n := "", 0; ; n++ {
			a, err := w.call("immunization-due", fmt.Sprintf("_count=%d", count), func(c *operation.Call) { restricted(c); c.Cursor = cursor })
			if err != nil || n > 70 || len(a.Set.Matches) > count {
				rt.Fatal(n, err)
			}
			if text := ids(a); text != "" {
				pages = append(pages, text)
			}
			if cursor = a.Set.Next; cursor == "" {
				break
			}
		}
		if got := strings.Join(pages, " "); got != ids(whole) {
			rt.Fatalf("pages of %d: %s\nwhole: %s", count, got, ids(whole))
		}
	})
	for _, bad := range []string{"x", "true.1", "true.1.1 ", "true.1.1.1"} {
		if _, err := w.call("immunization-due", "", func(c *operation.Call) { c.Cursor = bad }); fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("cursor %q: %v", bad, err)
		}
	}
}

func TestDueFile(t *testing.T) {
	w := street(t)
	a, err := w.call("immunization-due", "status=due-by&by=2026-12-25&vaccine=hexavalente", func(c *operation.Call) { c.Media = mediaCSV })
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(a.Raw))).ReadAll()
	if err != nil || len(rows) != 5 {
		t.Fatalf("%v\n%s", err, a.Raw)
	}
	if got := strings.Join(rows[3], "|"); !strings.HasPrefix(got, two+"|09014|Patient/due||Niño due|2026-09-13|female||2|DTaP|") || !strings.HasSuffix(got, "|1|7|due|2026-11-13||2033-09-12") {
		t.Error(got)
	}
	if got := rows[4][13]; got != "upcoming" {
		t.Error(got)
	}
}
