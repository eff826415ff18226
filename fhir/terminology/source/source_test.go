package source

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/terminology"
)

// write puts files into a folder, and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// ready reads a system as a server does from what Resources gives.
func ready(t *testing.T, s *System) *terminology.System {
	t.Helper()
	resources, err := s.Resources("x")
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string][]byte{}
	for _, r := range resources {
		if !json.Valid(r.JSON) {
			t.Fatalf("%s/%s is no JSON: %s", r.Type, r.ID, r.JSON)
		}
		parts[r.ID] = r.JSON
	}
	item, err := terminology.Read(parts["x"], func(id string) ([]byte, error) { return parts[id], nil })
	if err != nil {
		t.Fatal(err)
	}
	return item.System
}

// draw returns what a system says of a code.
func draw(t *testing.T, s *terminology.System, code string) string {
	t.Helper()
	c, ok := s.Find(code)
	if !ok {
		return "none"
	}
	out := c.Display()
	if c.Inactive() {
		out += " inactive"
	}
	for p := range c.Parents() {
		out += " <" + p.Code()
	}
	for d := range c.Designations() {
		out += " " + d.Language + ":" + d.Value
	}
	for p := range c.Properties() {
		if p.Code != "parent" && p.Code != "inactive" {
			out += " " + p.Code + "=" + p.Value
		}
	}
	return out
}

func TestRead(t *testing.T) {
	for _, c := range []struct{ name, text, url, code, want string }{
		{"a.csv", "code,display,parent\na,Uno,\nb,\"Dos, y más\",a\n", "", "b", "Dos, y más <a"},
		{"bom.csv", "\xef\xbb\xbfCode,Display\na,Uno\n", "", "a", "Uno"},
		{"a.tsv", "clave\tnombre\tpadre\nx\tUno \"y\" medio\t\ny\tDos\tx\n", "", "y", "Dos <x"},
		{"cie.csv", "code,code_0,code_1,description,level,source\nA00-B99,,,Infecciosas,0,s\nA00,A00-B99,,Cólera,1,s\nA000,A00-B99,A00,Cólera clásico,2,s\nA00X,A00-B99,A00,Relleno,2,s\n", "http://hl7.org/fhir/sid/icd-10", "A00.0", "Cólera clásico <A00"},
		{"cvx.xml", `<?xml version="1.0" encoding="ISO-8859-1"?><CVXCodes><CVXInfo><ShortDescription>A` + "\xf1" + `</ShortDescription><FullVaccinename>Full</FullVaccinename><CVXCode>03   </CVXCode><Notes/><Status>Inactive</Status></CVXInfo></CVXCodes>`, "http://hl7.org/fhir/sid/cvx", "03", "Añ inactive en:Full cdc-status=Inactive"},
		{"mvx.xml", `<MVXCodes><MVXInfo><Name>MVX_CODE</Name><Value>AB</Value><Name>Manufacturer Name</Name><Value>Abbott</Value><Name>Status</Name><Value>Active</Value></MVXInfo></MVXCodes>`, "http://hl7.org/fhir/sid/mvx", "AB", "Abbott cdc-status=Active"},
		{"Loinc.csv", "\"LOINC_NUM\",\"COMPONENT\",\"SCALE_TYP\",\"STATUS\",\"LONG_COMMON_NAME\",\"SHORTNAME\",\"VersionLastChanged\"\n\"1-8\",\"Acyclovir\",\"Qn\",\"DEPRECATED\",\"Acyclovir [Susceptibility]\",\"Acyclovir Susc\",\"2.73\"\n", "http://loinc.org", "1-8", "Acyclovir [Susceptibility] inactive en:Acyclovir Susc COMPONENT=Acyclovir SCALE_TYP=Qn STATUS=DEPRECATED"},
	} {
		s, _, err := Read(filepath.Join(write(t, map[string]string{c.name: c.text}), c.name))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if s.URL != c.url {
			t.Errorf("%s: %s", c.name, s.URL)
		}
		if got := draw(t, ready(t, s), c.code); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ name, text, says string }{
		{"a.csv", "", "headings"},
		{"a.csv", "code,display\n,x\n", "line 2: no code"},
		{"a.csv", "code\na\na\n", "stands twice"},
		{"a.csv", "code,display\na,\"x\n", "quote"},
		{"a.xml", "<CVXCodes/>", "neither CVXCodes nor MVXCodes"},
		{"a.xml", "<CVXCodes><CVXInfo/></CVXCodes>", "no code"},
		{"a.xml", `<!DOCTYPE x [<!ENTITY a "b">]><CVXCodes><CVXInfo><CVXCode>&a;</CVXCode></CVXInfo></CVXCodes>`, "entity"},
		{"a.json", `{"resourceType":"Patient"}`, "not a CodeSystem"},
		{"a.json", `{"resourceType":"CodeSystem"}`, "neither id nor url"},
		{"a.ndjson", "{\"resourceType\":\"ValueSet\",\"id\":\"a\"}\n\n{\"resourceType\":\"x\"}\n", "line 3"},
		{"a.pdf", "x", "neither .csv"},
		{"Loinc.csv", "LOINC_NUM\n\"\"\n", "LOINC_NUM"},
	} {
		_, _, err := Read(filepath.Join(write(t, map[string]string{c.name: c.text}), c.name))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %q: %v", c.name, c.text, err)
		}
	}
	if _, _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "sct2_Concept_Snapshot") {
		t.Errorf("an empty folder: %v", err)
	}
	if _, _, err := Read(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there")
	}
}

func TestResources(t *testing.T) {
	dir := write(t, map[string]string{
		"a.ndjson": `{"resourceType":"ValueSet","id":"a","url":"http://e/a"}` + "\n" + `{"resourceType":"CodeSystem","url":"http://e/some/code-system","content":"complete"}` + "\n",
	})
	packed, err := os.Create(filepath.Join(dir, "b.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(packed)
	fmt.Fprint(z, `{"resourceType":"ConceptMap","id":"c"}`)
	z.Close()
	packed.Close()
	_, lines, err := Read(filepath.Join(dir, "a.ndjson"))
	if err != nil || len(lines) != 2 || lines[0].ID != "a" || lines[1].ID != "e-some-code-system" || !strings.Contains(string(lines[1].JSON), `"id":"e-some-code-system"`) {
		t.Errorf("%v %s", err, lines)
	}
	_, one, err := Read(filepath.Join(dir, "b.json.gz"))
	if err != nil || len(one) != 1 || one[0].Type != "ConceptMap" {
		t.Errorf("%v %v", err, one)
	}
}

func TestLOINCFolder(t *testing.T) {
	s, _, err := Read(write(t, map[string]string{
		"LoincTable/Loinc.csv": "LOINC_NUM,LONG_COMMON_NAME,STATUS,VersionLastChanged\n1-8,Acyclovir,ACTIVE,2.9\n2-6,Other,ACTIVE,2.10\n",
		"AccessoryFiles/LinguisticVariants/esMX28LinguisticVariant.csv": "LOINC_NUM,COMPONENT,LONG_COMMON_NAME\n1-8,Aciclovir,Aciclovir\n9-9,x,y\n",
		"AccessoryFiles/LinguisticVariants/LinguisticVariants.csv":      "ID,X\n1,2\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got := draw(t, ready(t, s), "1-8"); got != "Acyclovir es-MX:Aciclovir STATUS=ACTIVE" {
		t.Error(got)
	}
}

// rf2 is a release of four concepts: two names a concept in two languages, a retired
// concept, and one with two parents.
var rf2 = map[string]string{
	"Snapshot/Terminology/sct2_Concept_Snapshot_INT_20240101.txt": "id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId\n" +
		"138875005\t2002\t1\t900000000000207008\t900000000000074008\n100\t2002\t1\t900000000000207008\t900000000000073002\n200\t2002\t1\t900000000000207008\t900000000000074008\n300\t2002\t0\t900000000000207008\t900000000000074008\n",
	"Snapshot/Terminology/sct2_Description_Snapshot-en_INT_20240101.txt": "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId\r\n" +
		"1\t2002\t1\tm\t100\ten\t900000000000003001\tHeart (body structure)\tc\r\n2\t2002\t1\tm\t100\ten\t900000000000013009\tCardiac structure\tc\r\n3\t2002\t1\tm\t100\ten\t900000000000013009\tHeart\tc\r\n4\t2002\t0\tm\t100\ten\t900000000000013009\tOld\tc\r\n5\t2002\t1\tm\t138875005\ten\t900000000000003001\tRoot\tc\r\n",
	"Snapshot/Terminology/sct2_Description_Snapshot-es_INT_20240101.txt": "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId\n" +
		"6\t2002\t1\tm\t100\tes\t900000000000013009\tcardio\tc\n7\t2002\t1\tm\t100\tes\t900000000000013009\tcorazón\tc\n",
	"Snapshot/Terminology/sct2_Relationship_Snapshot_INT_20240101.txt": "id\teffectiveTime\tactive\tmoduleId\tsourceId\tdestinationId\trelationshipGroup\ttypeId\tcharacteristicTypeId\tmodifierId\n" +
		"1\t2002\t1\tm\t100\t138875005\t0\t116680003\tx\ty\n2\t2002\t1\tm\t200\t100\t0\t116680003\tx\ty\n3\t2002\t1\tm\t200\t138875005\t0\t116680003\tx\ty\n4\t2002\t0\tm\t138875005\t200\t0\t116680003\tx\ty\n5\t2002\t1\tm\t200\t300\t0\t363698007\tx\ty\n",
	"Snapshot/Refset/Language/der2_cRefset_LanguageSnapshot-en_INT_20240101.txt": "id\teffectiveTime\tactive\tmoduleId\trefsetId\treferencedComponentId\tacceptabilityId\n" +
		"a\t2002\t1\tm\tr\t3\t900000000000548007\nb\t2002\t1\tm\tr\t2\t900000000000549004\n",
	"Snapshot/Refset/Language/der2_cRefset_LanguageSnapshot-es_INT_20240101.txt": "id\teffectiveTime\tactive\tmoduleId\trefsetId\treferencedComponentId\tacceptabilityId\nc\t2002\t1\tm\tr\t7\t900000000000548007\n",
	"Full/Terminology/sct2_Concept_Full_INT_20240101.txt":                        "not read\n",
}

func TestSNOMED(t *testing.T) {
	s, _, err := Read(write(t, rf2))
	if err != nil {
		t.Fatal(err)
	}
	if s.Version != "http://snomed.info/sct/900000000000207008/version/20240101" {
		t.Error(s.Version)
	}
	system := ready(t, s)
	const module = " moduleId=900000000000207008"
	for code, want := range map[string]string{
		"100":       "Heart <138875005 es:corazón en:Heart en:Heart (body structure) en:Cardiac structure es:cardio sufficientlyDefined=true" + module,
		"138875005": "Root en:Root sufficientlyDefined=false" + module,
		"200":       " <100 <138875005 sufficientlyDefined=false" + module,
		"300":       " inactive sufficientlyDefined=false" + module,
	} {
		if got := draw(t, system, code); got != want {
			t.Errorf("%s:\n got %q\nwant %q", code, got, want)
		}
	}
	if r, err := system.Relate("138875005", "200"); err != nil || r != terminology.Subsumes {
		t.Error(r, err)
	}
	heart, _ := system.Find("100")
	if got := heart.DisplayIn(terminology.ParseLanguages("es-MX")); got != "corazón" {
		t.Error(got)
	}
}

// TestParts: a large system comes in parts, which put together are the same system.
func TestParts(t *testing.T) {
	s := &System{URL: "http://e/x", Hierarchy: "is-a"}
	for i := range maxPart + maxWhole {
		c := Concept{Code: fmt.Sprint(i), Display: fmt.Sprintf("Número \"%d\"", i)}
		if i > 0 {
			c.Parents = []string{fmt.Sprint(i - 1)}
		}
		s.Concepts = append(s.Concepts, c)
	}
	resources, err := s.Resources(strings.Repeat("i", 64))
	if err != nil {
		t.Fatal(err)
	}
	if len(resources) != 3 || resources[2].Type != "CodeSystem" || len(resources[1].ID) != 64 {
		t.Fatalf("%d resources", len(resources))
	}
	system := ready(t, s)
	if system.Len() != len(s.Concepts) || !system.Complete() {
		t.Errorf("%d concepts, content %s", system.Len(), system.Content)
	}
	for i, c := range s.Concepts {
		if i%997 == 0 {
			if got, ok := system.Find(c.Code); !ok || got.Display() != c.Display {
				t.Errorf("%s: %v", c.Code, got)
			}
		}
	}
	last := s.Concepts[len(s.Concepts)-1].Code
	if r, err := system.Relate("0", last); err != nil || r != terminology.Subsumes {
		t.Errorf("over the parts: %s %v", r, err)
	}
	if _, err := terminology.Read(resources[2].JSON, func(string) ([]byte, error) { return []byte(`{"data":"!"}`), nil }); err == nil {
		t.Error("a part that cannot be read gives a system")
	}
}

func TestIDFor(t *testing.T) {
	for url, want := range map[string]string{
		"http://hl7.org/fhir/sid/cvx": "hl7.org-fhir-sid-cvx", "urn:oid:1.2": "urn-oid-1.2", "https://e/": "e",
		"http://" + strings.Repeat("a/", 60): strings.Repeat("a-", 28)[:55],
	} {
		if got := IDFor(url); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}
