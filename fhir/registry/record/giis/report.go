package giis

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Finding is one thing that is wrong with a row, or with a file.
type Finding struct {
	Line     int    `json:"line,omitempty"`     // of the file, from 1, which is the row of names; 0 for the whole
	Visit    string `json:"visit,omitempty"`    // the Encounter that a row was made from; "" for one that was read
	Variable int    `json:"variable,omitempty"` // 0 for the whole row
	Name     string `json:"name,omitempty"`
	Rule     string `json:"rule"` // stable key: "form", "condition", "curp", ...
	Warning  bool   `json:"warning,omitempty"`
	Text     string `json:"text"`            // what the rule wants
	Value    string `json:"value,omitempty"` // what is there, unless it tells who somebody is
}

// Report is what was found.
type Report struct {
	Rows     int       `json:"rows"`
	Errors   int       `json:"errors"`
	Warnings int       `json:"warnings"`
	Left     int       `json:"leftOut,omitempty"` // rows that were left out of the file for their errors
	Findings []Finding `json:"findings"`
}

func (p *Report) add(f Finding) {
	if f.Warning {
		p.Warnings++
	} else {
		p.Errors++
	}
	p.Findings = append(p.Findings, f)
}

// personal are the variables whose values are in no report: they tell who somebody is.
func personal(n int) bool { return n >= vStaffCURP && n <= vStaffMother || n >= vCURP && n <= vBorn }

// found makes a finding about a variable.
func found(r *Row, line, n int, rule, text string) Finding {
	f := Finding{Line: line, Variable: n, Name: table[n-1].Name, Rule: rule, Text: text}
	if !personal(n) {
		f.Value = r.at(n)
	}
	return f
}

// Checker checks rows.
type Checker struct {
	Catalogue Catalogue // nil when there is none
	Today     time.Time // what is after it has not happened
}

// Row returns what is wrong with a row that stands at a line.
func (c *Checker) Row(r *Row, line int) []Finding {
	var out []Finding
	ok := [Variables + 1]bool{}
	for i := range table {
		v := &table[i]
		text := v.form(r[i], c.Today)
		if ok[v.Number] = text == ""; !ok[v.Number] {
			out = append(out, found(r, line, v.Number, "form", text))
		}
	}
	add := func(n int, rule, text string, soft bool) {
		if text != "" && ok[n] { // what has no form breaks every other rule too
			f := found(r, line, n, rule, text)
			f.Warning = soft
			out = append(out, f)
		}
	}
	for i := range conditions {
		add(conditions[i].of, "condition", conditions[i].check(r), false)
	}
	for i := range crosses {
		add(crosses[i].of, crosses[i].rule, crosses[i].check(r), crosses[i].soft)
	}
	for _, d := range diagnoses {
		add(d.code, "catalogue", c.Catalogue.diagnosis(r, d.code), false)
		add(d.confirmed, "confirmation", c.Catalogue.confirmation(r, d.code, d.confirmed), false)
	}
	if at, known := r.day(vDate); known {
		add(vDate, "future", wrong(at.After(c.Today), "a visit that has taken place"), false)
	}
	return out
}

// Quotas of a file (guide, variables 9 and 43), in percent. A file of fewer rows than
// few is only warned of: one row can be more than its share there.
const (
	mostGeneric = 15
	mostUnknown = 5
	few         = 20
)

// Whole returns what is wrong with rows taken together.
func (c *Checker) Whole(rows []Row) []Finding {
	var out []Finding
	generic, unknown := 0, 0
	programme := map[string]string{}
	for i := range rows {
		r := &rows[i]
		if r.at(vCURP) == table[vCURP-1].unknown {
			generic++
		}
		if r.at(vDisease1) == unknownCause {
			unknown++
		}
		staff := r.at(vStaffCURP)
		if before, ok := programme[staff]; ok && before != r.at(vProgramme) && staff != table[vCURP-1].unknown {
			f := found(r, i+2, vProgramme, "same", "the same value in all visits that one person gives under one contract")
			f.Warning = true
			out = append(out, f)
		}
		programme[staff] = r.at(vProgramme)
	}
	share := func(n, most, variable int, what string) {
		if n*100 > most*len(rows) {
			v := table[variable-1]
			out = append(out, Finding{Variable: variable, Name: v.Name, Rule: "quota", Warning: len(rows) < few,
				Text: fmt.Sprintf("%d of %d rows %s, more than %d %%", n, len(rows), what, most)})
		}
	}
	share(generic, mostGeneric, vCURP, "have the generic CURP")
	share(unknown, mostUnknown, vDisease1, "have a diagnosis that is not known (R69X)")
	return out
}

// Check returns the report about rows that were made or read, in their order.
func (c *Checker) Check(rows []Row) *Report {
	p := &Report{Rows: len(rows), Findings: []Finding{}}
	for i := range rows {
		for _, f := range c.Row(&rows[i], i+2) {
			p.add(f)
		}
	}
	for _, f := range c.Whole(rows) {
		p.add(f)
	}
	return p
}

// JSON returns the report as JSON.
func (p *Report) JSON() ([]byte, error) { return json.MarshalIndent(p, "", "  ") }

// CSV writes the findings as CSV, in UTF-8.
func (p *Report) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	out.Write([]string{"line", "visit", "variable", "name", "severity", "rule", "text", "value"})
	for _, f := range p.Findings {
		out.Write([]string{strconv.Itoa(f.Line), f.Visit, strconv.Itoa(f.Variable), f.Name, f.Severity(), f.Rule, f.Text, f.Value})
	}
	out.Flush()
	return out.Error()
}

// Severity is "error" or "warning".
func (f *Finding) Severity() string {
	if f.Warning {
		return "warning"
	}
	return "error"
}

// Write writes the report for people, a line for each finding.
func (p *Report) Write(w io.Writer) error {
	for _, f := range p.Findings {
		where := "file"
		if f.Line > 0 {
			where = fmt.Sprintf("line %d", f.Line)
		}
		if f.Visit != "" {
			where += " (" + f.Visit + ")"
		}
		if f.Variable > 0 {
			where += fmt.Sprintf(", %d %s", f.Variable, f.Name)
		}
		if f.Value != "" {
			where += fmt.Sprintf(" = %q", f.Value)
		}
		if _, err := fmt.Fprintf(w, "%s: %s: %s [%s]\n", where, f.Severity(), f.Text, f.Rule); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d rows, %d errors, %d warnings\n", p.Rows, p.Errors, p.Warnings)
	return err
}
