package view

import (
	"errors"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
)

// Check holds a ViewDefinition to what a view has to be, before it is stored: a fault is the
// one that Compile finds. Warnings say where it is not what the profiles ask for that it
// names: to be shared with other servers, or to be a plain table.
//
// See https://sql-on-fhir.org/ig/2.0.0/StructureDefinition-ShareableViewDefinition.html and
// https://sql-on-fhir.org/ig/2.0.0/StructureDefinition-TabularViewDefinition.html.
func Check(d *element.Doc, root element.Node, typ string) []fhir.Issue {
	if typ != viewDefinition {
		return nil
	}
	v, err := Compile(d, root)
	var e *fhir.Error
	switch {
	case errors.As(err, &e):
		return []fhir.Issue{{Severity: "error", Type: "invalid", Rule: "view", Details: e.Details, Diagnostics: e.Diagnostics, Expression: e.Expression}}
	case err != nil:
		return []fhir.Issue{{Severity: "error", Type: "invalid", Rule: "view", Details: "this is no view", Expression: viewDefinition}}
	}
	var issues []fhir.Issue
	if claims(d, root, "ShareableViewDefinition") {
		issues = v.shareable(d, root)
	}
	if claims(d, root, "TabularViewDefinition") {
		issues = append(issues, v.tabular()...)
	}
	return issues
}

// claims reports whether a ViewDefinition names a profile, which has one URL in each version.
func claims(d *element.Doc, root element.Node, profile string) bool {
	meta := d.Get(root, "meta")
	if meta == element.None {
		return false
	}
	for p := range d.Items(meta, "profile") {
		url, _, _ := strings.Cut(d.Text(p), "|")
		if strings.HasSuffix(url, "/StructureDefinition/"+profile) {
			return true
		}
	}
	return false
}

func warning(rule, at, text string) fhir.Issue {
	return fhir.Issue{Severity: "warning", Type: "business-rule", Rule: rule, Details: text, Expression: at}
}

// required are the functions that every server has which runs views.
//
// See https://sql-on-fhir.org/ig/2.0.0/StructureDefinition-ShareableViewDefinition.html#supported-fhirpath-functionality.
var required = []string{"where", "exists", "empty", "extension", "ofType", "first", "join", "getResourceKey", "getReferenceKey"}

// optional are those that a server may have, by the same page.
var optional = []string{"lowBoundary", "highBoundary"}

// shareable says what other servers might not run.
func (v *View) shareable(d *element.Doc, root element.Node) []fhir.Issue {
	const rule = "shareable"
	var issues []fhir.Issue
	for _, name := range []string{"url", "name", "fhirVersion"} {
		if n := d.Get(root, name); n == element.None || d.Size(n) == 0 && d.Kind(n) == element.Array {
			issues = append(issues, warning(rule, viewDefinition+"."+name, "a view that is to be shared has it"))
		}
	}
	for _, name := range v.undeclared {
		issues = append(issues, warning(rule, columnAt(name)+".type", "columns of a view that is to be shared have a type"))
	}
	for _, e := range v.expressions {
		for _, f := range e.Calls() {
			switch {
			case slices.Contains(required, f):
			case slices.Contains(optional, f):
				issues = append(issues, warning(rule, viewDefinition, "not every server has the function "+f))
			default:
				issues = append(issues, warning(rule, viewDefinition, "other servers need not have the function "+f))
			}
		}
	}
	return issues
}

// tabular says which columns are no plain values.
func (v *View) tabular() []fhir.Issue {
	var issues []fhir.Issue
	for _, c := range v.Columns {
		if c.Collection {
			issues = append(issues, warning("tabular", columnAt(c.Name)+".collection", "a column of a plain table is no collection"))
		}
	}
	return issues
}

func columnAt(name string) string { return "ViewDefinition.select.column.where(name='" + name + "')" }

// Mentions reports whether an expression of v has a text in it, such as the URL of an extension.
func (v *View) Mentions(text string) bool {
	return slices.ContainsFunc(v.expressions, func(e *fhirpath.Expr) bool { return strings.Contains(e.Source(), text) })
}
