package record

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/document/page"
	"github.com/amate-health/amate/fhir/element"
)

// said returns the texts of a page, a line for each block.
func said(p *page.Page) string {
	var b strings.Builder
	for _, block := range p.Blocks {
		fmt.Fprintf(&b, "%T %+v\n", block, block)
	}
	return b.String()
}

// TestPageSaysEverything: a page of each kind has the header, all sections by their
// titles, and what was measured and prescribed.
func TestPageSaysEverything(t *testing.T) {
	eachKind(t, func(t *testing.T, k *Kind) {
		p, err := Page(newSample(k).doc(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		text := said(p)
		want := []string{
			k.Name, "Hospital General de Xalapa", "VZSSA003966", "Av. Ruiz Cortines 1, Xalapa", "Gloria Hernández García", "70 años", "Mujer", "HEGG560427MVZRRL04",
			"2026-0017", "Calle Hidalgo 5, Xalapa, Veracruz", "20 de noviembre de 2026, 10:30 (UTC-06:00)", "Dra. Ana Muñoz", "12345678", "no tiene firma",
		}
		for _, s := range k.Sections {
			want = append(want, s.Title)
		}
		if k.Stay {
			want = append(want, "Ingreso", "15 de noviembre de 2026, 08:00")
		}
		if k.Witnessed {
			want = append(want, "Luis López", "Rosa López", "Testigo", "Paciente")
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("the page does not say %q", w)
			}
		}
		if p.Lang != "es-MX" || p.Mark != "" || p.Created.IsZero() || p.Title != k.Name {
			t.Errorf("%+v", p)
		}
	})
}

// TestPageOfEntries: a section without a narrative shows its entries.
func TestPageOfEntries(t *testing.T) {
	for kind, want := range map[string][]string{
		"evolucion":  {"Tensión arterial 120/80 mmHg", "Frecuencia cardiaca 72 por minuto", "Temperatura 36.5 °C", "Neumonía (CIE-10 J18.9)", "Amoxicilina 500 mg 500 mg oral cada 8 horas"},
		"enfermeria": {"Paracetamol 1 g oral 20 de noviembre de 2026, 09:00"},
		"referencia": {"Centro Médico Nacional"},
	} {
		s := newSample(Find(kind))
		for _, sec := range s.composition()["section"].(list) {
			delete(sec.(object), "text")
		}
		p, err := Page(s.doc(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(said(p), "[", "")
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s does not say %q:\n%s", kind, w, text)
			}
		}
	}
}

func TestPageMarks(t *testing.T) {
	s := newSample(Find("evolucion"))
	at := time.Date(2026, 11, 20, 10, 40, 0, 0, time.FixedZone("", -6*3600))
	seal := Seal{Signer: "ANA MUÑOZ", Time: at.UTC(), Serial: "00001000000512345678", Digest: "0123456789abcdef0123456789abcdef", Verdict: Valid}
	broken := seal
	broken.Verdict, broken.Reason = Invalid, "el certificado fue revocado"
	for name, c := range map[string]struct {
		status, mark string
		about        *About
		want         []string
	}{
		"draft":    {"preliminary", "BORRADOR", nil, []string{"No ha sido firmado y puede cambiar"}},
		"mistaken": {"entered-in-error", "CANCELADO", nil, []string{"Documento cancelado"}},
		"voided": {"final", "CANCELADO", &About{Voided: &Void{Date: "2026-11-21T14:00:00.000Z", By: "Dra. Ana Muñoz", Reason: "paciente equivocado"}},
			[]string{"Motivo: paciente equivocado", "21 de noviembre de 2026, 08:00 (UTC-06:00)", "Dra. Ana Muñoz"}},
		"signed":   {"final", "", &About{Seals: []Seal{seal}}, []string{"ANA MUÑOZ", "00001000000512345678", "0123 4567 89ab cdef …", "Firma válida", "10:40 (UTC-06:00)"}},
		"bad seal": {"final", "", &About{Seals: []Seal{broken}}, []string{"Firma NO válida: el certificado fue revocado", "Una firma de este documento no es válida"}},
		"addendum": {"amended", "", &About{Addenda: []Addendum{{Title: "Addendum", Date: "2026-11-22", Author: "Dr. Ríos", Ref: "Composition/c2"}}},
			[]string{"tiene addendum", "Composition/c2", "22 de noviembre de 2026", "Dr. Ríos"}},
	} {
		s.composition()["status"] = c.status
		p, err := Page(s.doc(t), c.about)
		if err != nil {
			t.Fatal(err)
		}
		if p.Mark != c.mark {
			t.Errorf("%s: mark %q", name, p.Mark)
		}
		for _, w := range c.want {
			if !strings.Contains(said(p), w) {
				t.Errorf("%s does not say %q:\n%s", name, w, said(p))
			}
		}
	}
	s.composition()["status"] = "final"
	s.bundle = object{"signature": object{"who": ref("Practitioner", "dr"), "when": "2026-11-21T05:10:00Z"}}
	if p, err := Page(s.doc(t), nil); err != nil || !strings.Contains(said(p), "Esta copia no ha sido verificada") || !strings.Contains(said(p), "20 de noviembre de 2026, 23:10 (UTC-06:00)") || !strings.Contains(said(p), "Dra. Ana Muñoz, cédula profesional 12345678") {
		t.Errorf("a signature that was not verified is not shown: %v", err)
	}
}

// TestPageOfOthers: any document is shown, whatever it lacks; and what is none is refused.
func TestPageOfOthers(t *testing.T) {
	doc, err := element.Parse([]byte(`{"resourceType":"Bundle","type":"document","entry":[{"resource":{"resourceType":"Composition","type":{"coding":[{"system":"http://loinc.org","code":"60591-5","display":"Patient summary Document"}]},
	 "author":[{"display":"Hospital Lejano"}],"subject":{"display":"Juan Pérez"},"custodian":{"display":"Red"},
	 "section":[{"title":"Alergias","text":{"div":"<div><p>Penicilina</p></div>"}},{"title":"Partes","section":[{"title":"Una","entry":[{"display":"Asma"},{"reference":"Condition/9"}]},{"emptyReason":{"coding":[{"code":"nilknown"}]}}]},{"title":"Nada"}]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Page(doc, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := said(p)
	for _, w := range []string{"Patient summary Document", "Hospital Lejano", "Juan Pérez", "Alergias", "Penicilina", "Asma", "Nada que referir.", "Sin contenido."} {
		if !strings.Contains(text, w) {
			t.Errorf("the page does not say %q:\n%s", w, text)
		}
	}
	levels := []int{}
	for _, b := range p.Blocks {
		if h, ok := b.(page.Heading); ok {
			levels = append(levels, h.Level)
		}
	}
	if !slices.Equal(levels, []int{1, 2, 2, 3, 2, 2}) {
		t.Errorf("headings of levels %v", levels)
	}
	for _, text := range []string{`{}`, `{"resourceType":"Patient"}`, `{"resourceType":"Bundle","entry":[]}`, `{"resourceType":"Bundle","entry":{}}`, `[]`} {
		doc, err := element.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Page(doc, nil); fhir.CodeOf(err) != fhir.Unprocessable {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestWhen(t *testing.T) {
	for in, want := range map[string]string{
		"2026-11-20T10:30:00-06:00": "20 de noviembre de 2026, 10:30 (UTC-06:00)", "2026-01-02T00:05:00Z": "2 de enero de 2026, 00:05 (UTC+00:00)",
		"2026-11-20": "20 de noviembre de 2026", "2026-11": "noviembre de 2026", "2026": "2026", "": "", "x": "x",
	} {
		if got := when(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func TestAge(t *testing.T) {
	for _, c := range []struct{ born, at, want string }{
		{"1956-04-27", "2026-11-20T10:30:00-06:00", "70 años"}, {"1956-04-27", "2026-04-26", "69 años"}, {"1956-04-27", "2026-04-27", "70 años"},
		{"2026-11-20", "2026-11-20", "0 días"}, {"2026-11-19", "2026-11-20", "1 día"}, {"2026-10-01", "2026-11-20", "50 días"}, {"2026-09-01", "2026-11-20", "2 meses"},
		{"2024-12-20", "2026-11-20", "23 meses"}, {"2024-11-20", "2026-11-20", "2 años"}, {"2027-01-01", "2026-11-20", ""}, {"1956", "2026-11-20", ""}, {"", "", ""}, {"1956-04-27", "2026", ""},
	} {
		if got := age(c.born, c.at); got != c.want {
			t.Errorf("born %s, at %s: %q, want %q", c.born, c.at, got, c.want)
		}
	}
}

// FuzzRead: no JSON makes Check or Page panic.
func FuzzRead(f *testing.F) {
	for i := range kinds {
		f.Add(string(newSample(&kinds[i]).doc(f).Source()))
	}
	for _, seed := range []string{
		`{"resourceType":"Composition","section":{"entry":[[{"reference":"#"}]]},"type":[{"coding":{"system":"http://loinc.org","code":"18842-5"}}],"subject":"x","author":3}`,
		`{"resourceType":"Bundle","entry":[{"fullUrl":1,"resource":{"resourceType":"Composition","encounter":{"reference":"Composition/"},"attester":[null]}}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := element.Parse([]byte(text))
		if err != nil {
			return
		}
		Check(doc)
		Page(doc, &About{})
	})
}
