package birth

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
)

// The range that an establishment gets for a year when it has none: CLUES-yy-nnnnn.
const (
	ownWidth = 5
	ownLast  = 99_999
)

// FolioOf returns the folio with a number of a range.
func FolioOf(r *fhir.FolioRange, number int64) string {
	return r.Prefix + fmt.Sprintf("%0*d", r.Width, number)
}

// OwnRange is the range that an establishment gets for a year when it has none.
func OwnRange(facility string, year int) fhir.FolioRange {
	return fhir.FolioRange{
		ID: "own " + facility + " " + strconv.Itoa(year), Facility: facility, Year: year,
		Prefix: fmt.Sprintf("%s-%02d-", facility, year%100), Width: ownWidth, First: 1, Last: ownLast, Next: 1,
	}
}

// CheckFolios refuses a range whose folios do not have the form of folios.
func CheckFolios(r *fhir.FolioRange) error {
	switch {
	case r.First < 1 || r.First > r.Last:
		return fhir.Errorf(fhir.Invalid, "a range of folios goes from a first number, at least 1, to a last one")
	case !folioForm.MatchString(FolioOf(r, r.First)) || len(FolioOf(r, r.First)) != len(FolioOf(r, r.Last)):
		return fhir.Errorf(fhir.Invalid, "a folio has 6 to 20 capital letters, digits and hyphens, and all of a range are as long")
	}
	return nil
}

// folio gives p its folio: that of a draft of the caller, one of an offline node, or the next.
func (s *service) folio(ctx context.Context, p *preparation) error {
	c := p.cert
	if p.claim.folio == "" {
		return s.next(ctx, c)
	}
	c.Folio = p.claim.folio
	const at = "Parameters.parameter.where(name='folio')"
	if !folioForm.MatchString(c.Folio) {
		return fhir.Errorf(fhir.Invalid, "a folio has 6 to 20 capital letters, digits and hyphens").At(at)
	}
	was, err := s.book.Certificate(ctx, c.Folio)
	switch {
	case err == nil && was.State == Draft && was.Waiting != nil && was.Waiting.Caller == callerOf(p.call) && was.Certifier.Facility == p.facility:
		c.Version, c.Year = was.Version, was.Year
		return nil
	case err == nil && was.Certifier.Facility == p.facility:
		return fhir.Errorf(fhir.Conflict, "this folio is used already").At(at)
	case err != nil && fhir.CodeOf(err) != fhir.NotFound: // of another establishment's folios nothing is told
		return err
	}
	ranges, err := s.Store.FolioRanges(ctx, p.facility)
	if err != nil {
		return err
	}
	for i := range ranges {
		r := &ranges[i]
		digits, ok := strings.CutPrefix(c.Folio, r.Prefix)
		n, err := strconv.ParseInt(digits, 10, 64)
		if ok && r.Node != "" && err == nil && FolioOf(r, n) == c.Folio && n >= r.First && n <= r.Last {
			c.Year = r.Year
			return nil
		}
	}
	return fhir.Errorf(fhir.Unprocessable, "this folio is of no range that was allocated to a node of the establishment: leave it out, and the server gives one").At(at)
}

// next takes the next folio of the establishment.
func (s *service) next(ctx context.Context, c *Certificate) error {
	facility := c.Certifier.Facility
	r, err := s.Store.TakeFolios(ctx, facility, c.Year, 1)
	if fhir.CodeOf(err) == fhir.NotFound && !s.OnlyRanges {
		if err := s.Store.AddFolios(ctx, OwnRange(facility, c.Year), false); err != nil {
			return err
		}
		r, err = s.Store.TakeFolios(ctx, facility, c.Year, 1)
	}
	if fhir.CodeOf(err) == fhir.NotFound {
		return fhir.Errorf(fhir.Conflict, "the establishment has no folios left for this year (amate birth folios allocate)")
	}
	c.Folio = FolioOf(&r, r.Next)
	return err
}
