package query

import (
	"maps"
	"math"
	"reflect"
	"slices"
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
func (w *where) consented(c *search.Consented) {
	if c.OfMembers() {
		w.Add(w.Row, ".live")
		return
	}
	r := &rules{where: w, facts: append(slices.Clip(c.Facts), c.Class), now: time.Now().UnixMicro(), self: c.Self}
	for _, p := range c.Params {
		r.params = append(r.params, int64(p.ID))
	}
	r.through = idsOf(nil, c.Through)
	r.consented(c.Needed)
}

// rules writes conditions on the rules of Consents.
type rules struct {
	*where
	facts   []int64
	classes map[int64]int64 // of rows of several types, the fact of each
	now     int64
	self    bool    // the row may be the patient
	params  []int64 // references that lead to the patients
	through []int64 // references to other resources that lead to patients
}

func (r *rules) consented(needed bool) {
	if r.counts {
		r.Add(r.Row, ".live")
		return
	}
	r.Add("(", r.Row, ".live AND NOT ")
	r.any(true)
	if needed {
		r.Add(" AND ")
		r.any(false)
	}
	r.Add(")")
}

// any appends that some rule of one of the patients' Consents denies, or permits, and
// applies.
func (r *rules) any(denial bool) {
	from, _ := index.LinkSpan(spec.Param("Consent", "patient").ID)
	var concern []int64
	if denial {
		// As a rule nobody denies anything to the caller, which one look tells.
		concern = postingsOf(search.Denials(r.facts))
		r.Add("(EXISTS (SELECT 1 FROM posting z WHERE ").AnyInt("z.posting", concern).Add(") AND ")
		r.among(concern)
	}
	r.Add("(FALSE")
	one := func(source func(), key string) {
		r.Add(" OR EXISTS (SELECT 1 FROM ")
		source()
		// To add nothing to param keeps the engine from starting at its index, where the
		// rules of everybody stand.
		r.Add("posting cp CROSS JOIN date_value h WHERE cp.posting = (").Int(from).Add(" | ", key, ") AND h.rkey = cp.rkey AND h.param + 0 = ").Param(search.ConsentFrom)
		if denial {
			r.Add(" AND EXISTS (SELECT 1 FROM posting z WHERE ").AnyInt("z.posting", concern).Add(" AND z.rkey = cp.rkey)")
		}
		r.Add(" AND (h.lo & ", headMask, ") = 0 AND h.hi <= ").Int(r.now)
		r.Add(" AND h.lo ", map[bool]string{true: ">=", false: "<"}[denial], " ", denies)
		r.inForce("h")
		r.met("h")
		r.unexcepted()
		r.Fence().Add(")")
	}
	if r.self {
		one(func() {}, r.Row+".rkey")
	}
	switch {
	case len(r.params) == 0:
	case len(r.through) > 0:
		one(func() { r.TargetsThrough(r.params, r.through, search.ConcernIDs()); r.Add(" CROSS JOIN ") }, "l.rkey")
	case len(r.params) == 1:
		one(func() { r.Targets(uint16(r.params[0])); r.Add(" CROSS JOIN ") }, "l.rkey")
	default:
		one(func() { r.TargetsOfAny(r.params); r.Add(" CROSS JOIN ") }, "l.rkey")
	}
	r.Add(")")
	if denial {
		r.Add(")")
	}
}

// among appends that the row is about a patient with a Consent that concerns the
// caller, as a set that is gathered once, where that is less than to look up the
// Consents of every row's patient.
func (r *rules) among(concern []int64) {
	if len(r.classes) > 0 || len(r.through) > 0 || r.looks == 0 || r.concerned(concern)*max(1, len(r.params)) >= r.looks {
		return
	}
	patients := func() error {
		return r.ReferredSet(spec.Param("Consent", "patient").ID, func() error {
			r.Add("SELECT c.postings AS postings FROM (SELECT z.rkey FROM posting z WHERE ").AnyInt("z.posting", concern).Fence().Add(") z")
			r.Resource("c", "z.rkey")
			return nil
		})
	}
	r.Add(r.Row, ".rkey IN (")
	if r.self {
		_ = patients() // it writes only
	}
	for i, p := range r.params {
		if i > 0 || r.self {
			r.Add(" UNION ALL ")
		}
		_ = r.RefersSet(uint16(p), patients)
	}
	r.Add(") AND ")
}

// concerned returns about how many Consents concern the caller; where that is not
// known yet, more than anything.
func (r *rules) concerned(concern []int64) int {
	sub := r.separate()
	sub.Add("SELECT count(*) FROM (SELECT 1 FROM posting z WHERE ").AnyInt("z.posting", concern)
	sub.Add(" LIMIT ").Int(manyRows).Add(") c")
	if n, known := r.count(sub); known && n < manyRows {
		return n
	}
	return math.MaxInt32
}

// looksOf returns about how many resources p looks at until a page of limit resources
// is full. Where no consent is among the parts, nobody needs to know.
func (w *where) looksOf(typ string, parts []search.Expr, p *plan, limit int) int {
	if !slices.ContainsFunc(parts, func(e search.Expr) bool { _, ok := e.(search.Consented); return ok }) {
		return 0
	}
	if p.kind == everything || p.kind == walked {
		return min(limit, w.population(typ))
	}
	l := p.lead
	if w.weigh(&l, typ) != nil {
		return 0
	}
	if p.sort {
		return l.rows
	}
	return min(limit, l.rows)
}

// permittedAny appends that the restriction shows the row, of whatever type. Types
// under the same conditions share them, and so do all types on whose patients'
// consents it depends: a statement with a branch for each would take longer to plan
// than to carry out.
func (w *where) permittedAny(restriction *search.Restriction) error {
	var groups []*typeGroup
	consents := &rules{where: w, classes: map[int64]int64{}, now: time.Now().UnixMicro()}
	needed := false
	blocks := map[int64]search.Unblocked{}
	all := maps.Collect(restriction.All())
	for _, typ := range slices.Sorted(maps.Keys(all)) {
		number := int64(index.TypeNumber(typ))
		var own []search.Expr
		for _, e := range all[typ] {
			if b, ok := e.(search.Unblocked); ok {
				blocks[number] = b
				continue
			}
			c, ok := e.(search.Consented)
			if !ok || c.OfMembers() {
				own = append(own, e)
				continue
			}
			consents.add(&c, number)
			needed = c.Needed
		}
		groups = grouped(groups, number, own)
	}
	w.Add("((FALSE")
	for _, g := range groups {
		w.Add(" OR (")
		w.AnyInt(w.Row+".type", g.types)
		for _, e := range g.where {
			w.Add(" AND ")
			if err := w.expr(e); err != nil {
				return err
			}
		}
		w.Add(")")
	}
	w.Add(")")
	if len(consents.classes) > 0 {
		w.Add(" AND (NOT (")
		w.AnyInt(w.Row+".type", slices.Sorted(maps.Keys(consents.classes)))
		w.Add(") OR ")
		consents.consented(needed)
		w.Add(")")
	}
	w.unblockedAny(blocks)
	w.Add(")")
	return nil
}

// add makes the rules those of one more type.
func (r *rules) add(c *search.Consented, typ int64) {
	r.facts, r.self = c.Facts, r.self || c.Self
	r.classes[typ] = c.Class
	for _, p := range c.Params {
		if id := int64(p.ID); !slices.Contains(r.params, id) {
			r.params = append(r.params, id)
		}
	}
	r.through = idsOf(r.through, c.Through)
}

// idsOf appends the IDs of params to ids, those that are not there yet.
func idsOf(ids []int64, params []*spec.SearchParam) []int64 {
	for _, p := range params {
		if id := int64(p.ID); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// typeGroup is types under the same conditions.
type typeGroup struct {
	types []int64
	where []search.Expr
}

func grouped(groups []*typeGroup, typ int64, where []search.Expr) []*typeGroup {
	for _, g := range groups {
		if reflect.DeepEqual(g.where, where) {
			g.types = append(g.types, typ)
			return groups
		}
	}
	return append(groups, &typeGroup{types: []int64{typ}, where: where})
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
	r.class()
	r.Add(" OR ")
	r.has("(t.hi | ", ")")
	r.Add(" OR t.hi = ").Int(search.Unlabelled).Add(" AND NOT EXISTS (SELECT 1 FROM posting y WHERE ")
	r.AnyInt("y.posting", postingsOf(search.Confidential()))
	r.Add(" AND y.rkey = ", r.Row, ".rkey) THEN 1 ELSE 0 END) = 0)")
}

// class appends that the fact of a group is what is true of the row's type.
func (r *rules) class() {
	if len(r.classes) == 0 {
		return
	}
	r.Add(" OR t.hi = CASE ", r.Row, ".type")
	for _, typ := range slices.Sorted(maps.Keys(r.classes)) {
		r.Add(" WHEN ", strconv.FormatInt(typ, 10), " THEN ").Int(r.classes[typ])
	}
	r.Add(" END")
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
