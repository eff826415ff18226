package bundle

import (
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// Action is an entry of a transaction, understood.
type Action struct {
	Entry       *Entry
	Op          Op       // 0 for a read, which is left to the caller
	Ref         fhir.Ref // where to write; for Create, and for a criterion without a match, at a new id
	Conditional bool     // Criterion says which resource
	Criterion   []search.Param
	IfMatch     int64
	IfNoneMatch bool // Update: create only

	source *Source // of the entry; nil for a read and for Delete
	patch  Patcher // Patch
	where  *search.Query
	index  *search.Index // of source as it was sent; nil until a conditional reference asks for it
	twin   int           // Create: the earlier Action with the same criterion, whose resource this one shares; -1 for none
	change int           // position in Batch.Changes; -1 for a read or a twin
}

// rank is the order in which a transaction performs its entries.
//
// See https://hl7.org/fhir/R4/http.html#trules.
func (a *Action) rank() int {
	switch a.Op {
	case Delete:
		return 0
	case Create:
		return 1
	case Update, Patch:
		return 2
	}
	return 3
}

// action understands one entry.
func (p *planner) action(e *Entry) (Action, error) {
	a := Action{Entry: e, twin: -1, change: -1}
	var err error
	switch e.Method {
	case "GET", "HEAD":
		return a, nil
	case "POST":
		if isOperation(e.URL) {
			return a, nil
		}
		a.Op = Create
	case "PUT":
		a.Op = Update
	case "PATCH":
		a.Op = Patch
	case "DELETE":
		a.Op = Delete
	default:
		return a, fhir.Errorf(fhir.Invalid, "the method must be GET, HEAD, POST, PUT, PATCH or DELETE").
			With("it is %.20q", e.Method).At(e.At(".request.method"))
	}
	if err = p.target(&a); err != nil {
		return a, err
	}
	if err = a.preconditions(); err != nil {
		return a, err
	}
	return a, p.body(&a)
}

// isOperation reports whether url calls a $operation. The caller performs it when
// the changes are made, as it does reads.
func isOperation(url string) bool {
	path, _, _ := strings.Cut(url, "?")
	return strings.HasPrefix(path[strings.LastIndexByte(path, '/')+1:], "$")
}

// target reads the URL of a write.
func (p *planner) target(a *Action) error {
	e := a.Entry
	path, query, conditional := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(e.URL, p.Base), "/"), "?")
	typ, id, hasID := strings.Cut(path, "/")
	switch {
	case !spec.IsResource(typ):
		return fhir.Errorf(fhir.Invalid, "the URL of a write must be Type, Type/id or Type?criterion").
			With("it is %.200q", e.URL).At(e.At(".request.url"))
	case hasID && !fhir.ValidID(id):
		return fhir.Errorf(fhir.Invalid, "the id in the URL must be 1 to 64 of the characters A-Z a-z 0-9 - .").
			With("it is %.200q", e.URL).At(e.At(".request.url"))
	case a.Op == Create && (hasID || conditional):
		return fhir.Errorf(fhir.Invalid, "the URL of a POST is the resource type alone").
			With("it is %.200q", e.URL).At(e.At(".request.url"))
	case a.Op != Create && hasID == conditional:
		return fhir.Errorf(fhir.Invalid, "the URL must be either Type/id or Type?criterion").
			With("it is %.200q", e.URL).At(e.At(".request.url"))
	}
	a.Ref = fhir.Ref{Type: typ, ID: id}
	if !hasID {
		a.Ref.ID = p.NewID()
	}
	if a.Op == Create && e.IfNoneExist != "" {
		query, conditional = e.IfNoneExist, true
	}
	if !conditional {
		return nil
	}
	a.Conditional = true
	var err error
	a.Criterion, err = search.SplitQuery(query)
	return err
}

// preconditions reads ifMatch and ifNoneMatch.
func (a *Action) preconditions() error {
	e := a.Entry
	if s := strings.TrimPrefix(e.IfMatch, "W/"); s != "" {
		v, err := strconv.ParseInt(strings.Trim(s, `"`), 10, 64)
		if err != nil || v < 1 {
			return fhir.Errorf(fhir.Invalid, `ifMatch must be an entity tag with a version number, such as W/"3"`).
				With("it is %.100q", e.IfMatch).At(e.At(".request.ifMatch"))
		}
		a.IfMatch = v
	}
	if a.Op == Update && e.IfNoneMatch != "" {
		if e.IfNoneMatch != "*" {
			return fhir.Errorf(fhir.Invalid, "on a PUT, ifNoneMatch takes only *").At(e.At(".request.ifNoneMatch"))
		}
		a.IfNoneMatch = true
	}
	return nil
}

// body reads what is to be written.
func (p *planner) body(a *Action) (err error) {
	if a.Op == Delete {
		return nil
	}
	if a.source, err = p.bundle.Source(a.Entry); err != nil {
		return err
	}
	if a.Op == Patch {
		a.patch, err = PatchIn(a.source)
		return err
	}
	if err := a.source.mustBe(a.Ref.Type); err != nil {
		return err
	}
	if a.Op == Update {
		_, err = a.source.place(&a.Ref, a.Conditional)
	}
	return err
}

// Source returns the resource that a create or update writes; else nil.
func (a *Action) Source() *Source {
	if a.Op == Create || a.Op == Update {
		return a.source
	}
	return nil
}

// hasURL reports whether text begins with a URI scheme that a fullUrl may have.
func hasURL(text string) bool {
	return strings.HasPrefix(text, "urn:") || strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://")
}
