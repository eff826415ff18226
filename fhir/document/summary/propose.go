package summary

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// proposal is an entry of a document that could go into the record.
type proposal struct {
	id       string // the same whenever the document is sent
	node     element.Node
	names    []string
	kind     string    // "new", "same" or "conflict"
	existing []*record // what the record says of the same
	differ   []string  // elements in which they disagree
	json     []byte    // as it would be written
	written  string    // where it was written; "" when it was not
}

// mostProposals is how many proposals a document makes at most.
const mostProposals = 2000

// propose makes a proposal of each entry that a section lists. Each brings along what the
// record says of the same, so that a small document can make an answer of any size.
// Errors: fhir.TooCostly, before anything is written.
func (t *takeIn) propose(k *known) error {
	d := t.doc
	seen := map[element.Node]bool{}
	size := int64(0)
	tooMuch := func() bool { return len(t.proposals) > mostProposals || t.call.MaxBytes > 0 && size > t.call.MaxBytes }
	each(d, t.composition(), "section", func(s element.Node) {
		each(d, s, "entry", func(ref element.Node) {
			n := t.find(d.TextAt(ref, "reference"))
			if n == element.None || seen[n] || tooMuch() || !t.usable(n) {
				return
			}
			seen[n] = true
			medication := t.medication(n)
			p := &proposal{id: uuid("entry", t.tag, string(canonical(d, n)))[9:], node: n, names: about(d, n, medication)}
			k.compare(d, p)
			k.opposed(d, p)
			p.json = t.rewritten(n, p.id, medication)
			t.proposals = append(t.proposals, p)
			size += int64(len(p.json))
			for _, r := range p.existing {
				size += int64(len(r.JSON))
			}
		})
	})
	if tooMuch() {
		return fhir.Errorf(fhir.TooCostly, "the document makes more than %d proposals, or with what the record says of the same, more than %d bytes", mostProposals, t.call.MaxBytes)
	}
	return nil
}

func (t *takeIn) composition() element.Node {
	return t.doc.Get(t.doc.First(t.doc.Get(t.root, "entry")), "resource")
}

// usable reports whether an entry says something of the patient: no mistake, nothing about
// somebody else, and more than that nothing is known.
func (t *takeIn) usable(n element.Node) bool {
	d := t.doc
	typ := d.TextAt(n, "resourceType")
	member, ok := proposable[typ]
	if !ok || d.TextAt(n, "status") == "entered-in-error" || has(d, d.Get(n, "verificationStatus"), "", "entered-in-error") {
		return false
	}
	whose := reference(d, n, "subject")
	if whose == "" {
		whose = reference(d, n, "patient")
	}
	if t.find(whose) != t.person {
		return false
	}
	what := d.Get(n, member)
	if m := t.medication(n); m != nil {
		what = m.node
	}
	called := names(d, what)
	return len(called) > 0 && negated(d, what) != silence && absent(d, what) == "" && !strings.HasPrefix(called[0], absentSystem)
}

const absentSystem = "http://terminology.hl7.org/CodeSystem/data-absent-reason|"

// medication returns the concept of the Medication that an entry refers to, or nil.
func (t *takeIn) medication(n element.Node) *concept {
	ref := reference(t.doc, n, "medicationReference")
	if ref == "" {
		return nil
	}
	m := t.find(ref)
	if id, ok := strings.CutPrefix(ref, "#"); ok {
		each(t.doc, n, "contained", func(c element.Node) {
			if t.doc.TextAt(c, "id") == id {
				m = c
			}
		})
	}
	if code := t.doc.Get(m, "code"); code != element.None {
		return &concept{t.doc, code}
	}
	return nil
}

// rewritten returns an entry as it would be written: about the patient of the call, with
// a tag to know it again, and without the narrative of others. A Medication becomes its
// code. What refers to other parts of the document keeps only the name of that.
func (t *takeIn) rewritten(n element.Node, id string, medication *concept) []byte {
	d := t.doc
	e := d.Edit(n)
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		switch name := string(d.Name(c)); name {
		case "id", "_id", "meta", "text", "implicitRules", "_implicitRules":
			e.Drop(c)
		case "subject", "patient":
			e.Replace(c, `{"reference":"Patient/`+t.call.ID+`"}`)
		case "medicationReference":
			if medication != nil {
				e.Drop(c)
				e.Append(n, `"medicationCodeableConcept":`+string(d.Raw(medication.node)))
			} else {
				t.unlink(e, n, c)
			}
		default:
			t.unlink(e, n, c)
		}
	}
	e.Append(n, `"meta":{"tag":[{"system":"`+importSystem+`","code":"`+id+`"}]}`)
	return e.AppendTo(nil)
}

// unlink takes references that lead into the document, or to the servers of others, out
// of n; those to what is contained stay.
func (t *takeIn) unlink(e *element.Edit, parent, n element.Node) {
	d := t.doc
	switch d.Kind(n) {
	case element.Array:
		for c := d.First(n); c != element.None; c = d.Next(n, c) {
			t.unlink(e, n, c)
		}
	case element.Object:
		ref := d.Get(n, "reference")
		if ref == element.None || d.Kind(ref) != element.String || strings.HasPrefix(d.Text(ref), "#") {
			for c := d.First(n); c != element.None; c = d.Next(n, c) {
				t.unlink(e, n, c)
			}
			return
		}
		if t.find(d.Text(ref)) == t.person {
			e.Replace(n, `{"reference":"Patient/`+t.call.ID+`"}`)
			return
		}
		if d.Get(n, "display") != element.None || d.Get(n, "identifier") != element.None {
			e.Drop(ref)
			return
		}
		e.Replace(n, `{"display":`+string(element.Quote(nil, t.named(d.Text(ref))))+`}`)
	}
}

// named is what a reference leads to, in words.
func (t *takeIn) named(ref string) string {
	n := t.find(ref)
	if n == element.None {
		return "en el documento de origen"
	}
	if name := t.doc.TextAt(n, "name"); name != "" { // an Organization
		return name
	}
	typ := t.doc.TextAt(n, "resourceType")
	name := ""
	each(t.doc, n, "name", func(h element.Node) {
		if name == "" {
			if name = t.doc.TextAt(h, "text"); name == "" {
				name = t.doc.TextAt(h, "family")
			}
		}
	})
	if name == "" {
		name = typ + " en el documento de origen"
	}
	return name
}

// accepted returns the proposals that the call accepts. Errors: fhir.Invalid.
func (t *takeIn) accepted() ([]*proposal, error) {
	var all []*proposal
	for _, v := range t.call.In.All("accept") {
		if v.Text == "new" {
			for _, p := range t.proposals {
				if p.kind == "new" {
					all = append(all, p)
				}
			}
			continue
		}
		at := slices.IndexFunc(t.proposals, func(p *proposal) bool { return p.id == v.Text })
		if at < 0 {
			return nil, fhir.Errorf(fhir.Invalid, "the parameter accept names no proposal of this document: it takes their ids, or new").With("accept=%.100q", v.Text)
		}
		if p := t.proposals[at]; p.kind != "same" { // what is there already is accepted without a word
			all = append(all, p)
		}
	}
	return all, nil
}

// answer writes the Parameters.
func (t *takeIn) answer(document string) []byte {
	b := []byte(`{"resourceType":"Parameters","parameter":[{"name":"document","valueReference":{"reference":"` + document + `"}}`)
	for _, p := range t.proposals {
		b = append(b, `,{"name":"proposal","part":[{"name":"id","valueString":"`+p.id+`"},{"name":"kind","valueCode":"`+p.kind+`"}`...)
		for _, r := range p.existing {
			b = append(b, `,{"name":"existing","valueReference":{"reference":"`+r.Ref.Current().String()+`"}},{"name":"existingResource","resource":`...)
			b = append(append(b, r.JSON...), '}')
		}
		for _, name := range p.differ {
			b = append(b, `,{"name":"difference","valueString":"`+name+`"}`...)
		}
		if p.written != "" {
			b = append(b, `,{"name":"written","valueReference":{"reference":`...)
			b = append(element.Quote(b, p.written), "}}"...)
		}
		b = append(b, `,{"name":"resource","resource":`...)
		b = append(b, p.json...)
		b = append(b, "}]}"...)
	}
	return append(b, "]}"...)
}
