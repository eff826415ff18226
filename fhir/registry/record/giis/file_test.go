package giis

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFile(t *testing.T) {
	rows := mended(t)
	file, err := Encode(rows)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(file, []byte("NU\xD1EZ")) || bytes.Contains(file, []byte("NUÑEZ")) {
		t.Error("the file is not in windows-1252")
	}
	if !bytes.HasPrefix(file, []byte("CLUES|PAISNACIMIENTO|CURPPRESTADOR|")) {
		t.Errorf("the file begins with %.60q", file)
	}
	back, lines, findings, err := Decode(file)
	if err != nil || len(findings) > 0 || !slices.Equal(back, rows) || lines[0] != 2 {
		t.Fatalf("read again: %d rows, %v, %v", len(back), findings, err)
	}
	p, err := checker.CheckFile("CEX-MCIMB-2410.TXT", file)
	if err != nil || p.Errors != 0 || p.Rows != 11 {
		t.Errorf("%+v, %v", p, err)
	}
	crlf := bytes.ReplaceAll(file, []byte("\n"), []byte("\r\n"))
	if q, err := checker.CheckFile("CEX-MCIMB-2410.TXT", crlf); err != nil || q.Errors != 0 || q.Rows != 11 {
		t.Errorf("with CR LF: %+v, %v", q, err)
	}
}

func TestFileFaults(t *testing.T) {
	file, err := Encode(mended(t)[:3])
	if err != nil {
		t.Fatal(err)
	}
	text := string(file)
	for _, test := range []struct{ name, file, rule string }{
		{"CEX-MCIMB-2410.TXT", strings.Replace(text, "PESO", "PESOS", 1), "header"},
		{"CEX-MCIMB-2410.TXT", strings.Replace(text, "|70.34|", "|", 1), "columns"},
		{"CEX-MCIMB-2410.TXT", text[strings.Index(text, "\n")+1:], "header"},
		{"CEX-MCIMB-2411.TXT", text, "month"}, {"CEX-MCIMB-2413.TXT", text, "file-name"}, {"x.txt", text, "file-name"}, {"CEX-DFSSA-2410.TXT", text, "file-name"},
		{"CEX-MCIMB-2410.TXT", strings.Replace(text, "DANIELA", "DANI\xC9LA", 1), "form"},
	} {
		p, err := checker.CheckFile(test.name, []byte(test.file))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(p.Findings, func(f Finding) bool { return f.Rule == test.rule }) {
			t.Errorf("%s, %s: found %v", test.name, test.rule, p.Findings)
		}
	}
	for _, bad := range []string{"", " \n", "\xEF\xBB\xBF" + text, "\xFF\xFEC\x00"} {
		if _, err := checker.CheckFile("x", []byte(bad)); err == nil {
			t.Errorf("%.20q is a file", bad)
		}
	}
	for _, value := range []string{"A|B", "A\nB", "A\rB", "漢", "\x00"} {
		r := mended(t)[0]
		r.set(vName, value)
		if _, err := Encode([]Row{r}); err == nil {
			t.Errorf("%q is in a file", value)
		}
	}
}

// TestLines: a finding names the line of the file that it is about, also after a line
// that is no row.
func TestLines(t *testing.T) {
	rows := mended(t)[:3]
	rows[2].set(vWeight, "0")
	file, err := Encode(rows)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(file), "\n")
	lines = slices.Insert(lines, 2, "nothing")
	p, err := checker.CheckFile("CEX-MCIMB-2410.TXT", []byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for _, f := range p.Findings {
		at[f.Name+f.Rule] = f.Line
	}
	if at["columns"] != 3 || at["pesoform"] != 5 {
		t.Errorf("findings at %v", at)
	}
}

// TestReportTellsNobody: a report says what is wrong with names and CURPs without them.
func TestReportTellsNobody(t *testing.T) {
	rows := mended(t)[:1]
	for _, n := range []int{vStaffCURP, vStaffName, vStaffFather, vStaffMother, vCURP, vName, vFather, vMother, vBorn} {
		rows[0].set(n, "secreto")
	}
	rows[0].set(vWeight, "70,5")
	p := checker.Check(rows)
	raw, err := p.JSON()
	if err != nil || !json.Valid(raw) {
		t.Fatal(err)
	}
	var table, text bytes.Buffer
	if err := p.CSV(&table); err != nil {
		t.Fatal(err)
	}
	if err := p.Write(&text); err != nil {
		t.Fatal(err)
	}
	for form, out := range map[string]string{"json": string(raw), "csv": table.String(), "text": text.String()} {
		if strings.Contains(out, "secreto") || !strings.Contains(out, "70,5") {
			t.Errorf("%s: %s", form, out)
		}
	}
	if all, err := csv.NewReader(&table).ReadAll(); err != nil || len(all) != len(p.Findings)+1 || p.Errors < 10 {
		t.Errorf("%d lines for %d findings, %v", len(all), len(p.Findings), err)
	}
}

func TestFileName(t *testing.T) {
	if name := FileName("DFSSA003966", time.Date(2024, 10, 1, 0, 0, 0, 0, time.UTC)); name != "CEX-DFSSA-2410.TXT" {
		t.Error(name)
	}
}

func TestTable(t *testing.T) {
	if len(table) != Variables {
		t.Fatalf("%d variables", len(table))
	}
	confidential := ""
	for i, v := range table {
		if v.Number != i+1 || v.Name == "" || v.Header == "" {
			t.Errorf("variable %d: %+v", i+1, v)
		}
		if v.unknown != "" && v.form(v.unknown, checker.Today) != "" {
			t.Errorf("%s: what stands for not known has no form", v.Name)
		}
		if v.Confidential {
			confidential += v.Name + " "
		}
	}
	if confidential != "curpPaciente nombre primerApellido segundoApellido " {
		t.Errorf("confidential: %s", confidential)
	}
	if len(Table()) != 106 {
		t.Error("the table is not all")
	}
}

func FuzzCheckFile(f *testing.F) {
	file, err := Encode(mended(f))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{file, file[:500], nil, []byte("|"), bytes.Repeat([]byte("|"), 105), []byte("\xFF\xFE"), bytes.ReplaceAll(file, []byte("-1"), []byte("9999999999999999999"))} {
		f.Add("CEX-MCIMB-2410.TXT", seed)
	}
	f.Fuzz(func(t *testing.T, name string, file []byte) {
		p, err := checker.CheckFile(name, file)
		if err != nil {
			return
		}
		if p.Errors+p.Warnings != len(p.Findings) {
			t.Fatalf("%d findings, counted as %d and %d", len(p.Findings), p.Errors, p.Warnings)
		}
		for _, finding := range p.Findings {
			if finding.Text == "" || finding.Rule == "" {
				t.Fatalf("%+v", finding)
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	rows := mended(b)
	file, err := Encode(rows)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, err := checker.CheckFile("CEX-MCIMB-2410.TXT", file); err != nil {
			b.Fatal(err)
		}
	}
}
