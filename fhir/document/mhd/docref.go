package mhd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// Store finds resources.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
}

// The type of document that is made when it is asked for.
const (
	loinc       = "http://loinc.org"
	summaryType = "60591-5" // Patient summary Document
)

// docref answers $docref.
type docref struct {
	store Store
	now   func() time.Time
}

// Operations returns the operations of this package, on what store has.
func Operations(store Store) []operation.Operation {
	o := &docref{store: store, now: time.Now}
	return []operation.Operation{{
		Name: "docref", URL: "http://hl7.org/fhir/us/core/OperationDefinition/docref",
		Scope: operation.OnType, Types: []string{"DocumentReference"}, Run: o.run,
	}}
}

var docrefInputs = []string{"patient", "start", "end", "type", "on-demand", "profile"}

// run finds the documents of a patient; the summary of the record, which is made when
// somebody reads it, is among them where no stored one is.
//
// See http://hl7.org/fhir/us/core/OperationDefinition/docref.
func (o *docref) run(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	in := map[string]string{}
	for _, name := range call.In.Names() {
		if !slices.Contains(docrefInputs, name) {
			if call.Lenient {
				continue
			}
			return nil, fhir.Errorf(fhir.Invalid, "$docref does not take this parameter").With("%.100q%s", name, search.Nearest(name, docrefInputs))
		}
		v, _, err := call.In.One(name)
		if err != nil {
			return nil, err
		}
		in[name] = token(v)
	}
	patient := strings.TrimPrefix(in["patient"], "Patient/")
	if !fhir.ValidID(patient) {
		return nil, fhir.Errorf(fhir.Invalid, "$docref needs the id of a patient in the parameter patient")
	}
	if d := in["on-demand"]; d != "" && d != "true" && d != "false" {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter on-demand is true or false")
	}
	if err := o.known(ctx, call, patient); err != nil {
		return nil, err
	}
	set := &operation.Set{Result: search.Result{Total: -1}}
	for _, name := range docrefInputs {
		if in[name] != "" {
			set.Self = append(set.Self, search.Param{Name: name, Value: in[name]})
		}
	}
	if in["on-demand"] != "true" {
		if err := o.stored(ctx, call, patient, in, set); err != nil {
			return nil, err
		}
	}
	if in["profile"] == "" && call.Cursor == "" && wantsSummary(in["type"]) && !o.summarised(set) {
		set.Matches = append(set.Matches, o.onDemand(call.Base, patient))
	}
	return &operation.Answer{Set: set}, nil
}

// token returns a parameter as text; a Coding or CodeableConcept as system|code.
func token(v operation.Value) string {
	n, property := v.Typed()
	switch property {
	case "valueCodeableConcept":
		n = get(v.Doc, n, "coding")
	case "valueCoding":
	default:
		return v.Text
	}
	if n == element.None {
		return ""
	}
	return text(v.Doc, n, "system") + "|" + text(v.Doc, n, "code")
}

// known refuses a patient who is not there, or whom the caller may not see.
func (o *docref) known(ctx context.Context, call *operation.Call, id string) error {
	res, err := o.store.Search(ctx, &search.Query{Type: "Patient", Where: []search.Expr{search.IDs{Any: []string{id}}}, Count: 1, Restriction: call.Restriction})
	if err == nil && len(res.Matches) == 0 {
		err = fhir.Errorf(fhir.NotFound, "no such resource").With("Patient/%s is not known", id)
	}
	return err
}

// stored finds the DocumentReferences that there are.
func (o *docref) stored(ctx context.Context, call *operation.Call, patient string, in map[string]string, set *operation.Set) error {
	params := []search.Param{{Name: "patient", Value: "Patient/" + patient}, {Name: "status", Value: "current"}, {Name: "_sort", Value: "-date"}}
	for _, bound := range []struct{ name, prefix string }{{"start", "ge"}, {"end", "le"}} {
		if in[bound.name] != "" {
			params = append(params, search.Param{Name: "date", Value: bound.prefix + in[bound.name]})
		}
	}
	if in["type"] != "" {
		params = append(params, search.Param{Name: "type", Value: in["type"]})
	}
	if in["profile"] != "" {
		params = append(params, search.Param{Name: "format", Value: in["profile"]})
	}
	q, err := search.Parse("DocumentReference", params, call.Search)
	if err != nil {
		return err
	}
	q.Count, q.Bytes, q.After, q.Restriction = call.MaxCount, call.MaxBytes, call.Cursor, call.Restriction
	found, err := o.store.Search(ctx, q)
	if err != nil {
		return err
	}
	set.Matches, set.Next = found.Matches, found.Next
	return nil
}

func wantsSummary(typ string) bool {
	return typ == "" || typ == summaryType || typ == loinc+"|"+summaryType
}

// summarised reports whether a summary is among what was found.
func (o *docref) summarised(set *operation.Set) bool {
	return slices.ContainsFunc(set.Matches, func(r fhir.Resource) bool {
		d, err := element.Parse(r.JSON)
		if err != nil {
			return false
		}
		for c := range items(d, d.Get(d.Get(0, "type"), "coding")) {
			if text(d, c, "system") == loinc && text(d, c, "code") == summaryType {
				return true
			}
		}
		return false
	})
}

// onDemand is the reference to the summary of a record. It is not stored: what it leads
// to is made anew whenever it is read, for whoever reads it.
func (o *docref) onDemand(base, patient string) fhir.Resource {
	sum := sha256.Sum256([]byte("summary of " + patient))
	now := o.now().UTC().Truncate(time.Millisecond)
	ref := fhir.Ref{Type: "DocumentReference", ID: hex.EncodeToString(sum[:16]), Version: 1}
	at := now.Format(fhir.InstantLayout)
	json := `{"resourceType":"DocumentReference","id":"` + ref.ID + `","meta":{"versionId":"1","lastUpdated":"` + at + `"},"status":"current",` +
		`"type":{"coding":[{"system":"` + loinc + `","code":"` + summaryType + `","display":"Patient summary Document"}]},` +
		`"category":[{"coding":[{"system":"http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category","code":"clinical-note"}]}],` +
		`"subject":{"reference":"Patient/` + patient + `"},"date":"` + at + `","content":[{"attachment":{"contentType":"application/fhir+json","url":` +
		string(element.Quote(nil, base+"/Patient/"+patient+"/$summary")) + `},"format":{"system":"http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode","code":"urn:hl7-org:sdwg:ips:1.0"}}]}`
	return fhir.Resource{Ref: ref, Updated: now, Method: fhir.POST, JSON: []byte(json)}
}
