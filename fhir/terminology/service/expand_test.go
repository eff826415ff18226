package service

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/terminology"
)

// contained draws an expansion: codes, with "*" for abstract, "-" for inactive, "=display"
// where it is wanted, and what is within in parentheses.
func contained(list any, display bool) string {
	var all []string
	items, _ := list.([]any)
	for _, i := range items {
		m := i.(map[string]any)
		text := fmt.Sprint(m["code"])
		if m["abstract"] == true {
			text += "*"
		}
		if m["inactive"] == true {
			text += "-"
		}
		if display {
			text += "=" + fmt.Sprint(m["display"])
		}
		if below := m["contains"]; below != nil {
			text += "(" + contained(below, display) + ")"
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func TestExpand(t *testing.T) {
	ops := Operations(registry(t), nil)
	const given = `{"resourceType":"ValueSet","compose":{"include":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","filter":[{"property":"concept","op":"is-a","value":"_ActPatientTransportationModeCode"}]}]}}`
	const transport = "_ActPatientTransportationModeCode* AFOOT AMBT AMBAIR AMBGRND AMBHELO LAWENF PRVTRN PUBTRN"
	for _, c := range []struct {
		name, path, body string
		total            float64
		want             string
	}{
		// https://hl7.org/fhir/R4/valueset-operation-expand.html#examples
		{"by id", "ValueSet/23/$expand?filter=bicar", "", 1, "1963-8"},
		{"by url", "ValueSet/$expand?url=" + lf + "ValueSet/administrative-gender", "", 4, "male female other unknown"},
		{"by url and version", "ValueSet/$expand?url=" + lf + "ValueSet/administrative-gender%7C4.0.1", "", 4, "male female other unknown"},
		{"given as the body", "ValueSet/$expand", given, 9, transport},
		{"given as a parameter", "ValueSet/$expand", body(`{"name":"valueSet","resource":` + given + `}`), 9, transport},
		{"nested", "ValueSet/$expand", body(`{"name":"valueSet","resource":` + given + `},{"name":"excludeNested","valueBoolean":false}`), 9, "_ActPatientTransportationModeCode*(AFOOT AMBT(AMBAIR AMBGRND AMBHELO) LAWENF PRVTRN PUBTRN)"},
		{"not what is not for people to choose", "ValueSet/$expand?excludeNotForUI=true", given, 8, "AFOOT AMBT AMBAIR AMBGRND AMBHELO LAWENF PRVTRN PUBTRN"},
		{"a page", "ValueSet/$expand?offset=1&count=2", given, 9, "AFOOT AMBT"},
		{"a page past the end", "ValueSet/$expand?offset=50&count=2", given, 9, ""},
		{"only the number", "ValueSet/$expand?count=0", given, 9, ""},
		{"a filter of several words", "ValueSet/$expand?filter=ambul+FIXED", given, 1, "AMBAIR"},
		{"a filter with accents", "ValueSet/$expand?url=http://e/hepatic&filter=higado", "", 1, "235856003"},
		{"a filter of a code", "ValueSet/$expand?filter=prvtrn", given, 1, "PRVTRN"},
		{"a filter that nothing passes", "ValueSet/$expand?filter=zzz", given, 0, ""},
		{"inactive ones", "ValueSet/hepatic/$expand", "", 3, "235856003 3738000 22298006-"},
		{"active only", "ValueSet/hepatic/$expand?activeOnly=true", "", 2, "235856003 3738000"},
		{"without a system", "ValueSet/hepatic/$expand?exclude-system=http://snomed.info/sct", "", 0, ""},
		{"of R4, by id", "ValueSet/administrative-gender/$expand", "", 4, "male female other unknown"},
		{"all of a code system", "ValueSet/$expand?url=http://snomed.info/sct?fhir_vs=isa/235856003", "", 2, "235856003 3738000"},
	} {
		out, err := call(t, ops, c.path, c.body)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		x, _ := out["expansion"].(map[string]any)
		if got := contained(x["contains"], false); got != c.want || x["total"] != c.total {
			t.Errorf("%s: %v %s\nwant %v %s", c.name, x["total"], got, c.total, c.want)
		}
		if out["resourceType"] != "ValueSet" || x["timestamp"] == nil || x["identifier"] == nil || out["compose"] != nil || out["text"] != nil {
			t.Errorf("%s: %v", c.name, out)
		}
	}
}

func TestExpandLanguages(t *testing.T) {
	ops := Operations(registry(t), nil)
	for query, want := range map[string]string{
		"":                                   "1963-8=Bicarbonate [Moles/volume] in Serum",
		"?displayLanguage=es":                "1963-8=Bicarbonato en suero",
		"?displayLanguage=fr,es;q=0.5":       "1963-8=Bicarbonato en suero",
		"?displayLanguage=fr":                "1963-8=Bicarbonate [Moles/volume] in Serum",
		"?displayLanguage=es&filter=in+suer": "",
	} {
		out, err := call(t, ops, "ValueSet/23/$expand"+query, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := contained(out["expansion"].(map[string]any)["contains"], true); got != want {
			t.Errorf("%s: %s", query, got)
		}
	}
	for query, want := range map[string]int{"": 0, "?includeDesignations=true": 2, "?designation=es-MX": 1, "?designation=http://snomed.info/sct%7C900000000000013009": 1, "?designation=nl": 0} {
		out, err := call(t, ops, "ValueSet/23/$expand"+query, "")
		if err != nil {
			t.Fatal(err)
		}
		code := out["expansion"].(map[string]any)["contains"].([]any)[0].(map[string]any)
		list, _ := code["designation"].([]any)
		if len(list) != want {
			t.Errorf("%s: %v", query, list)
		}
	}
}

// TestTooMany: an expansion of more codes than are sent at once comes in pages, or
// filtered.
func TestTooMany(t *testing.T) {
	var b strings.Builder
	for i := range maxCodes + 1 {
		fmt.Fprintf(&b, `,{"code":"c%d"}`, i)
	}
	r := terminology.New()
	item, err := terminology.Read([]byte(`{"resourceType":"CodeSystem","url":"http://e/many","content":"complete","concept":[`+b.String()[1:]+`]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Change(map[fhir.Ref]*terminology.Item{{Type: "CodeSystem", ID: "1"}: item})
	ops := Operations(r, nil)
	for query, ok := range map[string]bool{"": false, "&excludeNested=false": false, "&count=10": true, "&count=10&offset=25000": true, "&filter=c2500": true} {
		_, err := call(t, ops, "ValueSet/$expand?url=http://e/many?fhir_vs"+query, "")
		if ok != (err == nil) || !ok && fhir.CodeOf(err) != fhir.TooCostly {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// TestRestricted: what a caller may not see is as if it were not there; what no
// restriction speaks of is public.
func TestRestricted(t *testing.T) {
	hidden := map[string]bool{"ValueSet/23": true, "CodeSystem/loinc": true}
	ops := Operations(registry(t), func(_ context.Context, ref fhir.Ref, _ *search.Restriction) (bool, error) {
		return !hidden[ref.String()], nil
	})
	run := func(name, typ, id, query string, may *search.Restriction) error {
		var params []search.Param
		for pair := range strings.SplitSeq(query, "&") {
			n, v, _ := strings.Cut(pair, "=")
			params = append(params, search.Param{Name: n, Value: v})
		}
		for _, op := range ops {
			if op.Name == name && op.On(typ) {
				_, err := op.Run(context.Background(), &operation.Call{Type: typ, ID: id, In: operation.NewInputs(params, nil), Restriction: may})
				return err
			}
		}
		t.Fatal(name)
		return nil
	}
	restricted := &search.Restriction{Types: map[string][]search.Expr{"ValueSet": nil, "CodeSystem": nil, "ConceptMap": nil}}
	other := &search.Restriction{Types: map[string][]search.Expr{"Patient": nil}}
	for _, c := range []struct{ name, typ, id, query string }{
		{"expand", "ValueSet", "23", ""}, {"expand", "ValueSet", "", "url=http://e/23"},
		{"validate-code", "ValueSet", "23", "code=1963-8&system=http://loinc.org"}, {"lookup", "CodeSystem", "", "system=http://loinc.org&code=1963-8"},
		{"validate-code", "CodeSystem", "loinc", "code=1963-8"}, {"subsumes", "CodeSystem", "", "system=http://loinc.org&codeA=1963-8&codeB=1963-8"},
	} {
		if err := run(c.name, c.typ, c.id, c.query, restricted); fhir.CodeOf(err) != fhir.NotFound {
			t.Errorf("%+v: %v", c, err)
		}
		if err := run(c.name, c.typ, c.id, c.query, other); err != nil {
			t.Errorf("%+v, though public: %v", c, err)
		}
	}
	for _, c := range []struct{ name, typ, id, query string }{
		{"expand", "ValueSet", "hepatic", ""}, {"lookup", "CodeSystem", "", "system=http://hl7.org/fhir/administrative-gender&code=male"},
		{"translate", "ConceptMap", "m", "system=http://e/a&code=1"},
	} {
		if err := run(c.name, c.typ, c.id, c.query, restricted); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
