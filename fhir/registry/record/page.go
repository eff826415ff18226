package record

import (
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/document/page"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// About is what a page tells of a document that does not stand in it.
type About struct {
	Seals   []Seal
	Addenda []Addendum // written about it since, oldest first
	Voided  *Void      // nil while it stands

	// Withheld says that it is signed, and that what was signed is not shown to whoever
	// looks: this is what they may see of it, with no signature to verify.
	Withheld bool
}

// Seal is a signature on a document, as it was verified.
type Seal struct {
	Signer string    // full name, as the certificate has it
	Time   time.Time // when it was signed
	Serial string    // of the certificate
	Digest string    // hash of what is signed, hexadecimal
	Verdict
	Reason string // in Spanish: why it is not valid, or what could not be checked; "" for nothing
}

// Verdict is what came of verifying a signature.
type Verdict uint8

// The verdicts. A signature that is doubtful is of this content, and something about it,
// such as whether the certificate was revoked, could not be checked.
const (
	Invalid Verdict = iota
	Doubtful
	Valid
)

// String returns the verdict in Spanish.
func (v Verdict) String() string {
	return [...]string{"Firma NO válida", "Firma que no pudo comprobarse del todo", "Firma válida"}[v]
}

// Addendum is a later document that adds to this one.
type Addendum struct {
	Title, Date string // Date as FHIR writes it
	Author      string
	Ref         string // "Composition/1"
}

// Void says that a document does not count any more.
type Void struct{ Date, By, Reason string }

// Page lays a document Bundle out for people, in Spanish: a note of the clinical record,
// or any other document of FHIR. A Composition alone is shown as far as it tells.
// Errors: fhir.Unprocessable when doc is no document.
func Page(doc *element.Doc, about *About) (*page.Page, error) {
	d, ok := read(doc)
	if !ok {
		return nil, fhir.Errorf(fhir.Unprocessable, "a document is a Bundle whose first entry is a Composition")
	}
	if about == nil {
		about = &About{}
	}
	title := d.title()
	p := &page.Page{Title: title, Lang: "es-MX", Author: clean(d.firstAuthor()), Mark: d.mark(about)}
	p.Created, _ = instant(d.text(d.comp, "date"))
	p.Foot = joined(" · ", title, clean(d.patientName()))
	p.Blocks = append(p.Blocks, page.Heading{Level: 1, Text: p.Title})
	p.Blocks = append(p.Blocks, d.notices(about)...)
	p.Blocks = append(p.Blocks, d.head()...)
	p.Blocks = append(p.Blocks, d.sections(d.comp, 2)...)
	p.Blocks = append(p.Blocks, d.attested()...)
	p.Blocks = append(p.Blocks, d.signed(about)...)
	if len(about.Addenda) > 0 {
		p.Blocks = append(p.Blocks, addenda(about.Addenda)...)
	}
	return p, nil
}

// title is what the document is called; never empty.
func (d *document) title() string {
	if text := clean(d.text(d.comp, "title")); text != "" {
		return text
	}
	if k := d.kind(); k != nil {
		return k.Name
	}
	if text := clean(d.said(d.Get(d.comp, "type"))); text != "" {
		return text
	}
	return "Documento clínico"
}

// clean leaves one line of printable text.
func clean(s string) string {
	return strings.Join(strings.Fields(strings.Map(printable, s)), " ")
}

// mark is what stands across each sheet.
func (d *document) mark(about *About) string {
	switch status := d.text(d.comp, "status"); {
	case about.Voided != nil || status == "entered-in-error":
		return "CANCELADO"
	case status == "preliminary":
		return "BORRADOR"
	}
	return ""
}

// notices are what must be known before anything else is read.
func (d *document) notices(about *About) (blocks []page.Block) {
	say := func(text string) {
		blocks = append(blocks, page.Notice{Spans: []page.Span{{Text: text, Bold: true}}})
	}
	switch d.mark(about) {
	case "CANCELADO":
		text := "Documento cancelado: no tiene validez."
		if v := about.Voided; v != nil {
			text = joined(" ", text, joined(": ", "Motivo", clean(v.Reason))+".", joined(" ", d.noted(v.Date), clean(v.By)))
		}
		say(text)
	case "BORRADOR":
		say("No ha sido firmado y puede cambiar.")
	}
	for _, s := range about.Seals {
		if s.Verdict == Invalid {
			say("Una firma de este documento no es válida: véase el apartado de firmas.")
			break
		}
	}
	if len(about.Addenda) > 0 {
		say("Este documento tiene addendum: véase al final.")
	}
	return blocks
}

// add adds a labelled value, when there is one.
func add(f *page.Facts, label, value string, wide int) {
	if value = clean(value); value != "" {
		f.Items = append(f.Items, page.Fact{Label: label, Value: value, Wide: wide})
	}
}

// facts returns f as a block, nil when it is empty.
func facts(f page.Facts) []page.Block {
	if len(f.Items) == 0 {
		return nil
	}
	return []page.Block{f}
}

// head are establishment, patient and author: clauses 5.2, 5.9 and 5.10.
func (d *document) head() []page.Block {
	establishment := page.Facts{Columns: 2}
	if org := d.find(d.Get(d.comp, "custodian")); org != nil {
		add(&establishment, "Establecimiento", d.text(org.node, "name"), 1)
		add(&establishment, "CLUES", d.identifier(org.node, identity.SystemCLUES), 1)
		if parent := d.find(d.Get(org.node, "partOf")); parent != nil {
			add(&establishment, "Institución", d.text(parent.node, "name"), 2)
		}
		add(&establishment, "Domicilio", address(d, d.Get(org.node, "address")), 2)
	} else {
		add(&establishment, "Establecimiento", d.text(d.comp, "custodian", "display"), 2)
	}
	return append(facts(establishment), append(d.patientFacts(), d.noteFacts()...)...)
}

func (d *document) patientFacts() []page.Block {
	f := page.Facts{Columns: 3}
	p := d.find(d.Get(d.comp, "subject"))
	if p == nil {
		add(&f, "Paciente", d.text(d.comp, "subject", "display"), 3)
		return facts(f)
	}
	n := p.node
	add(&f, "Paciente", d.name(d.Get(n, "name")), 3)
	add(&f, "Edad", age(d.text(n, "birthDate"), d.text(d.comp, "date")), 1)
	add(&f, "Sexo", sexes[d.text(n, "gender")], 1)
	add(&f, "Fecha de nacimiento", when(d.text(n, "birthDate")), 1)
	add(&f, "CURP", d.identifier(n, identity.SystemCURP), 1)
	for i := range d.each(n, "identifier") {
		if system := d.text(i, "system"); system != identity.SystemCURP {
			add(&f, "Expediente", d.text(i, "value"), 1)
			break
		}
	}
	add(&f, "Domicilio", address(d, d.Get(n, "address")), 3)
	return facts(f)
}

func (d *document) noteFacts() []page.Block {
	f := page.Facts{Columns: 2}
	add(&f, "Fecha y hora", when(d.text(d.comp, "date")), 2)
	for a := range d.each(d.comp, "author") {
		e := d.professional(a)
		if e == nil {
			if other := d.find(a); other != nil {
				add(&f, "Elaboró", d.line(other), 2)
			} else {
				add(&f, "Elaboró", d.text(a, "display"), 2)
			}
			continue
		}
		add(&f, "Elaboró", d.name(d.Get(e.node, "name")), 1)
		add(&f, "Cédula profesional", d.cedula(e.node), 1)
	}
	if e := d.find(d.Get(d.comp, "encounter")); e != nil {
		if k := d.kind(); k != nil && k.Stay {
			add(&f, "Ingreso", when(d.text(e.node, "period", "start")), 1)
			add(&f, "Egreso", when(d.text(e.node, "period", "end")), 1)
		}
		add(&f, "Cama", d.bed(e), 1)
	}
	return facts(f)
}

// bed is the display of the location of a stay that is a bed.
func (d *document) bed(stay *entry) string {
	for l := range d.each(stay.node, "location") {
		if d.coded(d.Get(l, "physicalType"), "http://terminology.hl7.org/CodeSystem/location-physical-type", "bd") {
			return d.text(l, "location", "display")
		}
	}
	return ""
}

// attested are those who signed with the author: who consents, and witnesses.
func (d *document) attested() []page.Block {
	t := page.Table{Caption: "Firmas de los comparecientes", Head: []string{"Nombre completo", "Calidad", "Fecha y hora"}, RowHeads: true}
	for a := range d.each(d.comp, "attester") {
		e := d.find(d.Get(a, "party"))
		if e == nil || d.text(a, "mode") != "personal" {
			continue
		}
		as := "Testigo"
		switch d.typeOf(e.node) {
		case "Patient":
			as = "Paciente"
		case "RelatedPerson":
			if !d.isWitness(e.node) {
				as = joined(": ", "Familiar, tutor o representante", d.said(d.Get(e.node, "relationship")))
			}
		}
		t.Rows = append(t.Rows, []string{clean(d.line(e)), clean(as), when(d.text(a, "time"))})
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []page.Block{t}
}

// signed shows the signatures: those that were verified, else what the Bundle says of its own.
func (d *document) signed(about *About) []page.Block {
	blocks := []page.Block{page.Rule{}, page.Heading{Level: 2, Text: "Firma electrónica"}}
	for _, s := range about.Seals {
		f := page.Facts{Columns: 2}
		add(&f, "Firmó", s.Signer, 1)
		add(&f, "Fecha y hora", d.noted(s.Time.Format(time.RFC3339)), 1)
		add(&f, "Número de serie del certificado", s.Serial, 1)
		add(&f, "Huella (SHA-256)", short(s.Digest), 1)
		add(&f, "Verificación", joined(": ", s.Verdict.String(), s.Reason), 2)
		blocks = append(blocks, f)
	}
	if len(about.Seals) > 0 {
		return blocks
	}
	if about.Withheld {
		return append(blocks, page.Text("El documento está firmado. Lo firmado no se muestra a quien consulta, por lo que aquí no se comprueba la firma."))
	}
	if s := d.Get(0, "signature"); s != element.None {
		f := page.Facts{Columns: 2}
		who := d.text(s, "who", "display")
		if e := d.find(d.Get(s, "who")); e != nil {
			who = d.line(e)
		}
		add(&f, "Firmó", who, 1)
		add(&f, "Fecha y hora", d.noted(d.text(s, "when")), 1)
		add(&f, "Verificación", "Esta copia no ha sido verificada", 2)
		return append(blocks, f)
	}
	return append(blocks, page.Text("Este documento no tiene firma electrónica."))
}

// short is the beginning of a hash, in groups that can be read out.
func short(digest string) string {
	if len(digest) < 16 {
		return digest
	}
	return digest[:4] + " " + digest[4:8] + " " + digest[8:12] + " " + digest[12:16] + " …"
}

func addenda(all []Addendum) []page.Block {
	t := page.Table{Head: []string{"Addendum", "Fecha y hora", "Elaboró", "Referencia"}, RowHeads: true}
	for _, a := range all {
		t.Rows = append(t.Rows, []string{clean(a.Title), when(a.Date), clean(a.Author), a.Ref})
	}
	return []page.Block{page.Heading{Level: 2, Text: "Addendum"}, t}
}

func (d *document) firstAuthor() string {
	for a := range d.each(d.comp, "author") {
		if e := d.professional(a); e != nil {
			return d.name(d.Get(e.node, "name"))
		}
		return d.text(a, "display")
	}
	return ""
}

func (d *document) patientName() string {
	if p := d.find(d.Get(d.comp, "subject")); p != nil {
		return d.name(d.Get(p.node, "name"))
	}
	return d.text(d.comp, "subject", "display")
}
