package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/search"
)

// byWords are searches that find what sharedWays has, by how it calls Patient/p.
var byWords = []string{
	"Group?_content=M", "Group?member:text=M", "Group?_content=M%20or%20M", "CareTeam?_content=M", "CareTeam?participant:text=M", "List?_content=M", "List?item:text=M",
	"Observation?_content=M&subject=Patient/q", "Observation?focus:text=M", "Communication?_content=M", "?_type=Group,List,CareTeam&_content=M",
	"Patient?_has:Group:member:member:text=M&_id=q", "Group?_id=s-members&_filter=not%20(id%20eq%20x%20or%20_id%20eq%20y)%20and%20member%20re%20Patient/q&_content=M",
}

// worded expects that those who do not see all of a record find what tells of it among
// others by words or not, to be shown or counted.
func (s *rightsScene) worded(found bool) {
	s.Helper()
	for _, path := range byWords {
		path = strings.ReplaceAll(path, "=M", "="+url.QueryEscape(rightsMark))
		path = strings.ReplaceAll(path, "or%20M", "or%20"+url.QueryEscape(rightsMark))
		for _, more := range []string{"", "&_summary=count"} {
			status, got := s.do("system", "GET", path+more, "")
			if status != 200 {
				s.Errorf("%s: %d %.300s", path+more, status, got)
			} else if none := !strings.Contains(got, `"fullUrl"`) && (more == "" || strings.Contains(got, `"total":0`)); none == found {
				s.Errorf("%s finds it: %t, want %t: %.300s", path+more, !none, found, got)
			}
		}
	}
	if found {
		return
	}
	// By what it does not say it is found, whether it says that or not, so that both tell the same.
	for path, want := range map[string]string{
		"Group?_id=s-members&_content=not%20" + rightsMark:       `"total":1`,
		"Group?_id=s-members&_content=not%20nothing":             `"total":1`,
		"Group?_id=s-members&member=Patient/q":                   `"total":1`,
		"Group?_id=s-members&member:missing=false":               `"total":1`,
		"Observation?code:text=Otra&_id=s-focus":                 `"total":1`,
		"Observation?_content=Otra&_id=oq0":                      `"total":1`,
		"Observation?subject:Patient.name=Otra&_id=s-focus":      `"total":1`,
		"Group?_has:List:item:_id=none&_content=" + rightsMark:   `"total":0`,
		"Group?_id=s-members&_filter=member%20ne%20Patient/none": `"total":1`,
	} {
		if status, got := s.do("system", "GET", path+"&_summary=count", ""); status != 200 || !strings.Contains(got, want) {
			s.Errorf("%s: %d %.300s, want %s", path, status, got, want)
		}
	}
}

// A query without words is asked as it is, and so is one of somebody from whom nothing is
// hidden: what is searched for most costs nothing more.
func TestUnworded(t *testing.T) {
	hides := &search.Restriction{Types: map[string][]search.Expr{"Group": {search.Unblocked{Label: 1}}, "Patient": {}}}
	shows := &search.Restriction{Types: map[string][]search.Expr{"Group": {search.IDs{Any: []string{"g"}}}}}
	for _, c := range []struct {
		query string
		only  *search.Restriction
		want  bool
	}{
		{"_content=word", hides, true}, {"_text=word", hides, true}, {"member:text=x", hides, true}, {"member:identifier=u|1", hides, true}, {"member:Patient.link:text=x", hides, true},
		{"member=Patient/p", hides, false}, {"member:missing=true", hides, false}, {"code=x", hides, false}, {"_id=x", hides, false}, {"member:Patient.name=x", hides, false},
		{"_content=word", shows, false}, {"_content=word", search.Unrestricted, false},
	} {
		params, err := search.SplitQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		q, err := search.Parse("Group", params, search.Options{})
		if err != nil {
			t.Fatalf("%s: %v", c.query, err)
		}
		q.Restriction = c.only
		if got := unworded(q); (got != q) != c.want {
			t.Errorf("%s under %v is asked as %v", c.query, c.only.Types, got.Where)
		}
	}
}
