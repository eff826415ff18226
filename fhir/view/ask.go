package view

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/table"
)

// filter says of which stored resources rows are made. It is kept with orders.
type filter struct {
	Patients []string `json:",omitempty"` // ids of those in whose compartment they are; nil for all
	Groups   []string `json:",omitempty"` // ids of Groups whose members they are of; nil for all
	Since    string   `json:",omitempty"` // instant after which they changed; "" for ever
}

// mostMembers is how many patients a call is about at most.
const mostMembers = 10_000

// filterOf reads patient, group and _since. Who sees resources without who they are of
// cannot ask by what was hidden.
func (s *Service) filterOf(ctx context.Context, call *operation.Call) (*filter, error) {
	f := &filter{}
	for _, by := range []struct {
		name, typ string
		into      *[]string
	}{{"patient", "Patient", &f.Patients}, {"group", "Group", &f.Groups}} {
		for _, v := range call.In.All(by.name) {
			id, err := idIn(call, v, by.name, by.typ)
			if err != nil {
				return nil, err
			}
			*by.into = append(*by.into, id)
		}
	}
	var err error
	if f.Since, err = call.In.Text("_since"); err != nil {
		return nil, err
	}
	if call.Seen != nil && (f.Patients != nil || f.Groups != nil || f.Since != "") {
		return nil, fhir.Errorf(fhir.Forbidden, "you see resources without who they are of, and cannot choose them by patient, group or _since")
	}
	_, err = s.where(ctx, f, "Patient", call.Restriction)
	return f, err
}

// idIn returns the id in a reference, or the id alone.
func idIn(call *operation.Call, v operation.Value, name, typ string) (string, error) {
	text := v.Text
	if n, _ := v.Typed(); text == "" && n != element.None {
		text = v.Doc.TextAt(n, "reference")
	}
	text = strings.TrimPrefix(text, call.Base+"/")
	if !strings.Contains(text, "/") {
		text = typ + "/" + text
	}
	ref, ok := fhir.ParseRef(text)
	if !ok || ref.Type != typ {
		return "", fhir.Errorf(fhir.Invalid, "the parameter %s is a reference to a %s", name, typ).
			With("it is %.200q", text).At("Parameters.parameter.where(name='" + name + "')")
	}
	return ref.ID, nil
}

// where returns the conditions of a filter on resources of a type; nil conditions and
// false when none can meet them.
func (s *Service) where(ctx context.Context, f *filter, typ string, only *search.Restriction) ([]search.Expr, error) {
	where := []search.Expr{}
	if f.Since != "" {
		q, err := search.Parse(typ, []search.Param{{Name: "_lastUpdated", Value: "gt" + f.Since}}, search.Options{})
		if err != nil {
			return nil, fhir.Errorf(fhir.Invalid, "the parameter _since is an instant").With("it is %.60q", f.Since).At("Parameters.parameter.where(name='_since')")
		}
		where = append(where, q.Where...)
	}
	if f.Patients == nil && f.Groups == nil {
		return where, nil
	}
	owners := make([]fhir.Ref, 0, len(f.Patients))
	for _, id := range f.Patients {
		owners = append(owners, fhir.Ref{Type: "Patient", ID: id})
	}
	if f.Groups != nil {
		members, err := s.members(ctx, f.Groups, only)
		if err != nil {
			return nil, err
		}
		if f.Patients != nil { // both hold
			members = slices.DeleteFunc(members, func(r fhir.Ref) bool { return !slices.Contains(owners, r) })
		}
		owners = members
	}
	if len(owners) > mostMembers {
		return nil, fhir.Errorf(fhir.TooCostly, "a call is about %d patients at most", mostMembers)
	}
	if in := search.Compartment(owners, typ); in != nil && len(owners) > 0 {
		return append(where, in), nil
	}
	return append(where, search.Or{}), nil
}

// members returns the patients of groups, as far as the groups may be seen.
func (s *Service) members(ctx context.Context, groups []string, only *search.Restriction) ([]fhir.Ref, error) {
	found, err := s.Search(ctx, &search.Query{Type: "Group", Where: []search.Expr{search.IDs{Any: groups}}, Count: len(groups), Restriction: only})
	if err != nil {
		return nil, err
	}
	if len(found.Matches) < len(groups) {
		return nil, fhir.Errorf(fhir.NotFound, "there is no such Group, or you may not see it").At("Parameters.parameter.where(name='group')")
	}
	var members []fhir.Ref
	for i := range found.Matches {
		d, err := element.Parse(found.Matches[i].JSON)
		if err != nil {
			return nil, err
		}
		for m := range d.Items(0, "member") {
			ref, ok := fhir.ParseRef(d.TextAt(m, "entity", "reference"))
			if ok && ref.Type == "Patient" && d.TextAt(m, "inactive") != "true" {
				members = append(members, ref.Current())
			}
		}
	}
	return members, nil
}

// formatOf returns the format that a call asks for: by _format in its body, or by the
// media type that rest made out. JSON when it does not say.
func formatOf(call *operation.Call) (*table.Format, error) {
	text, err := call.In.Text("_format")
	if err != nil {
		return nil, err
	}
	if text = cmp.Or(text, call.Media); text == "" {
		return table.JSON, nil
	}
	format, err := table.FormatOf(text)
	if fhir.CodeOf(err) == fhir.Invalid {
		err.(*fhir.Error).Expression = "Parameters.parameter.where(name='_format')"
	}
	return format, err
}

// optionsOf reads how a table is to be written.
func optionsOf(call *operation.Call) (table.Options, error) {
	header, err := call.In.Text("header")
	if err == nil && header != "" && header != "true" && header != "false" {
		err = fhir.Errorf(fhir.Invalid, "the parameter header is true or false").With("%.20q", header).At("Parameters.parameter.where(name='header')")
	}
	return table.Options{NoHeader: header == "false"}, err
}

// limited returns _limit, 0 for none.
func limited(call *operation.Call) (int, error) {
	text, err := call.In.Text("_limit")
	if err != nil || text == "" {
		return 0, err
	}
	n, bad := strconv.Atoi(text)
	if bad != nil || n < 1 {
		return 0, fhir.Errorf(fhir.Invalid, "the parameter _limit is a number of rows, 1 or more").With("%.20q", text).
			At("Parameters.parameter.where(name='_limit')")
	}
	return n, nil
}

// source refuses what is kept elsewhere.
func source(call *operation.Call) error {
	text, err := call.In.Text("source")
	if err == nil && text != "" {
		err = fhir.Errorf(fhir.NotSupported, "views are run over what is stored here, and over resources in the call: there is no other source")
	}
	return err
}

// only refuses parameters that the operations do not have: one that is passed over would
// show more than was asked for.
func only(call *operation.Call, names ...string) error {
	if err := call.Only(names...); err != nil {
		return err
	}
	own := []string{"_format", "_limit", "_since", "_pretty"}
	for _, name := range call.In.Names() {
		if strings.HasPrefix(name, "_") && !slices.Contains(own, name) {
			return fhir.Errorf(fhir.Invalid, "the operation has no such parameter").With("it has %s, not %.100q%s", strings.Join(own, ", "), name, search.Nearest(name, own))
		}
	}
	return nil
}

// subjects are the ways to say which view is meant, in the words of either version.
var subjects = []string{"viewResource", "subjectResource", "viewReference", "subjectReference", "subjectCanonical"}

// viewOf compiles the view of a call.
func (s *Service) viewOf(ctx context.Context, call *operation.Call) (*View, error) {
	v, _, err := s.definition(ctx, call, call.In.All, "Parameters.parameter")
	return v, err
}

// definition compiles the view that call is on, or that one of the parameters which get
// returns says, and returns it in JSON too. at is where they are.
func (s *Service) definition(ctx context.Context, call *operation.Call, get func(name string) []operation.Value, at string) (*View, []byte, error) {
	var given []operation.Value
	name := ""
	for _, n := range subjects {
		if all := get(n); len(all) > 0 {
			given, name = append(given, all...), n
		}
	}
	switch {
	case call.ID != "" && len(given) > 0:
		return nil, nil, fhir.Errorf(fhir.Invalid, "the operation is called on a ViewDefinition, so that no other can be given").At(at)
	case call.ID != "" && call.Type != viewDefinition:
		return nil, nil, fhir.Errorf(fhir.NotSupported, "what is run here is a ViewDefinition").At(at)
	case call.ID != "":
		return s.stored(ctx, call, viewDefinition+"/"+call.ID)
	case len(given) != 1:
		return nil, nil, fhir.Errorf(fhir.Invalid, "one ViewDefinition is needed: viewResource, or viewReference of one that is stored").At(at)
	}
	v := given[0]
	if strings.HasSuffix(name, "Resource") {
		n, ok := v.Resource()
		if !ok {
			return nil, nil, fhir.Errorf(fhir.Invalid, "the parameter %s is a ViewDefinition", name).At(at)
		}
		if typ := v.Doc.TextAt(n, "resourceType"); typ != viewDefinition && typ != "" {
			return nil, nil, fhir.Errorf(fhir.NotSupported, "what is run here is a ViewDefinition").With("it is a %.60q", typ).At(at)
		}
		view, err := Compile(v.Doc, n)
		return view, v.Doc.AppendCompact(nil, n), err
	}
	text := v.Text
	if n, _ := v.Typed(); text == "" && n != element.None {
		text = v.Doc.TextAt(n, "reference")
	}
	return s.stored(ctx, call, text)
}

// stored compiles a ViewDefinition that the caller may see: of an id or a canonical URL.
func (s *Service) stored(ctx context.Context, call *operation.Call, name string) (*View, []byte, error) {
	definition, err := s.read(ctx, call, name)
	if err != nil {
		return nil, nil, err
	}
	d, err := element.Parse(definition)
	if err != nil {
		return nil, nil, fmt.Errorf("a stored ViewDefinition: %w", err)
	}
	v, err := Compile(d, 0)
	return v, definition, err
}

func (s *Service) read(ctx context.Context, call *operation.Call, name string) ([]byte, error) {
	q := &search.Query{Type: viewDefinition, Count: 1, Restriction: call.Restriction}
	ref, ok := fhir.ParseRef(strings.TrimPrefix(name, call.Base+"/"))
	id := ok && ref.Type == viewDefinition && !strings.Contains(strings.TrimPrefix(name, call.Base+"/"), "://")
	if id {
		q.Where = []search.Expr{search.IDs{Any: []string{ref.ID}}}
	} else {
		url, version, _ := strings.Cut(name, "|")
		params := []search.Param{{Name: "url", Value: search.Escape(url)}, {Name: "_sort", Value: "-_lastUpdated"}}
		if version != "" {
			params = append(params, search.Param{Name: "version", Value: search.Escape(version)})
		}
		parsed, err := search.Parse(viewDefinition, params, call.Search)
		if err != nil {
			return nil, err
		}
		q.Where, q.Sort = parsed.Where, parsed.Sort
	}
	found, err := s.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	if len(found.Matches) > 0 {
		return found.Matches[0].JSON, nil
	}
	if s.Shipped != nil {
		key := name
		if id {
			key = ref.ID
		}
		if definition, ok := s.Shipped(key); ok {
			return definition, nil
		}
	}
	return nil, fhir.Errorf(fhir.NotFound, "there is no such ViewDefinition, or you may not see it").With("%.200q", name)
}
