package bundle

import (
	"slices"
	"strings"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// rewrite is a place in a resource that gets another text: where a change or a
// lookup leads.
type rewrite struct {
	node   element.Node
	change int    // the text is Env.Targets[change]; -1 for none
	lookup int    // the text is Env.Lookups[lookup]; -1 for none
	text   string // the text, when both are -1

	parts []rewrite // of a narrative: they make up the text together; nil for anything else
}

// putLinked prepares a create or update whose references may lead to other
// entries. What is known now is done now; what a criterion decides is left to
// Build.
func (p *planner) putLinked(a *Action) (Change, error) {
	s := a.source
	if err := s.validate(p.Rules); err != nil {
		return Change{}, err
	}
	edits, err := p.rewrites(a)
	if err != nil {
		return Change{}, err
	}
	c := Change{Op: a.Op, Ref: a.Ref}
	m := p.Maker
	if slices.ContainsFunc(edits, rewrite.late) {
		c.Build = func(env *Env, at fhir.Ref, _ *fhir.Resource) (*Content, error) {
			return m.rewritten(s, edits, env, at)
		}
		return c, nil
	}
	ready, err := m.rewritten(s, edits, nil, a.Ref)
	if err != nil {
		return Change{}, err
	}
	c.Build = func(_ *Env, at fhir.Ref, _ *fhir.Resource) (*Content, error) {
		if at.ID == a.Ref.ID {
			return ready, nil
		}
		return m.rewritten(s, edits, nil, at)
	}
	return c, nil
}

// late reports whether the text is known only inside the database transaction.
func (r rewrite) late() bool {
	return r.change >= 0 || r.lookup >= 0 || slices.ContainsFunc(r.parts, rewrite.late)
}

// final returns the text.
func (r *rewrite) final(env *Env) string {
	switch {
	case r.change >= 0:
		return env.Targets[r.change].Current().String()
	case r.lookup >= 0:
		return env.Lookups[r.lookup].Current().String()
	case r.parts == nil:
		return r.text
	}
	var b strings.Builder
	for i := range r.parts {
		b.WriteString(r.parts[i].final(env))
	}
	return b.String()
}

// docs lends arenas for resources that are read again after a rewrite.
var docs = sync.Pool{New: func() any { return new(element.Doc) }}

// rewritten makes what is stored of s, with edits made.
func (m Maker) rewritten(s *Source, edits []rewrite, env *Env, at fhir.Ref) (*Content, error) {
	if len(edits) == 0 {
		return m.content(s, at)
	}
	e := s.Doc.Edit(s.Root)
	for i := range edits {
		e.SetString(edits[i].node, edits[i].final(env))
	}
	body := stamp(e, at.ID)
	doc := docs.Get().(*element.Doc)
	defer docs.Put(doc)
	if err := doc.Parse(body.JSON, element.Limits{}); err != nil {
		return nil, err
	}
	index, err := m.index(doc, 0, at.Type)
	if err != nil {
		return nil, err
	}
	return &Content{Body: body, Index: index}, nil
}

// rewrites finds the places in the resource of a that are to change.
func (p *planner) rewrites(a *Action) (edits []rewrite, err error) {
	d := a.source.Doc
	base := p.baseOf(a.Entry.FullURL)
	links(d, a.source.Root, func(l link) {
		if err != nil || d.Kind(l.node) != element.String {
			return
		}
		var r rewrite
		var found bool
		if r, found, err = p.lead(a, l, d.Text(l.node), base); found {
			edits = append(edits, r)
		}
	})
	if err != nil {
		return nil, err
	}
	return edits, nil
}

// lead finds out where one link leads, if it is to change.
func (p *planner) lead(a *Action, l link, text, base string) (rewrite, bool, error) {
	switch l.place {
	case narrative:
		r := p.leadNarrative(l.node, text)
		return r, r.parts != nil, nil
	case locator:
		r, ok := p.leadEntry(l.node, text)
		return r, ok && r.text != text, nil
	}
	r := rewrite{node: l.node, change: -1, lookup: -1}
	if text == "" || text[0] == '#' {
		return r, false, nil
	}
	if r, ok := p.leadEntry(l.node, p.absolute(text, base)); ok {
		return r, r.text != text, nil
	}
	if strings.HasPrefix(text, "urn:") {
		return r, false, fhir.Errorf(fhir.Unprocessable, "no entry of the transaction has this fullUrl").
			With("the reference is %.200q", text).At(a.source.expression(l.node))
	}
	if typ, query, ok := conditional(text); ok {
		r, err := p.lookup(a, l, text, typ, query)
		return r, err == nil, err
	}
	return r, false, nil
}

// leadEntry finds the entry with a fullUrl.
func (p *planner) leadEntry(n element.Node, url string) (rewrite, bool) {
	i, ok := p.places[url]
	if !ok || p.plan.Actions[i].Op == Delete {
		return rewrite{}, false
	}
	return p.leadTo(n, i), true
}

// leadTo makes n point to what an action writes.
func (p *planner) leadTo(n element.Node, action int) rewrite {
	r := rewrite{node: n, change: -1, lookup: -1}
	to := &p.plan.Actions[action]
	if to.twin >= 0 {
		to = &p.plan.Actions[to.twin]
	}
	if to.Conditional {
		r.change = to.change
	} else {
		r.text = to.Ref.String()
	}
	return r
}

// leadNarrative finds the links of a div that lead to entries.
func (p *planner) leadNarrative(n element.Node, text string) rewrite {
	whole := rewrite{node: n, change: -1, lookup: -1}
	done := 0
	for i := 0; ; {
		at := strings.Index(text[i:], `="`)
		if at < 0 {
			break
		}
		attribute, start := text[:i+at], i+at+2
		size := strings.IndexByte(text[start:], '"')
		if size < 0 {
			break
		}
		i = start + size + 1
		if !strings.HasSuffix(attribute, " href") && !strings.HasSuffix(attribute, " src") {
			continue
		}
		if r, ok := p.leadEntry(n, text[start:start+size]); ok {
			before := rewrite{change: -1, lookup: -1, text: text[done:start]}
			whole.parts = append(whole.parts, before, r)
			done = start + size
		}
	}
	if whole.parts != nil {
		whole.parts = append(whole.parts, rewrite{change: -1, lookup: -1, text: text[done:]})
	}
	return whole
}

// lookup finds out where a conditional reference leads: to an entry of the
// transaction that matches, or else to what Batch.Lookups will find.
func (p *planner) lookup(a *Action, l link, text, typ, query string) (r rewrite, err error) {
	r, known := p.lookups[text]
	if !known {
		if r, err = p.newLookup(typ, query, a.source.expression(l.node)); err != nil {
			return r, Within(err, a.source.expression(l.node))
		}
		p.lookups[text] = r
	}
	r.node = l.node
	return r, nil
}

func (p *planner) newLookup(typ, query, path string) (rewrite, error) {
	r := rewrite{change: -1, lookup: -1}
	params, err := search.SplitQuery(query)
	if err != nil {
		return r, err
	}
	q, err := p.Criterion(typ, params, p.References)
	if err != nil {
		return r, err
	}
	match, err := p.matching(q)
	if err != nil {
		return r, err
	}
	if match >= 0 {
		return p.leadTo(0, match), nil
	}
	r.lookup = len(p.plan.Batch.Lookups)
	p.plan.Batch.Lookups = append(p.plan.Batch.Lookups, q)
	p.plan.lookups = append(p.plan.lookups, path)
	return r, nil
}

// matching returns the action that writes a resource which q selects, or -1. The
// resource is tried as it was sent, before its own references are rewritten.
func (p *planner) matching(q *search.Query) (int, error) {
	match := -1
	for i := range p.plan.Actions {
		a := &p.plan.Actions[i]
		if a.Ref.Type != q.Type || a.twin >= 0 || a.Op != Create && a.Op != Update {
			continue
		}
		if a.index == nil {
			index, err := p.index(a.source.Doc, a.source.Root, a.Ref.Type)
			if err != nil {
				return -1, err
			}
			a.index = &index
		}
		// A condition that needs other resources is left to the database.
		if ok, err := search.Holds(search.And(q.Where), &search.Subject{Ref: a.Ref, Index: a.index}); err != nil || !ok {
			continue
		}
		if match >= 0 {
			return -1, fhir.Errorf(fhir.MultipleMatches, "entries %d and %d both match this reference", match, i)
		}
		match = i
	}
	return match, nil
}

// baseOf returns the base, with its slash, against which relative references in
// an entry are read: that of its fullUrl, or this server's.
//
// See https://hl7.org/fhir/R4/bundle.html#references.
func (p *planner) baseOf(fullURL string) string {
	if strings.HasPrefix(fullURL, "http") {
		if end := strings.LastIndexByte(fullURL, '/'); end > 0 {
			if start := strings.LastIndexByte(fullURL[:end], '/'); start > 0 {
				return fullURL[:start+1]
			}
		}
	}
	return p.Base + "/"
}

// absolute returns the key in places of a URL that may be relative to base.
func (p *planner) absolute(url, base string) string {
	if hasURL(url) {
		return url
	}
	return base + url
}
