package bundle

import (
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// Maker turns resources into Changes.
type Maker struct {
	Base  string // the server's FHIR base URL, without a slash at the end
	Rules Rules  // what resources are held to; nil is validate.Check

	// Catalogue returns the search parameters of the moment; nil is search.Standard.
	Catalogue func() *search.Catalogue
	// FullText says whether resources of a type are indexed for _text and _content;
	// nil is none.
	FullText func(typ string) bool
	// Person says by what a Patient is found among those who may be the same person;
	// nil for nothing.
	Person func(d *element.Doc, root element.Node) search.Person
	// Terminology answers for the modifiers of criteria that ask it; nil refuses them.
	Terminology search.Terminology
}

// catalogue returns the search parameters of the moment.
func (m Maker) catalogue() *search.Catalogue {
	if m.Catalogue == nil {
		return search.Standard
	}
	return m.Catalogue()
}

// index returns what the resource at root of d, of type typ, can be found by.
func (m Maker) index(d *element.Doc, root element.Node, typ string) (search.Index, error) {
	in := search.Indexing{Base: m.Base, Catalogue: m.catalogue(), FullText: m.FullText != nil && m.FullText(typ), Person: m.Person}
	return in.Extract(d, root)
}

// Create returns the Change that creates s at ref, whose id must be new. An id
// within s is passed over, as the specification asks.
//
// See https://hl7.org/fhir/R4/http.html#create.
func (m Maker) Create(s *Source, ref fhir.Ref) (Change, error) {
	if err := s.mustBe(ref.Type); err != nil {
		return Change{}, err
	}
	return m.put(Create, s, ref)
}

// Update returns the Change that puts s at ref, whose id s must carry. A
// conditional update (one that will be given a Where) may carry none, in which
// case s is created at ref.ID when nothing matches.
//
// See https://hl7.org/fhir/R4/http.html#update.
func (m Maker) Update(s *Source, ref fhir.Ref, conditional bool) (Change, error) {
	if err := s.mustBe(ref.Type); err != nil {
		return Change{}, err
	}
	fixed, err := s.place(&ref, conditional)
	if err != nil {
		return Change{}, err
	}
	c, err := m.put(Update, s, ref)
	c.FixedID = fixed
	return c, err
}

// mustBe checks the resource type against that of the URL.
func (s *Source) mustBe(typ string) error {
	if t := s.Type(); t != typ {
		return fhir.Errorf(fhir.Invalid, "the resource in the body is of another type than the URL says").
			With("the body has %s, the URL %s", t, typ).At(s.at("resourceType"))
	}
	return nil
}

// place checks the id of an update against that of the URL. A conditional update
// has none there: it takes the one in the body, which is then fixed.
func (s *Source) place(ref *fhir.Ref, conditional bool) (fixed bool, err error) {
	id := s.ID()
	switch {
	case id == "" && conditional:
		return false, nil
	case id == "":
		return false, fhir.Errorf(fhir.Invalid, "an update needs an id in the body, the same as in the URL").At(s.at("id"))
	case !fhir.ValidID(id):
		return false, fhir.Errorf(fhir.Invalid, "an id is 1 to 64 of the characters A-Z a-z 0-9 - .").At(s.at("id"))
	case conditional:
		ref.ID = id
		return true, nil
	case id != ref.ID:
		return false, fhir.Errorf(fhir.Invalid, "the id in the body is not the id in the URL").
			With("the body has %q, the URL %q", id, ref.ID).At(s.at("id"))
	}
	return false, nil
}

// put prepares a write of s as a whole. Whatever can be done without the
// database is done now, so that its transaction stays short.
func (m Maker) put(op Op, s *Source, ref fhir.Ref) (Change, error) {
	if err := s.validate(m.Rules); err != nil {
		return Change{}, err
	}
	if err := s.literal(); err != nil {
		return Change{}, err
	}
	ready, err := m.content(s, ref)
	if err != nil {
		return Change{}, err
	}
	build := func(_ *Env, at fhir.Ref, _ *fhir.Resource) (*Content, error) {
		if at.ID == ref.ID {
			return ready, nil
		}
		return &Content{Body: stamp(s.Doc.Edit(s.Root), at.ID), Index: ready.Index}, nil
	}
	return Change{Op: op, Ref: ref, Build: build}, nil
}

// literal makes sure that s has no conditional references, which only a
// transaction resolves.
//
// See https://hl7.org/fhir/R4/http.html#trules.
func (s *Source) literal() (err error) {
	links(s.Doc, s.Root, func(l link) {
		if err != nil || l.place != literal || s.Doc.Kind(l.node) != element.String {
			return
		}
		if _, _, ok := conditional(s.Doc.Text(l.node)); ok {
			err = fhir.Errorf(fhir.Unprocessable, "a conditional reference is resolved only in a transaction").At(s.expression(l.node))
		}
	})
	return err
}

// content makes what is stored of s, whose references are final.
func (m Maker) content(s *Source, at fhir.Ref) (*Content, error) {
	index, err := m.index(s.Doc, s.Root, at.Type)
	if err != nil {
		return nil, err
	}
	return &Content{Body: stamp(s.Doc.Edit(s.Root), at.ID), Index: index}, nil
}

// stamp writes an edited resource as it is stored.
func stamp(e *element.Edit, id string) Body {
	var b Body
	b.JSON, b.VersionAt, b.UpdatedAt = e.Stamp(id)
	return b
}
