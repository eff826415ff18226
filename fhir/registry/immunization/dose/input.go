package dose

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// claim is what the parameters of a call say of a dose. What was not said is zero.
type claim struct {
	coded   []coded // the product, in the order given
	product string  // the product by a code of the establishment's own, or its GTIN

	lot, expiry, when string // expiry a date; when a dateTime of FHIR
	maker             object // Reference to the manufacturer
	mvx               string // its MVX code

	site, route object // CodeableConcept
	quantity    object // Quantity

	performer fhir.Ref
	cedula    string
	clues     string

	origin   string // of immunization-origin; "" for given here
	reported bool
	sources  []fhir.Ref // documents that it was read from
	said     string     // the source in words

	campaign, program object // CodeableConcept
	encounter         fhir.Ref
	note, series      string
	number            string // of the dose, as the source counts
	notDone           string // code of v3-ActReason
	subpotent         string // code of immunization-subpotent-reason

	told bool // of a message: the dose was given before anybody could be asked

	overrides []override
	passed    []override // of the dose as it was stored: nobody is asked again
	reason    string
	preview   bool
}

// coded is a code of a system.
type coded struct{ system, code, display string }

// override is what a vaccinator knows of and does all the same.
type override struct {
	codes  []string
	reason object // CodeableConcept
}

// overridden returns the reason for which a warning is passed over.
func (c *claim) overridden(rule string) (object, bool) {
	if c.told {
		return object{"text": toldReason}, true
	}
	for _, o := range slices.Concat(c.overrides, c.passed) {
		if slices.Contains(o.codes, rule) {
			return o.reason, true
		}
	}
	return nil, false
}

// doseParameters are what $record-dose and $amend-dose both take.
var doseParameters = []string{
	"vaccine", "product", "lot", "expiry", "manufacturer", "when", "site", "route", "quantity", "performer", "clues", "campaign", "program", "encounter",
	"number", "series", "note", "subpotent", "override", "preview",
}

// of names a parameter as FHIRPath does.
func of(name string) string { return "Parameters.parameter.where(name='" + name + "')" }

// known refuses parameters that an operation does not take.
func known(call *operation.Call, names ...string) error {
	for _, name := range call.In.Names() {
		if !slices.Contains(names, name) && !call.Lenient {
			return fhir.Errorf(fhir.Invalid, "the operation does not take this parameter").
				With("it takes %s, not %.100q%s", strings.Join(names, ", "), name, search.Nearest(name, names))
		}
	}
	return nil
}

// claimed reads what is said of a dose.
func claimed(call *operation.Call) (*claim, error) {
	r := reader{call: call}
	c := &claim{
		product: r.text("product", 80), lot: r.text("lot", 40), expiry: r.text("expiry", 10), when: r.text("when", 40),
		site: r.concept("site", systemSite), route: r.concept("route", systemRoute), quantity: r.quantity("quantity"),
		clues: strings.ToUpper(r.text("clues", 11)), origin: r.text("origin", 40), said: r.text("sourceText", 200),
		campaign: r.concept("campaign", base+"NamingSystem/vaccination-campaign"), program: r.concept("program", base+"NamingSystem/vaccination-program"),
		encounter: r.reference("encounter", "Encounter"), note: r.text("note", 4000), series: r.text("series", 200), number: r.text("number", 3),
		notDone: r.text("notDone", 20), subpotent: r.text("subpotent", 40), reason: r.text("reason", 1000), preview: r.text("preview", 5) == "true",
	}
	for _, v := range call.In.All("vaccine") {
		c.coded = append(c.coded, r.codes(v, "vaccine", systemCVX)...)
	}
	for _, v := range call.In.All("source") {
		c.sources = append(c.sources, r.referred(v, "source", "DocumentReference"))
	}
	r.maker(c)
	r.performer(c)
	r.overrides(c)
	c.reported = c.origin != "" && c.origin != "given"
	if c.origin == "given" {
		c.origin = ""
	}
	return c, r.err
}

// reader reads parameters; the first that is wrong stays in err.
type reader struct {
	call *operation.Call
	err  error
}

func (r *reader) fail(name, format string, args ...any) {
	if r.err == nil {
		r.err = fhir.Errorf(fhir.Invalid, "the parameter "+name+" "+format, args...).At(of(name))
	}
}

// one returns a parameter that may be given once.
func (r *reader) one(name string) (operation.Value, bool) {
	v, given, err := r.call.In.One(name)
	if err != nil && r.err == nil {
		r.err = err
	}
	return v, given && err == nil
}

// text reads a parameter of so many bytes at most.
func (r *reader) text(name string, most int) string {
	v, given := r.one(name)
	if !given {
		return ""
	}
	t := strings.TrimSpace(v.Text)
	switch {
	case t == "":
		r.fail(name, "is a text of at least one letter")
	case len(t) > most:
		r.fail(name, "has %d bytes at most", most)
	}
	return t
}

// reference reads a parameter that refers to a resource of this server.
func (r *reader) reference(name, typ string) fhir.Ref {
	v, given := r.one(name)
	if !given {
		return fhir.Ref{}
	}
	return r.referred(v, name, typ)
}

func (r *reader) referred(v operation.Value, name, typ string) fhir.Ref {
	t := v.Text
	if n, property := v.Typed(); property == "valueReference" {
		t = text(v.Doc, n, "reference")
	}
	ref, ok := fhir.ParseRef(strings.TrimPrefix(t, r.call.Base+"/"))
	if !ok || ref.Type != typ {
		r.fail(name, "refers to a %s of this server, as %s/1", typ, typ)
	}
	return ref.Current()
}

// codes reads the codes of a parameter: a code of the system that is meant where none is
// named, a Coding or a CodeableConcept.
func (r *reader) codes(v operation.Value, name, system string) []coded {
	n, property := v.Typed()
	switch {
	case property == "valueCoding":
		return r.full(name, coded{text(v.Doc, n, "system"), text(v.Doc, n, "code"), text(v.Doc, n, "display")})
	case property == "valueCodeableConcept":
		var all []coded
		for c := range items(v.Doc, n, "coding") {
			all = append(all, r.full(name, coded{text(v.Doc, c, "system"), text(v.Doc, c, "code"), text(v.Doc, c, "display")})...)
		}
		if all == nil {
			r.fail(name, "has a coding")
		}
		return all
	case v.Text != "":
		if s, code, ok := strings.Cut(v.Text, "|"); ok {
			return r.full(name, coded{system: s, code: code})
		}
		return []coded{{system: system, code: v.Text}}
	}
	r.fail(name, "is a code, a Coding or a CodeableConcept")
	return nil
}

func (r *reader) full(name string, c coded) []coded {
	if c.system == "" || c.code == "" {
		r.fail(name, "has a system and a code")
	}
	return []coded{c}
}

// concept reads a parameter as a CodeableConcept.
func (r *reader) concept(name, system string) object {
	v, given := r.one(name)
	if !given {
		return nil
	}
	n, property := v.Typed()
	if property == "valueCodeableConcept" {
		return members(v.Doc, n)
	}
	var all []object
	for _, c := range r.codes(v, name, system) {
		all = append(all, coding(c.system, c.code, c.display))
	}
	return object{"coding": all}
}

// decimal is how amounts are written.
var decimal = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]{1,4})?$`)

// quantity reads how much was given: a Quantity, or millilitres.
func (r *reader) quantity(name string) object {
	v, given := r.one(name)
	if !given {
		return nil
	}
	if n, property := v.Typed(); property == "valueQuantity" || property == "valueSimpleQuantity" {
		return members(v.Doc, n)
	}
	if !decimal.MatchString(v.Text) {
		r.fail(name, "is a Quantity, or a number of millilitres such as 0.5")
		return nil
	}
	return object{"value": json.Number(v.Text), "unit": "mL", "system": systemUCUM, "code": "mL"}
}

// maker reads the manufacturer: a name, an MVX code or an Organization.
func (r *reader) maker(c *claim) {
	v, given := r.one("manufacturer")
	if !given {
		return
	}
	n, property := v.Typed()
	switch {
	case property == "valueReference":
		c.maker = refer(r.referred(v, "manufacturer", "Organization"))
	case property == "valueCoding" && text(v.Doc, n, "system") == systemMVX:
		c.mvx = text(v.Doc, n, "code")
		c.maker = object{"identifier": object{"system": systemMVX, "value": c.mvx}}
		if name := text(v.Doc, n, "display"); name != "" {
			c.maker["display"] = name
		}
	case v.Text != "" && len(v.Text) <= 200:
		c.maker = object{"display": v.Text}
	default:
		r.fail("manufacturer", "is a name, a Coding of %s or a reference to an Organization", systemMVX)
	}
}

// performer reads who gave the dose: a reference, or a cédula.
func (r *reader) performer(c *claim) {
	v, given := r.one("performer")
	if !given {
		return
	}
	if n, property := v.Typed(); property == "valueIdentifier" {
		c.cedula = text(v.Doc, n, "value")
	} else if digits.MatchString(v.Text) {
		c.cedula = v.Text
	} else {
		c.performer = r.referred(v, "performer", "Practitioner")
	}
}

var digits = regexp.MustCompile(`^[0-9]{5,8}$`)

// overrides reads which warnings are passed over, and why.
func (r *reader) overrides(c *claim) {
	for _, v := range r.call.In.All("override") {
		var o override
		for _, w := range v.Parts("warning") {
			o.codes = append(o.codes, w.Text)
		}
		for _, p := range v.Parts("reason") {
			o.reason = reasonOf(p)
		}
		if len(o.codes) == 0 || o.reason == nil {
			r.fail("override", "has parts: warning, the code of one that was answered, and reason, why the dose is given all the same")
		}
		c.overrides = append(c.overrides, o)
	}
}

// reasonOf reads a reason: words, a Coding or a CodeableConcept. nil for none.
func reasonOf(v operation.Value) object {
	n, property := v.Typed()
	switch {
	case n == element.None:
		return nil
	case property == "valueCodeableConcept" && v.Doc.Size(n) > 2:
		return members(v.Doc, n)
	case property == "valueCoding" && text(v.Doc, n, "code") != "":
		return object{"coding": []object{members(v.Doc, n)}}
	case strings.TrimSpace(v.Text) != "" && len(v.Text) <= 1000:
		return object{"text": strings.TrimSpace(v.Text)}
	}
	return nil
}
