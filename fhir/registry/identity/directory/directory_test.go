package directory

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const catalogue = "\xef\xbb\xbfCLUES,NOMBRE DE LA ENTIDAD,CLAVE DE LA ENTIDAD,NOMBRE DEL MUNICIPIO,NOMBRE DE LA LOCALIDAD,NOMBRE DE LA JURISDICCION,CLAVE DE LA JURISDICCION,NOMBRE DE LA INSTITUCION,NOMBRE TIPO ESTABLECIMIENTO,CLAVE DEL TIPO ESTABLECIMIENTO,NOMBRE DE LA UNIDAD,TIPO DE VIALIDAD,VIALIDAD,NÚMERO EXTERIOR,CODIGO POSTAL,ESTATUS DE OPERACION,LATITUD,LONGITUD,NIVEL ATENCION,CLAVE NIVEL ATENCION\n" +
	"OCSSA000016,OAXACA,20,SAN JUAN,SAN JUAN,COSTA,4,SECRETARIA DE SALUD,DE HOSPITALIZACIÓN,2,HOSPITAL DE PRUEBA,CALLE,REFORMA,5,68000,EN OPERACION,16.5,-96.5,SEGUNDO NIVEL,2\n" +
	"OCSSA000028,OAXACA,20,SAN JUAN,SAN JUAN,COSTA,4,SECRETARIA DE SALUD,DE CONSULTA EXTERNA,1,CENTRO DE PRUEBA,NO ESPECIFICADO,NO ESPECIFICADO,,,FUERA DE OPERACION,16.6,96.6,,\n" +
	"OCSSA00003,OAXACA,20,,,,,,,,MALA,,,,,EN OPERACION,,,,\n" +
	"DFIMB000015,CIUDAD DE MEXICO,9,,,,,,,,SIN JURISDICCION,,,,,EN OPERACION,0,0,,\n"

type entry struct {
	FullURL  string         `json:"fullUrl"`
	Resource map[string]any `json:"resource"`
	Request  struct{ Method, URL string }
}

func collect(t *testing.T, read func(func(Batch) error) ([]Skipped, error)) ([][]entry, []Skipped) {
	t.Helper()
	var all [][]entry
	skipped, err := read(func(b Batch) error {
		var bundle struct{ Entry []entry }
		if err := json.Unmarshal(b.JSON, &bundle); err != nil {
			return err
		}
		if len(bundle.Entry) != b.Entries {
			t.Errorf("%d entries, said to be %d", len(bundle.Entry), b.Entries)
		}
		all = append(all, bundle.Entry)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, skipped
}

func TestFacilities(t *testing.T) {
	batches, skipped := collect(t, func(y func(Batch) error) ([]Skipped, error) { return Facilities(strings.NewReader(catalogue), y) })
	if len(skipped) != 1 || skipped[0].Line != 4 || !strings.Contains(skipped[0].Why, "character 11 of the CLUES") {
		t.Errorf("left out: %+v", skipped)
	}
	got := map[string]entry{}
	var order []string
	for _, e := range batches[0] {
		got[e.Request.URL] = e
		order = append(order, e.Request.URL)
	}
	if len(order) != 3+6 { // Oaxaca, its jurisdiction and Mexico City; two resources for each of three
		t.Fatalf("%d entries: %q", len(order), order)
	}
	clues := "identifier=urn%3Aoid%3A2.16.840.1.113883.4.631%7C"
	hospital, centre := got["Organization?"+clues+"OCSSA000016"], got["Organization?"+clues+"OCSSA000028"]
	place := got["Location?"+clues+"OCSSA000028"]
	if hospital.Resource["active"] != true || centre.Resource["active"] != false || place.Resource["status"] != "inactive" {
		t.Error("who is at work, and who is not")
	}
	parent := hospital.Resource["partOf"].(map[string]any)["reference"]
	if parent != got["Organization?identifier=https%3A%2F%2Fgithub.com%2Famate-health%2Famate%2Ffhir%2FNamingSystem%2Fjurisdiccion%7C20-04"].FullURL {
		t.Errorf("part of %v", parent)
	}
	if managed := place.Resource["managingOrganization"].(map[string]any)["reference"]; managed != centre.FullURL {
		t.Errorf("managed by %v", managed)
	}
	if at := fmt.Sprint(place.Resource["position"]); at != "map[latitude:16.6 longitude:-96.6]" {
		t.Errorf("at %s", at)
	}
	if _, ok := got["Location?"+clues+"DFIMB000015"].Resource["position"]; ok {
		t.Error("nothing is at 0, 0")
	}
	if _, ok := place.Resource["address"].(map[string]any)["line"]; ok {
		t.Error("what is not specified is no street")
	}
}

// TestBatches: what is in an earlier transaction is found by a search, what is in the same
// one by its entry.
func TestBatches(t *testing.T) {
	var b strings.Builder
	b.WriteString("CLUES,NOMBRE,CLAVE DE LA JURISDICCION,CLAVE ESTATUS DE OPERACION\n")
	for i := range 250 {
		fmt.Fprintf(&b, "OCSSA%06d,Unidad %d,1,1\n", i, i)
	}
	batches, skipped := collect(t, func(y func(Batch) error) ([]Skipped, error) { return Facilities(strings.NewReader(b.String()), y) })
	if len(batches) != 3 || len(skipped) != 0 {
		t.Fatalf("%d transactions, left out %+v", len(batches), skipped)
	}
	for i, batch := range batches {
		urls := map[string]bool{}
		for _, e := range batch {
			urls[e.FullURL] = true
		}
		for _, e := range batch {
			if e.Resource["resourceType"] != "Organization" || e.Resource["partOf"] == nil {
				continue
			}
			ref := e.Resource["partOf"].(map[string]any)["reference"].(string)
			if i == 0 && !urls[ref] || i > 0 && !strings.HasPrefix(ref, "Organization?identifier=") {
				t.Fatalf("transaction %d: part of %s", i, ref)
			}
		}
	}
}

func TestPractitioners(t *testing.T) {
	const file = "Cédula,Nombre,Primer apellido,Segundo apellido,CURP,Sexo,Profesión,Especialidad,CLUES\n" +
		"1234567,Ana Rosa,Luna,Paz,,M,Médica cirujana,Pediatría,OCSSA000016\n" +
		"1234567,Ana Rosa,Luna,Paz,,M,Médica cirujana,Pediatría,OCSSA000028\n" +
		"12X,Mal,Escrito,,,,,,\n" +
		"7654321,Luis,Ríos,,MARR890512HCSRYR09,H,Enfermero,,\n" +
		"7654322,Luis,Ríos,,,H,Enfermero,,NADA\n"
	batches, skipped := collect(t, func(y func(Batch) error) ([]Skipped, error) { return Practitioners(strings.NewReader(file), y) })
	if len(skipped) != 3 || skipped[0].Line != 4 || !strings.Contains(skipped[1].Why, "character 18 of the CURP") || !strings.Contains(skipped[2].Why, "CLUES") {
		t.Errorf("left out: %+v", skipped)
	}
	count := map[any]int{}
	for _, e := range batches[0] {
		count[e.Resource["resourceType"]]++
	}
	if count["Practitioner"] != 2 || count["PractitionerRole"] != 2 {
		t.Errorf("%v", count)
	}
	for _, s := range skipped {
		if strings.Contains(s.Why, "MARR") || strings.Contains(s.Why, "12X") {
			t.Errorf("it quotes the file: %s", s.Why)
		}
	}
}

func TestBadHeader(t *testing.T) {
	for _, text := range []string{"", "NOMBRE,CEDULA\n", "CLUES|NOMBRE\nOCSSA000016|X\n"} {
		if _, err := Facilities(strings.NewReader(text), func(Batch) error { return nil }); err == nil || !strings.Contains(err.Error(), "header") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzFacilities(f *testing.F) {
	f.Add(catalogue)
	f.Add("CLUES,NOMBRE\n\"OCSSA000016,\xff\xfe\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = Facilities(strings.NewReader(text), func(b Batch) error {
			if !json.Valid(b.JSON) {
				t.Errorf("no JSON: %s", b.JSON)
			}
			return nil
		})
	})
}
