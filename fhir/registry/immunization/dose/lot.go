package dose

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// Lot returns a lot number as lots are compared: without regard to case, accents,
// spaces, dashes and other punctuation. "AB-123 x" and "ab123X" are one lot. "" for a
// text without letters and digits.
func Lot(number string) string {
	folded := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, search.Fold(number))
	return strings.ToUpper(folded)
}

// mostSpellings bounds the ways of writing a lot that are looked for.
const mostSpellings = 64

// spellings returns the ways of writing a lot number that the index of lot numbers is
// asked for: as it was written, in one word, with one gap at any place, and with any gaps
// where letters and digits meet.
func spellings(number string) []string {
	lot := strings.ToLower(Lot(number))
	all := []string{search.Fold(number), lot}
	var joints []int
	for i := 1; i < len(lot); i++ {
		all = append(all, lot[:i]+" "+lot[i:])
		if digit(lot[i]) != digit(lot[i-1]) {
			joints = append(joints, i)
		}
	}
	if len(joints) > 4 {
		joints = joints[:4]
	}
	for set := range 1 << len(joints) {
		s, from := "", 0
		for i, at := range joints {
			if set>>i&1 == 1 {
				s, from = s+lot[from:at]+" ", at
			}
		}
		all = append(all, s+lot[from:])
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), mostSpellings)]
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// ofLot is the condition of having a lot number, by the index: each spelling is a range of
// it. Whoever uses it compares what is found with Lot.
func ofLot(number string) []search.Expr {
	m := search.Match{Param: spec.Param("Immunization", "lot-number"), Compared: spec.String, Modifier: "equal"}
	for _, s := range spellings(number) {
		m.Values = append(m.Values, search.Value{Raw: s, Text: s})
	}
	return []search.Expr{m}
}

// makerOf returns who made a dose or a lot, as manufacturers are compared: by the MVX code
// or the reference where there is one, else by name.
func makerOf(d *element.Doc) (key, name string) {
	m := d.Get(0, "manufacturer")
	if m == element.None {
		return "", ""
	}
	name = search.Fold(text(d, m, "display"))
	if id := d.Get(m, "identifier"); id != element.None && text(d, id, "value") != "" {
		return search.Fold(text(d, id, "value")), name
	}
	return text(d, m, "reference"), name
}

// sameMaker reports whether two manufacturers can be one: where either is not said, they
// can; names are one when either begins with the other ("Sanofi", "Sanofi Pasteur").
func sameMaker(aKey, aName, bKey, bName string) bool {
	switch {
	case aKey != "" && aKey == bKey:
		return true
	case aName != "" && bName != "":
		return strings.HasPrefix(aName, bName) || strings.HasPrefix(bName, aName)
	}
	return aKey == "" && aName == "" || bKey == "" && bName == ""
}

// lot is what the registry knows of a lot: a Medication.
type lot struct {
	parsed
	recalled bool
	why      string
}

// lots returns what is known of a lot number of a manufacturer. It is read without regard
// to who asks: a lot is of no patient.
func (s *Service) lots(ctx context.Context, number, key, name string) ([]lot, error) {
	var all []lot
	q, err := search.Parse("Medication", []search.Param{{Name: "identifier", Value: escape.Replace(LotSystem) + "|" + Lot(number)}}, search.Options{})
	if err != nil {
		return nil, err
	}
	err = s.find(ctx, search.Unrestricted, "Medication", q.Where, func(r *fhir.Resource) (bool, error) {
		d, err := parse(r)
		if err != nil {
			return false, err
		}
		k, n := makerOf(d.Doc)
		if text(d.Doc, 0, "status") != "entered-in-error" && sameMaker(k, n, key, name) {
			one := lot{parsed: d}
			for x := range items(d.Doc, 0, "extension") {
				if text(d.Doc, x, "url") == RecallURL {
					one.recalled = true
					for y := range items(d.Doc, x, "extension") {
						if text(d.Doc, y, "url") == "reason" {
							one.why = text(d.Doc, y, "valueString")
						}
					}
				}
			}
			all = append(all, one)
		}
		return true, nil
	})
	return all, err
}

// lotID is the id of the Medication that a recall makes for a lot, of which there is one.
func lotID(number, key, name string) string {
	if key == "" {
		key = name
	}
	sum := sha256.Sum256([]byte(Lot(number) + "\x00" + key))
	return "lot-" + hex.EncodeToString(sum[:16])
}

// registered holds a dose to what the registry knows of its lot. A lot that is not in it
// is only odd where somebody keeps the lots of the vaccine there.
func (s *Service) registered(ctx context.Context, p *posting) error {
	if p.lot == "" || p.notDone != "" || Lot(p.lot) == "" {
		return nil
	}
	key, name := search.Fold(p.mvx), ""
	if p.maker != nil {
		display, _ := p.maker["display"].(string)
		name = search.Fold(display)
		if r, ok := p.maker["reference"].(string); ok {
			key = r
		}
	}
	found, err := s.lots(ctx, p.lot, key, name)
	if err != nil {
		return err
	}
	for i := range found {
		if found[i].recalled {
			p.odd("lot-recalled", "the lot was recalled"+paren(found[i].why), "lot")
		}
		p.asRegistered(found[i].parsed)
	}
	if len(found) > 0 || p.reported {
		return nil
	}
	kept, err := s.keepsLots(ctx, p.cvx)
	if kept {
		p.odd("lot-unknown", "the lot is not in the registry of lots, which has lots of this vaccine", "lot")
	}
	return err
}

// asRegistered takes from the registry what the post did not say, and refuses what it
// says otherwise.
func (p *posting) asRegistered(d parsed) {
	expiry := text(d.Doc, at(d.Doc, 0, "batch"), "expirationDate")
	if e, ok := readSpan(expiry, p.zone); ok && p.expiry == "" {
		p.expiry = expiry[:min(len(expiry), 10)]
		if p.time.first(p.zone) > e.last(p.zone) && !p.past() {
			p.wrong("dose-expired", "the lot had expired on the day of the dose, by the registry of lots", "lot")
		}
	}
	if cvx := productIn(d.Doc); cvx != "" && cvx != p.cvx {
		p.odd("lot-other-vaccine", "the registry has this lot for another vaccine", "lot")
	}
	if p.maker == nil {
		if m := d.Doc.Get(0, "manufacturer"); m != element.None {
			p.maker = members(d.Doc, m)
		}
	}
}

// productIn is the CVX code of a Medication.
func productIn(d *element.Doc) string {
	for c := range items(d, at(d, 0, "code"), "coding") {
		if cvx, ok := code.CVX(text(d, c, "system"), text(d, c, "code")); ok {
			return cvx
		}
	}
	return ""
}

// keepsLots reports whether the registry has lots of a vaccine.
func (s *Service) keepsLots(ctx context.Context, cvx string) (bool, error) {
	q, err := search.Parse("Medication", []search.Param{
		{Name: "code", Value: systemCVX + "|" + cvx}, {Name: "identifier", Value: escape.Replace(LotSystem) + "|"}, {Name: "status", Value: "active"}, {Name: "_count", Value: "1"},
	}, search.Options{})
	if err != nil {
		return false, err
	}
	q.Restriction = search.Unrestricted
	found, err := s.Store.Search(ctx, q)
	return err == nil && len(found.Matches) > 0, err
}
