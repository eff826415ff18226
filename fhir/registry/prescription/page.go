package prescription

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/document/page"
	"github.com/amate-health/amate/fhir/operation"
)

// print answers $print-prescription.
func (s *service) print(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call); err != nil {
		return nil, err
	}
	_, p, err := s.called(ctx, call)
	if err != nil {
		return nil, err
	}
	rx, state, err := s.signed(ctx, call.Restriction, p)
	if fhir.CodeOf(err) == fhir.NotFound {
		return nil, fhir.Errorf(fhir.Conflict, "the prescription is not signed: use $prepare-signature and $sign first")
	}
	if err != nil {
		return nil, err
	}
	now := s.Now()
	code := s.Page(p.Token)
	link := code
	if state == Open || state == Partial { // of what does not count, nothing is claimed
		k, err := s.Ring.Signing(ctx)
		if err != nil {
			return nil, err
		}
		jws, err := rx.claim(now).Sign(k)
		if err != nil {
			return nil, err
		}
		code += "#" + jws
	}
	sheet := rx.page(state, code, link, now, s.Zone, s.Groups)
	if call.Media == mediaPDF {
		raw, err := sheet.PDF()
		return &operation.Answer{Media: mediaPDF, Raw: raw}, err
	}
	raw, err := sheet.HTML()
	return &operation.Answer{Media: mediaHTML + "; charset=utf-8", Raw: raw}, err
}

// marks run across papers that do not count.
var marks = map[State]string{Cancelled: "CANCELADA", Expired: "VENCIDA", Dispensed: "SURTIDA"}

var sexes = map[string]string{"male": "Hombre", "female": "Mujer", "other": "Otro", "unknown": "No se conoce"}

// page is the paper: what the Reglamento de Insumos, arts. 29 to 31, asks for.
func (p *Prescription) page(state State, code, link string, printed time.Time, zone *time.Location, groups Groups) *page.Page {
	moment := func(t time.Time) string { return t.In(zone).Format("02/01/2006, 15:04") + " h" }
	sheet := &page.Page{
		Title: "Receta médica", Lang: "es-MX", Author: p.Prescriber, Created: printed, Mark: marks[state],
		Foot: "Folio " + p.Folio + " · CLUES " + p.CLUES + " · Impresa el " + moment(printed),
	}
	put := func(b page.Block) { sheet.Blocks = append(sheet.Blocks, b) }
	facts := func(title string, columns int, all ...page.Fact) {
		f := page.Facts{Columns: columns}
		for _, one := range all {
			if strings.TrimSpace(one.Value) != "" {
				f.Items = append(f.Items, one)
			}
		}
		if title != "" {
			put(page.Heading{Level: 2, Text: title})
		}
		put(f)
	}
	put(page.Heading{Level: 1, Text: "Receta médica"})
	facts("", 4,
		page.Fact{Label: "Establecimiento", Value: p.Place, Wide: 2}, page.Fact{Label: "Folio", Value: p.Folio, Wide: 2},
		page.Fact{Label: "Domicilio", Value: p.Address, Wide: 3}, page.Fact{Label: "CLUES", Value: p.CLUES},
		page.Fact{Label: "Prescribe", Value: p.Prescriber, Wide: 2}, page.Fact{Label: "Cédula profesional", Value: p.Cedula}, page.Fact{Label: "Título expedido por", Value: p.Degree},
		page.Fact{Label: "Fecha y hora", Value: moment(p.Signed), Wide: 2}, page.Fact{Label: "Válida hasta", Value: p.Expires.In(zone).Format("02/01/2006")})
	facts("Paciente", 4,
		page.Fact{Label: "Nombre", Value: p.Patient, Wide: 2}, page.Fact{Label: "Edad", Value: ageText(p.Born, p.Signed.In(zone))}, page.Fact{Label: "Sexo", Value: sexes[p.Sex]})
	put(page.Heading{Level: 2, Text: "Medicamentos"})
	antibiotic := false
	for i, m := range p.Items {
		name := m.Generic()
		if m.Brand != "" {
			name += " (" + m.Brand + ")"
		}
		put(page.Heading{Level: 3, Text: fmt.Sprintf("%d. %s", i+1, name)})
		supply := amountText(m.Quantity) + " " + m.Unit
		if m.Repeats > 0 {
			supply += fmt.Sprintf(", se puede resurtir %d veces", m.Repeats)
		}
		facts("", 4,
			page.Fact{Label: "Presentación", Value: m.Form}, page.Fact{Label: "Dosis", Value: m.Dose}, page.Fact{Label: "Vía", Value: m.Route}, page.Fact{Label: "Frecuencia", Value: m.Frequency},
			page.Fact{Label: "Duración", Value: m.Duration}, page.Fact{Label: "Cantidad", Value: supply},
			page.Fact{Label: "Indicaciones", Value: m.Instruction, Wide: 2})
		antibiotic = antibiotic || groups.Of(m.Ingredients).Antibiotic
	}
	if antibiotic {
		put(page.Text("Contiene antibiótico: la farmacia registra y retiene la receta al agotarse la cantidad prescrita."))
	}
	facts("Firma electrónica", 4,
		page.Fact{Label: "Firmó", Value: p.Prescriber, Wide: 2}, page.Fact{Label: "Certificado, número de serie", Value: p.Serial, Wide: 2},
		page.Fact{Label: "Huella del documento firmado (SHA-256)", Value: p.Hash, Wide: 4})
	put(page.Code{
		Text: code, Link: code, Millimetres: 46, Alt: "Código QR que lleva a la página que dice si esta receta es válida",
		Beside: []page.Span{
			{Text: "Compruebe si esta receta es válida\n", Bold: true},
			{Text: "Escanee el código con la cámara de un teléfono. Se abre una página que dice si es válida, fue cancelada, venció o ya fue surtida. Compare lo que dice con este papel. El código contiene además los datos principales firmados, para comprobarlos sin conexión.\n"},
			{Text: link, Italic: true},
		},
	})
	return sheet
}

// ageText is an age as it is told: in years, of small children in months or days.
func ageText(born, at time.Time) string {
	if born.IsZero() || born.After(at) {
		return ""
	}
	if y := years(born, at); y >= 2 {
		return fmt.Sprintf("%d años", y)
	}
	months := (at.Year()-born.Year())*12 + int(at.Month()) - int(born.Month())
	if at.Day() < born.Day() {
		months--
	}
	if months >= 1 {
		return plural(months, "mes", "meses")
	}
	return plural(int(at.Sub(born).Hours()/24), "día", "días")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
