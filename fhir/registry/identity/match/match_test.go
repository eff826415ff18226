package match

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir/element"
)

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"  José  Ángel ": "JOSE ANGEL", "Muñoz-Güemes": "MUNOZ GUEMES", "O'Hara": "OHARA", "MA. DEL CARMEN": "MA DEL CARMEN", "¿?": "", "Łódź 5": "ODZ 5",
	} {
		if got := Fold(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{
		"Ma. de los Ángeles": "MARIA ANGELES", "J. Guadalupe": "JOSE GUADALUPE", "M": "M", "MA": "MA", "Recién Nacido": "", "NO ESPECIFICADO": "", "XX": "", "Hijo de Rosa": "HIJO ROSA",
	} {
		if got := strings.Join(Names(in), " "); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"De la Cruz García": "CRUZ GARCIA", "LUNA XX": "LUNA", "de la O": "O", "Ponce de León": "PONCE LEON", "SN": ""} {
		if got := strings.Join(Surnames(in), " "); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestJaroWinkler: values that Winkler gives in The State of Record Linkage (1999).
func TestJaroWinkler(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want float64
	}{{"MARTHA", "MARHTA", .961}, {"DWAYNE", "DUANE", .84}, {"DIXON", "DICKSONX", .813}, {"SAME", "SAME", 1}, {"A", "", 0}, {"ABC", "XYZ", 0}} {
		if got := JaroWinkler(c.a, c.b); math.Abs(got-c.want) > 0.001 {
			t.Errorf("%s %s: %.3f, want %.3f", c.a, c.b, got, c.want)
		}
	}
}

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"1990", "1909", 1}, {"1990", "1809", 2}, {"12", "21", 1}, {"ABCD", "ABD", 1}, {"A", "ABCD", 3}, {"", "", 0}, {"ABCDEF", "UVWXYZ", 3}} {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("%s %s: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestSound(t *testing.T) {
	for _, same := range [][]string{
		{"HERNANDEZ", "ERNANDES"}, {"VASQUEZ", "BAZQUES", "VAZQUEZ"}, {"JIMENEZ", "GIMENES", "XIMENEZ"}, {"YANEZ", "LLANES"}, {"QUIROZ", "KIROS"}, {"ESTEBAN", "ESTEVAN"},
		{"CECILIA", "SESILIA"}, {"JOSEFINA", "JOSEPHINA"},
	} {
		for _, w := range same[1:] {
			if Sound(w) != Sound(same[0]) {
				t.Errorf("%s sounds %s, %s sounds %s", same[0], Sound(same[0]), w, Sound(w))
			}
		}
	}
	if Sound("LUNA") == Sound("LEON") == (Sound("LUNA") == Sound("RUIZ")) && Sound("GARCIA") == Sound("LOPEZ") {
		t.Error("everything sounds the same")
	}
}

// person makes one of "given names|surnames|birth|further".
func person(s string) Person {
	part := append(strings.Split(s, "|"), "", "", "", "")
	p := Person{Given: Names(part[0]), Family: Surnames(part[1]), Birth: ParseDate(part[2])}
	for _, more := range strings.Fields(part[3]) {
		name, v, _ := strings.Cut(more, "=")
		switch name {
		case "sex":
			p.Sex = v[0]
		case "curp":
			p.IDs = append(p.IDs, ID{System: "curp", Value: v, Verified: true})
		case "nss":
			p.IDs = append(p.IDs, ID{System: "nss", Value: v})
		case "mrn":
			p.IDs = append(p.IDs, ID{System: "mrn", Value: v, Local: true})
		case "phone":
			p.Phones = append(p.Phones, v)
		case "twin":
			p.Multiple, p.Order = true, int(v[0]-'0')
		case "home":
			p.Homes = append(p.Homes, ParseHome("Calle "+strings.ReplaceAll(v, "_", " "), "Oaxaca", "20", "68000"))
		}
	}
	return p
}

// TestGrades: pairs as they come in Mexican records, and what is to become of them.
func TestGrades(t *testing.T) {
	m := Default()
	for _, c := range []struct {
		a, b string
		want Grade
		rule string
	}{
		{"Rosa|Luna Paz|1990-05-17", "ROSA|LUNA PAZ|19900517", Certain, ""},
		{"María Guadalupe|Luna Paz|1990-05-17", "Ma. Guadalupe|Luna Paz|1990-05-17", Certain, ""},
		{"Rosa|Luna Paz|1990-05-17|phone=9511234567", "Rosa|Luna|1990-05-17|phone=9511234567", Certain, ""},
		{"Rosa|Luna Paz|1990-05-17|home=Reforma_5", "Rosa|Luna XX|1990-05-17|home=Reforma_5", Certain, ""},
		{"Rosa|De la Cruz Paz|1990-05-17", "Rosa|Cruz Paz|1990-05-17", Certain, ""},
		{"Guadalupe|Luna Paz|1990-05-17", "María Guadalupe|Luna Paz|1990-05-17", Probable, NotSure},
		{"Rosa|Luna Paz|1990-05-17", "Rosa|Paz Luna|1990-05-17", Probable, NotSure},
		{"Rosa|Luna Paz|1990-05-12", "Rosa|Luna Paz|1990-12-05", Certain, ""},
		{"Francisco|Luna Paz|1990-05-12", "Paco|Luna Paz|1990-05-12", Probable, NotSure},
		// Twins, siblings, fathers and sons.
		{"Luis|Luna Paz|2020-05-17|home=Reforma_5 phone=9511234567", "Mateo|Luna Paz|2020-05-17|home=Reforma_5 phone=9511234567", Possible, MaybeTwin},
		{"Juan|Luna Paz|2020-05-17|home=Reforma_5", "Julián|Luna Paz|2020-05-17|home=Reforma_5", Probable, NotSure},
		{"Mario|Luna Paz|2020-05-17|sex=M home=Reforma_5", "María|Luna Paz|2020-05-17|sex=F home=Reforma_5", Possible, MaybeSibling},
		{"|Luna Paz|2020-05-17|twin=1 home=Reforma_5", "|Luna Paz|2020-05-17|twin=2 home=Reforma_5", Not, OtherTwin},
		{"Juan|Luna Paz|1960-05-17|home=Reforma_5 phone=9511234567", "Juan|Luna Ruiz|1991-02-01|home=Reforma_5 phone=9511234567", Possible, OtherBirth},
		// Numbers.
		{"Rosa|Luna Paz|1990-05-17|curp=A1", "Rosalía|Ortiz|1990-05-17|curp=A1", Certain, SameVerified},
		{"Rosa|Luna Paz|1990-05-17|nss=7", "Emilio|Ochoa|1971-01-02|nss=7", Possible, OtherPerson},
		{"Rosa|Luna Paz|1990-05-17|mrn=7", "Emilio|Ochoa|1971-01-02|mrn=7", Not, ""},
		{"Rosa|Luna Paz|1990-05-17", "Emilio|Ochoa|1971-01-02", Not, ""},
		{"Rosa||", "Rosa||", Not, NotSure},
	} {
		a, b := person(c.a), person(c.b)
		got := m.Compare(&a, &b)
		if got.Grade != c.want || got.Rule != c.rule {
			t.Errorf("%s ~ %s: %s by rule %q, want %s by %q (%.6f %v)", c.a, c.b, got.Grade, got.Rule, c.want, c.rule, got.Score, got.Weights)
		}
		if back := m.Compare(&b, &a); back.Grade != got.Grade {
			t.Errorf("%s ~ %s: %s one way, %s the other", c.a, c.b, got.Grade, back.Grade)
		}
		if g, _ := m.Grade(&a, &b); g != got.Grade {
			t.Errorf("%s ~ %s: Grade says %s, Compare %s", c.a, c.b, g, got.Grade)
		}
	}
}

// anyone draws a person.
func anyone(t *rapid.T, label string) Person {
	pick := func(what string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label+what) }
	return person(pick("given", "Rosa", "Luis", "María Luisa", "Ma. Luisa", "", "X", "Juan", "Julián") + "|" + pick("family", "Luna Paz", "Paz Luna", "Luna", "De la Cruz", "") + "|" +
		pick("birth", "1990-05-17", "1990-17-05", "1991-05-17", "1990", "") + "|" + pick("more", "", "nss=7", "nss=8 mrn=4", "phone=9511234567", "home=Reforma_5", "twin=1", "twin=2", "sex=M", "sex=F curp=A1"))
}

// TestSymmetric: which of two records comes first does not matter, and a record that
// says enough matches itself.
func TestSymmetric(t *testing.T) {
	m := Default()
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyone(t, "a"), anyone(t, "b")
		if there, back := Compare(&a, &b), Compare(&b, &a); there != back {
			t.Fatalf("%v one way, %v the other: %+v %+v", there, back, a, b)
		}
		if g, _ := m.Grade(&a, &a); g < Probable && len(a.Given) > 0 && len(a.Family) > 0 && a.Birth.full() && a.Birth.real() {
			t.Fatalf("%+v does not match itself: %s", a, g)
		}
	})
}

// TestShared: whoever is certainly the same is found by a key.
func TestShared(t *testing.T) {
	m := Default()
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyone(t, "a"), anyone(t, "b")
		g, _ := m.Grade(&a, &b)
		if g < Certain {
			return
		}
		shared := map[Key]bool{}
		for _, k := range a.Keys() {
			shared[k] = true
		}
		for _, k := range b.Keys() {
			if shared[k] {
				return
			}
		}
		t.Fatalf("%s without a key in common: %+v %+v", g, a, b)
	})
}

// TestLearn: of pairs that are drawn by known parameters, these are found again.
func TestLearn(t *testing.T) {
	truth := Default()
	truth.Parameters[Given] = [levels]Parameter{Equal: {.7, .02}, Close: {.1, .01}, Similar: {.1, .07}, Different: {.1, .9}}
	draw := rand.New(rand.NewPCG(7, 7))
	pick := func(f int, same bool) Level {
		x := draw.Float64()
		for l := Equal; l < Different; l++ {
			p := truth.Parameters[f][l].U
			if same {
				p = truth.Parameters[f][l].M
			}
			if x < p {
				return l
			}
			x -= p
		}
		return Different
	}
	candidates, random := Pairs{}, Pairs{}
	for i := range 40_000 {
		var v, w Vector
		for f := range v {
			v[f], w[f] = pick(f, i%10 == 0), pick(f, false)
		}
		candidates.Add(v)
		random.Add(w)
	}
	m := Learn(Default(), candidates, random)
	for l := Equal; l < levels; l++ {
		got, want := m.Parameters[Given][l], truth.Parameters[Given][l]
		if math.Abs(got.M-want.M) > 0.03 || math.Abs(got.U-want.U) > 0.01 {
			t.Errorf("%s: %+v, want about %+v", l, got, want)
		}
	}
	if math.Abs(m.Prior-0.1) > 0.01 {
		t.Errorf("prior %.3f, want about 0.1", m.Prior)
	}
}

func TestParameters(t *testing.T) {
	m := Default()
	m.Common = map[string]float64{"given ROSA": 0.02}
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	back, err := Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(m, back) {
		t.Error("what was written is not what is read")
	}
	for text, want := range map[string]string{
		`{`: "EOF", `{"x":1}`: "unknown field", `{"prior":2}`: "prior", `{"fields":{"nose":{}}}`: `no field "nose"`, `{"fields":{"sex":{"missing":{}}}}`: `no level "missing"`,
		`{"fields":{"sex":{"equal":{"m":0.1,"u":0.5}}}}`: "add up", `{"fields":{"sex":{"equal":{"m":-1,"u":0.5}}}}`: "probabilities", `{"certain":0.1}`: "grades",
	} {
		if _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestPatient(t *testing.T) {
	d, err := element.Parse([]byte(`{"resourceType":"Patient","identifier":[
		{"system":"urn:oid:2.16.840.1.113883.4.629","value":"XXXX999999XXXXXX99"},
		{"system":"urn:oid:2.16.840.1.113883.4.629","value":"lupr900517moczzs01","extension":[{"url":"https://github.com/amate-health/amate/fhir/StructureDefinition/identifier-verification","valueCode":"renapo-verified"}]},
		{"use":"old","system":"urn:oid:2.16.840.1.113883.4.629","value":"OLD"},{"system":"http://hospital.example/expediente","value":"0042"}],
		"name":[{"use":"maiden","family":"Ortiz"},{"use":"official","family":"de la Luna del Paz","_family":{"extension":[
			{"url":"http://hl7.org/fhir/StructureDefinition/humanname-fathers-family","valueString":"de la Luna"},
			{"url":"http://hl7.org/fhir/StructureDefinition/humanname-mothers-family","valueString":"Paz"}]},"given":["Ma.","Rosa"]}],
		"gender":"female","birthDate":"1990-05-17","multipleBirthInteger":2,"telecom":[{"system":"phone","value":"+52 1 951 123 4567"},{"system":"email","value":"a@example.org"}],
		"address":[{"line":["Av. Reforma 5"],"city":"Oaxaca","state":"Oax.","postalCode":"68 000"}],
		"contact":[{"relationship":[{"coding":[{"code":"MTH"}]}],"name":{"given":["Elena"],"family":"Paz"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got := Reading{}.Patient(d, 0)
	want := Person{
		Given: []string{"MARIA", "ROSA"}, Family: []string{"LUNA", "PAZ"}, Former: []string{"ORTIZ"}, Birth: Date{1990, 5, 17}, Sex: 'F',
		IDs:    []ID{{System: "urn:oid:2.16.840.1.113883.4.629", Value: "LUPR900517MOCZZS01", Verified: true}, {System: "http://hospital.example/expediente", Value: "0042", Local: true}},
		Phones: []string{"9511234567"}, Homes: []Home{{Street: []string{"REFORMA"}, Number: "5", Locality: "OAXACA", State: "OAX", Postcode: "68000"}},
		Mother: []string{"ELENA", "PAZ"}, Order: 2, Multiple: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

func BenchmarkGrade(b *testing.B) {
	m := Default()
	x, y := person("María Guadalupe|Luna Paz|1990-05-17|home=Reforma_5 phone=9511234567 nss=7"), person("Ma. Guadalupe|Luna|1990-05-18|home=Reforma_6 phone=9511234568 nss=8")
	b.ReportAllocs()
	for b.Loop() {
		m.Grade(&x, &y)
	}
}

func BenchmarkKeys(b *testing.B) {
	x := person("María Guadalupe|Luna Paz|1990-05-17|home=Reforma_5 phone=9511234567 nss=7")
	b.ReportAllocs()
	for b.Loop() {
		x.Keys()
	}
}
