package card

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/document/page"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/card/health"
)

// cartilla answers $cartilla.
func (s *service) cartilla(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := understood(call, []string{"bilingual", "smart"}); err != nil {
		return nil, err
	}
	bilingual, err := flag(call, "bilingual")
	if err != nil {
		return nil, err
	}
	smart, err := flag(call, "smart")
	if err != nil {
		return nil, err
	}
	r, err := s.read(ctx, call)
	if err != nil {
		return nil, err
	}
	sh := &sheet{service: s, r: r, printed: s.Now(), bilingual: bilingual}
	token, err := s.Ledger.paper(ctx, r)
	if err != nil {
		return nil, err
	}
	sh.verify = s.Page(token)
	if smart {
		if sh.cards, err = s.fitting(ctx, r); err != nil {
			return nil, err
		}
	}
	if sh.next, sh.withheld, err = s.due(ctx, call, r); err != nil {
		return nil, err
	}
	p := sh.page()
	if call.Media == mediaHTML {
		raw, err := p.HTML()
		return &operation.Answer{Media: mediaHTML + "; charset=utf-8", Raw: raw}, err
	}
	raw, err := p.PDF()
	return &operation.Answer{Media: mediaPDF, Raw: raw}, err
}

// flag reads a boolean parameter, which is false when it is left out.
func flag(call *operation.Call, name string) (bool, error) {
	switch v, err := call.In.Text(name); {
	case err != nil:
		return false, err
	case v == "" || v == "false":
		return false, nil
	case v == "true":
		return true, nil
	default:
		return false, fhir.Errorf(fhir.Invalid, "the parameter %s is true or false", name).With("%s=%.50q", name, v)
	}
}

// fitting issues cards of all doses, as many as it takes for each to fit into one QR code.
func (s *service) fitting(ctx context.Context, r *record) ([]string, error) {
	any := &asked{}
	doses := slices.DeleteFunc(slices.Clone(r.doses), func(o dose) bool { return !any.wants(&o) })
	var cards []string
	var put func(some []dose) error
	put = func(some []dose) error {
		if len(some) == 0 {
			return nil
		}
		jws, err := s.card(ctx, &r.person, some, defaultClaims)
		if err != nil {
			return err
		}
		if len(jws) > health.LongestSingle && len(some) > 1 {
			half := (len(some) + 1) / 2
			if err := put(some[:half]); err != nil {
				return err
			}
			return put(some[half:])
		}
		if len(jws) <= health.LongestSingle {
			cards = append(cards, jws)
		}
		return nil
	}
	return cards, put(doses)
}

// sheet is a cartilla that is written.
type sheet struct {
	*service
	r         *record
	printed   time.Time
	verify    string
	cards     []string
	next      []next
	withheld  bool // something more may be due, which rests on what the caller may not see
	bilingual bool
}

// say is a heading, in English too where that was asked for.
func (s *sheet) say(spanish, english string) string {
	if s.bilingual {
		return spanish + " / " + english
	}
	return spanish
}

func (s *sheet) page() *page.Page {
	title := s.say("Cartilla de vacunación", "Vaccination record")
	printed := s.printed.In(s.Zone)
	p := &page.Page{
		Title: title, Lang: "es-MX", Author: s.Authority, Created: s.printed.UTC().Truncate(time.Second),
		Foot: strings.TrimPrefix(s.Authority+" · ", " · ") + "Impresa el " + printed.Format("02/01/2006, 15:04") + " h",
	}
	p.Blocks = append(p.Blocks, page.Heading{Level: 1, Text: title}, s.identity())
	p.Blocks = append(p.Blocks, s.given()...)
	p.Blocks = append(p.Blocks, s.coming()...)
	p.Blocks = append(p.Blocks, s.codes()...)
	return p
}

var sexes = map[string]string{"female": "Mujer", "male": "Hombre", "other": "Otro", "unknown": "No se conoce"}

func (s *sheet) identity() page.Block {
	f := page.Facts{Columns: 4}
	add := func(label, value string, wide int) {
		if value != "" {
			f.Items = append(f.Items, page.Fact{Label: label, Value: value, Wide: wide})
		}
	}
	add(s.say("Nombre", "Name"), cmp.Or(s.r.text, "Sin nombre registrado"), 2)
	add("CURP", s.r.curp, 2)
	add(s.say("Fecha de nacimiento", "Date of birth"), spanishDay(s.r.born), 2)
	add(s.say("Sexo", "Sex"), sexes[s.r.gender], 2)
	return f
}

// spanishDay writes a date, or a part of one, as people do.
func spanishDay(day string) string {
	parts := strings.Split(day, "-")
	slices.Reverse(parts)
	return strings.Join(parts, "/")
}

// given is the table of doses, by vaccine.
func (s *sheet) given() []page.Block {
	blocks := []page.Block{page.Heading{Level: 2, Text: s.say("Vacunas aplicadas", "Vaccines given")}}
	if len(s.r.doses) == 0 {
		return append(blocks, page.Text("No hay vacunas registradas."))
	}
	doses := slices.Clone(s.r.doses)
	first := map[string]string{}
	for i := range doses {
		if d, ok := first[doses[i].name]; !ok || doses[i].day < d {
			first[doses[i].name] = doses[i].day
		}
	}
	slices.SortStableFunc(doses, func(a, b dose) int {
		return cmp.Or(strings.Compare(first[a.name], first[b.name]), strings.Compare(a.name, b.name), strings.Compare(a.day, b.day))
	})
	t := page.Table{
		Head:   []string{s.say("Vacuna", "Vaccine"), s.say("Dosis", "Dose"), s.say("Fecha", "Date"), s.say("Lote", "Lot"), s.say("Lugar", "Place"), s.say("Aplicó", "Given by")},
		Widths: []float64{3, 1, 1.6, 2.1, 3, 2.2}, RowHeads: true,
	}
	reported := false
	for i := range doses {
		t.Rows = append(t.Rows, doses[i].row())
		reported = reported || doses[i].reported
	}
	blocks = append(blocks, t)
	if reported {
		blocks = append(blocks, page.Text("* La dosis se registró por lo que dijo la persona o su familia, o por otro documento."))
	}
	return blocks
}

func (o *dose) row() []string {
	number := cmp.Or(o.number, "—")
	if o.of != "" {
		number += " de " + o.of
	}
	name, place, who := cmp.Or(o.name, "Vacuna sin nombre"), o.place, o.who
	if o.reported {
		name += " *"
	}
	if o.maker != "" {
		name += " (" + o.maker + ")"
	}
	if o.clues != "" {
		place = strings.TrimSpace(place + " CLUES " + o.clues)
	}
	if o.cedula != "" {
		who = strings.TrimSpace(who + " Céd. " + o.cedula)
	}
	return []string{name, number, cmp.Or(spanishDay(o.day), "—"), cmp.Or(o.lot, "—"), cmp.Or(place, "—"), cmp.Or(who, "—")}
}

// coming is the table of what is due.
func (s *sheet) coming() []page.Block {
	var blocks []page.Block
	if len(s.next)+len(s.unsure()) > 0 {
		blocks = append(blocks, page.Heading{Level: 2, Text: s.say("Próximas vacunas", "Next vaccines")})
	}
	if len(s.next) == 0 {
		return append(blocks, s.unsure()...)
	}
	t := page.Table{
		Head:   []string{s.say("Vacuna", "Vaccine"), s.say("Dosis", "Dose"), s.say("Desde", "From"), s.say("Fecha recomendada", "Due"), s.say("Situación", "Status")},
		Widths: []float64{3, 1, 1.7, 1.7, 2}, RowHeads: true,
	}
	for _, n := range s.next {
		t.Rows = append(t.Rows, []string{n.vaccine, cmp.Or(n.number, "—"), cmp.Or(spanishDay(n.from.String()), "—"), spanishDay(n.due.String()), n.state})
	}
	blocks = append(blocks, t)
	return append(append(blocks, s.unsure()...),
		page.Text("Lleve esta cartilla a cada cita. Las vacunas del esquema nacional son gratuitas. Si una está atrasada, acuda cuanto antes: no se empieza de nuevo."))
}

// unsure says that something is left out of what is due.
func (s *sheet) unsure() []page.Block {
	if !s.withheld {
		return nil
	}
	return []page.Block{page.Text("De algunas vacunas no se puede decir aquí si le tocan ni cuándo: pregunte en su unidad de salud.")}
}

// codes are the QR codes: one that leads to the page that says whether the paper counts,
// and those that hold the vaccinations themselves.
func (s *sheet) codes() []page.Block {
	blocks := []page.Block{page.Heading{Level: 2, Text: s.say("Verificación", "Verification")}, page.Code{
		Text: s.verify, Link: s.verify, Alt: "Código QR que lleva a la página que dice si esta cartilla es auténtica: " + s.verify, Millimetres: 32,
		Beside: []page.Span{{Text: "¿Es auténtica?\n", Bold: true}, {Text: "Escanee este código con la cámara de un teléfono. Se abre una página de la autoridad de salud que dice si esta cartilla es válida. El código no contiene datos de la persona."}},
	}}
	for i, jws := range s.cards {
		which := ""
		if len(s.cards) > 1 {
			which = fmt.Sprintf(" %d de %d", i+1, len(s.cards))
		}
		blocks = append(blocks, page.Code{
			Text: health.Codes(jws)[0], Alt: "Código QR de la tarjeta de salud SMART" + which + ", con las vacunas firmadas", Millimetres: 62,
			Beside: []page.Span{{Text: "Tarjeta de salud SMART" + which + "\n", Bold: true}, {Text: "Contiene nombre, fecha de nacimiento y vacunas, firmados: se verifica sin conexión. Muéstrelo solo a quien deba ver esos datos."}},
		})
	}
	return blocks
}
