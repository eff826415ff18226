package query

import (
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
)

// page appends the SELECT of the resources of a page: rkey, type, id, version, the
// keys of the order, postings if asked for.
func (w *where) page(typ string, parts []search.Expr, p *plan, o *order, limit int, postings bool) error {
	if p.sort && w.sortsKeys(typ, parts, p, o) {
		return w.sortedKeys(typ, parts, p, o, limit, postings)
	}
	walk := p.kind == walked
	if p.sort {
		w.Add("SELECT q.rkey, q.type, q.id, q.version", o.names("q."))
		if postings {
			w.Add(", q.postings")
		}
		w.Add(" FROM (")
	}
	w.Key = p.key(o)
	w.Add("SELECT ", w.Key, " AS rkey, r.type, r.id, r.version")
	w.orderKeys(o, walk)
	if postings {
		w.Add(", r.postings")
	}
	w.Add(" FROM ")
	if err := w.source(typ, p, o); err != nil {
		return err
	}
	if err := w.checks(typ, parts, p, o); err != nil {
		return err
	}
	if p.sort {
		w.Fence().Add(") q")
		w.cut(o, limit)
		return nil
	}
	if o.from != nil && !o.from.Start && len(o.left()) > 0 {
		w.Add(" AND ")
		o.after(w, o.first(), walk, func(i int) { w.orderKey(o, i, walk) }, w.Key)
	}
	w.Add(" ORDER BY ", o.by("", walk), " LIMIT ").Int(int64(limit))
	return nil
}

// cut appends what sorts q by the order, from its position on, and cuts it.
func (w *where) cut(o *order, limit int) {
	if o.from != nil && !o.from.Start {
		w.Add(" WHERE ")
		o.after(w, o.first(), false, func(i int) { w.Add("q.key", strconv.Itoa(i)) }, "q.rkey")
	}
	w.Add(" ORDER BY ", o.by("q.", false), " LIMIT ").Int(int64(limit))
}

// sortsKeys reports whether row keys alone can be sorted and cut, so that only the
// rows of the page itself are looked at.
func (w *where) sortsKeys(typ string, parts []search.Expr, p *plan, o *order) bool {
	return !p.onResource(o) && w.narrow(typ) && w.implied(typ, p, o) && w.onKeys(parts, p) &&
		!slices.ContainsFunc(o.keys, func(k key) bool { return k.kind != valueKey })
}

// narrow reports whether all that the restriction asks of a resource of type typ is
// among the parts: for any type, it asks for more.
func (w *where) narrow(typ string) bool { return typ != "" || w.restriction.Open() }

// sortedKeys is page where sortsKeys says so.
func (w *where) sortedKeys(typ string, parts []search.Expr, p *plan, o *order, limit int, postings bool) error {
	w.Add("SELECT q.rkey, r.type, r.id, r.version", o.names("q."))
	if postings {
		w.Add(", r.postings")
	}
	w.Add(" FROM (SELECT q.rkey", o.names("q."), " FROM (SELECT a.rkey AS rkey")
	w.Key = "a.rkey"
	w.orderKeys(o, false)
	w.Add(" FROM ")
	if err := w.lead(p, o); err != nil {
		return err
	}
	if err := w.checks(typ, parts, p, o); err != nil {
		return err
	}
	w.Fence().Add(") q")
	w.cut(o, limit)
	w.Add(") q")
	w.Resource("r", "q.rkey")
	return nil
}

// orderKeys appends the keys of the order, named.
func (w *where) orderKeys(o *order, walk bool) {
	for i := range o.keys {
		w.Add(", ")
		w.orderKey(o, i, walk)
		w.Add(" AS key", strconv.Itoa(i))
	}
}

// orderKey appends key i of the order.
func (w *where) orderKey(o *order, i int, walk bool) {
	switch k := &o.keys[i]; {
	case i < o.first():
		w.Add("NULL")
	case i == 0 && walk && k.kind != columnKey:
		w.Add("a.key0")
	default:
		k.value(w)
	}
}

// key returns the column in which the row key is at hand first.
func (p *plan) key(o *order) string {
	if p.onResource(o) {
		return "r.rkey"
	}
	return "a.rkey"
}

// onResource reports whether the lead reads the table of resources itself, where it
// sees to type and life.
func (p *plan) onResource(o *order) bool {
	return p.kind == everything || p.kind == named || p.kind == walked && o.keys[0].kind == columnKey
}

// source appends the tables of the inner SELECT: the lead, and the row of each
// resource that it gives.
func (w *where) source(typ string, p *plan, o *order) error {
	if p.onResource(o) {
		w.resources(typ, p, o)
		return nil
	}
	err := w.lead(p, o)
	w.Resource("r", "a.rkey")
	return err
}

// resources appends the live resources r of type typ, in the order of the plan.
func (w *where) resources(typ string, p *plan, o *order) {
	w.Add("(SELECT ", index.ResourceColumns("i"), " FROM resource i WHERE i.live")
	if typ != "" {
		column := "i.type"
		if p.kind == named && len(p.answers[0].(search.IDs).Any) > 1 && w.Dialect == index.SQLite {
			column = "+i.type" // without statistics, it would rather read all of the type than look two ids up
		}
		w.Add(" AND ", column, " = ").Int(int64(index.TypeNumber(typ)))
	}
	if p.kind == named {
		w.Add(" AND ").AnyString("i.id", p.answers[0].(search.IDs).Any)
		if w.resumes(p, o) {
			w.Add(" AND i.rkey", beyond(o.descending())).Int(o.from.Rkey)
		}
		w.Fence().Add(") r")
		return
	}
	column := ""
	if p.kind == walked {
		column = "i." + o.keys[0].column
	}
	if o.from != nil && !o.from.Start && !p.sort {
		if column != "" {
			w.Add(" AND ", column, beyond(o.descending())[:2], "= ").Arg(o.from.Keys[0])
		} else if len(o.left()) == 0 {
			w.Add(" AND i.rkey", beyond(o.descending())).Int(o.from.Rkey)
		}
	}
	by := "i.rkey" + direction(o.descending())
	if column != "" {
		by = column + direction(o.descending()) + ", " + by
	}
	w.ends(by, p)
	w.Add(") r")
}

// lead appends the row keys a that p's lead gives, each once and in the order of the plan.
func (w *where) lead(p *plan, o *order) error {
	switch {
	case p.kind == walked && o.keys[0].kind == wordKey:
		w.dictionary(p, o)
		return nil
	case p.kind == walked:
		w.values(p, o)
		return nil
	case p.kind == streamed && len(p.postings) > 0:
		w.streams(p, o)
		return nil
	case p.kind == threaded:
		return w.follow(p, o)
	}
	w.Add("(SELECT DISTINCT s.rkey FROM (")
	if err := w.keys(&p.lead); err != nil {
		return err
	}
	w.Fence().Add(") s")
	if w.resumes(p, o) {
		w.Add(" WHERE s.rkey", beyond(o.descending())).Int(o.from.Rkey)
	}
	w.ends("s.rkey"+direction(o.descending()), p)
	w.Add(") a")
	return nil
}

// resumes reports whether the row key alone says what follows the position.
func (w *where) resumes(p *plan, o *order) bool {
	return o.from != nil && !o.from.Start && !p.sort && len(o.left()) == 0
}

// values appends the values that the order follows, each of one resource.
func (w *where) values(p *plan, o *order) {
	k := &o.keys[0]
	w.Add("(SELECT k.rkey, k.", k.column, " AS key0 FROM ", k.table, " k WHERE ")
	k.marked(w.SQL)
	if o.from != nil {
		w.Add(" AND k.", k.column, beyond(k.Desc)[:2], "= ").Arg(o.from.Keys[0])
	}
	w.ends("k."+k.column+direction(k.Desc)+", k.rkey"+direction(k.Desc), p)
	w.Add(") a")
}

// dictionary appends the resources in the order of what their tokens say. One with
// several words is there several times.
func (w *where) dictionary(p *plan, o *order) {
	k := &o.keys[0]
	down := direction(k.Desc)
	w.Add("(SELECT x.rkey, k.text AS key0, k.posting FROM (SELECT k.text, k.posting FROM word k WHERE k.param = ").Param(k.Param.ID)
	w.Add(" AND k.kind = ").Int(int64(search.CodeWord))
	if o.from != nil {
		w.Add(" AND k.text", beyond(k.Desc)[:2], "= ").Arg(o.from.Keys[0])
	}
	if w.Dialect == index.SQLite {
		w.Add(") k CROSS JOIN posting x ON x.posting = k.posting) a")
		return
	}
	w.Add(" ORDER BY k.text", down, " OFFSET 0) k CROSS JOIN LATERAL (SELECT x.rkey FROM posting x WHERE x.posting = k.posting")
	if o.from != nil && len(o.keys) == 1 {
		w.Add(" AND (k.text <> ").Arg(o.from.Keys[0]).Add(" OR x.rkey", beyond(k.Desc)).Int(o.from.Rkey).Add(")")
	}
	if p.ties {
		w.Add(" OFFSET 0")
	} else {
		w.ends("x.rkey"+down, p) // a word with more than the cap uses it up
	}
	w.Add(") x")
	w.ends("k.text"+down+", x.rkey"+down, p)
	w.Add(") a")
}

// streams appends the rows of postings in the order of their row keys, each key once.
func (w *where) streams(p *plan, o *order) {
	one := func(posting int64) {
		w.Add("SELECT x.rkey FROM posting x WHERE x.posting = ").Int(posting)
		if w.resumes(p, o) {
			w.Add(" AND x.rkey", beyond(o.descending())).Int(o.from.Rkey)
		}
	}
	down := direction(o.descending())
	if len(p.postings) == 1 {
		w.Add("(")
		one(p.postings[0])
		w.ends("x.rkey"+down, p)
		w.Add(") a")
		return
	}
	if w.Dialect == index.SQLite { // UNION merges what is in order
		w.Add("(")
		for i, posting := range p.postings {
			if i > 0 {
				w.Add(" UNION ")
			}
			one(posting)
		}
		w.Add(" ORDER BY rkey", down, ") a")
		return
	}
	w.Add("(SELECT DISTINCT s.rkey FROM (")
	for i, posting := range p.postings {
		if i > 0 {
			w.Add(" UNION ALL ")
		}
		w.Add("(")
		one(posting)
		w.Add(" ORDER BY x.rkey", down, ")")
	}
	w.Add(") s")
	w.ends("s.rkey"+down, p)
	w.Add(") a")
}

// follow appends the row keys of a threaded lead.
func (w *where) follow(p *plan, o *order) error {
	m := p.answers[0].(search.Match)
	w.Add("(SELECT DISTINCT s.rkey FROM (")
	err := w.Thread(&m, func() {
		if w.resumes(p, o) {
			w.Add(" AND x.rkey", beyond(o.descending())).Int(o.from.Rkey)
		}
	})
	w.Add(" ORDER BY x.rkey", direction(o.descending()), ") s")
	w.ends("s.rkey"+direction(o.descending()), p)
	w.Add(") a")
	return err
}

// ends appends the order of a lead, and how far it goes. SQLite does not need to be
// told the order of an index twice, and could not tell that it has it already.
func (w *where) ends(by string, p *plan) {
	switch {
	case p.sort:
		w.Fence()
	case w.Dialect == index.SQLite:
	case p.cap > 0 && p.ties:
		first, _, _ := strings.Cut(by, ", ")
		w.Add(" ORDER BY ", first, " FETCH FIRST (").Int(int64(p.cap)).Add(") ROWS WITH TIES")
	case p.cap > 0:
		w.Add(" ORDER BY ", by, " LIMIT ").Int(int64(p.cap))
	default:
		w.Add(" ORDER BY ", by, " OFFSET 0")
	}
}

// checks appends WHERE and the conditions that the lead leaves to be checked.
func (w *where) checks(typ string, parts []search.Expr, p *plan, o *order) error {
	w.Add(" WHERE ")
	if err := w.place(typ, p.onResource(o) || w.implied(typ, p, o)); err != nil {
		return err
	}
	if err := w.others(parts, p); err != nil {
		return err
	}
	switch {
	case o.missing():
		w.Add(" AND ")
		o.keys[0].none(w)
	case p.kind == walked && o.keys[0].kind == wordKey:
		w.Add(" AND ")
		o.keys[0].foremost(w)
	}
	return nil
}

// others appends those of parts that p's lead leaves to be checked.
func (w *where) others(parts []search.Expr, p *plan) error {
	for i, e := range parts {
		if p.settles(i) {
			continue
		}
		w.Add(" AND ")
		if err := w.expr(e); err != nil {
			return err
		}
	}
	return nil
}

// implied reports whether what the lead gives can only belong to live resources of
// type typ.
func (w *where) implied(typ string, p *plan, o *order) bool {
	if p.kind == walked {
		return o.keys[0].Param.Base == typ
	}
	return implies(search.And(p.answers), typ)
}

// matching appends, after a FROM, all resources of type typ for which parts hold. The
// row of each is there as r where row asks for it, or a condition does.
func (w *where) matching(typ string, parts []search.Expr, p *plan, row bool) error {
	o := &order{}
	p.sort = true // in no order
	w.Key = p.key(o)
	if p.onResource(o) {
		w.resources(typ, p, o)
		return w.checks(typ, parts, p, o)
	}
	if p.kind == streamed && len(p.postings) == 1 {
		w.Add("(")
		if err := w.keys(&p.lead); err != nil {
			return err
		}
		w.Fence().Add(") a")
	} else if err := w.lead(p, o); err != nil {
		return err
	}
	if row || !w.narrow(typ) || !w.implied(typ, p, o) || !w.onKeys(parts, p) {
		w.Resource("r", "a.rkey")
	}
	return w.checks(typ, parts, p, o)
}
