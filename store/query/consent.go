package query

import (
	"math"
	"strconv"
	"time"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
	"github.com/amate-health/amate/store/index"
)

// The parts of Range.Lo of the rows that a Consent has, as SQL.
var (
	headMask = strconv.FormatInt(1<<(search.ConsentGroups+search.ConsentExceptions)-1, 10) // 0 for the rule itself
	ruleSpan = strconv.FormatInt(1<<(search.ConsentGroups+search.ConsentExceptions), 10)
	partMask = strconv.FormatInt(1<<search.ConsentGroups-1, 10) // 0 for the head of a rule or exception
	partSpan = strconv.FormatInt(1<<search.ConsentGroups, 10)
	denies   = strconv.FormatInt(search.ConsentDenies, 10)
)

// consented appends that the row is live, and that the consents of the patients whom
// it is about do not refuse it. For each row that means to look up its patient among
// the references of Consents, and most patients have none.
func (w *where) consented(c *search.Consented) error {
	r := &rules{where: w, facts: c.Facts, now: time.Now().UnixMicro()}
	w.Add("(", w.Row, ".live AND NOT ")
	r.any(c, true)
	if c.Needed {
		w.Add(" AND ")
		r.any(c, false)
	}
	w.Add(")")
	return nil
}

// rules writes conditions on the rules of Consents.
type rules struct {
	*where
	facts []int64
	now   int64
}

// any appends that some rule of one of the patients' Consents denies, or permits, and
// applies.
func (r *rules) any(c *search.Consented, denial bool) {
	from, _ := index.LinkSpan(spec.Param("Consent", "patient").ID)
	r.Add("(FALSE")
	one := func(source func(), key string) {
		r.Add(" OR EXISTS (SELECT 1 FROM ")
		source()
		r.Add("posting cp CROSS JOIN date_value h WHERE cp.posting = (").Int(from).Add(" | ", key, ") AND h.rkey = cp.rkey AND h.param + 0 = ").Param(search.ConsentFrom)
		r.Add(" AND (h.lo & ", headMask, ") = 0 AND h.hi <= ").Int(r.now)
		r.Add(" AND h.lo ", map[bool]string{true: ">=", false: "<"}[denial], " ", denies)
		r.inForce("h")
		r.met("h")
		r.unexcepted()
		r.Fence().Add(")")
	}
	if c.Self {
		one(func() {}, r.Row+".rkey")
	}
	for _, p := range c.Params {
		one(func() { r.Targets(p.ID); r.Add(" CROSS JOIN ") }, "l.rkey")
	}
	r.Add(")")
}

// inForce appends that the rule or exception whose head is the row called head has
// not ended.
func (r *rules) inForce(head string) {
	r.Add(" AND EXISTS (SELECT 1 FROM date_value u WHERE u.rkey = ", head, ".rkey AND u.param + 0 = ").Param(search.ConsentUntil)
	r.Add(" AND u.lo = ", head, ".lo AND u.hi > ").Int(r.now).Fence().Add(")")
}

// met appends that of each group of facts of a rule or exception one is true.
func (r *rules) met(head string) {
	r.Add(" AND NOT EXISTS (SELECT 1 FROM date_value t WHERE t.rkey = ", head, ".rkey AND t.param + 0 = ").Param(search.ConsentTerm)
	r.Add(" AND t.lo > ", head, ".lo AND t.lo < ", head, ".lo + ", partSpan, " GROUP BY t.lo HAVING max(CASE WHEN ")
	r.AnyInt("t.hi", r.facts)
	r.Add(" OR ")
	r.has("(t.hi | ", ")")
	r.Add(" OR t.hi = ").Int(search.Unlabelled).Add(" AND NOT EXISTS (SELECT 1 FROM posting y WHERE ")
	r.AnyInt("y.posting", postingsOf(search.Confidential()))
	r.Add(" AND y.rkey = ", r.Row, ".rkey) THEN 1 ELSE 0 END) = 0)")
}

// has appends that the resource has a posting.
func (r *rules) has(before, after string) {
	r.Add("EXISTS (SELECT 1 FROM posting x WHERE x.posting = ", before).Int(math.MinInt64).Add(after, " AND x.rkey = ", r.Row, ".rkey)")
}

// unexcepted appends that no exception of the rule h applies.
func (r *rules) unexcepted() {
	r.Add(" AND NOT EXISTS (SELECT 1 FROM date_value e WHERE e.rkey = h.rkey AND e.param + 0 = ").Param(search.ConsentFrom)
	r.Add(" AND e.lo > h.lo AND e.lo < h.lo + ", ruleSpan, " AND (e.lo & ", partMask, ") = 0 AND e.hi <= ").Int(r.now)
	r.inForce("e")
	r.met("e")
	r.Add(")")
}

func postingsOf(hashes []int64) []int64 {
	all := make([]int64, len(hashes))
	for i, h := range hashes {
		all[i] = index.Token(h)
	}
	return all
}
