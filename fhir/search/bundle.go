package search

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// OfPatient is the URL of an extension of Bundle.meta that says to which patient's
// record a document from elsewhere belongs.
const OfPatient = "https://github.com/amate-health/amate/fhir/StructureDefinition/of-patient"

// bundle adds the patients of the Bundle at n. Everybody to whom anything within it
// refers, and every Patient in it, is one of whom it tells: nobody escapes by being
// named in an unusual place. It belongs to the record of one patient only: a document
// to the subject of its Composition, any other to the only patient of whom it tells.
//
// See https://hl7.org/fhir/R4/documents.html.
func (x *extractor) bundle(n element.Node) {
	var all []fhir.Ref
	others := x.elsewhere(n) // of patients who are not known here
	referred := false
	add := func(ref fhir.Ref) {
		if !slices.Contains(all, ref) {
			all = append(all, ref)
			x.ix.Links = append(x.ix.Links, Link{bundlePatients.ID, ref})
		}
	}
	x.objects(n, func(at element.Node) {
		if string(x.child(at, "resourceType")) == "Patient" {
			if id := string(x.child(at, "id")); fhir.ValidID(id) {
				add(fhir.Ref{Type: "Patient", ID: id})
			} else {
				others = true
			}
		}
		text := x.child(at, "reference")
		if ref, ok := localRef(text, x.base); ok && ref.Type == "Patient" {
			add(ref)
			referred = true
		} else if !ok && strings.Contains(string(text), "/Patient/") {
			others = true
		}
	})
	if string(x.child(n, "type")) == "document" {
		if ref, ok := x.documentSubject(n); ok {
			x.ix.Links = append(x.ix.Links, Link{bundleSubject.ID, ref})
		}
		return
	}
	if len(all) == 1 && referred && !others {
		x.ix.Links = append(x.ix.Links, Link{bundleSubject.ID, all[0]})
	}
}

// elsewhere reports whether entries are of another server, whose relative references
// are not to resources of this one.
func (x *extractor) elsewhere(n element.Node) (found bool) {
	x.each(n, "entry", func(entry element.Node) {
		full := string(x.child(entry, "fullUrl"))
		found = found || full != "" && !strings.HasPrefix(full, "urn:") && !strings.HasPrefix(full, x.base+"/")
	})
	return found
}

// documentSubject returns the patient to whom a document refers as its subject, where
// that is one of this server. What comes from elsewhere may have the same ids.
func (x *extractor) documentSubject(n element.Node) (subject fhir.Ref, ok bool) {
	x.each(x.d.Get(n, "meta"), "extension", func(e element.Node) {
		if !ok && string(x.child(e, "url")) == OfPatient {
			subject, ok = localRef(x.child(x.d.Get(e, "valueReference"), "reference"), x.base)
			ok = ok && subject.Type == "Patient"
		}
	})
	if ok {
		return subject, true
	}
	first := true
	x.each(n, "entry", func(entry element.Node) {
		if !first {
			return
		}
		first = false
		composition := x.d.Get(entry, "resource")
		if composition == element.None || string(x.child(composition, "resourceType")) != "Composition" {
			return
		}
		text, full := string(x.child(x.d.Get(composition, "subject"), "reference")), string(x.child(entry, "fullUrl"))
		here := full == "" || strings.HasPrefix(full, "urn:") || strings.HasPrefix(full, x.base+"/")
		if here || strings.HasPrefix(text, x.base+"/") { // else it is relative to another server
			subject, ok = localRef([]byte(text), x.base)
			ok = ok && subject.Type == "Patient"
		}
	})
	return subject, ok
}

// binary adds what stands for the Binary at n.
func (x *extractor) binary(n element.Node) {
	if ref, ok := localRef(x.child(x.d.Get(n, "securityContext"), "reference"), x.base); ok {
		x.ix.Links = append(x.ix.Links, Link{binaryContext.ID, ref})
	}
}

// objects calls f with all objects within n, itself included.
func (x *extractor) objects(n element.Node, f func(element.Node)) {
	switch x.d.Kind(n) {
	case element.Object:
		f(n)
	case element.Array:
	default:
		return
	}
	for c := x.d.First(n); c != element.None; c = x.d.Next(n, c) {
		x.objects(c, f)
	}
}
