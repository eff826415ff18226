package recommend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/history"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule/cdsi"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule/mexico"
	"github.com/amate-health/amate/fhir/samples"
	"github.com/amate-health/amate/fhir/validate"
)

func compiled(s *schedule.Schedule) (immunization.Assessor, error) { return immunization.New(s) }

// library holds Mexico's schedule, and CDC's where its data are at hand.
func library(t testing.TB, cdc bool) *Library {
	t.Helper()
	all, err := mexico.Shelf()
	if err != nil {
		t.Fatal(err)
	}
	if cdc {
		s, err := cdsi.Load(samples.Path(t, "cdsi", "supporting-data-4.64-508-xml.tar.gz"))
		if err != nil {
			t.Fatal(err)
		}
		s.Name = "cdsi"
		all = append(all, s)
	}
	l, err := NewLibrary(mexico.Name, all, compiled)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func on(text string) schedule.Date {
	d, err := schedule.ParseDate(text)
	if err != nil {
		panic(err)
	}
	return d
}

// call makes a call of $immds-forecast.
func call(t testing.TB, body string) *operation.Call {
	t.Helper()
	doc, err := element.Parse([]byte(body))
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	return &operation.Call{In: operation.NewInputs(nil, doc)}
}

func desk(t testing.TB, cdc bool) *Desk {
	return &Desk{Library: library(t, cdc), Zone: time.UTC, Now: func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }}
}

// wellington is the official example of ImmDS 2.0.0 with further parameters.
func wellington(further string) string {
	return `{"resourceType":"Parameters","parameter":[{"name":"assessmentDate","valueDate":"2020-05-26"},
{"name":"patient","resource":{"resourceType":"Patient","id":"gene","name":[{"family":"Wellington","given":["Gene"]}],"gender":"male","birthDate":"2020-04-28"}},
{"name":"immunization","resource":{"resourceType":"Immunization","id":"i1","status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"08"}]},"patient":{"reference":"Patient/gene"},"occurrenceDateTime":"2020-04-28","primarySource":true}}` + further + `]}`
}

// output is what an operation answers, as a test reads it.
type output struct {
	Parameter []struct {
		Name        string
		ValueString string
		Resource    json.RawMessage
	}
}

func answered(t testing.TB, a *operation.Answer) (o output) {
	t.Helper()
	if err := json.Unmarshal(a.JSON, &o); err != nil {
		t.Fatalf("%v\n%s", err, a.JSON)
	}
	return o
}

// TestWellington: the dates of the official example that the schedule of CDC gives.
func TestWellington(t *testing.T) {
	d := desk(t, true)
	a, err := d.forecast(t.Context(), call(t, wellington(`,{"name":"schedule","valueString":"cdsi"},{"name":"explain","valueBoolean":true}`)))
	if err != nil {
		t.Fatal(err)
	}
	again, err := d.forecast(t.Context(), call(t, wellington(`,{"name":"schedule","valueString":"cdsi"},{"name":"explain","valueBoolean":true}`)))
	if err != nil || !bytes.Equal(a.JSON, again.JSON) {
		t.Errorf("the same call has another answer: %v", err)
	}
	found := ""
	for _, p := range answered(t, a).Parameter {
		if p.Name == "recommendation" {
			var r struct{ Recommendation []json.RawMessage }
			if err := json.Unmarshal(p.Resource, &r); err != nil {
				t.Fatal(err)
			}
			for _, g := range r.Recommendation {
				if strings.Contains(string(g), `"66071002"`) {
					found = string(g)
				}
			}
		}
		if p.Name == "explanation" && !strings.Contains(p.ValueString, "HepB") {
			t.Errorf("the explanation is %.300q", p.ValueString)
		}
	}
	for _, want := range []string{
		`"code":"notComplete"`, `{"coding":[{"system":"http://loinc.org","code":"30981-5","display":"Date vaccine can be given"}],"text":"Desde"},"value":"2020-05-26"`,
		`"code":"30980-7","display":"Date vaccine due"}],"text":"Recomendada"},"value":"2020-05-28"`, `"doseNumberPositiveInt":2,"seriesDosesPositiveInt":3`,
		`"supportingImmunization":[{"reference":"Immunization/i1"}]`,
	} {
		if !strings.Contains(found, want) {
			t.Errorf("%s\nlacks %s", found, want)
		}
	}
}

// TestAnswersAreValid: what is answered is FHIR R4, in both languages.
func TestAnswersAreValid(t *testing.T) {
	d := desk(t, false)
	further := ""
	for i, c := range [][2]string{{"08", "2020-04-20"}, {"146", "2020-06-28"}, {"146", "2020-07-01"}, {"03", "2020-08-01"}, {"9999", "2020-08-01"}, {"133", "2020-06-28"}, {"03", "2020"}} {
		further += fmt.Sprintf(`,{"name":"immunization","resource":{"resourceType":"Immunization","id":"x%d","status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":%q}]},"patient":{"reference":"Patient/gene"},"occurrenceDateTime":%q,"expirationDate":"2020-07-30"}}`, i, c[0], c[1])
	}
	for _, date := range []string{"2020-09-01", "2022-01-01", "2035-02-03", "2090-01-01"} {
		for _, language := range []string{"", "en-US"} {
			c := call(t, strings.Replace(wellington(further+`,{"name":"explain","valueBoolean":true}`), "2020-05-26", date, 1))
			c.Language = language
			a, err := d.forecast(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, p := range answered(t, a).Parameter {
				if p.Resource == nil {
					continue
				}
				doc, err := element.Parse(p.Resource)
				if err != nil {
					t.Fatal(err)
				}
				if issues := validate.Check(doc, 0, str(doc, doc.Get(0, "resourceType"))); len(issues) > 0 {
					t.Errorf("on %s: %+v\n%s", date, issues, p.Resource)
				}
				n++
			}
			if n < 8 {
				t.Errorf("on %s there are only %d resources", date, n)
			}
		}
	}
}

func TestForecastRefuses(t *testing.T) {
	d := desk(t, false)
	patient := `{"name":"patient","resource":{"resourceType":"Patient","id":"p","birthDate":"2020-04-28"}}`
	for body, want := range map[string]string{
		``: "needs the parameter patient",
		`{"name":"patient","resource":{"resourceType":"Patient","id":"p"}}`:                                                                           "full date of birth",
		`{"name":"patient","resource":{"resourceType":"Patient","birthDate":"2020"}}`:                                                                 "full date of birth",
		`{"name":"patient","resource":{"resourceType":"Group"}}`:                                                                                      "another type",
		`{"name":"patient","valueString":"p"}`:                                                                                                        "is a resource",
		patient + `,` + patient:                                                                                                                       "once",
		patient + `,{"name":"assessmentDate","valueDate":"2020-13-01"}`:                                                                               "full date",
		patient + `,{"name":"assessmentDate","valueReference":{"reference":"x"}}`:                                                                     "full date",
		patient + `,{"name":"immunizations","resource":{"resourceType":"Immunization"}}`:                                                              "does not take",
		patient + `,{"name":"schedule","valueString":"mx|1900"}`:                                                                                      "no such immunization schedule",
		patient + `,{"name":"immunization","resource":{"resourceType":"Immunization","patient":{"reference":"Patient/q"}}}`:                           "another patient",
		patient + `,{"name":"resource","resource":{"resourceType":"Condition","subject":{"reference":"Patient/q"}}}`:                                  "another patient",
		patient + strings.Repeat(`,{"name":"resource","resource":{"resourceType":"Condition","subject":{"reference":"Patient/p"}}}`, mostResources+1): "at most",
	} {
		_, err := d.forecast(t.Context(), call(t, `{"resourceType":"Parameters","parameter":[`+body+`]}`))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.200s\n%v, want %q", body, err, want)
		}
	}
}

func TestLibrary(t *testing.T) {
	version := func(name, version, from, to string) *schedule.Schedule {
		s := &schedule.Schedule{Name: name, Version: version, From: on(from)}
		if to != "" {
			s.To = on(to)
		}
		return s
	}
	l, err := NewLibrary("a", []*schedule.Schedule{version("a", "1", "2000-01-01", "2009-12-31"), version("a", "2", "2010-01-01", "2019-12-31"), version("a", "3", "2020-01-01", ""), version("b", "1", "2020-01-01", "")}, compiled)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ asked, on, want, until string }{
		{"", "2005-05-05", "a|1", "2010-01-01"}, {"a", "2010-01-01", "a|2", "2020-01-01"}, {"", "2019-12-31", "a|2", "2020-01-01"}, {"", "2026-01-01", "a|3", ""},
		{"", "1990-01-01", "a|1", "2000-01-01"}, {"a|1", "2026-01-01", "a|1", ""}, {"b", "1999-01-01", "b|1", "2020-01-01"},
	} {
		b, err := l.Find(c.asked, on(c.on))
		if err != nil || b.Name() != c.want || l.Until(c.asked, on(c.on)).String() != c.until {
			t.Errorf("%q on %s: %v %v until %s, want %s until %s", c.asked, c.on, b, err, l.Until(c.asked, on(c.on)), c.want, c.until)
		}
	}
	for _, bad := range []string{"c", "a|9", "a|", "|1"} {
		if b, err := l.Find(bad, on("2026-01-01")); fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("%q: %v %v", bad, b, err)
		}
	}
	if _, err := NewLibrary("z", nil, compiled); err == nil {
		t.Error("a library without its schedule was opened")
	}
}

// drawn is a history of somebody up to 20 years old.
func drawn(t *rapid.T) (*immunization.History, schedule.Date) {
	h := &immunization.History{Born: on("2005-01-01") + schedule.Date(rapid.IntRange(0, 7600).Draw(t, "born")), Sex: immunization.Sex(rapid.IntRange(0, 2).Draw(t, "sex"))}
	today := h.Born + schedule.Date(rapid.IntRange(0, 20*365).Draw(t, "age"))
	for range rapid.IntRange(0, 12).Draw(t, "doses") {
		h.Doses = append(h.Doses, immunization.Dose{
			Date: h.Born + schedule.Date(rapid.IntRange(-5, 20*365).Draw(t, "day")), CVX: rapid.SampledFrom([]string{"08", "19", "146", "119", "133", "03", "94", "21", "62", "115", "141", "999", "83"}).Draw(t, "vaccine"),
		})
	}
	slices.SortFunc(h.Doses, func(a, b immunization.Dose) int { return int(a.Date - b.Date) })
	return h, today
}

// TestAgain: until the day on which it is made again, an assessment says the same.
func TestAgain(t *testing.T) {
	l := library(t, true)
	for _, name := range []string{"mx", "cdsi"} {
		book, err := l.Find(name, on("2026-01-01"))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				h, today := drawn(t)
				found, err := book.Assess(h, today)
				if err != nil {
					t.Fatal(err)
				}
				again := book.turning().again(h, found)
				if again <= today || again > today+longest {
					t.Fatalf("it is made again on %s, from %s", again, today)
				}
				if again == today+1 {
					return
				}
				day := today + 1 + schedule.Date(rapid.IntRange(0, int(again-today)-2).Draw(t, "later"))
				later, err := book.Assess(h, day)
				if err != nil {
					t.Fatal(err)
				}
				a, b := found.Forecasts, later.Forecasts
				if !slices.EqualFunc(a, b, func(a, b immunization.Forecast) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
					t.Fatalf("on %s it says something else than on %s, before %s:\n%+v\n%+v", day, today, again, a, b)
				}
			})
		})
	}
}

// TestPack: what is packed comes back.
func TestPack(t *testing.T) {
	book, err := library(t, false).Find("", on("2026-01-01"))
	if err != nil {
		t.Fatal(err)
	}
	by := ScheduleRow(book.Schedule)
	var s Standing
	rapid.Check(t, func(t *rapid.T) {
		h, today := drawn(t)
		found, err := book.Assess(h, today)
		if err != nil {
			t.Fatal(err)
		}
		v := &fhir.Vaccinee{Schedule: by.Number, Born: int32(h.Born), Due: packDue(nil, h.Born, found.Forecasts), Given: packGiven(nil, h, found, by.Antigens)}
		if err := s.Unpack(v, &by); err != nil {
			t.Fatal(err)
		}
		for i, g := range s.Groups {
			f := found.Forecasts[i]
			if g.Group != f.Group || g.Status != f.Status || g.Due(today) != f.Due(today) || g.Overdue(today) != f.Overdue(today) ||
				f.Status == immunization.NotComplete && (g.Number != f.Number || g.Of != f.Of || g.Earliest != f.Earliest || g.Recommended != f.Recommended || g.PastDue != f.PastDue || g.Latest != f.Latest) {
				t.Fatalf("%+v came back as %+v", f, g)
			}
		}
		valid := 0
		for _, e := range found.Evaluations {
			if e.Status == immunization.Valid {
				valid++
			}
		}
		for _, a := range s.Antigens {
			valid -= len(a.Valid)
			if !slices.IsSorted(a.Valid) {
				t.Fatalf("%v", a)
			}
		}
		if valid != 0 {
			t.Fatalf("%d valid doses are missing", valid)
		}
	})
}

// FuzzUnpack: whatever a row holds, reading it ends, and needs no more memory than it has.
func FuzzUnpack(f *testing.F) {
	by := fhir.VaccineeSchedule{Number: 1, Groups: []string{"a", "b"}, Antigens: []string{"x", "y"}}
	f.Add([]byte{1, 1, 3, 5, 6, 7, 0, 2}, []byte{2, 0, 30, 0})
	f.Add([]byte{9}, []byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Add([]byte{1, 255, 255, 255, 255, 255, 255, 255, 255, 127}, []byte{})
	f.Fuzz(func(t *testing.T, due, given []byte) {
		var s Standing
		err := s.Unpack(&fhir.Vaccinee{Schedule: 1, Born: 150_000, Due: due, Given: given}, &by)
		n := 0
		for _, a := range s.Antigens {
			n += len(a.Valid)
		}
		if n > len(given) || err == nil && (len(s.Groups) != 2 || len(s.Antigens) != 2) {
			t.Errorf("%d doses of %d bytes, %d groups", n, len(given), len(s.Groups))
		}
		if err := s.Unpack(&fhir.Vaccinee{Schedule: 2}, &by); err == nil {
			t.Error("a row of another version was read")
		}
	})
}

func TestMunicipality(t *testing.T) {
	for _, c := range []struct {
		address string
		want    int32
	}{
		{`"address":[{"use":"old","_district":` + keyed("09014") + `},{"use":"home","_district":` + keyed("20067") + `}]`, 20067},
		{`"address":[{"_state":` + keyed("09") + `,"_city":` + keyed("09014") + `}]`, 9014},
		{`"address":[{"_district":` + keyed("0901x") + `}]`, 0},
		{`"address":[{"_district":{"extension":[{"valueCoding":{"system":"x","code":"09014"}}]}}]`, 0},
		{`"address":{"_district":1}`, 0},
		{`"x":1`, 0},
	} {
		doc, err := element.Parse([]byte(`{"resourceType":"Patient",` + c.address + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := personOf(doc, "s|c").place; got != c.want {
			t.Errorf("%s is in %d, want %d", c.address, got, c.want)
		}
	}
	for patient, gone := range map[string]bool{
		`"deceasedBoolean":true`: true, `"deceasedBoolean":false`: false, `"deceasedDateTime":"2020"`: true, `"link":[{"type":"replaced-by"}]`: true, `"link":[{"type":"replaces"}]`: false,
		`"meta":{"security":[{"system":"s","code":"c"}]}`: true, `"meta":{"security":[{"system":"s","code":"d"}]}`: false, `"active":false`: false,
	} {
		doc, err := element.Parse([]byte(`{"resourceType":"Patient",` + patient + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := personOf(doc, "s|c").gone; got != gone {
			t.Errorf("%s: gone %v", patient, got)
		}
	}
}

func keyed(key string) string {
	return `{"extension":[{"url":"x","valueCoding":{"system":"` + systemINEGI + `","code":"` + key + `"}}]}`
}

func BenchmarkDraft(b *testing.B) {
	book, err := library(b, false).Find("", on("2026-01-01"))
	if err != nil {
		b.Fatal(err)
	}
	h := immunization.History{Born: on("2024-03-15"), Sex: immunization.Female}
	for _, d := range [][2]string{{"19", "2024-03-15"}, {"08", "2024-03-15"}, {"146", "2024-05-15"}, {"119", "2024-05-15"}, {"133", "2024-05-15"}, {"146", "2024-07-16"}, {"119", "2024-07-16"}, {"133", "2024-07-16"}, {"146", "2024-09-20"}, {"141", "2024-10-20"}, {"03", "2025-03-20"}, {"133", "2025-03-20"}} {
		h.Doses = append(h.Doses, immunization.Dose{CVX: d[0], Date: on(d[1])})
	}
	kept := &history.Kept{History: h, Refs: make([]fhir.Ref, len(h.Doses))}
	b.Run("assess", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = book.Assess(&h, on("2026-03-20"))
		}
	})
	found, err := book.Assess(&h, on("2026-03-20"))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("again", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			book.turning().again(&h, found)
		}
	})
	d := &draft{patient: "p", paper: &paper{book: book, patient: "Patient/p", spanish: true, kept: kept, found: found}}
	b.Run("resource", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.SetBytes(int64(len(d.json(on("2026-03-20")))))
		}
	})
	b.Run("print", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d.print()
		}
	})
	antigens := antigensOf(book.Schedule)
	b.Run("pack", func(b *testing.B) {
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			n = len(packDue(nil, h.Born, found.Forecasts)) + len(packGiven(nil, &h, found, antigens))
		}
		b.ReportMetric(float64(n), "bytes/child")
	})
}
