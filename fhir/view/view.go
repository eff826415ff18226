// Package view makes tables of resources, as a ViewDefinition of SQL on FHIR says
// (https://sql-on-fhir.org/ig/2.0.0/): a view is checked and compiled once, and then
// flattens one resource after the other. Nothing here reads a store.
package view

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/spec"
	"github.com/amate-health/amate/fhir/table"
)

// View is a compiled ViewDefinition. It can be used by many goroutines.
type View struct {
	Name     string // "" for none
	Resource string // type of the resources that it is of
	Columns  []table.Column

	selects   []*selection
	where     []*fhirpath.Expr
	constants map[string]fhirpath.Item
	indexed   bool // some expression asks for %rowIndex

	expressions []*fhirpath.Expr // all of them
	undeclared  []string         // columns that do not say their type

	flat []*column // of a view that makes one row of a resource; nil for others
	idle sync.Pool // of *runner
}

// column is a column of the table, and where its values are.
type column struct {
	table.Column
	path  *fhirpath.Expr
	trail *fhirpath.Trail // the same; nil where it has to be evaluated
}

// selection is a select, with what is within it.
type selection struct {
	forEach *fhirpath.Expr
	orNull  bool
	repeat  []*fhirpath.Expr
	columns []column
	selects []*selection
	union   []*selection
}

// Bounds of a view, so that none takes more than it should to compile, and of the rows
// that one resource makes.
const (
	maxDepth   = 20
	maxParts   = 2000
	maxColumns = 1000
	maxRows    = 100_000
	maxRepeat  = 10_000
)

// Compile checks and compiles the ViewDefinition at a node. It need not say that it is one.
// Errors: fhir.Unprocessable, with the element that is at fault.
func Compile(d *element.Doc, root element.Node) (*View, error) {
	if d.Kind(root) != element.Object {
		return nil, fault("ViewDefinition", "a ViewDefinition is an object")
	}
	c := &compiler{d: d, constants: map[string]fhirpath.Item{}}
	v := &View{Name: d.TextAt(root, "name"), Resource: d.TextAt(root, "resource"), constants: c.constants}
	switch {
	case v.Name != "" && !nameForm.MatchString(v.Name):
		return nil, fault("ViewDefinition.name", "a name begins with a letter, and has letters, digits and _ alone").With("%.100q", v.Name)
	case v.Resource == "":
		return nil, fault("ViewDefinition.resource", "the type of the resources is needed")
	case !spec.IsResource(v.Resource):
		return nil, fault("ViewDefinition.resource", "there is no such type of resources").With("%.100q", v.Resource)
	}
	c.root = spec.TypeOf(v.Resource)
	if err := c.readConstants(root); err != nil {
		return nil, err
	}
	if err := c.readWhere(v, root); err != nil {
		return nil, err
	}
	list := d.Get(root, "select")
	if list == element.None || d.Kind(list) != element.Array || d.Size(list) == 0 {
		return nil, fault("ViewDefinition.select", "at least one select is needed")
	}
	i := 0
	for n := range d.Items(root, "select") {
		s, err := c.selection(n, fmt.Sprintf("ViewDefinition.select[%d]", i), c.root, 1)
		if err != nil {
			return nil, err
		}
		v.selects = append(v.selects, s)
		v.Columns = append(v.Columns, s.all()...)
		i++
	}
	v.indexed, v.expressions, v.undeclared = c.indexed, c.expressions, c.undeclared
	if flat, ok := flatten(v.selects, nil); ok && !v.indexed {
		v.flat = flat
	}
	return v, unique(v.Columns)
}

// unique refuses two columns of one name.
func unique(columns []table.Column) error {
	seen := map[string]bool{}
	for _, c := range columns {
		if seen[strings.ToLower(c.Name)] {
			return fault("ViewDefinition.select", "two columns have the same name").With("%.100q", c.Name)
		}
		seen[strings.ToLower(c.Name)] = true
	}
	switch {
	case len(columns) == 0:
		return fault("ViewDefinition.select", "a view has columns")
	case len(columns) > maxColumns:
		return fault("ViewDefinition.select", fmt.Sprintf("a view has %d columns at most", maxColumns))
	}
	return nil
}

func fault(at, text string) *fhir.Error {
	return fhir.Errorf(fhir.Unprocessable, "%s", text).At(at)
}

// nameForm is what names of views and columns look like: what every database takes
// without quotes.
//
// See https://sql-on-fhir.org/ig/2.0.0/StructureDefinition-ViewDefinition.html, sql-name.
var nameForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,254}$`)

// compiler compiles one view.
type compiler struct {
	d         *element.Doc
	root      *spec.Type
	constants map[string]fhirpath.Item
	parts     int
	indexed   bool

	expressions []*fhirpath.Expr
	undeclared  []string
}

// expression compiles the path at a member of n. this is the type of what it is evaluated
// for, nil when that is not known; then less is checked. It returns the type of what it
// leads to, too, nil likewise.
func (c *compiler) expression(n element.Node, name, at string, this *spec.Type) (*fhirpath.Expr, *spec.Type, error) {
	m := c.d.Get(n, name)
	if m == element.None || c.d.Kind(m) != element.String {
		return nil, nil, fault(at+"."+name, "a FHIRPath expression is needed here")
	}
	return c.compile(c.d.Text(m), at+"."+name, this)
}

func (c *compiler) compile(text, at string, this *spec.Type) (*fhirpath.Expr, *spec.Type, error) {
	e, err := fhirpath.Compile(text, fhirpath.Tabular)
	if err != nil {
		return nil, nil, fault(at, "the expression is no FHIRPath").With("%v", err)
	}
	for _, name := range e.Externals() {
		_, constant := c.constants[name]
		switch {
		case name == "rowIndex":
			c.indexed = true
		case !constant && !slices.Contains(known, name) && !strings.HasPrefix(name, "vs-") && !strings.HasPrefix(name, "ext-"):
			return nil, nil, fault(at, "there is no such constant").With("%%%.100s", name)
		}
	}
	typ, err := e.Type(c.root, this)
	if err != nil {
		return nil, nil, fault(at, "the expression fits no such resource").With("%v", err)
	}
	c.expressions = append(c.expressions, e)
	return e, typ, nil
}

// known are the variables that every expression can ask for.
var known = []string{"context", "resource", "rootResource", "ucum", "sct", "loinc"}

// readWhere reads the conditions that a resource has to meet.
func (c *compiler) readWhere(v *View, root element.Node) error {
	i := 0
	for n := range c.d.Items(root, "where") {
		e, _, err := c.expression(n, "path", fmt.Sprintf("ViewDefinition.where[%d]", i), c.root)
		if err != nil {
			return err
		}
		v.where = append(v.where, e)
		i++
	}
	return nil
}

// selection reads a select, and what is within it.
func (c *compiler) selection(n element.Node, at string, this *spec.Type, depth int) (*selection, error) {
	if c.parts++; depth > maxDepth || c.parts > maxParts {
		return nil, fault(at, fmt.Sprintf("selects are %d deep and %d in all, at most", maxDepth, maxParts))
	}
	if c.d.Kind(n) != element.Object {
		return nil, fault(at, "a select is an object")
	}
	s := &selection{}
	inner, err := c.iteration(s, n, at, this)
	if err != nil {
		return nil, err
	}
	i := 0
	for col := range c.d.Items(n, "column") {
		column, err := c.column(col, fmt.Sprintf("%s.column[%d]", at, i), inner)
		if err != nil {
			return nil, err
		}
		s.columns = append(s.columns, column)
		i++
	}
	if s.selects, err = c.selections(n, "select", at, inner, depth); err != nil {
		return nil, err
	}
	if s.union, err = c.selections(n, "unionAll", at, inner, depth); err != nil {
		return nil, err
	}
	for i, u := range s.union {
		if i > 0 && !alike(s.union[0].all(), u.all()) {
			return nil, fault(fmt.Sprintf("%s.unionAll[%d]", at, i), "the parts of a union have the same columns, in the same order")
		}
	}
	if len(s.all()) == 0 {
		return nil, fault(at, "a select has columns, of its own or within")
	}
	return s, nil
}

// iteration reads what a select goes through, and returns the type of that where it is known.
func (c *compiler) iteration(s *selection, n element.Node, at string, this *spec.Type) (*spec.Type, error) {
	ways := 0
	var inner *spec.Type
	for _, name := range []string{"forEach", "forEachOrNull"} {
		if c.d.Get(n, name) == element.None {
			continue
		}
		var err error
		if s.forEach, inner, err = c.expression(n, name, at, this); err != nil {
			return nil, err
		}
		s.orNull = name == "forEachOrNull"
		ways++
	}
	if list := c.d.Get(n, "repeat"); list != element.None {
		i := 0
		for p := range c.d.Items(n, "repeat") {
			place := fmt.Sprintf("%s.repeat[%d]", at, i)
			if c.d.Kind(p) != element.String {
				return nil, fault(place, "a FHIRPath expression is needed here")
			}
			e, _, err := c.compile(c.d.Text(p), place, nil)
			if err != nil {
				return nil, err
			}
			if !e.Descends() {
				return nil, fault(place, "the paths of repeat lead to what is below, or they would go on for ever").With("%.200q", e.Source())
			}
			s.repeat = append(s.repeat, e)
			i++
		}
		if len(s.repeat) == 0 {
			return nil, fault(at+".repeat", "at least one path is needed")
		}
		ways++
	}
	switch ways {
	case 0:
		return this, nil
	case 1:
		return inner, nil
	}
	return nil, fault(at, "a select has one of forEach, forEachOrNull and repeat")
}

func (c *compiler) selections(n element.Node, name, at string, this *spec.Type, depth int) ([]*selection, error) {
	var all []*selection
	for m := range c.d.Items(n, name) {
		s, err := c.selection(m, fmt.Sprintf("%s.%s[%d]", at, name, len(all)), this, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// column reads a column.
func (c *compiler) column(n element.Node, at string, this *spec.Type) (col column, err error) {
	col.Column = table.Column{Name: c.d.TextAt(n, "name"), Type: typeName(c.d.TextAt(n, "type")), Description: c.d.TextAt(n, "description"),
		Collection: c.d.TextAt(n, "collection") == "true"}
	if !nameForm.MatchString(col.Name) {
		return col, fault(at+".name", "a name begins with a letter, and has letters, digits and _ alone").With("%.100q", col.Name)
	}
	var typ *spec.Type
	if col.path, typ, err = c.expression(n, "path", at, this); err != nil {
		return col, err
	}
	col.trail = col.path.Trail(this)
	if col.Type == "" {
		c.undeclared = append(c.undeclared, col.Name)
		if typ != nil && typ.Kind == spec.Primitive {
			col.Type = typ.Name
		}
	}
	return col, nil
}

// typeName returns the name of a type that may be written as its URL.
func typeName(text string) string {
	return strings.TrimPrefix(strings.TrimPrefix(text, "http://hl7.org/fhir/StructureDefinition/"), "http://hl7.org/fhirpath/System.")
}

// all returns the columns of s and what is within it, in the order of the table.
func (s *selection) all() []table.Column {
	var out []table.Column
	for i := range s.columns {
		out = append(out, s.columns[i].Column)
	}
	for _, in := range s.selects {
		out = append(out, in.all()...)
	}
	if len(s.union) > 0 {
		first := s.union[0].all()
		for _, u := range s.union[1:] {
			for i, c := range u.all() {
				if i < len(first) && c.Type != first[i].Type {
					first[i].Type = "" // whatever it holds
				}
			}
		}
		out = append(out, first...)
	}
	return out
}

// flatten appends the columns of selects that go through nothing, and reports whether all
// of them are such.
func flatten(selects []*selection, out []*column) ([]*column, bool) {
	for _, s := range selects {
		if s.forEach != nil || s.repeat != nil || s.union != nil {
			return nil, false
		}
		for i := range s.columns {
			out = append(out, &s.columns[i])
		}
		var ok bool
		if out, ok = flatten(s.selects, out); !ok {
			return nil, false
		}
	}
	return out, true
}

func alike(a, b []table.Column) bool {
	return slices.EqualFunc(a, b, func(a, b table.Column) bool { return a.Name == b.Name && a.Collection == b.Collection })
}

// unfit says which expression does not fit a resource, and by which rule. What the resource
// has there is not for logs, nor for those who see less of it.
func unfit(at string, err error) error {
	if fhir.CodeOf(err) != 0 {
		return err
	}
	e := fault(at, "the expression does not fit a resource")
	var failed *fhirpath.Failure
	switch {
	case errors.As(err, &failed):
		return e.With("%s", failed.Rule)
	case errors.Is(err, errMany), errors.Is(err, errComplex), errors.Is(err, errNotBoolean), errors.Is(err, fhirpath.ErrTooCostly):
		return e.With("%v", err)
	}
	return e
}
