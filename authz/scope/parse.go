package scope

import (
	"net/url"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// Bounds of what is read. A token has to carry it in every request.
const (
	maxScopes = 300
	maxParams = 20
	maxText   = 2000 // bytes of one scope
)

// others are the scopes that are about no resources: who signs in, what is chosen
// before the app starts, and how long a grant lasts.
var others = []string{
	"fhirUser", "launch", "launch/encounter", "launch/patient", "offline_access", "online_access", "openid", "profile",
}

// Parse reads scopes; each text may hold several, parted by spaces.
// Errors are fhir.Invalid and name the scope: unknown ones are refused, not passed
// over, so that nobody believes to have what they have not.
func Parse(texts ...string) (Set, error) {
	set, unknown := parse(texts)
	if len(unknown) > 0 {
		return Set{}, unknown[0].why
	}
	return set, nil
}

// Known reads scopes as Parse does, and passes over those that it does not know,
// which it lists: an authorization server grants less than what is asked for
// rather than refuse it.
//
// See https://www.rfc-editor.org/rfc/rfc6749#section-3.3.
func Known(texts ...string) (set Set, unknown []string) {
	set, faults := parse(texts)
	for _, f := range faults {
		unknown = append(unknown, f.text)
	}
	return set, unknown
}

// fault is a scope that is not understood.
type fault struct {
	text string
	why  error
}

func parse(texts []string) (Set, []fault) {
	var set Set
	var faults []fault
	n := 0
	for _, text := range texts {
		for one := range strings.FieldsSeq(text) {
			if n++; n > maxScopes {
				return Set{}, append(faults, fault{one, fhir.Errorf(fhir.Invalid, "more than %d scopes", maxScopes)})
			}
			if slices.Contains(others, one) {
				set.Others = append(set.Others, one)
				continue
			}
			s, err := parseOne(one)
			if err != nil {
				faults = append(faults, fault{one, err})
				continue
			}
			set.Scopes = append(set.Scopes, s)
		}
	}
	return set.tidy(), faults
}

// parseOne reads a scope on resources, of SMART v2 or v1.
func parseOne(text string) (Scope, error) {
	refuse := func(why string) error {
		return fhir.Errorf(fhir.Invalid, "a scope cannot be read: %s", why).With("the scope is %.200q", text)
	}
	if len(text) > maxText {
		return Scope{}, refuse("it is too long")
	}
	head, query, narrowed := strings.Cut(text, "?")
	context, rest, _ := strings.Cut(head, "/")
	typ, perms, _ := strings.Cut(rest, ".")
	s := Scope{Type: typ}
	switch context {
	case "patient":
		s.Context = Patient
	case "user":
		s.Context = User
	case "system":
		s.Context = System
	default:
		return s, refuse("it begins with patient/, user/ or system/, or is " + strings.Join(others, ", "))
	}
	if typ != "*" && !spec.IsResource(typ) {
		return s, refuse("behind the slash stands a resource type or *")
	}
	if s.Perms = parsePerms(perms); s.Perms == 0 {
		return s, refuse("behind the dot stand some of c r u d s, in that order; or, of version 1, read, write or *")
	}
	if !narrowed {
		return s, nil
	}
	params, err := parseParams(typ, query)
	if err != nil {
		return s, refuse(err.Error())
	}
	s.Params = params
	return s, nil
}

// parsePerms reads permissions; 0 when they are none. Those of SMART v1 mean what
// v2 says they do.
//
// See https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#scopes-for-requesting-fhir-resources.
func parsePerms(text string) Perms {
	switch text {
	case "read":
		return Read | Search
	case "write":
		return Create | Update | Delete
	case "*":
		return AllPerms
	}
	var p Perms
	last := -1
	for i := range len(text) {
		at := strings.IndexByte(letters, text[i])
		if at <= last {
			return 0
		}
		last, p = at, p|1<<at
	}
	return p
}

// parseParams reads the search parameters that narrow a scope. They only select.
func parseParams(typ, query string) ([]search.Param, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, fhir.Errorf(fhir.Invalid, "its parameters are no query string")
	}
	var params []search.Param
	for name, all := range values {
		for _, v := range all {
			params = append(params, search.Param{Name: name, Value: v})
		}
	}
	if params = sortParams(params); len(params) == 0 || len(params) > maxParams {
		return nil, fhir.Errorf(fhir.Invalid, "it has 1 to %d parameters behind the question mark", maxParams)
	}
	if _, err := conditions(typ, params, ""); err != nil {
		return nil, err
	}
	return params, nil
}

// conditions returns what params ask of resources of type typ ("*" for any).
func conditions(typ string, params []search.Param, base string) ([]search.Expr, error) {
	if len(params) == 0 {
		return nil, nil
	}
	if typ == "*" {
		typ = ""
	}
	q, err := search.Parse(typ, params, search.Options{Base: base})
	if err != nil {
		return nil, err
	}
	if len(q.Where) != len(params) {
		return nil, fhir.Errorf(fhir.Invalid, "its parameters only select: they neither sort nor include nor shape the answer")
	}
	return q.Where, nil
}
