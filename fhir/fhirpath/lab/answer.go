package lab

import (
	"context"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/spec"
)

// traced is what one use of trace() showed.
type traced struct {
	name  string
	items []fhirpath.Item
}

// writer builds the Parameters that is the answer.
type writer struct {
	b     []byte
	root  fhirpath.Item
	items int
}

// answer evaluates r and returns a Parameters: what was asked, and one part result
// for each context.
func (r *request) answer(ctx context.Context) (*operation.Answer, error) {
	var traces []traced
	env := &fhirpath.Env{Variables: r.variables, Resource: r.root, Done: ctx.Done()}
	if r.codes != nil {
		env.Ask(r.codes)
	}
	kept := 0
	env.Trace = func(name string, items []fhirpath.Item) {
		if kept += 1 + len(items); kept <= 2*maxItems { // writing them ends in an error long before that
			traces = append(traces, traced{name, items})
		}
	}
	contexts, labels, err := r.start(env)
	if err != nil {
		return nil, err
	}
	w := &writer{root: r.root}
	w.b = append(w.b, `{"resourceType":"Parameters","id":"fhirpath","parameter":[`...)
	w.asked(r)
	for i, item := range contexts {
		traces = traces[:0]
		out, err := r.expr.EvalItem(item, env)
		if err != nil {
			return nil, failed(err)
		}
		label := ""
		if labels != nil {
			label = labels[i]
		}
		if err := w.result(label, out, traces, r.inline); err != nil {
			return nil, err
		}
	}
	w.b = append(w.b, "]}"...)
	return &operation.Answer{JSON: w.b}, nil
}

func (w *writer) text(name, value string) {
	w.b = append(w.b, `{"name":`...)
	w.b = element.Quote(w.b, name)
	w.b = append(w.b, `,"valueString":`...)
	w.b = element.Quote(w.b, value)
	w.b = append(w.b, '}')
}

// asked writes the part parameters.
func (w *writer) asked(r *request) {
	w.b = append(w.b, `{"name":"parameters","part":[`...)
	w.text("evaluator", strings.TrimSpace("Amate "+r.version)+" (R4)")
	if r.context != "" {
		w.b = append(w.b, ',')
		w.text("context", r.context)
	}
	w.b = append(w.b, ',')
	w.text("expression", r.source)
	if r.root.Doc != nil && r.root.Type != nil {
		w.b = append(w.b, `,{"name":"resource","resource":`...)
		w.b = r.root.Doc.AppendCompact(w.b, r.root.Node)
		w.b = append(w.b, '}')
	}
	if r.given.Doc != nil {
		w.b = append(w.b, ',')
		w.b = r.given.Doc.AppendCompact(w.b, r.given.Node)
	}
	w.b = append(w.b, "]}"...)
}

// result writes one part result with the items, and what was traced on the way
// inside or after it.
func (w *writer) result(label string, out fhirpath.Collection, traces []traced, inline bool) error {
	w.b = append(w.b, `,{"name":"result"`...)
	if label != "" {
		w.b = append(w.b, `,"valueString":`...)
		w.b = element.Quote(w.b, label)
	}
	if len(out) > 0 || inline && len(traces) > 0 {
		w.b = append(w.b, `,"part":[`...)
		if err := w.list(out); err != nil {
			return err
		}
		for i := 0; inline && i < len(traces); i++ {
			if i+len(out) > 0 {
				w.b = append(w.b, ',')
			}
			if err := w.trace(traces[i]); err != nil {
				return err
			}
		}
		w.b = append(w.b, ']')
	}
	w.b = append(w.b, '}')
	for i := 0; !inline && i < len(traces); i++ {
		w.b = append(w.b, ',')
		if err := w.trace(traces[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) trace(t traced) error {
	w.b = append(w.b, `{"name":"trace","valueString":`...)
	w.b = element.Quote(w.b, t.name)
	if len(t.items) > 0 {
		w.b = append(w.b, `,"part":[`...)
		if err := w.list(t.items); err != nil {
			return err
		}
		w.b = append(w.b, ']')
	}
	w.b = append(w.b, '}')
	if w.items++; w.items > maxItems || len(w.b) > maxAnswer {
		return tooMuch()
	}
	return nil
}

// tooMuch says that the answer ran into its limits.
func tooMuch() error {
	return fhir.Errorf(fhir.Unprocessable, "the FHIRPath expression gives more than can be answered")
}

func (w *writer) list(items []fhirpath.Item) error {
	for i, item := range items {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.item(item)
		if w.items++; w.items > maxItems || len(w.b) > maxAnswer {
			return tooMuch()
		}
	}
	return nil
}

func (w *writer) item(i fhirpath.Item) {
	if i.IsElement() {
		w.element(i)
		return
	}
	switch v := i.System().(type) {
	case fhirpath.Boolean:
		w.value("boolean", "valueBoolean", v.String())
	case fhirpath.Integer:
		if v != fhirpath.Integer(int32(v)) {
			w.value("decimal", "valueDecimal", v.String()) // R4 has no integer of that size
			return
		}
		w.value("integer", "valueInteger", v.String())
	case fhirpath.Decimal:
		w.value("decimal", "valueDecimal", v.String())
	case fhirpath.String:
		if v == "" {
			w.b = append(w.b, `{"name":"empty-string"}`...)
			return
		}
		w.value("string", "valueString", quote(string(v)))
	case fhirpath.Temporal:
		name := map[string]string{"Date": "date", "DateTime": "dateTime", "Time": "time"}[v.System()]
		w.value(name, property(name), quote(v.String()))
	case fhirpath.Quantity:
		w.value("Quantity", "valueQuantity", quantity(v))
	case fhirpath.TypeInfo:
		w.json("TypeInfo", "", `{"namespace":`+quote(v.Namespace)+`,"name":`+quote(v.Name)+`}`)
	default:
		w.b = append(w.b, `{"name":"(null)"}`...)
	}
}

func quote(s string) string { return string(element.Quote(nil, s)) }

// property returns the name of value[x] for a type.
func property(typ string) string { return "value" + strings.ToUpper(typ[:1]) + typ[1:] }

// quantity writes a computed quantity as FHIR's; calendar durations are in no system.
func quantity(q fhirpath.Quantity) string {
	out := `{"value":` + q.Value.String() + `,"unit":` + quote(q.Unit)
	if !q.Calendar {
		out += `,"system":"http://unitsofmeasure.org","code":` + quote(q.Unit)
	}
	return out + "}"
}

// value writes a part with a value in JSON.
func (w *writer) value(name, property, json string) {
	w.b = append(w.b, `{"name":"`+name+`","`+property+`":`...)
	w.b = append(w.b, json...)
	w.b = append(w.b, '}')
}

// json writes a part whose value fits no value[x].
func (w *writer) json(name, path, json string) {
	w.b = append(w.b, `{"name":`...)
	w.b = element.Quote(w.b, name)
	w.b = append(w.b, `,"extension":[`...)
	if path != "" {
		w.b = append(w.b, `{"url":"`+resourcePath+`","valueString":`...)
		w.b = element.Quote(w.b, path)
		w.b = append(w.b, "},"...)
	}
	w.b = append(w.b, `{"url":"`+jsonValue+`","valueString":`...)
	w.b = element.Quote(w.b, json)
	w.b = append(w.b, "}]}"...)
}

// element writes an element of a document, with its path where it is of the resource.
func (w *writer) element(i fhirpath.Item) {
	name, typ := "Element", i.Type
	if typ != nil {
		name = typ.Name
	}
	at := path(w.root, i)
	switch {
	case i.Node == element.None && i.Side == element.None:
		w.b = append(w.b, `{"name":`...)
		w.b = append(element.Quote(w.b, name), '}')
		return
	case typ != nil && typ.Kind == spec.ResourceKind:
	case typ == nil || parameter.Element([]byte(property(name))) == nil:
		raw := `null`
		if i.Node != element.None {
			raw = string(i.Doc.AppendCompact(nil, i.Node))
		}
		w.json(name, at, raw)
		return
	}
	w.b = append(w.b, `{"name":"`+name+`"`...)
	if at != "" {
		w.b = append(w.b, `,"extension":[{"url":"`+resourcePath+`","valueString":`...)
		w.b = element.Quote(w.b, at)
		w.b = append(w.b, "}]"...)
	}
	member := property(name)
	if typ.Kind == spec.ResourceKind {
		member = "resource"
	}
	if i.Node != element.None {
		w.b = append(w.b, `,"`+member+`":`...)
		w.b = i.Doc.AppendCompact(w.b, i.Node)
	}
	if i.Side != element.None {
		w.b = append(w.b, `,"_`+member+`":`...)
		w.b = i.Doc.AppendCompact(w.b, i.Side)
	}
	w.b = append(w.b, '}')
}

// path returns where i stands in the resource root: "Patient.name[0].given[1]"; ""
// when it is not in it.
func path(root, i fhirpath.Item) string {
	at := i.Node
	if at == element.None {
		at = i.Side
	}
	d := root.Doc
	if d == nil || i.Doc != d || root.Type == nil || at < root.Node || at >= d.After(root.Node) {
		return ""
	}
	var b strings.Builder
	b.WriteString(root.Type.Name)
	typ := root.Type
	for n := root.Node; n != at; {
		c := d.First(n)
		index := 0
		for ; c != element.None && at >= d.After(c); c = d.Next(n, c) {
			index++
		}
		if c == element.None {
			return ""
		}
		if d.Kind(n) == element.Array {
			b.WriteString("[" + strconv.Itoa(index) + "]")
			n = c
			continue
		}
		name := strings.TrimPrefix(string(d.Name(c)), "_")
		if e := typ.Element([]byte(name)); e != nil {
			if e.Choice != "" {
				name = e.Choice
			}
			typ = e.Type
		}
		b.WriteString("." + name)
		n = c
		if t := d.Get(n, "resourceType"); t != element.None {
			typ = spec.TypeOf(d.Text(t))
		}
		if typ == nil && d.Kind(n) == element.Array {
			typ = resourceIn(d, n, at)
		}
		if typ == nil {
			return ""
		}
	}
	return b.String()
}

// resourceIn returns the type of the resource that holds at, of those in an array.
func resourceIn(d *element.Doc, list, at element.Node) *spec.Type {
	for c := d.First(list); c != element.None; c = d.Next(list, c) {
		if at < d.After(c) {
			if t := d.Get(c, "resourceType"); t != element.None {
				return spec.TypeOf(d.Text(t))
			}
			return nil
		}
	}
	return nil
}
