package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/amate-health/amate/store/storetest/naive"
)

// disagrees asks the server, page by page, and says how its answer differs from
// that of the naive search; "" when it does not.
func (s *searched) disagrees(q *naive.Query) string {
	want := s.world.Find(q)
	var got []*naive.Resource
	url := s.base + "/" + q.String()
	for pages := 0; url != ""; pages++ {
		if pages > len(want)+2 {
			return "the pages have no end"
		}
		p, err := s.page(url)
		if err != nil {
			return err.Error()
		}
		matches, included, err := s.parts(p)
		if err != nil {
			return err.Error()
		}
		if why := differences(s.world.Included(q.Includes, matches), included); why != "" {
			return fmt.Sprintf("page %d includes wrongly: %s", pages+1, why)
		}
		if q.Total && pages == 0 && (p.Total == nil || *p.Total != len(want)) {
			return fmt.Sprintf("total %v, want %d", show(p.Total), len(want))
		}
		got = append(got, matches...)
		url = p.next()
	}
	if why := differences(want, got); why != "" {
		return why
	}
	if at := s.world.OutOfOrder(q.Sort, got); at >= 0 {
		return fmt.Sprintf("%s stands behind %s: %s", got[at].Ref(), got[at-1].Ref(), names(got))
	}
	return ""
}

func show(n *int) string {
	if n == nil {
		return "none"
	}
	return fmt.Sprint(*n)
}

// parts returns the matches of a page, in order, and what is included.
func (s *searched) parts(p *page) (matches, included []*naive.Resource, err error) {
	for _, e := range p.Entry {
		var head struct{ ResourceType, ID string }
		if err := json.Unmarshal(e.Resource, &head); err != nil {
			return nil, nil, err
		}
		r := s.world.Get(head.ResourceType + "/" + head.ID)
		if r == nil {
			return nil, nil, fmt.Errorf("%s %s/%s was never written: %.300s", e.Search.Mode, head.ResourceType, head.ID, e.Resource)
		}
		if e.Search.Mode == "include" {
			included = append(included, r)
		} else {
			matches = append(matches, r)
		}
	}
	return matches, included, nil
}

// differences compares two lists without regard to order; each resource stands in
// them once.
func differences(want, got []*naive.Resource) string {
	var missing, extra, twice []*naive.Resource
	has := map[*naive.Resource]int{}
	for _, r := range got {
		if has[r]++; has[r] == 2 {
			twice = append(twice, r)
		}
	}
	for _, r := range want {
		if has[r] == 0 {
			missing = append(missing, r)
		}
		delete(has, r)
	}
	for r := range has {
		extra = append(extra, r)
	}
	var all []string
	for _, d := range []struct {
		what string
		list []*naive.Resource
	}{{"not found", missing}, {"found, and should not be", extra}, {"found twice", twice}} {
		if len(d.list) > 0 {
			all = append(all, fmt.Sprintf("%d %s: %s", len(d.list), d.what, names(d.list)))
		}
	}
	return strings.Join(all, "; ")
}

// names lists at most a dozen resources.
func names(list []*naive.Resource) string {
	var all []string
	for _, r := range list[:min(len(list), 12)] {
		all = append(all, r.Ref())
	}
	return strings.Join(all, " ")
}

// shrink returns the smallest search like q that still fails, and how.
func (s *searched) shrink(q *naive.Query) (*naive.Query, string) {
	for {
		smaller := slices.IndexFunc(q.Smaller(), func(c *naive.Query) bool { return s.disagrees(c) != "" })
		if smaller < 0 {
			return q, s.disagrees(q)
		}
		q = q.Smaller()[smaller]
	}
}
