package birth

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
)

// full is a row in which every column says something.
func full() *sinac.Row {
	r := &sinac.Row{}
	for c := range sinac.Column(sinac.Columns) {
		for _, v := range []string{"1", "01", "001", "0001", "Q699", "Q650", "02:15", "03/10/2026", "OCSSA003966", "2002", "39"} {
			if r[c] = v; r.Known(c) && !slices.ContainsFunc(sinac.Check(r, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)), func(p sinac.Problem) bool {
				return p.Column == c && !p.Warning && (p.Rule == "sinac-code" || p.Rule == "sinac-number" || p.Rule == "sinac-range" || p.Rule == "sinac-date" || p.Rule == "sinac-time" || p.Rule == "sinac-clues" || p.Rule == "sinac-anomaly")
			}) {
				break
			}
		}
	}
	return r
}

func projected(r *sinac.Row) ([]compose.Object, compose.Object) {
	n := 0
	c := &Certificate{Folio: "F-00001", Row: *r, Newborn: Person{Born: "2026-10-03", Sex: "female"}, Mother: Person{Ref: fhir.Ref{Type: "Patient", ID: "m"}, Name: Name{Given: "Ana", First: "García"}}}
	c.Certifier = Official{Facility: "OCSSA003966", Person: Person{Ref: fhir.Ref{Type: "Practitioner", ID: "d"}}}
	p := &projection{Certificate: c, at: time.Date(2026, 10, 3, 12, 0, 0, 0, time.UTC), zone: Zone, newborn: fhir.Ref{Type: "Patient", ID: "n"}, custodian: compose.Object{"display": "H"}, newID: func() string {
		n++
		return fmt.Sprint("r", n)
	}}
	return p.project()
}

// TestNoColumnIsLost: each of the 64 columns is told by a resource of the projection.
func TestNoColumnIsLost(t *testing.T) {
	row := full()
	resources, newborn := projected(row)
	text := compose.Text(append(resources, newborn))
	told := map[sinac.Column]string{ // by what else than its name
		sinac.Born: `"birthDate":"2026-10-03"`, sinac.BornAt: "2026-10-03T", sinac.Sex: `"gender":"female"`, sinac.MotherBorn: "", sinac.BCG: `"code":"19"`, sinac.HepatitisB: `"code":"08"`,
		sinac.VitaminA: sinac.VitaminA.Spanish(), sinac.VitaminK: sinac.VitaminK.Spanish(), sinac.HearingScreen: sinac.HearingScreen.Spanish(),
		sinac.Anomaly1: "Q69.9", sinac.Anomaly2: "Q65.0", sinac.CertifyingFacility: "", sinac.Certified: `"date":"2026-10-03`, sinac.BirthState: `"state":"01"`, sinac.BirthTown: `"district":"01001"`,
	}
	for c := range sinac.Column(sinac.Columns) {
		want, ok := told[c]
		if !ok {
			want = `"` + c.String() + `"`
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s (%q) is told by nothing", c, row[c])
		}
	}
	// What was not given to the child is told as well.
	row[sinac.BCG] = sinac.No
	resources, _ = projected(row)
	if text := compose.Text(resources); strings.Contains(text, `"code":"19"`) || !strings.Contains(text, `"VACUNA_BCG"`) {
		t.Error("that no BCG was given is told by nothing")
	}
}

// TestNewbornLives: a newborn lives where the mother does, as far as that is known and in Mexico.
func TestNewbornLives(t *testing.T) {
	for name, c := range map[string]struct{ abroad, state, town, want string }{
		"a municipality": {sinac.No, "20", "067", `"district":"20067"`}, "a state": {sinac.No, "20", "999", `"address":[{"country":"MX","state":"20","use":"home"}]`},
		"abroad": {sinac.Yes, "20", "067", ""}, "unknown": {sinac.No, "99", "999", ""},
	} {
		row := full()
		row[sinac.LivesAbroad], row[sinac.HomeState], row[sinac.HomeTown] = c.abroad, c.state, c.town
		_, newborn := projected(row)
		delete(newborn, "extension") // has where it was born
		if text := compose.Text(newborn); !strings.Contains(text, c.want) || c.want == "" && strings.Contains(text, "address") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// TestHold: nobody but the certification changes what it made, or pretends to be it.
func TestHold(t *testing.T) {
	made, err := mark([]byte(`{"resourceType":"Observation","id":"o"}`), "F-00001")
	if err != nil {
		t.Fatal(err)
	}
	folio := func(v string) string { return `{"identifier":[{"system":"` + FolioSystem + `","value":"` + v + `"}]}` }
	slashes := strings.ReplaceAll(string(made), "/", `\/`)
	for _, c := range []struct {
		what          string
		typ           string
		before, after string // "" for none
		code          fhir.Code
	}{
		{"another Observation", "Observation", `{"status":"final"}`, `{"status":"amended"}`, 0},
		{"a held one", "Observation", string(made), `{"status":"amended"}`, fhir.Conflict},
		{"a held one, deleted", "Observation", string(made), "", fhir.Conflict},
		{"a held one, written with escapes", "Observation", slashes, `{}`, fhir.Conflict},
		{"a forged tag", "Observation", "", string(made), fhir.Unprocessable},
		{"a forged tag with escapes", "Observation", "", slashes, fhir.Unprocessable},
		{"a newborn", "Patient", folio("F-00001"), strings.Replace(folio("F-00001"), "{", `{"gender":"male",`, 1), 0},
		{"a newborn without its folio", "Patient", folio("F-00001"), `{}`, fhir.Conflict},
		{"a newborn with another folio", "Patient", folio("F-00001"), folio("F-00002"), fhir.Conflict},
		{"a newborn, deleted", "Patient", folio("F-00001"), "", fhir.Conflict},
		{"a forged newborn", "Patient", "", folio("F-00001"), fhir.Unprocessable},
		{"somebody who becomes a newborn", "Patient", `{}`, folio("F-00001"), fhir.Unprocessable},
		{"somebody, deleted", "Patient", `{}`, "", 0},
		{"a document", "Composition", `{"identifier":{"system":"` + FolioSystem + `","value":"F"}}`, `{"status":"entered-in-error"}`, fhir.Conflict},
		{"a forged document", "Composition", "", `{"identifier":{"system":"` + FolioSystem + `","value":"F"}}`, fhir.Unprocessable},
	} {
		var before *fhir.Resource
		after := &fhir.Resource{Ref: fhir.Ref{Type: c.typ, ID: "x"}, JSON: []byte(c.after), Method: fhir.PUT}
		if c.before != "" {
			before = &fhir.Resource{Ref: after.Ref, JSON: []byte(c.before)}
		}
		if c.after == "" {
			after.Method, after.JSON = fhir.DELETE, nil
		}
		if got := fhir.CodeOf(Hold().Check(before, after)); got != c.code {
			t.Errorf("%s: %d, want %d", c.what, got, c.code)
		}
	}
}

// TestFolios: the folios of a range are different, in order and of the form of folios.
func TestFolios(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := OwnRange("OCSSA003966", rapid.IntRange(2000, 2999).Draw(t, "year"))
		if err := CheckFolios(&r); err != nil {
			t.Fatal(err)
		}
		a, b := rapid.Int64Range(r.First, r.Last).Draw(t, "a"), rapid.Int64Range(r.First, r.Last).Draw(t, "b")
		x, y := FolioOf(&r, a), FolioOf(&r, b)
		if !folioForm.MatchString(x) || (a < b) != (x < y) || (a == b) != (x == y) {
			t.Fatalf("%d is %s, %d is %s", a, x, b, y)
		}
	})
	for _, r := range []fhir.FolioRange{
		{Prefix: "a", Width: 6, First: 1, Last: 9}, {Prefix: "A", Width: 3, First: 1, Last: 9}, {Prefix: "DGIS", Width: 2, First: 1, Last: 100},
		{Prefix: "DGIS", Width: 20, First: 1, Last: 9}, {Prefix: "DGIS", Width: 5, First: 0, Last: 9}, {Prefix: "DGIS", Width: 5, First: 9, Last: 1},
	} {
		if CheckFolios(&r) == nil {
			t.Errorf("%+v was taken", r)
		}
	}
}

// TestMarks: a newborn is the same however its mother's name is written, and no two
// children of a birth are.
func TestMarks(t *testing.T) {
	row := func(born, order string) *sinac.Row {
		r := &sinac.Row{}
		r[sinac.Born], r[sinac.Order] = born, order
		return r
	}
	ana := &Person{Name: Name{Given: "Ana María", First: "Güemes", Second: "De la O"}, Born: "2000-05-17"}
	same := &Person{Name: Name{Given: "ANA  MARIA", First: "GUEMES", Second: "DE LA O"}, Born: "2000-05-17", CURP: "X"}
	guard, name := marks(ana, row("03/10/2026", ""))
	if guard != name {
		t.Error("without a CURP the name is the mark")
	}
	if g, n := marks(same, row("03/10/2026", "1")); g == guard || n != name {
		t.Error("the name is the weaker mark of who has a CURP")
	}
	for _, other := range []*sinac.Row{row("03/10/2026", "2"), row("04/10/2026", "1")} {
		if g, n := marks(ana, other); g == guard || n == name {
			t.Error("another newborn has the same marks")
		}
	}
}

// TestBook: a certificate is read as it was written, whatever it holds.
func TestBook(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune("aZñÁ\"\\ <&0")))
		c := &Certificate{
			Folio: "F-00001", State: rapid.SampledFrom(States).Draw(t, "state"), Reason: text.Draw(t, "reason"), Certifier: Official{Facility: "OCSSA003966"},
			Mother: Person{Name: Name{Given: text.Draw(t, "given")}}, Certified: time.UnixMicro(rapid.Int64Range(1, 1<<50).Draw(t, "at")).UTC(), guard: "g", namesake: "n",
		}
		c.Row[sinac.Weight] = text.Draw(t, "weight")
		b, err := c.write(fhir.BirthEvent{})
		if err != nil {
			t.Fatal(err)
		}
		if (b.Guard != "") != c.State.Live() {
			t.Fatalf("%s has the guard %q", c.State, b.Guard)
		}
		c.guard = b.Guard
		got, err := read(&b)
		if err != nil {
			t.Fatal(err)
		}
		was, _ := json.Marshal(c)
		is, _ := json.Marshal(got)
		if string(was) != string(is) || got.Row != c.Row || got.guard != c.guard {
			t.Fatalf("%s\n%s", was, is)
		}
	})
}

// TestPointed: references to one Patient become those to another, and nothing else changes.
func TestPointed(t *testing.T) {
	from, into := fhir.Ref{Type: "Patient", ID: "a"}, fhir.Ref{Type: "Patient", ID: "b"}
	for in, want := range map[string]string{
		`{"subject":{"reference":"Patient/a"},"note":[{"text":"Patient/a"}]}`:                             `{"subject":{"reference":"Patient/b"},"note":[{"text":"Patient/a"}]}`,
		`{"x":[{"y":{"reference":"http://h/fhir/Patient/a"}},{"reference":"Patient/ab"}]}`:                `{"x":[{"y":{"reference":"Patient/b"}},{"reference":"Patient/ab"}]}`,
		`{"subject":{"reference":"http://other/fhir/Patient/a"}}`:                                         ``,
		`{"meta":{"tag":[{"system":"` + documentTag + `"}]},"subject":{"reference":"Patient/a"}}`:         ``,
		`{"subject":{"reference":"Patient\/a"},"contained":[{"subject":{"reference":"Patient\u002fa"}}]}`: `{"subject":{"reference":"Patient/b"},"contained":[{"subject":{"reference":"Patient/b"}}]}`,
	} {
		got, ok, err := pointed(&fhir.Resource{JSON: []byte(in)}, "http://h/fhir", from, into)
		if err != nil || ok != (want != "") || string(got) != want {
			t.Errorf("%s became %s (%v, %v)", in, got, ok, err)
		}
	}
}

// BenchmarkProject makes the resources of a certificate in which every column is known.
func BenchmarkProject(b *testing.B) {
	row := full()
	b.ReportAllocs()
	for b.Loop() {
		resources, newborn := projected(row)
		if len(compose.JSON(append(resources, newborn))) == 0 {
			b.Fatal("nothing")
		}
	}
}
