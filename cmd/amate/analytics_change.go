package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/analysis"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
	tables "github.com/amate-health/amate/fhir/table"
	"github.com/amate-health/amate/store/analytics"
)

// changed brings changes into the tables.
func (f *tabulator) changed(ctx context.Context, changes []fhir.Change) error {
	ids := map[string]map[string]bool{} // by type
	patients := map[string]bool{}       // of whom more may have changed than what was written
	note := func(typ, id string) {
		if ids[typ] == nil {
			ids[typ] = map[string]bool{}
		}
		ids[typ][id] = true
	}
	for i := range changes {
		c := &changes[i]
		switch typ := c.Ref.Type; {
		case typ == "Consent" && c.Many:
			return f.again(ctx, c.At)
		case typ == "Consent":
			for _, to := range c.Targets {
				if to.Type == "Patient" {
					patients[to.ID] = true
				}
			}
		case typ == "Patient" && c.Ref.Version > 1:
			patients[c.Ref.ID] = true
		case typ == "ViewDefinition":
			f.looked = f.looked.Add(-viewsEvery)
		}
		if f.wants(c.Ref.Type) || c.Ref.Type == "Patient" {
			note(c.Ref.Type, c.Ref.ID)
		}
	}
	for typ, some := range ids {
		seen, err := f.update(ctx, typ, slices.Sorted(maps.Keys(some)))
		if err != nil {
			return err
		}
		// What there was of a Patient who is new here and hidden at once is hidden too.
		for id := range some {
			if typ == "Patient" && !seen[id] {
				patients[id] = true
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(patients)) {
		if err := f.record(ctx, id); err != nil {
			return err
		}
	}
	f.at.Feed = changes[len(changes)-1].At
	if len(ids)+len(patients) == 0 && time.Since(f.noted) < noteAfter {
		return nil
	}
	f.noted = time.Now()
	return f.keeper.Write(ctx, f.at)
}

// again makes all tables anew, after a change that nobody can tell whom it concerns.
func (f *tabulator) again(ctx context.Context, at fhir.Mark) error {
	f.at.Feed = at
	for _, kept := range f.at.Tables {
		kept.Print, kept.Wants, kept.After, kept.Full = "", "", "", false
	}
	return f.keeper.Write(ctx, f.at)
}

// wants reports whether there is a table of resources of a type.
func (f *tabulator) wants(typ string) bool {
	return slices.ContainsFunc(f.tables, func(s tabled) bool { return s.Resource == typ })
}

// record looks at all of the record of a patient: who may see it may be others now, and the
// ages in it.
func (f *tabulator) record(ctx context.Context, patient string) error {
	done := map[string]bool{}
	for i := range f.tables {
		typ := f.tables[i].Resource
		if done[typ] || !search.InCompartment("Patient", typ) {
			continue
		}
		done[typ] = true
		q := &search.Query{Type: typ, Count: analyticsLook, Restriction: search.Unrestricted,
			Where: []search.Expr{search.Compartment([]fhir.Ref{{Type: "Patient", ID: patient}}, typ)}}
		for {
			found, err := f.engine.Search(ctx, q)
			if err != nil {
				return err
			}
			var ids []string
			for j := range found.Matches {
				ids = append(ids, found.Matches[j].Ref.ID)
			}
			if _, err := f.update(ctx, typ, ids); err != nil {
				return err
			}
			if found.Next == "" {
				break
			}
			q.After = found.Next
		}
	}
	return nil
}

// update replaces the rows of resources by those that they have now, and returns which of
// them are to be seen.
func (f *tabulator) update(ctx context.Context, typ string, ids []string) (map[string]bool, error) {
	seen := map[string]bool{}
	for some := range slices.Chunk(ids, analyticsLook) {
		d, found, err := f.found(ctx, typ, some)
		if err != nil {
			return nil, err
		}
		for i := range found.Matches {
			seen[found.Matches[i].Ref.ID] = true
		}
		plain, err := f.plain(ctx, &d, found.Matches)
		if err != nil {
			return nil, err
		}
		var all []analytics.Replacement
		for i := range f.tables {
			s := &f.tables[i]
			kept := f.at.Tables[s.Name]
			if s.Resource != typ || kept == nil {
				continue
			}
			out, err := f.rows(ctx, plain, s)
			if err != nil {
				return nil, err
			}
			all = append(all, f.replacements(out, typ, some, s, kept)...)
		}
		if len(all) == 0 {
			continue
		}
		if err := f.keeper.Write(ctx, f.at, all...); err != nil {
			return nil, err
		}
	}
	return seen, nil
}

// found returns those of some resources that analysts may see, and by which decision.
func (f *tabulator) found(ctx context.Context, typ string, ids []string) (d rest.Decision, found *search.Result, err error) {
	for again := false; ; again = true {
		d, err = f.asAnalyst(ctx, typ)
		if fhir.CodeOf(err) == fhir.Forbidden {
			return d, &search.Result{}, nil
		}
		if err != nil {
			return d, nil, err
		}
		found, err = f.Search(ctx, &search.Query{Type: typ, Where: []search.Expr{search.IDs{Any: ids}}, Count: len(ids), Restriction: d.Restriction})
		if err != nil || again || !slices.ContainsFunc(found.Matches, func(r fhir.Resource) bool { return blocked(&r) }) {
			return d, found, err
		}
		f.heed() // it is the first one
	}
}

// blocked reports whether a resource says so itself.
func blocked(r *fhir.Resource) bool {
	if !bytes.Contains(r.JSON, []byte(blockedLabel.Code)) {
		return false
	}
	d, err := element.Parse(r.JSON)
	if err != nil {
		return false
	}
	for label := range d.Items(d.Get(0, "meta"), "security") {
		if d.TextAt(label, "code") == blockedLabel.Code && d.TextAt(label, "system") == blockedLabel.System {
			return true
		}
	}
	return false
}

// replacements puts the rows of resources into the table that is shown and into that which
// is being filled. Where another definition made the one that is shown, or another release
// its pseudonyms, they only go there.
func (f *tabulator) replacements(made *rowsMade, typ string, ids []string, s *tabled, kept *analytics.Kept) (all []analytics.Replacement) {
	var refs []fhir.Ref
	for _, id := range ids {
		refs = append(refs, fhir.Ref{Type: typ, ID: id})
	}
	if kept.Base != "" {
		shown := made
		if !strings.HasPrefix(kept.Print, s.shape) {
			shown = &rowsMade{}
		}
		all = append(all, f.into(kept.Base, refs, shown, s))
	}
	if kept.Next != "" && kept.Wants == s.Print {
		all = append(all, f.into(kept.Next, refs, made, s))
	}
	return all
}

// into returns that rows replace those that a table has of resources. They stand in an order
// that tells nothing of that in which the resources are stored, which two releases have in
// common.
func (f *tabulator) into(base string, refs []fhir.Ref, made *rowsMade, s *tabled) analytics.Replacement {
	out := analytics.Replacement{Base: base, Columns: s.Columns}
	for _, ref := range refs {
		out.Keys = append(out.Keys, f.rowKey(base, ref))
	}
	for i := range made.cells {
		out.Rows = append(out.Rows, analytics.Row{Key: f.rowKey(base, made.of[i]), Cells: made.cells[i]})
	}
	slices.SortStableFunc(out.Rows, func(a, b analytics.Row) int { return bytes.Compare(a.Key, b.Key) })
	return out
}

// rowKey is the key of the rows of a resource in a table: nobody without the key of the
// server learns from it which resource that is, nor which rows of another table are of it.
func (f *tabulator) rowKey(base string, ref fhir.Ref) []byte {
	mac := hmac.New(sha256.New, f.key("rows of analysts"))
	mac.Write([]byte(base + " " + ref.Type + "/" + ref.ID))
	return mac.Sum(nil)[:16]
}

// rowsMade are rows that a view makes of resources.
type rowsMade struct {
	of    []fhir.Ref // each row
	cells [][]tables.Cell
}

// plainResource is a resource without who it is of.
type plainResource struct {
	of  fhir.Ref
	doc *element.Doc
}

// plain returns resources without who they are of: as the role of analysts sees them, and
// then by pseudonyms. One that cannot be brought into that form is left out. It is done once
// for all tables.
func (f *tabulator) plain(ctx context.Context, d *rest.Decision, found []fhir.Resource) ([]plainResource, error) {
	docs, born, err := f.bornOf(ctx, search.Unrestricted, found)
	if err != nil {
		return nil, err
	}
	all := make([]plainResource, 0, len(found))
	for i := range found {
		subject, _ := analysis.Subject(docs[i])
		plain, err := f.without(d, docs[i], found[i].JSON, born[subject.ID])
		if err != nil {
			f.at.Refused++
			continue
		}
		all = append(all, plainResource{found[i].Ref.Current(), plain})
	}
	return all, nil
}

// rows returns the rows that a view makes of resources. One that it does not fit has none.
// They stand in the order of their keys, so that nothing is told by that in which things
// were written, which is known from elsewhere.
func (f *tabulator) rows(ctx context.Context, plain []plainResource, s *tabled) (*rowsMade, error) {
	out := &rowsMade{}
	for i := range plain {
		begun := len(out.cells)
		err := s.view.Each(ctx, plain[i].doc, 0, func(row []tables.Cell) error {
			out.of, out.cells = append(out.of, plain[i].of), append(out.cells, slices.Clone(row))
			return nil
		})
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			f.at.Refused++
			out.of, out.cells = out.of[:begun], out.cells[:begun]
		}
	}
	return out, nil
}

// without returns a resource without who it is of.
func (f *tabulator) without(d *rest.Decision, doc *element.Doc, json []byte, born string) (*element.Doc, error) {
	derived := analysis.Derive(doc, born, f.month)
	if d.Mask.Empty() {
		return nil, errUnmasked
	}
	masked, err := d.Mask.Apply(json)
	if err != nil {
		return nil, err
	}
	plain, err := f.names.Prepare(nil, masked, derived)
	if err != nil {
		return nil, err
	}
	return element.Parse(plain)
}

// errUnmasked is of a policy by which analysts see everything: nothing is made of that.
var errUnmasked = errors.New("the role analyst sees resources whole")

// daily looks at the records of those whose consents begin and end by themselves.
func (f *tabulator) daily(ctx context.Context, today string) error {
	p := spec.Param("Consent", "period")
	q := &search.Query{Type: "Consent", Count: analyticsLook, Restriction: search.Unrestricted,
		Where: []search.Expr{search.Match{Param: p, Compared: p.Type, Modifier: "missing", Values: []search.Value{{Raw: "false"}}}}}
	patients := map[string]bool{}
	for {
		found, err := f.engine.Search(ctx, q)
		if err != nil {
			return err
		}
		for i := range found.Matches {
			d, err := element.Parse(found.Matches[i].JSON)
			if err != nil {
				return err
			}
			if ref, ok := fhir.ParseRef(strings.TrimPrefix(d.TextAt(0, "patient", "reference"), f.indexing.Base+"/")); ok {
				patients[ref.ID] = true
			}
		}
		if found.Next == "" {
			break
		}
		q.After = found.Next
	}
	for _, id := range slices.Sorted(maps.Keys(patients)) {
		if err := f.record(ctx, id); err != nil {
			return err
		}
	}
	f.at.Day = today
	return f.keeper.Write(ctx, f.at)
}
