package bulk

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
	"github.com/amate-health/amate/fhir/table"
)

// asked is what an export is to hold.
type asked struct {
	Types      []string            // that are exported, sorted
	Since      time.Time           `json:",omitzero"`  // only what changed after it
	Until      time.Time           `json:",omitzero"`  // and not after that
	Filters    map[string][]string `json:",omitempty"` // searches, without the type: one of them has to find a resource
	Elements   map[string][]string `json:",omitempty"` // that are kept, by type, "" for every type
	Records    bool                `json:",omitempty"` // only what is in the record of a patient
	Group      string              `json:",omitempty"` // of members of it
	Patients   []string            `json:",omitempty"` // only of these
	Parquet    bool                `json:",omitempty"`
	Provenance string              `json:",omitempty"` // which of what was exported: latest, all; of records; "" for none but those of a type of their own
	Passed     []string            `json:",omitempty"` // what was asked for and passed over, in words
}

const (
	latestProvenance = "latest"
	allProvenance    = "all"
	// recordProvenance is of all that is in a record. That of the compartment itself are only
	// about the patient. See
	// https://hl7.org/fhir/uv/bulkdata/STU2/export.html#query-parameters.
	recordProvenance = "record"
)

// parameters are those that an export takes.
var parameters = []string{"_outputFormat", "_since", "_until", "_type", "_typeFilter", "_elements", "patient", "includeAssociatedData"}

// asking reads the parameters of a call.
type asking struct {
	call  *operation.Call
	asked asked
}

// parseAsked reads what a call asks for. What is wrong is refused by its name; what the
// server does not know, only where the client does not ask to pass it over.
//
// See https://hl7.org/fhir/uv/bulkdata/STU2/export.html#query-parameters.
func parseAsked(call *operation.Call) (*asked, error) {
	a := &asking{call: call}
	a.asked.Records = call.Type != ""
	if call.Type == "Group" {
		a.asked.Group = call.ID
	}
	for _, name := range call.In.Names() {
		if !slices.Contains(parameters, name) && name != "_format" {
			if err := a.unknown("$export has no parameter %.100q%s", name, search.Nearest(name, parameters)); err != nil {
				return nil, err
			}
		}
	}
	for _, read := range []func() error{a.format, a.times, a.types, a.filters, a.elements, a.patients, a.associated} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return &a.asked, nil
}

// unknown refuses what is not known, unless the client asked to pass that over.
func (a *asking) unknown(format string, args ...any) error {
	if a.call.Lenient {
		a.asked.Passed = append(a.asked.Passed, fmt.Sprintf(format, args...))
		return nil
	}
	return fhir.Errorf(fhir.Invalid, "the export asks for what this server does not know").With(format, args...)
}

// list returns the values of a parameter, which are separated by commas or given one by one.
func (a *asking) list(name string) (all []string) {
	for _, v := range a.call.In.All(name) {
		for one := range strings.SplitSeq(v.Text, ",") {
			if one = strings.TrimSpace(one); one != "" {
				all = append(all, one)
			}
		}
	}
	return all
}

func (a *asking) format() error {
	text, err := a.call.In.Text("_outputFormat")
	if err != nil {
		return err
	}
	switch strings.ReplaceAll(text, " ", "+") { // a plus sign in a query is a space
	case "", "application/fhir+ndjson", "application/ndjson", "application/x-ndjson", "ndjson":
	case table.Parquet.Media, table.Parquet.Code:
		a.asked.Parquet = true
	default:
		return fhir.Errorf(fhir.Invalid, "_outputFormat is application/fhir+ndjson or %s", table.Parquet.Media).With("it is %.100q", text)
	}
	return nil
}

func (a *asking) times() error {
	for _, p := range []struct {
		name string
		into *time.Time
	}{{"_since", &a.asked.Since}, {"_until", &a.asked.Until}} {
		text, err := a.call.In.Text(p.name)
		if err != nil {
			return err
		}
		if text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, strings.ReplaceAll(text, " ", "+"))
		if err != nil {
			return fhir.Errorf(fhir.Invalid, "%s is an instant, such as 2026-01-31T08:00:00Z", p.name).With("it is %.100q", text)
		}
		*p.into = at.UTC()
	}
	return nil
}

// types are those that are asked for, or all that the caller may see.
func (a *asking) types() error {
	shown := func(typ string) bool {
		r := a.call.Restriction
		_, listed := r.Of(typ)
		return r.Open() || listed
	}
	level := func(typ string) bool {
		return !a.asked.Records || ofPatients(typ)
	}
	named := func(typ string) bool { // what is about patients and in no compartment, such as a Device
		return level(typ) || typ != "Binary" && typ != "Bundle" && len(search.SubjectParams(typ)) > 0
	}
	names := a.list("_type")
	for _, typ := range names {
		switch {
		case !spec.IsResource(typ):
			if err := a.unknown("_type has no resource type %.100q%s", typ, search.Nearest(typ, spec.Resources())); err != nil {
				return err
			}
		case !named(typ):
			if err := a.unknown("_type has %s, which belongs to no record of a patient: it is exported by [base]/$export", typ); err != nil {
				return err
			}
		case !shown(typ):
			if !a.call.Lenient {
				return fhir.Errorf(fhir.Forbidden, "you may not see %s, which _type asks for", typ)
			}
			a.asked.Passed = append(a.asked.Passed, "you may not see "+typ+", which _type asks for")
		case !slices.Contains(a.asked.Types, typ):
			a.asked.Types = append(a.asked.Types, typ)
		}
	}
	if names == nil {
		for _, typ := range spec.Resources() {
			if shown(typ) && level(typ) {
				a.asked.Types = append(a.asked.Types, typ)
			}
		}
	}
	slices.Sort(a.asked.Types)
	if len(a.asked.Types) == 0 {
		return fhir.Errorf(fhir.Forbidden, "there is nothing that you may see of what is asked for")
	}
	return nil
}

// ofPatients reports whether resources of a type are in records of patients.
func ofPatients(typ string) bool { return typ == "Patient" || search.InCompartment("Patient", typ) }

// nextFilter is where another search begins in a list of them: commas are in values, too.
var nextFilter = regexp.MustCompile(`,(?:[A-Z][A-Za-z]+)(?:\?|%3[Ff])`)

// filters reads _typeFilter, and tries each search as the caller: what they may not
// search by is refused now.
func (a *asking) filters() error {
	for _, v := range a.call.In.All("_typeFilter") {
		text := v.Text
		for text != "" {
			one := text
			if at := nextFilter.FindStringIndex(text); at != nil {
				one, text = text[:at[0]], text[at[0]+1:]
			} else {
				text = ""
			}
			if err := a.filter(one); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *asking) filter(text string) error {
	typ, params, ok := strings.Cut(text, "?")
	if !ok || !spec.IsResource(typ) {
		return fhir.Errorf(fhir.Invalid, "_typeFilter is a search, such as Observation?status=final").With("it is %.200q", text)
	}
	if !slices.Contains(a.asked.Types, typ) {
		return a.unknown("_typeFilter is about %s, which is not among the types that are exported", typ)
	}
	if _, err := filterQuery(typ, params, a.call.Search); err != nil {
		return err
	}
	if a.asked.Filters == nil {
		a.asked.Filters = map[string][]string{}
	}
	a.asked.Filters[typ] = append(a.asked.Filters[typ], params)
	return nil
}

// shaping are search parameters that say how an answer looks, not what is found.
var shaping = []string{"_include", "_revinclude", "_sort", "_count", "_total", "_summary", "_elements", "_contained", "_containedType", "_format", "_pretty"}

// filterQuery reads a search of _typeFilter.
func filterQuery(typ, text string, o search.Options) (*search.Query, error) {
	params, err := search.SplitQuery(text)
	if err != nil {
		return nil, err
	}
	for _, p := range params {
		name, _, _ := strings.Cut(p.Name, ":")
		if slices.Contains(shaping, name) {
			return nil, fhir.Errorf(fhir.Invalid, "_typeFilter says what is exported, and %s does not", name).With("it is %.200q", typ+"?"+text)
		}
	}
	o.Lenient = false // to leave a condition out would export more than is meant
	q, err := search.Parse(typ, params, o)
	if e, ok := err.(*fhir.Error); ok {
		told := *e
		told.Details = "_typeFilter of " + typ + ": " + e.Details
		return nil, &told
	}
	return q, err
}

func (a *asking) elements() error {
	all := a.list("_elements")
	for _, one := range a.call.Elements {
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	for _, one := range all {
		typ, name, ok := strings.Cut(one, ".")
		if !ok {
			typ, name = "", one
		}
		t := spec.TypeOf(typ)
		if typ != "" && (t == nil || !spec.IsResource(typ) || t.Element([]byte(name)) == nil && !choice(t, name)) {
			if err := a.unknown("_elements has %.100q, which is no top element of a resource", one); err != nil {
				return err
			}
			continue
		}
		if a.asked.Elements == nil {
			a.asked.Elements = map[string][]string{}
		}
		a.asked.Elements[typ] = append(a.asked.Elements[typ], name)
	}
	return nil
}

// choice reports whether an element of t has a type of its choice, and is called name
// without that: "value".
func choice(t *spec.Type, name string) bool {
	return slices.ContainsFunc(t.Elements, func(el spec.Element) bool { return el.Choice == name })
}

func (a *asking) patients() error {
	for _, v := range a.call.In.All("patient") {
		text := v.Text
		if n, _ := v.Typed(); text == "" && n != element.None {
			text = v.Doc.TextAt(n, "reference")
		}
		text = strings.TrimPrefix(text, a.call.Base+"/")
		ref, ok := fhir.ParseRef(text)
		if !ok || ref.Type != "Patient" {
			return fhir.Errorf(fhir.Invalid, "the parameter patient is a reference to a Patient").With("it is %.200q", text)
		}
		a.asked.Patients = append(a.asked.Patients, ref.ID)
	}
	if len(a.asked.Patients) > 0 && !a.asked.Records {
		return fhir.Errorf(fhir.Invalid, "the parameter patient is for Patient/$export and Group/[id]/$export")
	}
	slices.Sort(a.asked.Patients)
	a.asked.Patients = slices.Compact(a.asked.Patients)
	return nil
}

func (a *asking) associated() error {
	for _, name := range a.list("includeAssociatedData") {
		switch name {
		case "LatestProvenanceResources":
			if a.asked.Provenance == "" {
				a.asked.Provenance = latestProvenance
			}
		case "RelevantProvenanceResources":
			a.asked.Provenance = allProvenance
		default:
			if err := a.unknown("includeAssociatedData has LatestProvenanceResources and RelevantProvenanceResources, not %.100q", name); err != nil {
				return err
			}
		}
	}
	if _, listed := a.call.Restriction.Of("Provenance"); a.asked.Provenance != "" && !listed && !a.call.Restriction.Open() {
		return fhir.Errorf(fhir.Forbidden, "you may not see Provenance, which includeAssociatedData asks for")
	}
	if at := slices.Index(a.asked.Types, "Provenance"); at >= 0 {
		a.asked.Provenance = "" // they are there
		if a.asked.Records && !a.asked.Parquet {
			a.asked.Provenance, a.asked.Types = recordProvenance, slices.Delete(a.asked.Types, at, at+1)
		}
	}
	return nil
}

// check holds the export against what there is: the Group and the patients are those
// whom the caller sees.
func (x *Exporter) check(ctx context.Context, a *asked, call *operation.Call) error {
	if a.Group != "" {
		if _, err := x.members(ctx, a, cmp.Or(call.Roster, call.Restriction)); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(a.Patients, 500) {
		found, err := x.Search(ctx, &search.Query{Type: "Patient", Where: []search.Expr{search.IDs{Any: some}}, Count: len(some), Restriction: call.Restriction})
		if err != nil {
			return err
		}
		if len(found.Matches) < len(some) {
			return fhir.Errorf(fhir.NotFound, "the parameter patient names somebody who is not there")
		}
	}
	return nil
}
