package bundle

import (
	"strconv"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// Bundle is a batch or a transaction as a client sent it.
//
// See https://hl7.org/fhir/R4/http.html#transaction.
type Bundle struct {
	Doc     *element.Doc
	Type    string // "batch" or "transaction"
	Entries []Entry
}

// Entry is one request within a Bundle. Its texts are as sent.
type Entry struct {
	Index           int // position in Bundle.entry
	FullURL         string
	Method          string
	URL             string
	IfMatch         string
	IfNoneMatch     string
	IfNoneExist     string
	IfModifiedSince string
	Resource        element.Node // None when the entry has none
}

// At returns the FHIRPath of something within the entry: "Bundle.entry[3].request.url".
func (e *Entry) At(rest string) string {
	return "Bundle.entry[" + strconv.Itoa(e.Index) + "]" + rest
}

// Open reads the entries of a batch or transaction, of which there may be limit.
// Errors: fhir.Invalid, fhir.TooLarge.
func Open(s *Source, limit int) (*Bundle, error) {
	if t := s.Type(); t != "Bundle" {
		return nil, fhir.Errorf(fhir.Invalid, "what is sent to the base is a Bundle").With("this is a %s", t).At("Bundle")
	}
	b := &Bundle{Doc: s.Doc, Type: s.text("type")}
	if b.Type != "batch" && b.Type != "transaction" {
		return nil, fhir.Errorf(fhir.Invalid, "only a Bundle of type batch or transaction can be processed").
			With("its type is %.50q", b.Type).At("Bundle.type")
	}
	list := s.Doc.Get(s.Root, "entry")
	if list == element.None {
		return b, nil
	}
	if s.Doc.Kind(list) != element.Array {
		return nil, fhir.Errorf(fhir.Invalid, "entry must be an array").At("Bundle.entry")
	}
	if n := s.Doc.Size(list); n > limit {
		return nil, fhir.Errorf(fhir.TooLarge, "the Bundle has %d entries, more than the %d that are taken", n, limit).At("Bundle.entry")
	}
	b.Entries = make([]Entry, 0, s.Doc.Size(list))
	for n := s.Doc.First(list); n != element.None; n = s.Doc.Next(list, n) {
		e, err := openEntry(s.Doc, n, len(b.Entries))
		if err != nil {
			return nil, err
		}
		b.Entries = append(b.Entries, e)
	}
	return b, nil
}

func openEntry(d *element.Doc, n element.Node, index int) (Entry, error) {
	e := Entry{Index: index, Resource: element.None}
	if d.Kind(n) != element.Object {
		return e, fhir.Errorf(fhir.Invalid, "an entry must be an object").At(e.At(""))
	}
	request := element.None
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		switch string(d.Name(c)) {
		case "fullUrl":
			if d.Kind(c) != element.String {
				return e, fhir.Errorf(fhir.Invalid, "this must be a string").At(e.At(".fullUrl"))
			}
			e.FullURL = d.Text(c)
		case "resource":
			e.Resource = c
		case "request":
			request = c
		}
	}
	if request == element.None || d.Kind(request) != element.Object {
		return e, fhir.Errorf(fhir.Invalid, "an entry of a batch or transaction needs a request").At(e.At(".request"))
	}
	for c := d.First(request); c != element.None; c = d.Next(request, c) {
		field := e.field(d.Name(c))
		if field == nil {
			continue
		}
		if d.Kind(c) != element.String {
			return e, fhir.Errorf(fhir.Invalid, "this must be a string").At(e.At(".request." + string(d.Name(c))))
		}
		*field = d.Text(c)
	}
	if e.Method == "" {
		return e, fhir.Errorf(fhir.Invalid, "the method is missing").At(e.At(".request.method"))
	}
	return e, nil
}

// field returns where a member of Bundle.entry.request goes, or nil.
func (e *Entry) field(name []byte) *string {
	switch string(name) {
	case "method":
		return &e.Method
	case "url":
		return &e.URL
	case "ifMatch":
		return &e.IfMatch
	case "ifNoneMatch":
		return &e.IfNoneMatch
	case "ifNoneExist":
		return &e.IfNoneExist
	case "ifModifiedSince":
		return &e.IfModifiedSince
	}
	return nil
}

// Source returns the resource of an entry.
// Errors: fhir.Invalid when it has none, or something that is no resource.
func (b *Bundle) Source(e *Entry) (*Source, error) {
	s := &Source{Doc: b.Doc, Root: e.Resource, Path: e.At(".resource")}
	if e.Resource == element.None {
		return nil, fhir.Errorf(fhir.Invalid, "%s needs a resource", e.method()).At(s.Path)
	}
	return s, s.check()
}

// method returns the method, for messages: one that is not known is not repeated.
func (e *Entry) method() string {
	switch e.Method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE":
		return e.Method
	}
	return "this method"
}
