package vector

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// maxBytes is the size of a file of cases, unpacked.
const maxBytes = 64 << 20

// Case is one test case: a person with doses, and what an assessment must say.
type Case struct {
	ID      string // "2013-0001"
	Title   string
	Group   string // vaccine group, as the case writes it
	On      schedule.Date
	History immunization.History
	Doses   []Expected // parallel to History.Doses
	Status  string     // of the series: "Not complete"
	// Number of the next dose, "" or "-" for none.
	Number                         string
	Earliest, Recommended, PastDue schedule.Date // NoDate for none
}

// Expected is the evaluation of a dose.
type Expected struct{ Status, Reason string }

// String writes an evaluation for people.
func (e Expected) String() string { return describe(e.Status, e.Reason) }

// layout is a case as it is written.
type layout struct {
	ID      string `json:"cdcTestId"`
	Title   string `json:"testcaseName"`
	Group   string `json:"vaccineGroup"`
	On      day    `json:"assessmentDate"`
	Patient struct {
		Born         day    `json:"dob"`
		Gender       string `json:"gender"`
		Observations []struct {
			Code string `json:"code"`
			Date day    `json:"date"`
		} `json:"observations"`
	} `json:"patient"`
	Evaluation struct {
		Status string       `json:"seriesStatus"`
		Doses  []doseLayout `json:"administeredDoses"`
	} `json:"evaluation"`
	Forecast struct {
		Number      string `json:"forecastNum"`
		Earliest    day    `json:"earliestDate"`
		Recommended day    `json:"recommendedDate"`
		PastDue     day    `json:"pastDueDate"`
	} `json:"forecast"`
	Doses []doseLayout `json:"doses"`
}

type doseLayout struct {
	Date   day    `json:"dateAdministered"`
	CVX    string `json:"cvx"`
	MVX    string `json:"mvx"`
	Status string `json:"evaluationStatus"`
	Reason string `json:"evaluationReason"`
}

// day is a date, written with or without a time.
type day struct{ schedule.Date }

// UnmarshalJSON reads a day; null is none, and so is the first day of the calendar, which
// some programs write for it.
func (d *day) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil || s == "" || strings.HasPrefix(s, "0001-01-01") {
		return err
	}
	var err error
	d.Date, err = schedule.ParseDate(s)
	return err
}

// Load reads the cases of a file, .json or .json.gz.
// Errors: it cannot be read, or a case is wrong; the error names the case.
func Load(path string) ([]Case, error) {
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	cases, err := Read(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return cases, nil
}

// read returns the text of a file, unpacked when it is gzip.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var head [2]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	in := io.MultiReader(bytes.NewReader(head[:]), f)
	if head == [2]byte{0x1f, 0x8b} {
		if in, err = gzip.NewReader(in); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	text, err := io.ReadAll(io.LimitReader(in, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(text) > maxBytes {
		return nil, fmt.Errorf("%s: larger than %d MiB", path, maxBytes>>20)
	}
	return text, nil
}

// Read reads cases: a JSON array.
// Errors: see [Load].
func Read(text []byte) ([]Case, error) {
	var list []layout
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	cases := make([]Case, len(list))
	for i := range list {
		c, err := list[i].convert()
		if err != nil {
			return nil, fmt.Errorf("case %d (%.40q): %w", i+1, list[i].ID, err)
		}
		cases[i] = c
	}
	return cases, nil
}

// convert checks a case.
func (l *layout) convert() (Case, error) {
	c := Case{
		ID: l.ID, Title: strings.TrimSpace(l.Title), Group: l.Group, On: l.On.Date,
		Status: l.Evaluation.Status, Number: strings.TrimSpace(l.Forecast.Number),
		Earliest: l.Forecast.Earliest.Date, Recommended: l.Forecast.Recommended.Date, PastDue: l.Forecast.PastDue.Date,
	}
	if l.ID == "" || l.On.IsZero() || l.Patient.Born.IsZero() || l.Group == "" {
		return c, fmt.Errorf("cdcTestId, vaccineGroup, assessmentDate or patient.dob is missing")
	}
	c.History.Born = l.Patient.Born.Date
	switch strings.ToUpper(strings.TrimSpace(l.Patient.Gender)) {
	case "F", "FEMALE":
		c.History.Sex = immunization.Female
	case "M", "MALE":
		c.History.Sex = immunization.Male
	}
	for _, o := range l.Patient.Observations {
		c.History.Observations = append(c.History.Observations, immunization.Observation{Code: o.Code, Date: o.Date.Date})
	}
	doses := l.Evaluation.Doses
	if len(doses) == 0 {
		doses = l.Doses
	}
	for i, d := range doses {
		if d.Date.IsZero() || d.CVX == "" {
			return c, fmt.Errorf("dose %d: dateAdministered or cvx is missing", i+1)
		}
		c.History.Doses = append(c.History.Doses, immunization.Dose{
			ID: fmt.Sprint(i + 1), Date: d.Date.Date, CVX: strings.TrimSpace(d.CVX), MVX: strings.TrimSpace(d.MVX),
		})
		c.Doses = append(c.Doses, Expected{d.Status, d.Reason})
	}
	return c, nil
}
