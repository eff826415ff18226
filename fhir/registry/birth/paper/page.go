package paper

import (
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/document/page"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// Options say what stands on a paper beside what is certified.
type Options struct {
	Verify  string         // URL of the public page of this certificate; "" leaves the QR code out
	Claim   string         // what the QR code says by itself: Key.Sign; "" for nothing
	Printed time.Time      // zero leaves it out
	Zone    *time.Location // of the times that are shown; nil is that of central Mexico
}

// central is the time of most of Mexico, which has no summer time since 2022.
var central = time.FixedZone("UTC-6", -6*60*60)

// Page returns the paper of a certificate.
func Page(c *birth.Certificate, o Options) (*page.Page, error) {
	if o.Zone == nil {
		o.Zone = central
	}
	s := &sheet{c: c, o: o}
	p := &page.Page{
		Title: "Certificado de nacimiento", Lang: "es-MX", Author: c.Certifier.Name.String(), Created: s.created(), Single: true,
		Mark: marks[c.State], Foot: s.foot(),
	}
	s.put(page.Heading{Level: 1, Text: "Certificado de nacimiento"})
	s.standing()
	s.issued()
	s.newborn()
	s.people()
	s.delivery()
	s.registration()
	s.signature()
	s.code()
	p.Blocks = s.blocks
	return p, nil
}

// marks run across papers that do not count.
var marks = map[birth.State]string{birth.Draft: "BORRADOR", birth.Void: "CANCELADO", birth.Replaced: "REEMPLAZADO"}

// sheet is a paper being written.
type sheet struct {
	c      *birth.Certificate
	o      Options
	blocks []page.Block
}

func (s *sheet) put(b page.Block) { s.blocks = append(s.blocks, b) }

// created is the date of the file: what it says depends on nothing later.
func (s *sheet) created() time.Time {
	if !s.o.Printed.IsZero() {
		return s.o.Printed
	}
	if !s.c.Certified.IsZero() {
		return s.c.Certified
	}
	return s.c.Drafted
}

func (s *sheet) foot() string {
	text := "Folio " + s.c.Folio + " · CLUES " + s.c.Certifier.Facility
	if !s.o.Printed.IsZero() {
		text += " · Impreso el " + s.moment(s.o.Printed)
	}
	return text
}

func (s *sheet) moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(s.o.Zone).Format("02/01/2006, 15:04") + " h"
}

// standing says what the paper is good for, and what is to be known first of one that does
// not count.
func (s *sheet) standing() {
	c := s.c
	notice := ""
	switch c.State {
	case birth.Draft:
		notice = "Este borrador no ha sido firmado. No tiene validez y no debe entregarse."
	case birth.Void:
		notice = "Este certificado fue cancelado el " + s.moment(c.Voided) + " y no tiene validez."
	case birth.Replaced:
		notice = "Este certificado no tiene validez: fue reemplazado el " + s.moment(c.Voided) + " por el folio " + c.ReplacedBy + "."
	default:
		s.put(page.Text("Lo expide el establecimiento que atendió el nacimiento. Es gratuito. Preséntelo en el Registro Civil para obtener el acta de nacimiento, a la que no sustituye."))
		return
	}
	if c.Reason != "" {
		notice += " Motivo: " + c.Reason
	}
	s.put(page.Notice{Spans: []page.Span{{Text: notice}}})
}

// facts are those values that there are.
type facts struct{ page.Facts }

func (f *facts) add(label, value string, wide int) {
	if value = strings.TrimSpace(value); value != "" {
		f.Items = append(f.Items, page.Fact{Label: label, Value: value, Wide: wide})
	}
}

// part puts facts below a heading, unless there are none.
func (s *sheet) part(title string, f *facts) {
	if len(f.Items) == 0 {
		return
	}
	if title != "" {
		s.put(page.Heading{Level: 2, Text: title})
	}
	s.put(f.Facts)
}

// columns is how many columns the facts of a paper have.
const columns = 4

func newFacts() *facts { return &facts{page.Facts{Columns: columns}} }

func (s *sheet) issued() {
	c, f := s.c, newFacts()
	f.add("Folio", c.Folio, 1)
	f.add("Estado", c.State.Spanish(), 1)
	f.add("Fecha y hora de expedición", s.moment(c.Certified), 2)
	place := c.Certifier.Place
	if place == "" {
		place = "Sin nombre en el directorio"
	}
	f.add("Establecimiento", place, 2)
	f.add("CLUES", c.Certifier.Facility, 1)
	f.add("Localidad", c.Certifier.Locality, 1)
	f.add("Reemplaza al folio", c.Replaces, 1)
	s.part("", f)
}

func (s *sheet) newborn() {
	c, r, f := s.c, &s.c.Row, newFacts()
	name := c.Newborn.Name.String()
	if name == "" {
		name = "Sin nombre asignado"
	}
	f.add("Nombre", name, 2)
	f.add("Sexo", said(r, sinac.Sex), 1)
	curp := c.CURP
	if curp == "" {
		curp = "Por asignar"
	}
	f.add("CURP", curp, 1)
	f.add("Fecha de nacimiento", day(r, sinac.Born), 1)
	f.add("Hora de nacimiento", hour(r), 1)
	f.add("Peso", number(r, sinac.Weight, "g"), 1)
	f.add("Talla", number(r, sinac.Length, "cm"), 1)
	f.add("Edad gestacional", number(r, sinac.Weeks, "semanas"), 1)
	f.add("Apgar a los 5 minutos", number(r, sinac.Apgar, ""), 1)
	f.add("Silverman", number(r, sinac.Silverman, ""), 1)
	f.add("Producto del embarazo", plurality(r), 1)
	f.add("Se le aplicó al nacer", given(r), 2)
	f.add("Tamiz auditivo", said(r, sinac.HearingScreen), 2)
	f.add("Anomalías congénitas (CIE-10)", anomalies(r), 2)
	s.part("Persona recién nacida", f)
}

func (s *sheet) people() {
	c, r, f := s.c, &s.c.Row, newFacts()
	f.add("Nombre", c.Mother.Name.String(), 2)
	f.add("CURP", c.Mother.CURP, 1)
	f.add("Edad", number(r, sinac.MotherAge, "años"), 1)
	f.add("Fecha de nacimiento", dayOf(c.Mother.Born), 1)
	f.add("Estado conyugal", said(r, sinac.Marital), 1)
	f.add("Residencia", where(r, sinac.HomeState, sinac.HomeTown, sinac.HomeLocality), 2)
	s.part("Madre", f)
	if c.Father == nil {
		return
	}
	f = newFacts()
	f.add("Nombre", c.Father.Name.String(), 2)
	f.add("CURP", c.Father.CURP, 1)
	f.add("Edad", number(r, sinac.FatherAge, "años"), 1)
	f.add("Fecha de nacimiento", dayOf(c.Father.Born), 1)
	s.part("Padre", f)
}

func (s *sheet) delivery() {
	r, f := &s.c.Row, newFacts()
	f.add("Lugar del parto", where(r, sinac.BirthState, sinac.BirthTown, sinac.BirthLocality), 2)
	f.add("Número de embarazos", number(r, sinac.Pregnancies, ""), 1)
	f.add("Hijos nacidos vivos", number(r, sinac.LiveBirths, ""), 1)
	f.add("Recibió atención prenatal", said(r, sinac.PrenatalCare), 1)
	f.add("Consultas prenatales", number(r, sinac.PrenatalVisits, ""), 1)
	f.add("Se utilizaron fórceps", said(r, sinac.Forceps), 1)
	f.add("La madre sobrevivió al parto", said(r, sinac.MotherSurvived), 1)
	s.part("Embarazo y parto", f)
}

func (s *sheet) registration() {
	f := newFacts()
	f.add("Se entregó a", s.c.DeliveredTo, 2)
	f.add("Fecha y hora de entrega", s.moment(s.c.Delivered), 2)
	if reg := s.c.Registration; reg != nil {
		f.add("Acta de nacimiento", reg.Acta, 1)
		f.add("Oficialía", reg.Office, 1)
		f.add("Fecha de registro", dayOf(reg.Date), 1)
		f.add("Entidad de registro", entity(reg.State), 1)
	}
	s.part("Entrega y registro civil", f)
}

// signature says who certified, and what proves it.
func (s *sheet) signature() {
	c, f := s.c, newFacts()
	f.add("Certificó", c.Certifier.Name.String(), 2)
	f.add("Cédula profesional", c.Certifier.Cedula, 1)
	if id, at, ok := signer(c.Signature); ok {
		f.add("Fecha y hora de la firma", s.moment(at), 1)
		f.add("Certificado de firma, número de serie", id.Serial, 2)
	} else if c.Signature == "" {
		f.add("Firma electrónica", "Pendiente", 2)
	}
	if id, at, ok := signer(c.Seal); ok {
		f.add("Sello del establecimiento, número de serie", id.Serial+" ("+s.moment(at)+")", 2)
	}
	f.add("Huella del documento firmado (SHA-256)", groups(c.Hash), columns)
	s.part("Firma electrónica", f)
}

// signer returns whose signature a JWS is by what it says itself, and when it was made.
// What it says is checked where it is verified, not where it is printed.
func signer(jws string) (sign.Identity, time.Time, bool) {
	header, _, _ := strings.Cut(jws, ".")
	p, err := sign.Resume(header, nil)
	if err != nil {
		return sign.Identity{}, time.Time{}, false
	}
	return sign.IdentityOf(p.Signer), p.At, true
}

// code is the QR code, for a certificate that was ever handed out.
func (s *sheet) code() {
	if s.o.Verify == "" || s.c.State == birth.Draft {
		return
	}
	s.put(page.Code{
		Text: Code(s.o.Verify, s.o.Claim), Link: Code(s.o.Verify, s.o.Claim), Millimetres: 44,
		Alt: "Código QR que lleva a la página que dice si este certificado es válido",
		Beside: []page.Span{
			{Text: "Compruebe si este certificado es válido\n", Bold: true},
			{Text: "Escanee el código con la cámara de un teléfono. Se abre una página de la autoridad de salud, sin costo y sin contraseña, que dice si es válido, fue cancelado o fue reemplazado. " +
				"Compare lo que dice con este papel.\n" + s.offline()},
			{Text: s.o.Verify, Italic: true},
		},
	})
}

func (s *sheet) offline() string {
	if s.o.Claim == "" {
		return ""
	}
	return "El código contiene además los datos principales firmados, para comprobarlos sin conexión.\n"
}

// entity is the name of a federal entity, by its key of INEGI.
func entity(key string) string {
	for _, e := range identity.Entities() {
		if e.INEGI == key {
			return e.Name
		}
	}
	return key
}
