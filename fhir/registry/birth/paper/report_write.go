package paper

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
)

// The roles that see figures of however few births: they see the births themselves.
var seesAll = []string{"system", "statistician"}

// report answers $birth-report.
func (s *service) report(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	a := Asked{Now: s.Now(), Zone: s.Zone}
	if a.Zone == nil {
		a.Zone = central
	}
	a.Year = a.Now.In(a.Zone).Year()
	for _, name := range call.In.Names() {
		value, err := call.In.Text(name)
		if err != nil {
			return nil, err
		}
		switch name {
		case "year":
			if a.Year, err = strconv.Atoi(value); err != nil || a.Year < 1900 || a.Year > 9998 {
				return nil, fhir.Errorf(fhir.Invalid, "a year has four digits").With("%.50q", value).At(name)
			}
		case "facility":
			if !facility.MatchString(value) {
				return nil, fhir.Errorf(fhir.Invalid, "a facility is a CLUES, or what it begins with").With("%.50q", value).At(name)
			}
			a.Facility = value
		case "_format", "_pretty":
		default:
			return nil, fhir.Errorf(fhir.Invalid, "$birth-report takes a year and a facility").With("not %.100q", name)
		}
	}
	me := &call.Caller
	a.Suppress = me.Roles != nil && !slices.ContainsFunc(me.Roles, func(role string) bool { return slices.Contains(seesAll, role) })
	if me.Org != "" && !a.Suppress {
		if a.Facility != "" && !strings.HasPrefix(me.Org, a.Facility) && !strings.HasPrefix(a.Facility, me.Org) {
			return nil, fhir.Errorf(fhir.Forbidden, "you act for another establishment").At("facility")
		}
		if len(a.Facility) < len(me.Org) {
			a.Facility = me.Org
		}
	}
	r, err := Run(ctx, s.Ledger, a)
	if err != nil {
		return nil, err
	}
	if call.Media == mediaCSV {
		var b bytes.Buffer
		err := r.CSV(&b)
		return &operation.Answer{Media: mediaCSV + "; charset=utf-8", Raw: b.Bytes()}, err
	}
	raw, err := r.parameters()
	return &operation.Answer{JSON: raw}, err
}

var facility = regexp.MustCompile(`^[A-Z]{2,5}$|^[A-Z]{5}[0-9]{1,6}$|^9998$`)

// heads are the columns of the figures.
var heads = []string{
	"facility", "month", "births", "void", "replaced", "certify_n", "certify_median_hours", "certify_p90_hours", "certify_share_24h",
	"register_n", "register_median_days", "register_p90_days", "register_share_60d", "unregistered_after_60d",
}

// fewer stands for a number that is not shown.
const fewer = "<11"

func (c Count) String() string {
	if c.Hidden {
		return fewer
	}
	return strconv.Itoa(c.N)
}

// cells are the figures of a line; "" where there are none.
func (l *Line) cells() []string {
	times := func(t Times) []string {
		if t.N == 0 {
			return []string{"", "", "", ""}
		}
		share := ""
		if t.Known {
			share = number3(t.Share)
		}
		return []string{strconv.Itoa(t.N), number1(t.Median), number1(t.P90), share}
	}
	return slices.Concat([]string{l.Facility, l.Month, strconv.Itoa(l.Births), l.Void.String(), l.Replaced.String()},
		times(l.Certify), times(l.Register), []string{l.Waiting.String()})
}

func number1(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
func number3(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }

// rate is how often nothing is known in a column; "" where there are no births.
func (c *Column) rate() string {
	if c.Of == 0 {
		return ""
	}
	return number3(float64(c.Missing) / float64(c.Of))
}

// CSV writes the figures, an empty line, and the columns of SINAC.
func (r *Report) CSV(out io.Writer) error {
	w := csv.NewWriter(out)
	w.Write(heads)
	for i := range r.Lines {
		w.Write(r.Lines[i].cells())
	}
	total := r.Total.cells()
	total[0] = "TOTAL"
	w.Write(total)
	w.Flush()
	fmt.Fprintln(out)
	w.Write([]string{"column", "missing", "births", "missing_rate"})
	for i := range r.Gaps {
		c := &r.Gaps[i]
		w.Write([]string{c.Column.String(), strconv.Itoa(c.Missing), strconv.Itoa(c.Of), c.rate()})
	}
	w.Flush()
	return w.Error()
}

// Write writes the report for people.
func (r *Report) Write(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Births of %d, on %s\n\n", r.Asked.Year, r.Asked.Now.In(r.Asked.Zone).Format(time.DateOnly))
	fmt.Fprintln(w, "facility\tmonth\tbirths\tvoid\treplaced\tto certificate: median h\tp90 h\twithin 24 h\tto registration: median d\tp90 d\twithin 60 d\tunregistered after 60 d")
	line := func(l *Line) {
		c := l.cells()
		fmt.Fprintln(w, strings.Join(slices.Concat(c[:5], c[6:9], c[10:]), "\t"))
	}
	for i := range r.Lines {
		line(&r.Lines[i])
	}
	total := r.Total
	total.Facility = "TOTAL"
	line(&total)
	if r.Hidden > 0 {
		fmt.Fprintf(w, "\n%d lines of fewer than %d births are left out, also of the total\n", r.Hidden, Smallest)
	}
	fmt.Fprintln(w, "\ncolumn\tnothing known\tof\trate")
	for i := range r.Gaps {
		if c := &r.Gaps[i]; c.Missing > 0 {
			fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", c.Column, c.Missing, c.Of, c.rate())
		}
	}
	return w.Flush()
}

// parameters is the report as a resource: a part for each line and column.
func (r *Report) parameters() ([]byte, error) {
	type part map[string]any
	figures := func(l *Line) []part {
		var parts []part
		for i, value := range l.cells() {
			switch {
			case value == "":
			case i < 2 || value == fewer:
				parts = append(parts, part{"name": heads[i], "valueCode": value}) // who sees no free text sees codes
			default:
				parts = append(parts, part{"name": heads[i], "valueDecimal": json.Number(value)})
			}
		}
		return parts
	}
	all := []part{
		{"name": "year", "valueInteger": r.Asked.Year},
		{"name": "hidden", "valueInteger": r.Hidden},
		{"name": "total", "part": figures(&r.Total)},
	}
	for i := range r.Lines {
		all = append(all, part{"name": "line", "part": figures(&r.Lines[i])})
	}
	for i := range r.Gaps {
		c := &r.Gaps[i]
		parts := []part{{"name": "column", "valueCode": c.Column.String()}, {"name": "births", "valueInteger": c.Of}}
		if rate := c.rate(); rate != "" {
			parts = append(parts, part{"name": "missing", "valueInteger": c.Missing}, part{"name": "rate", "valueDecimal": json.Number(rate)})
		}
		all = append(all, part{"name": "column", "part": parts})
	}
	return json.Marshal(map[string]any{"resourceType": "Parameters", "parameter": all})
}
