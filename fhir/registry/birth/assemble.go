package birth

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
)

type rawJSON = json.RawMessage

// assemble makes the document and all that is to be stored with it.
func (s *service) assemble(_ context.Context, p *preparation) (*waiting, error) {
	c := p.cert
	c.Document = s.NewID()
	x := &projection{
		Certificate: c, newID: s.NewID, at: p.at.In(s.Zone), zone: s.Zone, custodian: p.custodian, newborn: c.Newborn.Ref,
	}
	if p.org != nil {
		x.org = p.org.Ref.Current()
	}
	made, newborn := x.project()
	w := &waiting{Newborn: compose.JSON(newborn), Custodian: x.org}
	maker := s.Maker(p.call.Base)
	c.Held = nil
	for _, r := range made {
		raw := compose.JSON(r)
		ref := fhir.Ref{Type: r["resourceType"].(string), ID: r["id"].(string)}
		if err := valid(maker, raw, ref); err != nil {
			return nil, err
		}
		w.Resources = append(w.Resources, raw)
		c.Held = append(c.Held, ref)
	}
	if err := valid(maker, w.Newborn, c.Newborn.Ref); err != nil {
		return nil, err
	}
	var entries []compose.Object
	enter := func(ref fhir.Ref, raw []byte) {
		entries = append(entries, compose.Object{"fullUrl": p.call.Base + "/" + ref.Current().String(), "resource": rawJSON(raw)})
	}
	enter(c.Held[0], w.Resources[0])
	enter(c.Newborn.Ref, w.Newborn)
	enter(c.Mother.Ref, p.woman.JSON)
	enter(c.Certifier.Ref, p.official.JSON)
	if p.org != nil {
		enter(p.org.Ref, p.org.JSON)
	}
	for i, ref := range c.Held[1:] {
		enter(ref, w.Resources[i+1])
	}
	w.Bundle = compose.JSON(compose.Object{
		"resourceType": "Bundle", "type": "document", "identifier": compose.Object{"system": "urn:ietf:rfc:3986", "value": "urn:uuid:" + strings.ToLower(c.Document)},
		"timestamp": p.at.UTC().Format(time.RFC3339), "entry": entries,
	})
	return w, valid(maker, w.Bundle, fhir.Ref{Type: "Bundle", ID: c.Document})
}

// valid holds a resource to the rules of the server.
func valid(m bundle.Maker, raw []byte, ref fhir.Ref) error {
	_, err := created(m, raw, ref)
	return err
}

// created returns the change that creates a resource.
func created(m bundle.Maker, raw []byte, ref fhir.Ref) (bundle.Change, error) {
	source, err := bundle.Parse(raw)
	if err != nil {
		return bundle.Change{}, err
	}
	return m.Create(source, ref)
}

// updated returns the change that updates a version of a resource.
func updated(m bundle.Maker, raw []byte, was fhir.Ref) (bundle.Change, error) {
	source, err := bundle.Parse(raw)
	if err != nil {
		return bundle.Change{}, err
	}
	change, err := m.Update(source, was.Current(), false)
	change.IfMatch = was.Version
	return change, err
}
