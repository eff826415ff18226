package dose

import (
	"bytes"
	"context"
	"encoding/csv"
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/search"
)

const (
	mediaCSV    = "text/csv"
	mediaNDJSON = "application/x-ndjson"

	mostRecipients = 50_000 // lines of one file
)

// wanted is which doses of a lot somebody asks for.
type wanted struct {
	order
	facility    string
	from, until schedule.Date
}

// holds reports whether a dose is asked for, given where.
func (w *wanted) holds(d *element.Doc, where place, s *Service) bool {
	if !w.order.holds(d) || !strings.HasPrefix(where.clues, w.facility) {
		return false
	}
	if w.from.IsZero() && w.until.IsZero() {
		return true
	}
	when, ok := readSpan(text(d, 0, "occurrenceDateTime"), s.Zone)
	return ok && (w.from.IsZero() || when.last(s.Zone) >= w.from) && (w.until.IsZero() || when.first(s.Zone) <= w.until)
}

// asked reads which doses are asked for.
func asked(call *operation.Call) (*wanted, error) {
	c, err := claimed(call)
	if err != nil {
		return nil, err
	}
	r := reader{call: call}
	w := &wanted{order: order{number: c.lot}, facility: strings.ToUpper(r.text("facility", 11))}
	w.from, w.until = r.date("from"), r.date("until")
	if r.err != nil {
		return nil, r.err
	}
	if c.maker != nil {
		display, _ := c.maker["display"].(string)
		w.name, w.key = search.Fold(display), search.Fold(c.mvx)
		if ref, ok := c.maker["reference"].(string); ok {
			w.key = ref
		}
	}
	if len(c.coded) > 0 {
		cvx, ok := code.CVX(c.coded[0].system, c.coded[0].code)
		if !ok {
			return nil, fhir.Errorf(fhir.Unprocessable, "this code of a vaccine is not known").At(of("vaccine"))
		}
		w.cvx = cvx
	}
	return w, nil
}

// date reads a parameter that is a day.
func (r *reader) date(name string) schedule.Date {
	t := r.text(name, 10)
	if t == "" {
		return schedule.NoDate
	}
	d, err := schedule.ParseDate(t)
	if err != nil || len(t) != 10 {
		r.fail(name, "is a date: 2026-03-14")
	}
	return d
}

// recipients answers Medication/$lot-recipients: who was given a lot, as Immunizations, page
// by page; or as a file for those who go and look for them.
func (s *Service) recipients(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call, "lot", "manufacturer", "vaccine", "facility", "from", "until", "_count"); err != nil {
		return nil, err
	}
	w, err := asked(call)
	if err != nil {
		return nil, err
	}
	if Lot(w.number) == "" {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter lot is needed: the number of the lot").At(of("lot"))
	}
	if call.Media != "" {
		return s.listed(ctx, call, w)
	}
	q := &search.Query{Type: "Immunization", Where: ofLot(w.number), Count: max(1, min(call.MaxCount, 100)), Bytes: call.MaxBytes, After: call.Cursor, Restriction: call.Restriction}
	if t, err := call.In.Text("_count"); err != nil {
		return nil, err
	} else if n, err := strconv.Atoi(t); err == nil && n > 0 {
		q.Count = min(n, max(1, call.MaxCount))
	}
	found, err := s.Store.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	page := *found
	page.Matches = nil
	places := s.places()
	for i := range found.Matches {
		d, err := element.Parse(found.Matches[i].JSON)
		if err != nil {
			return nil, err
		}
		where, err := places.of(ctx, d, call.Base)
		if err != nil {
			return nil, err
		}
		if w.holds(d, where, s) {
			page.Matches = append(page.Matches, found.Matches[i])
		}
	}
	page.Total = -1 // of the lots that the index takes for this one
	set := &operation.Set{Result: page}
	for _, name := range []string{"lot", "manufacturer", "vaccine", "facility", "from", "until", "_count"} {
		if t, err := call.In.Text(name); err == nil && t != "" {
			set.Self = append(set.Self, search.Param{Name: name, Value: t})
		}
	}
	return &operation.Answer{Set: set}, nil
}

// recipient is a line of the file.
type recipient struct {
	Facility string `json:"facility"`
	Place    string `json:"place"`
	Date     string `json:"date"`
	Vaccine  string `json:"vaccine"`
	Lot      string `json:"lot"`
	Dose     string `json:"immunization"`
	Patient  string `json:"patient"`
	CURP     string `json:"curp"`
	Name     string `json:"name"`
	Phone    string `json:"phone"`
}

var recipientColumns = []string{"facility", "place", "date", "vaccine", "lot", "immunization", "patient", "curp", "name", "phone"}

// listed answers with a file, a line for each dose, by facility and day.
func (s *Service) listed(ctx context.Context, call *operation.Call, w *wanted) (*operation.Answer, error) {
	var all []recipient
	places := s.places()
	err := s.find(ctx, call.Restriction, "Immunization", ofLot(w.number), func(r *fhir.Resource) (bool, error) {
		d, err := element.Parse(r.JSON)
		if err != nil {
			return false, err
		}
		where, err := places.of(ctx, d, call.Base)
		if err != nil || !w.holds(d, where, s) {
			return true, err
		}
		if len(all) == mostRecipients {
			return false, fhir.Errorf(fhir.TooCostly, "a file has %d recipients at most: ask for one facility at a time, or for days", mostRecipients)
		}
		all = append(all, recipient{
			Facility: where.clues, Place: where.name, Date: text(d, 0, "occurrenceDateTime"), Vaccine: vaccineOf(d),
			Lot: text(d, 0, "lotNumber"), Dose: r.Ref.Current().String(), Patient: text(d, d.Get(0, "patient"), "reference"),
		})
		return true, nil
	})
	if err == nil {
		err = s.reach(ctx, call, all)
	}
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b recipient) int {
		return strings.Compare(a.Facility+"\x00"+a.Date+"\x00"+a.Dose, b.Facility+"\x00"+b.Date+"\x00"+b.Dose)
	})
	var out bytes.Buffer
	if call.Media == mediaNDJSON {
		for i := range all {
			out.Write(append(encode(&all[i]), '\n'))
		}
		return &operation.Answer{Media: mediaNDJSON, Raw: out.Bytes()}, nil
	}
	csv := csv.NewWriter(&out)
	_ = csv.Write(recipientColumns) // a Buffer takes all
	for i := range all {
		a := &all[i]
		_ = csv.Write([]string{a.Facility, plain(a.Place), a.Date, a.Vaccine, plain(a.Lot), a.Dose, a.Patient, a.CURP, plain(a.Name), phone(a.Phone)})
	}
	csv.Flush()
	return &operation.Answer{Media: mediaCSV, Raw: out.Bytes()}, nil
}

// plain keeps a spreadsheet from taking a text for a formula.
func plain(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// phone keeps what can only be a number as it is.
func phone(s string) string {
	if strings.Trim(s, "+0123456789 ") == "" {
		return s
	}
	return plain(s)
}

// reach adds how patients are found, of those whom the caller may see.
func (s *Service) reach(ctx context.Context, call *operation.Call, all []recipient) error {
	of := map[string][]int{}
	var ids []string
	for i := range all {
		ref, ok := fhir.ParseRef(all[i].Patient)
		if !ok || ref.Type != "Patient" {
			continue
		}
		if of[ref.ID] == nil {
			ids = append(ids, ref.ID)
		}
		of[ref.ID] = append(of[ref.ID], i)
	}
	for some := range slices.Chunk(ids, 400) {
		err := s.find(ctx, call.Restriction, "Patient", []search.Expr{search.IDs{Any: some}}, func(r *fhir.Resource) (bool, error) {
			d, err := element.Parse(r.JSON)
			if err != nil {
				return false, err
			}
			for _, i := range of[r.Ref.ID] {
				all[i].CURP, all[i].Name, all[i].Phone = reachOf(d)
			}
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func reachOf(d *element.Doc) (curp, name, phone string) {
	for id := range items(d, 0, "identifier") {
		if text(d, id, "system") == identity.SystemCURP && curp == "" {
			curp = text(d, id, "value")
		}
	}
	for n := range items(d, 0, "name") {
		if name = nameOf(d, n); name != "" {
			break
		}
	}
	for t := range items(d, 0, "telecom") {
		if text(d, t, "system") == "phone" && text(d, t, "use") != "old" {
			phone = text(d, t, "value")
			break
		}
	}
	return curp, name, phone
}
