package validate

import (
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/profile"
	"github.com/amate-health/amate/fhir/spec"
)

// breaks reports whether a comparison with a limit is false. What cannot be
// compared, such as quantities of different kinds, breaks no limit.
func (x *inspection) breaks(s *subject, at *place, operator string, limit fhirpath.Item) bool {
	expr, err := compile("$this " + operator + " %limit")
	if err != nil {
		return false
	}
	env := x.env(s)
	env.Variables["limit"] = limit
	out, err := expr.EvalItem(at.item, env)
	if err != nil || len(out) != 1 {
		return false
	}
	holds, ok := out[0].System().(fhirpath.Boolean)
	return ok && !bool(holds)
}

// limits holds a value to the least and the greatest that a profile allows.
//
// See https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.minValue_x_.
func (x *inspection) limits(s *subject, r *rules, n *profile.Node, at *place) {
	check := func(v *profile.Limit, operator, text string) {
		typ := spec.TypeOf(v.Type)
		if typ == nil || at.item.Node == element.None {
			return
		}
		if x.breaks(s, at, operator, fhirpath.Item{Type: typ, Doc: v.Doc, Node: v.Node, Side: element.None}) {
			x.breach("value-limit", "value", text, shown(&v.Value), r, at)
		}
	}
	if n.Least != nil {
		check(n.Least, ">=", "the value is less than the profile allows")
	}
	if n.Most != nil {
		check(n.Most, "<=", "the value is more than the profile allows")
	}
}

// The extensions by which a Questionnaire limits answers.
//
// See https://hl7.org/fhir/R4/questionnaire-profiles.html.
const (
	extMinValue  = definitionBase + "minValue"
	extMaxValue  = definitionBase + "maxValue"
	extMinLength = definitionBase + "minLength"
	extRegex     = definitionBase + "regex"
	extMaxSize   = definitionBase + "maxSize"
	extMimeType  = definitionBase + "mimeType"
	extExclusive = definitionBase + "questionnaire-optionExclusive"
	extUnits     = definitionBase + "questionnaire-unitOption"
)

// extended returns the values of an extension.
func (p *place) extended(url string) (values []*place) {
	if p == nil {
		return nil
	}
	for _, e := range p.all("extension") {
		if e.text("url") == url {
			if v := e.get("value"); v != nil {
				values = append(values, v)
			}
		}
	}
	return values
}

// limited holds an answer to the limits that extensions on its question set.
func (r *answers) limited(q, v *place) {
	report := func(details, diagnostics string) {
		r.x.report("error", "invariant", "response-limit", details, diagnostics, v)
	}
	for _, least := range q.extended(extMinValue) {
		if r.x.breaks(r.s, v, ">=", least.item) {
			report("the answer is less than the question allows", "")
		}
	}
	for _, most := range q.extended(extMaxValue) {
		if r.x.breaks(r.s, v, "<=", most.item) {
			report("the answer is more than the question allows", "")
		}
	}
	switch v.item.Type.Name {
	case "string":
		r.limitedText(q, v.value(), report)
	case "Attachment":
		r.limitedFile(q, v, report)
	case "Quantity":
		units := q.extended(extUnits)
		for _, u := range units {
			if u.text("code") == v.text("code") && u.text("system") == v.text("system") {
				return
			}
		}
		if len(units) > 0 {
			report("the unit is none of those that the question allows", quote([]byte(v.text("code"))))
		}
	}
}

func (r *answers) limitedText(q *place, text string, report func(details, diagnostics string)) {
	for _, l := range q.extended(extMinLength) {
		if least, err := strconv.Atoi(l.value()); err == nil && utf8.RuneCountInString(text) < least {
			report("the answer is shorter than the question allows", l.value())
		}
	}
	for _, e := range q.extended(extRegex) {
		form, err := regexp.Compile(`^(?:` + e.value() + `)$`)
		if err == nil && !form.MatchString(text) {
			report("the answer does not have the form that the question asks for", e.value())
		}
	}
}

func (r *answers) limitedFile(q, v *place, report func(details, diagnostics string)) {
	kinds := q.extended(extMimeType)
	allowed := len(kinds) == 0 || v.text("contentType") == ""
	for _, k := range kinds {
		allowed = allowed || k.value() == v.text("contentType")
	}
	if !allowed {
		report("the file is of a kind that the question does not allow", quote([]byte(v.text("contentType"))))
	}
	size, _ := strconv.ParseFloat(v.text("size"), 64)
	if data := v.text("data"); data != "" {
		size = max(size, float64(base64.StdEncoding.DecodedLen(len(strings.Join(strings.Fields(data), "")))-2))
	}
	for _, l := range q.extended(extMaxSize) {
		if most, err := strconv.ParseFloat(l.value(), 64); err == nil && size > most {
			report("the file is larger than the question allows", l.value())
		}
	}
}

// exclusive reports an answer beside which the question allows no other.
func (r *answers) exclusive(q, g *place) {
	given := g.all("answer")
	if len(given) < 2 {
		return
	}
	for _, o := range q.all("answerOption") {
		alone := false
		for _, e := range o.extended(extExclusive) {
			alone = alone || e.value() == "true"
		}
		for _, a := range given {
			if alone && sameAnswer(o.get("value"), a.get("value")) {
				r.x.report("error", "invariant", "response-exclusive", "beside this answer the question allows no other", "", a)
			}
		}
	}
}
