package mhd

import (
	"fmt"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// submission is a Bundle of ITI-65 that is being read.
type submission struct {
	d      *element.Doc
	option option
	sets   []*entry // SubmissionSets
	refs   []*entry // new DocumentReferences
	all    []*entry
	byURL  map[string]*entry // fullUrl
	issues []fhir.Issue
}

// entry is one of the Bundle.
type entry struct {
	at       int
	resource element.Node
	typ      string
	full     string // fullUrl
	method   string
	url      string // request.url
}

// Provide holds a submission to its profile, and completes it: the size and the hash
// of each document, what stands for the protection of a Binary, and that what a
// document replaces is superseded. Another Bundle it returns as nil.
//
// Errors: fhir.Unprocessable, with every finding.
//
// See https://profiles.ihe.net/ITI/MHD/ITI-65.html.
func Provide(d *element.Doc, root element.Node) ([]byte, error) {
	o := optionOf(d, root)
	if o == 0 {
		return nil, nil
	}
	s := &submission{d: d, option: o, byURL: map[string]*entry{}}
	s.read(root)
	s.check()
	edit := d.Edit(root)
	for _, ref := range s.refs {
		s.document(edit, ref)
	}
	s.supersede(edit, d.Get(root, "entry"))
	if len(s.issues) > 0 {
		return nil, &fhir.Error{Code: fhir.Unprocessable, Details: "this is no submission as IHE MHD has it", Issues: s.issues}
	}
	return edit.AppendTo(nil), nil
}

func (s *submission) read(root element.Node) {
	at := 0
	for n := range items(s.d, s.d.Get(root, "entry")) {
		e := &entry{
			at: at, resource: s.d.Get(n, "resource"), full: text(s.d, n, "fullUrl"),
			method: text(s.d, n, "request", "method"), url: text(s.d, n, "request", "url"),
		}
		at++
		if e.resource == element.None {
			continue
		}
		e.typ = text(s.d, e.resource, "resourceType")
		s.all = append(s.all, e)
		if e.full != "" {
			s.byURL[e.full] = e
		}
		switch {
		case e.typ == "List" && s.listType(e) == "submissionset":
			s.sets = append(s.sets, e)
		case e.typ == "DocumentReference" && e.method == "POST":
			s.refs = append(s.refs, e)
		}
	}
}

// listType returns the code of a List by which MHD tells its kinds.
func (s *submission) listType(e *entry) string {
	for c := range items(s.d, s.d.Get(s.d.Get(e.resource, "code"), "coding")) {
		if text(s.d, c, "system") == listTypes {
			return text(s.d, c, "code")
		}
	}
	return ""
}

// fault notes a finding about an element of an entry.
func (s *submission) fault(e *entry, path, rule, format string, args ...any) {
	at := "Bundle"
	if e != nil {
		at = fmt.Sprintf("Bundle.entry[%d].resource", e.at)
	}
	if path != "" {
		at += "." + path
	}
	s.issues = append(s.issues, fhir.Issue{Severity: "error", Type: "invariant", Rule: rule, Details: fmt.Sprintf(format, args...), Expression: at})
}

// needs notes what a resource lacks.
func (s *submission) needs(e *entry, paths ...string) {
	for _, path := range paths {
		if !has(s.d, e.resource, strings.Split(path, ".")...) {
			s.fault(e, path, "mhd-required", "%s needs %s here", e.typ, path)
		}
	}
}

// lacks notes what a resource must not have.
func (s *submission) lacks(e *entry, paths ...string) {
	for _, path := range paths {
		if has(s.d, e.resource, strings.Split(path, ".")...) {
			s.fault(e, path, "mhd-prohibited", "%s has no %s here", e.typ, path)
		}
	}
}

func (s *submission) check() {
	if len(s.sets) != 1 {
		s.fault(nil, "entry", "mhd-submissionset", "a submission has one List with the code submissionset, and this has %d", len(s.sets))
		return
	}
	set := s.sets[0]
	s.checkSet(set)
	listed := map[string]bool{}
	for n := range items(s.d, s.d.Get(set.resource, "entry")) {
		item := text(s.d, n, "item", "reference")
		listed[item] = true
		if strings.HasPrefix(item, "urn:") && s.byURL[item] == nil {
			s.fault(set, "entry", "mhd-entry", "the SubmissionSet lists what is not in the Bundle")
		}
	}
	for _, e := range s.all {
		folder := e.typ == "List" && s.listType(e) == "folder"
		if e.typ == "DocumentReference" && e.method == "POST" || folder {
			if !listed[e.full] {
				s.fault(e, "", "mhd-listed", "the SubmissionSet does not list this %s", e.typ)
			}
			s.samePatient(set, e)
		}
		if folder {
			if text(s.d, e.resource, "mode") != "working" {
				s.fault(e, "mode", "mhd-value", "the mode of a Folder is working")
			}
			s.lacks(e, "encounter", "source", "orderedBy", "emptyReason")
		}
	}
	for _, e := range s.refs {
		s.checkReference(e)
	}
}

// checkSet holds the SubmissionSet to its profile.
//
// See https://profiles.ihe.net/ITI/MHD/StructureDefinition-IHE.MHD.Minimal.SubmissionSet.html.
func (s *submission) checkSet(e *entry) {
	if e.method != "POST" {
		s.fault(nil, fmt.Sprintf("entry[%d].request.method", e.at), "mhd-value", "a SubmissionSet is created by POST")
	}
	sources, purposes := 0, 0
	for x := range items(s.d, s.d.Get(e.resource, "extension")) {
		switch text(s.d, x, "url") {
		case sourceID:
			if text(s.d, x, "valueIdentifier", "value") != "" {
				sources++
			}
		case purpose:
			purposes++
		}
	}
	if sources != 1 {
		s.fault(e, "extension", "mhd-sourceid", "a SubmissionSet has one extension ihe-sourceId with an identifier")
	}
	if text(s.d, e.resource, "status") != "current" {
		s.fault(e, "status", "mhd-value", "the status of a SubmissionSet is current")
	}
	if text(s.d, e.resource, "mode") != "working" {
		s.fault(e, "mode", "mhd-value", "the mode of a SubmissionSet is working")
	}
	s.needs(e, "date")
	s.lacks(e, "encounter", "orderedBy", "emptyReason")
	if s.option != minimal {
		if purposes == 0 {
			s.fault(e, "extension", "mhd-designation", "a comprehensive SubmissionSet has an extension ihe-designationType")
		}
		s.needs(e, "subject", "identifier")
	}
}

// samePatient refuses what is of another patient than the SubmissionSet.
func (s *submission) samePatient(set, e *entry) {
	a, b := text(s.d, set.resource, "subject", "reference"), text(s.d, e.resource, "subject", "reference")
	if a != "" && b != "" && a != b {
		s.fault(e, "subject", "mhd-patient", "all of a submission is about the same patient")
	}
}

// checkReference holds a DocumentReference to its profile.
//
// See https://profiles.ihe.net/ITI/MHD/StructureDefinition-IHE.MHD.Minimal.DocumentReference.html.
func (s *submission) checkReference(e *entry) {
	s.needs(e, "masterIdentifier.value", "status", "content.attachment.contentType", "content.attachment.url")
	s.lacks(e, "modifierExtension", "docStatus", "content.attachment.data")
	s.most(e, "content", 1)
	s.most(e, "category", 1)
	if s.option == minimal {
		return
	}
	s.needs(e, "type", "category", "subject", "securityLabel", "content.attachment.language", "content.attachment.creation",
		"content.format", "context.facilityType", "context.practiceSetting", "context.sourcePatientInfo")
	if s.option == comprehensive {
		if ref := text(s.d, e.resource, "context", "sourcePatientInfo", "reference"); ref != "" && ref[0] != '#' {
			s.fault(e, "context.sourcePatientInfo", "mhd-contained", "the Comprehensive option has sourcePatientInfo contained")
		}
		for a := range items(s.d, s.d.Get(e.resource, "author")) {
			if ref := text(s.d, a, "reference"); ref != "" && ref[0] != '#' {
				s.fault(e, "author", "mhd-contained", "the Comprehensive option has its authors contained")
			}
		}
	}
}

// most notes more than so many of something.
func (s *submission) most(e *entry, name string, most int) {
	n := 0
	for range items(s.d, s.d.Get(e.resource, name)) {
		n++
	}
	if n > most {
		s.fault(e, name, "mhd-cardinality", "%s has one %s at most here", e.typ, name)
	}
}
