package spec

import (
	_ "embed" // for the table
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// r4 is the table; its head says what each kind of line means. All strings below
// are parts of it, so that loading copies no text.
//
//go:embed r4.txt
var r4 string

// additional is a table of types that R4 does not have. It goes on where r4 ends.
//
//go:embed additional.txt
var additional string

// What the functions of this package look up; written once, by init.
var (
	types        map[string]*Type
	resources    []string
	params       map[string][]*SearchParam
	paramsByCode map[string]map[string]*SearchParam
	paramsByID   []*SearchParam
	compartments map[string]map[string][]string
	added        = map[string]bool{} // resource types that are not of R4
)

func init() {
	t, err := load(r4 + additional)
	if err != nil {
		panic("fhir/spec: " + err.Error()) // the table is part of the program
	}
	types, resources, compartments = t.types, t.resources(), t.compartments
	paramsByID = t.params
	for line := range strings.Lines(additional) {
		if f := strings.Split(line, "\t"); f[0] == "T" && f[2] == "resource" {
			added[f[1]] = true
		}
	}
	params, paramsByCode = t.paramsByType()
}

// table is the state of loading.
type table struct {
	types        map[string]*Type
	valueSets    map[string]*ValueSet
	constraints  map[string]*Constraint // by label
	params       []*SearchParam         // by ID; 0 is nil
	compartments map[string]map[string][]string

	valueSet *ValueSet    // of the last V line
	typ      *Type        // of the last T line
	param    *SearchParam // of the last P line
}

// load reads a table. Lines stand in such an order that only the types of elements
// point forward, so types are made first and filled after.
func load(text string) (*table, error) {
	t := &table{
		types:        make(map[string]*Type, 1024),
		valueSets:    make(map[string]*ValueSet, 256),
		constraints:  make(map[string]*Constraint, 256),
		params:       make([]*SearchParam, 1, 2048),
		compartments: map[string]map[string][]string{},
	}
	fields := make([]string, 0, 256)
	for _, read := range []func([]string) error{t.declare, t.fill} {
		number := 0
		for line := range strings.Lines(text) {
			number++
			fields = split(fields[:0], strings.TrimSuffix(line, "\n"))
			if err := read(fields); err != nil {
				return nil, fmt.Errorf("line %d: %w", number, err)
			}
		}
	}
	for _, typ := range t.types {
		typ.index()
	}
	return t, nil
}

// split appends the tab-separated fields of line to fields.
func split(fields []string, line string) []string {
	for {
		field, rest, more := strings.Cut(line, "\t")
		fields = append(fields, field)
		if !more {
			return fields
		}
		line = rest
	}
}

var kinds = map[string]Kind{"primitive": Primitive, "complex": Complex, "backbone": Backbone, "resource": ResourceKind}

// declare makes the type of a T line: T name kind base [abstract].
func (t *table) declare(f []string) error {
	if f[0] != "T" {
		return nil
	}
	if len(f) < 4 || kinds[f[2]] == 0 {
		return fmt.Errorf("bad type")
	}
	typ := &Type{Name: f[1], Kind: kinds[f[2]], Abstract: len(f) > 4 && f[4] == "abstract"}
	if typ.Kind == Primitive {
		if typ.Pattern = patterns[typ.Name]; typ.Pattern == NoPattern {
			return fmt.Errorf("no pattern for %s", typ.Name)
		}
	}
	t.types[typ.Name] = typ
	return nil
}

// fill reads any line but takes only the base of a type from its T line.
func (t *table) fill(f []string) error {
	switch f[0] {
	case "V":
		if t.valueSet = t.valueSets[f[1]]; t.valueSet == nil { // else codes are added to it
			t.valueSet = &ValueSet{URL: f[1], Systems: make(map[string]map[string]struct{}, 1)}
			t.valueSets[f[1]] = t.valueSet
		}
	case "S":
		if t.valueSet == nil || len(f) < 3 {
			return fmt.Errorf("bad codes")
		}
		t.valueSet.add(f[1], f[2:])
	case "I":
		if len(f) != 5 {
			return fmt.Errorf("bad constraint")
		}
		key, _, _ := strings.Cut(f[1], "#")
		t.constraints[f[1]] = &Constraint{Key: key, Severity: f[2], Expression: f[3], Human: f[4]}
	case "T":
		if err := t.inherit(t.types[f[1]], f[3]); err != nil || len(f) < 6 {
			return err
		}
		var err error
		t.typ.Constraints, err = t.labelled(f[5])
		return err
	case "E":
		return t.element(f)
	case "P":
		return t.searchParam(f)
	case "C":
		if t.param == nil || len(f) < 4 || searchTypes[f[1]] == 0 {
			return fmt.Errorf("bad component")
		}
		t.param.Components = append(t.param.Components, Component{Type: searchTypes[f[1]], Definition: f[2], Expression: f[3]})
	case "R":
		if t.compartments[f[1]] == nil {
			t.compartments[f[1]] = make(map[string][]string, 128)
		}
		t.compartments[f[1]][f[2]] = slices.Clone(f[3:])
	case "N":
		t.valueSets[f[1]] = nil // known, and not checked
	default:
		if !strings.HasPrefix(f[0], "#") {
			return fmt.Errorf("unknown line")
		}
	}
	return nil
}

// labelled returns the constraints that a column lists.
func (t *table) labelled(column string) ([]*Constraint, error) {
	var list []*Constraint
	for label := range strings.SplitSeq(column, ",") {
		c := t.constraints[label]
		if c == nil {
			return nil, fmt.Errorf("no constraint %s", label)
		}
		list = append(list, c)
	}
	return list, nil
}

// add takes in the codes of one system.
func (v *ValueSet) add(system string, codes []string) {
	set := v.Systems[system]
	if set == nil {
		set = make(map[string]struct{}, len(codes))
	}
	for _, c := range codes {
		set[c] = struct{}{}
	}
	v.Systems[system] = set
	if v.Codes == nil {
		v.Codes = set // of one system only, as most sets are: one map serves both
		return
	}
	union := make(map[string]struct{}, len(v.Codes)+len(set))
	for _, part := range v.Systems {
		for c := range part {
			union[c] = struct{}{}
		}
	}
	v.Codes = union
}

// inherit begins the elements of typ with those of its base.
func (t *table) inherit(typ *Type, base string) error {
	t.typ = typ
	if base == "" {
		return nil
	}
	if typ.Base = t.types[base]; typ.Base == nil || typ.Base.Elements == nil {
		return fmt.Errorf("base %s is not read yet", base)
	}
	typ.Elements = append(make([]Element, 0, len(typ.Base.Elements)+12), typ.Base.Elements...)
	return nil
}

// element reads E name min..max types flags [valueset].
func (t *table) element(f []string) error {
	if len(f) < 5 {
		return fmt.Errorf("bad element")
	}
	e := Element{
		Name:     f[1],
		Summary:  strings.Contains(f[4], "S"),
		Modifier: strings.Contains(f[4], "M"),
	}
	least, most, _ := strings.Cut(f[2], "..")
	var err error
	if e.Min, err = strconv.Atoi(least); err != nil {
		return err
	}
	if e.Many = most != "1"; e.Many && most != "*" {
		if e.Max, err = strconv.Atoi(most); err != nil {
			return err
		}
	} else if !e.Many {
		e.Max = 1
	}
	if len(f) > 6 {
		if e.Constraints, err = t.labelled(f[6]); err != nil {
			return err
		}
	}
	if len(f) > 5 && f[5] != "-" {
		var known bool
		if e.Binding, known = t.valueSets[f[5]]; !known {
			return fmt.Errorf("no value set %s", f[5])
		}
	}
	if most == "0" {
		t.typ.remove(e.Name)
		return nil
	}
	e.Choice, _ = strings.CutSuffix(e.Name, "[x]")
	if e.Choice == e.Name {
		e.Choice = ""
	}
	for column := f[3]; column != ""; {
		var name string
		name, column, _ = strings.Cut(column, ",")
		if err := t.typed(e, name); err != nil {
			return err
		}
	}
	return nil
}

// typed puts e into the type being read, with one of its types: "Name" or "Name(Target|Target)".
func (t *table) typed(e Element, name string) error {
	if open := strings.IndexByte(name, '('); open >= 0 {
		e.Targets = strings.Split(name[open+1:len(name)-1], "|")
		name = name[:open]
	}
	switch name {
	case "Resource":
		e.Resource = true
	case "SimpleQuantity":
		e.Simple = true
		name = "Quantity"
		fallthrough
	default:
		if e.Type = t.types[name]; e.Type == nil {
			return fmt.Errorf("no type %s", name)
		}
	}
	if e.Choice != "" {
		e.Name = e.Choice + strings.ToUpper(name[:1]) + name[1:]
	}
	t.typ.put(e)
	return nil
}

// put adds e to t, or replaces the inherited element of the same name.
func (t *Type) put(e Element) {
	for i := range t.Elements {
		if t.Elements[i].Name == e.Name {
			t.Elements[i] = e
			return
		}
	}
	t.Elements = append(t.Elements, e)
}

// remove takes away an inherited element.
func (t *Type) remove(name string) {
	t.Elements = slices.DeleteFunc(t.Elements, func(e Element) bool { return e.Name == name })
}

// index completes t once its elements are final.
func (t *Type) index() {
	t.Elements = slices.Clip(t.Elements)
	t.byName = make(map[string]*Element, len(t.Elements))
	for i := range t.Elements {
		t.Elements[i].Index = i
		t.byName[t.Elements[i].Name] = &t.Elements[i]
	}
}

var searchTypes = map[string]SearchType{
	"number": Number, "date": Date, "string": String, "token": Token, "reference": Reference,
	"composite": Composite, "quantity": Quantity, "uri": URI, "special": Special,
}

// SearchTypeOf returns the search type that SearchParameter.type calls code, or 0.
func SearchTypeOf(code string) SearchType { return searchTypes[code] }

// searchParam reads P id base code type url expression [targets].
func (t *table) searchParam(f []string) error {
	if len(f) < 7 || f[1] != strconv.Itoa(len(t.params)) || searchTypes[f[4]] == 0 {
		return fmt.Errorf("bad search parameter")
	}
	t.param = &SearchParam{
		ID: uint16(len(t.params)), Base: f[2], Code: f[3], Type: searchTypes[f[4]], URL: f[5], Expression: f[6],
	}
	if len(f) > 7 {
		t.param.Targets = strings.Split(f[7], "|")
	}
	t.params = append(t.params, t.param)
	return nil
}

// resources lists the concrete resource types.
func (t *table) resources() []string {
	var names []string
	for name, typ := range t.types {
		if typ.Kind == ResourceKind && !typ.Abstract {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// paramsByType gives each resource type its parameters and those of the types that
// it specialises, by code. The type "" stands for Resource.
func (t *table) paramsByType() (map[string][]*SearchParam, map[string]map[string]*SearchParam) {
	own := make(map[string][]*SearchParam, 256)
	for _, p := range t.params[1:] {
		own[p.Base] = append(own[p.Base], p)
	}
	lists := make(map[string][]*SearchParam, 256)
	codes := make(map[string]map[string]*SearchParam, 256)
	for name, typ := range t.types {
		if typ.Kind != ResourceKind {
			continue
		}
		var list []*SearchParam
		for b := typ; b != nil; b = b.Base {
			list = append(list, own[b.Name]...)
		}
		sort.Slice(list, func(i, j int) bool { return list[i].Code < list[j].Code })
		byCode := make(map[string]*SearchParam, len(list))
		for _, p := range list {
			byCode[p.Code] = p
		}
		lists[name], codes[name] = list, byCode
	}
	lists[""], codes[""] = lists["Resource"], codes["Resource"]
	return lists, codes
}
