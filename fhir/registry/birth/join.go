package birth

import (
	"context"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/document"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/search"
)

const documentTag = document.TagSystem

// mostJoined is how many resources of a newborn are moved to another Patient in the
// transaction that assigns its CURP.
const mostJoined = 2000

// join returns the changes that give the newborn its CURP. Where another Patient has it
// already, all that was recorded of the newborn goes to that one, and the newborn's
// Patient says that it is replaced by it; it keeps its folio, and what was signed keeps
// its reference.
func (s *service) join(ctx context.Context, call *operation.Call, c *Certificate) ([]bundle.Change, error) {
	if _, _, err := s.survivor(ctx, c); err != nil {
		return nil, err
	}
	others, err := s.identified(ctx, search.Unrestricted, "Patient", identity.SystemCURP, c.CURP)
	if err != nil {
		return nil, err
	}
	others = slices.DeleteFunc(others, func(r fhir.Resource) bool { return r.Ref.ID == c.Newborn.Ref.ID })
	if len(others) > 1 {
		return nil, fhir.Errorf(fhir.Conflict, "several Patients have this CURP already: make them one first")
	}
	if len(others) == 1 {
		return s.joined(ctx, call, c, &others[0])
	}
	change, err := s.patient(ctx, call, c, func(e *element.Edit, d *element.Doc) {
		retire(e, d)
		e.Push(0, "identifier", compose.Text(compose.Object{"use": "official", "system": identity.SystemCURP, "value": c.CURP}))
	})
	return []bundle.Change{change}, err
}

// retire says of the folio that it stood in for the CURP.
func retire(e *element.Edit, d *element.Doc) {
	for id := range d.Items(0, "identifier") {
		if d.TextAt(id, "system") == FolioSystem {
			e.Set(id, "use", `"old"`)
		}
	}
}

// joined moves what is of the newborn to who has the CURP, and points c there.
func (s *service) joined(ctx context.Context, call *operation.Call, c *Certificate, to *fhir.Resource) ([]bundle.Change, error) {
	from, into := c.Newborn.Ref.Current(), to.Ref.Current()
	if err := s.same(c, to); err != nil {
		return nil, err
	}
	change, err := s.patient(ctx, call, c, func(e *element.Edit, d *element.Doc) {
		retire(e, d)
		e.Set(0, "active", "false")
		e.Push(0, "link", compose.Text(compose.Object{"other": compose.Reference(into), "type": "replaced-by"}))
	})
	if err != nil {
		return nil, err
	}
	changes := []bundle.Change{change}
	d, err := element.Parse(to.JSON)
	if err != nil {
		return nil, err
	}
	maker := s.Maker(call.Base)
	e := d.Edit(0)
	e.Push(0, "link", compose.Text(compose.Object{"other": compose.Reference(from), "type": "replaces"}))
	e.Push(0, "identifier", compose.Text(compose.Object{"use": "old", "system": FolioSystem, "value": c.Folio}))
	if change, err = updated(maker, e.AppendTo(nil), to.Ref); err != nil {
		return nil, err
	}
	changes = append(changes, change)
	q := &search.Query{Where: []search.Expr{search.WholeCompartment([]fhir.Ref{from})}, Count: mostJoined + 1, Restriction: search.Unrestricted}
	found, err := s.Store.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	if len(found.Matches) > mostJoined {
		return nil, fhir.Errorf(fhir.TooCostly, "more than %d resources would have to be moved to the Patient with this CURP", mostJoined)
	}
	for i := range found.Matches {
		r := &found.Matches[i]
		if r.Ref.Current() == from || r.Ref.Current() == into {
			continue
		}
		moved, ok, err := pointed(r, call.Base, from, into)
		if err != nil {
			return nil, err
		}
		if ok {
			if change, err = updated(maker, moved, r.Ref); err != nil {
				return nil, err
			}
			changes = append(changes, change)
		}
	}
	c.Newborn.Ref = into
	c.carried, err = s.Carry(ctx, from.ID, into.ID)
	return changes, err
}

// same refuses a Patient who cannot be the newborn.
func (s *service) same(c *Certificate, to *fhir.Resource) error {
	d, err := element.Parse(to.JSON)
	if err != nil {
		return err
	}
	p := personIn(d, 0)
	if p.Born != "" && p.Born != c.Newborn.Born || p.Sex != "" && c.Newborn.Sex != "unknown" && p.Sex != "unknown" && p.Sex != c.Newborn.Sex {
		return &fhir.Error{Code: fhir.Conflict, Issues: []fhir.Issue{{
			Severity: "error", Type: "conflict", Rule: "birth-curp-other",
			Details: "the Patient who has this CURP was born on another day, or is of the other sex",
		}}}
	}
	return nil
}

// pointed returns a resource with its references to a Patient made ones to another, and
// whether there were any. What is part of a signed document stays as it is.
func pointed(r *fhir.Resource, base string, from, into fhir.Ref) ([]byte, bool, error) {
	d, err := element.Parse(r.JSON)
	if err != nil || signedPart(d) {
		return nil, false, err
	}
	e, any := d.Edit(0), false
	var walk func(n element.Node)
	walk = func(n element.Node) {
		switch d.Kind(n) {
		case element.Object, element.Array:
		default:
			return
		}
		for m := d.First(n); m != element.None; m = d.Next(n, m) {
			if d.Kind(n) == element.Object && string(d.Name(m)) == "reference" && d.Kind(m) == element.String {
				if said := d.Text(m); said == from.String() || said == base+"/"+from.String() {
					e.SetString(m, into.String())
					any = true
				}
				continue
			}
			walk(m)
		}
	}
	walk(0)
	if !any {
		return nil, false, nil
	}
	return e.AppendTo(nil), true, nil
}
