package validate

import (
	"regexp"
	"strings"

	"github.com/amate-health/amate/fhir/element"
)

// questionnaire checks that the conditions of a Questionnaire are about questions
// that it has, outside of the item that the condition is on.
//
// See https://hl7.org/fhir/R4/questionnaire.html#enableWhen.
func (x *inspection) questionnaire(s *subject) {
	items := map[string]*place{}
	var collect func(p *place)
	collect = func(p *place) {
		for _, i := range p.all("item") {
			if id := i.text("linkId"); id != "" {
				items[id] = i
			}
			collect(i)
		}
	}
	collect(s.place)
	for _, i := range items {
		for _, w := range i.all("enableWhen") {
			x.enableWhen(items, i, w)
		}
		x.optionTypes(i)
	}
}

func (x *inspection) enableWhen(items map[string]*place, item, when *place) {
	id := when.text("question")
	target := items[id]
	switch {
	case id == "":
	case target == nil:
		x.report("error", "business-rule", "enable-when-question", "the condition is about a question that does not exist", quote([]byte(id)), when)
	case target == item:
		x.report("error", "business-rule", "enable-when-self", "an item cannot depend on itself", quote([]byte(id)), item)
	default:
		for up := target.up; up != nil; up = up.up {
			if up == item {
				x.report("error", "business-rule", "enable-when-inner", "an item cannot depend on a question within it", quote([]byte(id)), item)
			}
		}
	}
}

// optionTypes warns of answer options whose type is not that of the question.
func (x *inspection) optionTypes(item *place) {
	allowed := answerTypes[item.text("type")]
	if allowed == nil {
		return
	}
	for _, o := range item.all("answerOption") {
		if v := o.get("value"); v != nil && v.item.Type != nil && !allowed[v.item.Type.Name] {
			x.warn("answer-option-type", "the option is not of the type of the question", v.item.Type.Name, v)
		}
	}
}

// answerTypes says what datatypes answer a question of each type.
//
// See https://hl7.org/fhir/R4/valueset-item-type.html.
var answerTypes = map[string]map[string]bool{
	"boolean":     words("boolean"),
	"decimal":     words("decimal integer"),
	"integer":     words("integer"),
	"date":        words("date"),
	"dateTime":    words("dateTime date"),
	"time":        words("time"),
	"string":      words("string"),
	"text":        words("string"),
	"url":         words("uri"),
	"choice":      words("Coding date time integer string Reference"),
	"open-choice": words("Coding string date time integer Reference"),
	"attachment":  words("Attachment"),
	"reference":   words("Reference"),
	"quantity":    words("Quantity"),
}

// response holds a QuestionnaireResponse to its Questionnaire, where that is
// contained or stored.
//
// See https://hl7.org/fhir/R4/questionnaireresponse.html.
func (x *inspection) response(s *subject) {
	canonical := s.text("questionnaire")
	at := s.get("questionnaire")
	if canonical == "" {
		x.warn("questionnaire-named", "without a questionnaire the answers cannot be checked", "", s.place)
		return
	}
	q := x.findQuestionnaire(s, canonical)
	if q == nil {
		if canonical[0] != '#' {
			x.report("warning", "not-found", "questionnaire-known", "the questionnaire is not known here, so the answers were not checked", quote([]byte(canonical)), at)
		} else {
			x.report("error", "not-found", "questionnaire-known", "no contained questionnaire has this id", quote([]byte(canonical)), at)
		}
		return
	}
	if typ := q.item.Type.Name; typ != "Questionnaire" {
		x.fail("canonical-target", "the questionnaire is of another type", typ, at)
		return
	}
	r := &answers{x: x, s: s, q: q, final: finished[s.text("status")]}
	r.index(q)
	r.items(q, []*place{s.place}, s.place, true)
}

var finished = words("completed amended")

func (x *inspection) findQuestionnaire(s *subject, canonical string) *place {
	if id, ok := strings.CutPrefix(canonical, "#"); ok {
		for _, c := range s.container().all("contained") {
			if c.id() == id && c.item.Type != nil {
				return c
			}
		}
		return nil
	}
	url, _, _ := strings.Cut(canonical, "|")
	if s.bundle != nil {
		for _, e := range s.bundle.entries {
			if e.resource != nil && e.resource.item.Type != nil && e.resource.item.Type.Name == "Questionnaire" && e.resource.text("url") == url {
				return e.resource
			}
		}
	}
	if x.Questionnaires == nil {
		return nil
	}
	json, ok := x.Questionnaires.Questionnaire(canonical)
	if !ok {
		return nil
	}
	d, err := element.Parse(json)
	if err != nil {
		return nil
	}
	if p := rootPlace(d, 0); p.item.Type != nil {
		return p
	}
	return nil
}

// answers is the state of holding a response to its questionnaire.
type answers struct {
	x     *inspection
	s     *subject
	q     *place
	final bool                // the response claims to be complete
	known map[string]*place   // the questionnaire's items by linkId
	given map[string][]*place // the response's items by linkId
}

func (r *answers) index(q *place) {
	r.known, r.given = map[string]*place{}, map[string][]*place{}
	var questions func(p *place)
	questions = func(p *place) {
		for _, i := range p.all("item") {
			r.known[i.text("linkId")] = i
			questions(i)
		}
	}
	questions(q)
	var given func(p *place)
	given = func(p *place) {
		for _, i := range p.all("item") {
			id := i.text("linkId")
			r.given[id] = append(r.given[id], i)
			for _, a := range i.all("answer") {
				given(a)
			}
			given(i)
		}
	}
	given(r.s.place)
}

// items checks the items of a response below holders, which answer the items below question.
func (r *answers) items(question *place, holders []*place, at *place, enabled bool) {
	found := map[string][]*place{}
	last := -1
	order := map[string]int{}
	for i, q := range question.all("item") {
		order[q.text("linkId")] = i
	}
	for _, h := range holders {
		for _, i := range h.all("item") {
			id := i.text("linkId")
			position, ok := order[id]
			switch {
			case ok && position < last:
				r.x.report("error", "structure", "response-order", "the items are in another order than in the questionnaire", quote([]byte(id)), i)
			case ok:
				last = position
			case r.known[id] != nil:
				r.x.report("error", "structure", "response-place", "the item stands elsewhere in the questionnaire", quote([]byte(id)), i)
			case id != "":
				r.x.report("error", "not-found", "response-link", "the questionnaire has no such item", quote([]byte(id)), i)
			}
			found[id] = append(found[id], i)
		}
	}
	for _, q := range question.all("item") {
		r.item(q, found[q.text("linkId")], at, enabled)
	}
}

// item checks what is given for one item of the questionnaire.
func (r *answers) item(q *place, given []*place, at *place, enabled bool) {
	id, kind := q.text("linkId"), q.text("type")
	enabled = enabled && r.enabled(q)
	repeats := q.text("repeats") == "true"
	count := 0
	for _, g := range given {
		count += len(g.all("answer"))
	}
	switch {
	case !enabled && (len(given) > 0 && (count > 0 || kind == "group" && len(given[0].all("item")) > 0)):
		r.x.report("error", "invariant", "response-disabled", "the item has an answer though its condition does not hold", quote([]byte(id)), given[0])
	case enabled && r.final && q.text("required") == "true" && len(given) == 0 && kind != "display":
		r.x.report("error", "required", "response-required", "a required item has no answer", quote([]byte(id)), at)
	case enabled && r.final && q.text("required") == "true" && count == 0 && kind != "group" && kind != "display":
		r.x.report("error", "required", "response-required", "a required item has no answer", quote([]byte(id)), given[0])
	}
	if kind != "group" && len(given) > 1 {
		r.x.fail("response-once", "a question stands once; its answers repeat, not the item", quote([]byte(id)), given[1])
	}
	if !repeats && (count > 1 || kind == "group" && len(given) > 1) {
		r.x.fail("response-repeats", "the item does not repeat", quote([]byte(id)), given[len(given)-1])
	}
	for _, g := range given {
		if kind == "group" && enabled && r.final && q.text("required") == "true" && len(g.all("item")) == 0 && len(q.all("item")) > 0 {
			r.x.report("error", "required", "response-required", "a required group has no items", quote([]byte(id)), g)
		}
		r.shape(q, kind, g)
		r.exclusive(q, g)
		var holders []*place
		if kind == "group" {
			holders = []*place{g}
		}
		for _, a := range g.all("answer") {
			r.answer(q, kind, a)
			holders = append(holders, a)
		}
		if len(holders) > 0 {
			r.items(q, holders, g, enabled)
		}
	}
}

// shape holds an item to be a group, a question or a text, as the questionnaire has it.
func (r *answers) shape(q *place, kind string, g *place) {
	switch {
	case kind == "group" && len(g.all("answer")) > 0:
		r.x.report("error", "structure", "response-group", "a group has no answers of its own", "", g)
	case kind == "display" && (len(g.all("answer")) > 0 || len(g.all("item")) > 0):
		r.x.report("error", "structure", "response-display", "a text that is only shown has no answers", "", g)
	case kind != "group" && kind != "display" && len(g.all("item")) > 0:
		r.x.report("error", "structure", "response-nested", "items within a question stand within its answer", "", g)
	}
	if text := g.text("text"); text != "" && q.text("text") != "" && text != q.text("text") {
		r.x.report("warning", "invalid", "response-text", "the text is not that of the questionnaire", "", g)
	}
}

// answer checks the type of an answer, and that it is among the options.
func (r *answers) answer(q *place, kind string, a *place) {
	v := a.get("value")
	if v == nil || v.item.Type == nil {
		return
	}
	if allowed := answerTypes[kind]; allowed != nil && !allowed[v.item.Type.Name] {
		r.x.report("error", "invariant", "response-type", "the answer is not of the type of the question", v.item.Type.Name+" to a question of type "+kind, v)
		return
	}
	if limit := q.text("maxLength"); limit != "" && v.item.Type.Name == "string" && longer(v.value(), limit) {
		r.x.report("error", "invariant", "response-length", "the answer is longer than is allowed", limit, v)
	}
	r.limited(q, v)
	x := r.x
	if options := q.all("answerOption"); len(options) > 0 && (kind == "choice" || v.item.Type.Name != "string") {
		for _, o := range options {
			if sameAnswer(o.get("value"), v) {
				return
			}
		}
		x.report("error", "code-invalid", "response-option", "the answer is none of the options", "", v)
	}
	if set := q.text("answerValueSet"); set != "" && set[0] != '#' && v.item.Type.Name == "Coding" && x.Codes != nil {
		if member, _ := x.Codes.Member(set, v.text("system"), v.text("code"), ""); member == No && kind == "choice" {
			x.report("error", "code-invalid", "response-option", "the answer is not in the value set of the question", quote([]byte(set)), v)
		}
	}
}

var digits = regexp.MustCompile(`^[0-9]{1,9}$`)

// longer reports whether text has more characters than limit says.
func longer(text, limit string) bool {
	if !digits.MatchString(limit) {
		return false
	}
	most := 0
	for _, c := range limit {
		most = most*10 + int(c-'0')
	}
	return len([]rune(text)) > most
}

// sameAnswer reports whether an answer is what an option or a condition asks for.
func sameAnswer(option, answer *place) bool {
	if option == nil || answer == nil || option.item.Type == nil || answer.item.Type == nil {
		return false
	}
	switch answer.item.Type.Name {
	case "Coding":
		return option.item.Type.Name == "Coding" && option.text("code") == answer.text("code") &&
			(option.text("system") == answer.text("system"))
	case "Reference":
		return option.text("reference") == answer.text("reference")
	case "Quantity":
		return option.text("value") == answer.text("value") && option.text("unit") == answer.text("unit")
	}
	return option.value() == answer.value()
}

// enabled reports whether the conditions of q hold for the answers given.
//
// See https://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item.enableWhen.
func (r *answers) enabled(q *place) bool {
	conditions := q.all("enableWhen")
	if len(conditions) == 0 {
		return true
	}
	every := q.text("enableBehavior") == "all"
	for _, c := range conditions {
		if holds := r.holds(c); holds != every {
			return holds
		}
	}
	return every
}

func (r *answers) holds(condition *place) bool {
	var given []*place
	for _, i := range r.given[condition.text("question")] {
		for _, a := range i.all("answer") {
			if v := a.get("value"); v != nil {
				given = append(given, v)
			}
		}
	}
	want, operator := condition.get("answer"), condition.text("operator")
	if operator == "exists" {
		return (len(given) > 0) == (want.value() == "true")
	}
	for _, v := range given {
		switch operator {
		case "=":
			if sameAnswer(want, v) {
				return true
			}
		case "!=":
			if !sameAnswer(want, v) {
				return true
			}
		default:
			if r.compares(v, operator, want) {
				return true
			}
		}
	}
	return false
}

// compares reports whether "answer operator want" is true in FHIRPath.
func (r *answers) compares(answer *place, operator string, want *place) bool {
	if want == nil {
		return false
	}
	expr, err := compile("$this " + operator + " %want")
	if err != nil {
		return false
	}
	env := r.x.env(r.s)
	env.Variables["want"] = want.item
	ok, err := expr.Holds(answer.item, env)
	return err == nil && ok
}
