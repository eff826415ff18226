package rights

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"html"

	"github.com/amate-health/amate/fhir/document/page"
	"github.com/amate-health/amate/fhir/spec"
)

// names of the types that people know, in the order in which they are printed. Others
// follow under their own name.
var typeNames = []struct{ typ, name string }{
	{"AllergyIntolerance", "Alergias e intolerancias"}, {"Condition", "Diagnósticos y problemas"}, {"MedicationRequest", "Recetas"},
	{"MedicationStatement", "Medicamentos"}, {"MedicationAdministration", "Medicamentos administrados"}, {"MedicationDispense", "Medicamentos entregados"},
	{"Immunization", "Vacunas"}, {"ImmunizationRecommendation", "Vacunas que corresponden"}, {"Encounter", "Consultas y hospitalizaciones"},
	{"Procedure", "Procedimientos"}, {"Observation", "Mediciones y resultados"}, {"DiagnosticReport", "Informes de estudios"}, {"ImagingStudy", "Estudios de imagen"},
	{"ServiceRequest", "Solicitudes de estudios y servicios"}, {"Specimen", "Muestras"}, {"Composition", "Notas y documentos"}, {"DocumentReference", "Documentos adjuntos"},
	{"FamilyMemberHistory", "Antecedentes familiares"}, {"RiskAssessment", "Valoraciones de riesgo"}, {"AdverseEvent", "Eventos adversos"}, {"Flag", "Alertas"},
	{"CarePlan", "Planes de atención"}, {"Goal", "Metas"}, {"CareTeam", "Equipos de atención"}, {"EpisodeOfCare", "Episodios de atención"}, {"Appointment", "Citas"},
	{"QuestionnaireResponse", "Cuestionarios"}, {"Communication", "Comunicaciones"}, {"CommunicationRequest", "Recordatorios"}, {"Coverage", "Derechohabiencia y seguros"},
	{"Consent", "Consentimientos"}, {"Task", "Solicitudes y tareas"}, {"List", "Listas"}, {"RelatedPerson", "Familiares y representantes"}, {"Provenance", "Procedencia de los datos"},
	{"Practitioner", "Profesionales"}, {"PractitionerRole", "Cargos de profesionales"}, {"Organization", "Establecimientos"},
	{"Location", "Lugares"}, {"Medication", "Medicamentos citados"}, {"Device", "Dispositivos"},
}

// files are the types of which there is nothing to print: where they are is said instead.
var files = []struct{ typ, name, where string }{
	{"Bundle", "Documentos fijos", "Son los documentos tal como se firmaron o recibieron: están en ndjson/Bundle.ndjson."},
	{"Binary", "Archivos", "Están en la carpeta adjuntos."},
}

// maxRows is how many lines of a type are printed. All are in the data beside.
const maxRows = 3000

// words are the elements of a resource from which a line for people is made. Whatever is
// written in another way than expected is left out of the line, and is in the data.
type words struct {
	Name              json.RawMessage
	Activity          json.RawMessage
	Told              any `json:"recorded"`
	Status            any
	Code, Type, Class json.RawMessage
	VaccineCode       json.RawMessage `json:"vaccineCode"`
	Medication        json.RawMessage `json:"medicationCodeableConcept"`
	Relationship      json.RawMessage
	Title             any
	Description       any
	Value             json.RawMessage `json:"valueQuantity"`
	ValueString       any             `json:"valueString"`
	ValueConcept      json.RawMessage `json:"valueCodeableConcept"`
	Conclusion        any
	Component         []struct {
		Code  json.RawMessage
		Value json.RawMessage `json:"valueQuantity"`
	}
	Section []struct {
		Title any
		Text  struct{ Div string }
	}
	Effective  any             `json:"effectiveDateTime"`
	Performed  any             `json:"performedDateTime"`
	Occurrence any             `json:"occurrenceDateTime"`
	Authored   any             `json:"authoredOn"`
	Recorded   any             `json:"recordedDate"`
	Onset      any             `json:"onsetDateTime"`
	Date       any             `json:"date"`
	DateTime   any             `json:"dateTime"`
	Period     json.RawMessage `json:"period"`
	Span       json.RawMessage `json:"performedPeriod"`
	EffPeriod  json.RawMessage `json:"effectivePeriod"`
}

// page is the record to be read by people.
func (p *parcel) page() *page.Page {
	doc := &page.Page{
		Title: "Copia del expediente clínico", Lang: "es-MX", Created: p.now,
		Foot: "Copia del " + p.now.Format("02/01/2006") + ". Contiene datos personales sensibles.",
	}
	doc.Blocks = append(doc.Blocks, page.Heading{Level: 1, Text: doc.Title}, p.identity())
	rows := map[string][][]string{}
	var texts []page.Block
	for i := range p.all {
		r := &p.all[i]
		var w words
		if r.Ref.Type == "Patient" || json.Unmarshal(r.JSON, &w) != nil {
			continue
		}
		row, what := w.line()
		if r.Ref.Type == "Composition" {
			texts = append(texts, w.document(what, written(row[0], p.now.Location()))...)
		}
		rows[r.Ref.Type] = append(rows[r.Ref.Type], row)
	}
	printed := map[string]bool{}
	for _, t := range typeNames {
		printed[t.typ] = true
		doc.Blocks = append(doc.Blocks, p.table(t.name, rows[t.typ])...)
	}
	for _, t := range files {
		printed[t.typ] = true
		if n := len(rows[t.typ]); n > 0 {
			doc.Blocks = append(doc.Blocks, page.Heading{Level: 2, Text: fmt.Sprintf("%s (%d)", t.name, n)}, page.Text(t.where))
		}
	}
	for _, typ := range spec.Resources() {
		if !printed[typ] {
			doc.Blocks = append(doc.Blocks, p.table(typ, rows[typ])...)
		}
	}
	doc.Blocks = append(doc.Blocks, texts...)
	doc.Blocks = append(doc.Blocks, p.looks()...)
	return doc
}

// table prints the lines of a type, the newest first.
func (p *parcel) table(name string, rows [][]string) []page.Block {
	if len(rows) == 0 {
		return nil
	}
	slices.SortStableFunc(rows, func(a, b []string) int { return strings.Compare(b[0], a[0]) })
	blocks := []page.Block{page.Heading{Level: 2, Text: fmt.Sprintf("%s (%d)", name, len(rows))}}
	if len(rows) > maxRows {
		blocks = append(blocks, page.Text(fmt.Sprintf("Se imprimen las %d más recientes; todas están en los archivos de datos.", maxRows)))
		rows = rows[:maxRows]
	}
	for _, row := range rows {
		row[0] = written(row[0], p.now.Location())
	}
	return append(blocks, page.Table{Head: []string{"Fecha", "Qué", "Resultado o estado"}, Rows: rows, Widths: []float64{2, 5, 5}})
}

// systemCURP is the system of CURPs as identifiers, an OID of GIIS-A003.
const systemCURP = "urn:oid:2.16.840.1.113883.4.629"

// identity says whose record it is.
func (p *parcel) identity() page.Block {
	var patient struct {
		Name []struct {
			Text, Family string
			Given        []string
		}
		BirthDate, Gender string
		Identifier        []identifier
	}
	_ = json.Unmarshal(p.patient.JSON, &patient) // what cannot be read is left out here
	facts := page.Facts{Columns: 2}
	add := func(label, value string) {
		if value != "" {
			facts.Items = append(facts.Items, page.Fact{Label: label, Value: value})
		}
	}
	if len(patient.Name) > 0 {
		n := patient.Name[0]
		if n.Text == "" {
			n.Text = strings.TrimSpace(strings.Join(n.Given, " ") + " " + n.Family)
		}
		add("Nombre", n.Text)
	}
	add("Fecha de nacimiento", written(patient.BirthDate, p.now.Location()))
	add("Sexo", map[string]string{"male": "Hombre", "female": "Mujer", "other": "Otro", "unknown": "Se desconoce"}[patient.Gender])
	for _, id := range patient.Identifier {
		label := "Identificador"
		if id.System == systemCURP || strings.Contains(strings.ToLower(id.System), "curp") {
			label = "CURP"
		}
		add(label, id.Value)
	}
	add("Expediente", p.call.ID)
	return facts
}

// line returns the cells of a resource, the first with its time as it stands there, and
// what it is.
func (w *words) line() (row []string, what string) {
	date := firstOf(text(w.Effective), text(w.Performed), text(w.Occurrence), text(w.Authored), text(w.Date), text(w.DateTime),
		start(w.Period), start(w.Span), start(w.EffPeriod), text(w.Onset), text(w.Recorded), text(w.Told))
	what = firstOf(text(w.Title), say(w.Code), say(w.VaccineCode), say(w.Medication), say(w.Type), say(w.Relationship), class(w.Class), person(w.Name), say(w.Activity), text(w.Description))
	result := firstOf(quantity(w.Value), text(w.ValueString), say(w.ValueConcept), text(w.Conclusion))
	for _, c := range w.Component {
		if q := quantity(c.Value); q != "" {
			result = strings.TrimPrefix(result+"; "+say(c.Code)+" "+q, "; ")
		}
	}
	return []string{date, firstOf(what, "-"), firstOf(result, said(statuses, text(w.Status)), "-")}, what
}

var tags = regexp.MustCompile(`<[^>]*>`)

// document is the text of a note.
func (w *words) document(what, date string) []page.Block {
	blocks := []page.Block{page.Heading{Level: 2, Text: firstOf(what, "Documento") + " " + date}}
	for _, s := range w.Section {
		words := plain(s.Text.Div)
		if words == "" {
			continue
		}
		blocks = append(blocks, page.Heading{Level: 3, Text: firstOf(text(s.Title), "Sección")}, page.Text(words))
	}
	if len(blocks) == 1 {
		return nil
	}
	return blocks
}

// looks is who looked at the record: what the audit trail says of each access, in words.
func (p *parcel) looks() []page.Block {
	if p.hidden || len(p.events) == 0 {
		return nil
	}
	var rows [][]string
	for _, raw := range p.events {
		var e struct {
			Recorded string
			Text     struct{ Div string }
		}
		if json.Unmarshal(raw, &e) != nil || len(rows) == maxRows {
			continue
		}
		words := plain(e.Text.Div)
		if _, what, ok := strings.Cut(words, " UTC: "); ok {
			words = what
		}
		rows = append(rows, []string{written(e.Recorded, p.now.Location()), firstOf(words, "-")})
	}
	return []page.Block{
		page.Heading{Level: 2, Text: "Quién consultó o cambió el expediente"},
		page.Table{Head: []string{"Fecha", "Quién y qué hizo"}, Rows: rows, Widths: []float64{2, 10}},
	}
}

// plain is the text of a narrative.
func plain(div string) string {
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(div, " "))), " ")
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func firstOf(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// say returns what a concept says, or the first of several.
func say(raw json.RawMessage) string {
	var many []json.RawMessage
	if json.Unmarshal(raw, &many) == nil && len(many) > 0 {
		raw = many[0]
	}
	var c struct {
		Text, Display, Code string
		Coding              []coding
	}
	if json.Unmarshal(raw, &c) != nil {
		return ""
	}
	for _, one := range c.Coding {
		c.Display, c.Code = firstOf(c.Display, one.Display), firstOf(c.Code, one.Code)
	}
	return firstOf(c.Text, called(c.Coding), c.Display, c.Code)
}

// person returns a name: that of a person, or a plain one.
func person(raw json.RawMessage) string {
	var name string
	if json.Unmarshal(raw, &name) == nil {
		return name
	}
	var names []struct {
		Text, Family  string
		Prefix, Given []string
	}
	if json.Unmarshal(raw, &names) != nil || len(names) == 0 {
		return ""
	}
	n := names[0]
	return firstOf(n.Text, strings.TrimSpace(strings.Join(append(n.Prefix, n.Given...), " ")+" "+n.Family))
}

func quantity(raw json.RawMessage) string {
	var q struct {
		Value      json.Number
		Unit, Code string
	}
	if json.Unmarshal(raw, &q) != nil || q.Value == "" {
		return ""
	}
	value := string(q.Value)
	if f, err := strconv.ParseFloat(value, 64); err == nil && len(value) > 8 {
		value = strconv.FormatFloat(f, 'f', 2, 64) // what a device gives with a dozen digits
	}
	return strings.TrimSpace(value + " " + said(units, firstOf(q.Unit, q.Code)))
}

func start(raw json.RawMessage) string {
	var p period
	_ = json.Unmarshal(raw, &p) // without one there is no start
	return p.Start
}
