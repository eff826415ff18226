package exchange

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/message"
	"github.com/amate-health/amate/fhir/message/hl7"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// Profiles of answers.
const (
	profileSeveral  = "Z31^CDCPHINVS"
	profileHistory  = "Z32^CDCPHINVS"
	profileNobody   = "Z33^CDCPHINVS"
	profileForecast = "Z42^CDCPHINVS"
)

// How many patients an answer lists: as many as RCP-2 asks for, up to most.
const (
	usualPatients = 10
	mostPatients  = 20
)

// query is what a QBP^Q11 asks.
type query struct {
	Config
	*message.Mapper
	api      message.API
	qpd      *hl7.Segment
	ids      []message.Identifier
	record   string // id of the Patient, by which an answer of this system names them
	born     string
	limit    int
	forecast bool
}

// answer answers a query for the history of a patient (Z34), or for what it means and what
// is due (Z44).
func (c Config) answer(ctx context.Context, m *message.Mapper, api message.API) (*message.Reply, error) {
	q := &query{Config: c, Mapper: m, api: api, qpd: m.Message().First("QPD"), limit: usualPatients}
	if !q.read() {
		return nil, nil // what is wrong is noted
	}
	found, err := q.patients(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case len(found) == 0:
		return &message.Reply{Status: "NF", Profile: profileNobody}, nil
	case len(found) > q.limit:
		return &message.Reply{Status: "TM", Profile: profileNobody, Hits: len(found)}, nil
	case len(found) > 1:
		r := &message.Reply{Status: "OK", Profile: profileSeveral, Hits: len(found)}
		var w hl7.Writer
		for i, p := range found {
			q.pid(&w, i+1, p)
		}
		r.Body = w.Bytes()
		return r, nil
	}
	return q.history(ctx, found[0])
}

// read reads the parameters, and reports whether they can be answered.
func (q *query) read() bool {
	if q.qpd == nil {
		q.Fail(&hl7.Error{Code: hl7.SegmentSequence, Segment: "QPD", Sequence: 1, Text: "the segment QPD is missing"})
		return false
	}
	ok := true
	fail := func(e *hl7.Error) {
		q.Fail(e)
		ok = false
	}
	switch q.qpd.Field(1).Text(1) {
	case "Z34":
	case "Z44":
		q.forecast = true
	default:
		fail(q.qpd.At(hl7.TableValue, 1, "this query is not answered here: want Z34, a history, or Z44, a history with a forecast"))
	}
	if q.qpd.Field(2).Text(1) == "" {
		fail(missing(q.qpd, 2, "the tag of the query is missing"))
	}
	rcp := q.Message().First("RCP")
	if p := rcp.Field(1).Text(1); p != "" && p != "I" {
		fail(rcp.At(hl7.TableValue, 1, "a query is answered at once: the priority is I"))
	}
	if n := rcp.Field(2).Text(1); n != "" {
		limit, err := strconv.Atoi(n)
		if err != nil || limit < 1 {
			fail(rcp.At(hl7.DataType, 2, "how many patients are wanted is a number above 0"))
		}
		q.limit = min(limit, mostPatients)
	}
	q.born, _, _ = strings.Cut(q.Time(q.qpd, 6), "T")
	for _, f := range q.qpd.Field(3).Repetitions() {
		if space := f.Component(4).Sub(1).Whole(); space == q.Name && f.Text(5) == "SR" {
			q.record = f.Text(1)
		}
	}
	for _, id := range q.PatientIDs(q.qpd, 3) {
		if q.record == "" || id.Value != q.record {
			q.ids = append(q.ids, id)
		}
	}
	if len(q.ids) == 0 && q.record == "" && (q.qpd.Field(4).Empty() || q.born == "") {
		fail(missing(q.qpd, 3, "it takes an identifier of the patient, or the name and the birth date"))
	}
	return ok
}

// patient is a Patient as the sender sees them.
type patient struct {
	id  string
	doc *element.Doc
}

// patients finds whom a query asks for: by an identifier, and where nobody has it, by what
// is told of them, if that leaves no doubt.
func (q *query) patients(ctx context.Context) ([]patient, error) {
	var all []fhir.Resource
	var err error
	if q.record != "" && fhir.ValidID(q.record) {
		all, err = look(ctx, q.api, "Patient", "_id", q.record, 2)
	} else if len(q.ids) > 0 {
		var tokens []string
		for _, id := range q.ids {
			tokens = append(tokens, escape.Replace(id.System)+"|"+escape.Replace(id.Value))
		}
		all, err = look(ctx, q.api, "Patient", "identifier", strings.Join(tokens, ","), 5*mostPatients)
	}
	if err != nil {
		return nil, err
	}
	var found []patient
	for i := range all {
		if found, err = q.add(ctx, found, all[i].JSON); err != nil {
			return nil, err
		}
	}
	if len(found) > 0 || q.qpd.Field(4).Empty() || q.born == "" {
		return found, nil
	}
	return q.alike(ctx)
}

var escape = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `$`, `\$`, `|`, `\|`)

// mostLinks is how many merges are followed one after another.
const mostLinks = 8

// add adds a Patient, or the one that they were merged into. Whoever was born on another
// day than the query says is not the one who is meant: a number was mistaken.
func (q *query) add(ctx context.Context, found []patient, json []byte) ([]patient, error) {
	for range mostLinks {
		d, err := element.Parse(json)
		if err != nil {
			return nil, err
		}
		next := ""
		for link := range d.Items(0, "link") {
			if d.TextAt(link, "type") == "replaced-by" {
				next = strings.TrimPrefix(d.TextAt(link, "other", "reference"), "Patient/")
			}
		}
		if next == "" {
			p := patient{d.TextAt(0, "id"), d}
			known := slices.ContainsFunc(found, func(o patient) bool { return o.id == p.id })
			if born := d.TextAt(0, "birthDate"); known || q.born != "" && born != "" && !sameDay(q.born, born) {
				return found, nil
			}
			return append(found, p), nil
		}
		all, err := look(ctx, q.api, "Patient", "_id", next, 2)
		if err != nil || len(all) == 0 {
			return found, err
		}
		json = all[0].JSON
	}
	return found, nil
}

// sameDay reports whether two dates, of which either may be partial, can be one.
func sameDay(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

// alike finds those whom $match is certain of.
func (q *query) alike(ctx context.Context) ([]patient, error) {
	asked := q.Person(q.qpd, message.PersonFields{Name: 4, Mother: 5, Birth: 6, Sex: 7, Address: 8, Phone: 9}, q.ids)
	body := compose.Parameters(compose.Object{"name": "resource", "resource": rawJSON(asked)}, compose.Part("count", "Integer", mostPatients+1))
	d, bundle, err := call(ctx, q.api, "POST", "Patient/$match", body)
	if fhir.CodeOf(err) == fhir.Unprocessable { // there is too little to go by
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []patient
	for e := range d.Items(bundle, "entry") {
		certain := false
		for x := range d.Items(d.Get(e, "search"), "extension") {
			certain = certain || d.TextAt(x, "valueCode") == "certain"
		}
		if r, ok := resourceAt(d, d.Get(e, "resource")); ok && certain {
			if found, err = q.add(ctx, found, r.JSON); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// pid writes who a patient is: what tells one from another, and nothing else that they
// have not been asked by. Their address, telephone, family and other numbers stay here.
func (q *query) pid(w *hl7.Writer, n int, p patient) {
	e := &hl7.Usual
	ids := []string{e.Escaped(p.id) + "^^^" + e.Escaped(q.Name) + "^SR"}
	for i, f := range q.qpd.Field(3).Repetitions() {
		if i == mostPatients || !q.has(p, f.Text(1)) || f.Text(1) == p.id {
			continue
		}
		ids = append(ids, e.Escaped(f.Text(1))+"^^^"+e.Escaped(f.Text(4))+"^"+e.Escaped(f.Text(5)))
	}
	name := ""
	for h := range p.doc.Items(0, "name") {
		var given []string
		for g := range p.doc.Items(h, "given") {
			given = append(given, e.Escaped(p.doc.Text(g)))
		}
		name = strings.TrimRight(e.Escaped(p.doc.TextAt(h, "family"))+"^"+strings.Join(given, "^"), "^")
		break
	}
	if name != "" {
		parts := strings.Split(name, "^")
		for len(parts) < 6 {
			parts = append(parts, "")
		}
		name = strings.Join(append(parts[:6], "L"), "^")
	}
	sex := map[string]string{"male": "M", "female": "F", "other": "O", "unknown": "U"}[p.doc.TextAt(0, "gender")]
	w.Segment("PID", strconv.Itoa(n), "", strings.Join(ids, "~"), "", name, "", stamp(p.doc.TextAt(0, "birthDate")), sex)
}

// has reports whether a Patient has an identifier that the query names by its value.
func (q *query) has(p patient, value string) bool {
	for id := range p.doc.Items(0, "identifier") {
		v, system := p.doc.TextAt(id, "value"), p.doc.TextAt(id, "system")
		if value != "" && (v == value || system == identity.SystemCURP && strings.EqualFold(v, value)) &&
			slices.ContainsFunc(q.ids, func(one message.Identifier) bool { return one.System == system && strings.EqualFold(one.Value, v) }) {
			return true
		}
	}
	return false
}

// stamp writes a date or dateTime of FHIR as HL7 does.
func stamp(s string) string {
	date, clock, timed := strings.Cut(s, "T")
	out := strings.ReplaceAll(date, "-", "")
	if !timed || len(clock) < 8 {
		return out
	}
	out += strings.ReplaceAll(clock[:8], ":", "")
	zone := strings.TrimLeft(clock[8:], ".0123456789")
	if zone == "Z" {
		return out + "+0000"
	}
	return out + strings.ReplaceAll(zone, ":", "")
}
