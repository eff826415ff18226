package card

import (
	"time"

	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/card/health"
	"github.com/amate-health/amate/fhir/registry/card/link"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// Config is what the operations work with. Store, Ledger and Page must be set.
type Config struct {
	Store  Store
	Ledger *Ledger

	// Page returns the URL of the public page of a token.
	Page func(token string) string

	// Assessor returns what tells which doses are due on a day. nil leaves that out of the
	// cartilla.
	Assessor func(on schedule.Date) (immunization.Assessor, error)

	// Links shares cards by SMART Health Links. nil offers none.
	Links *link.Service

	// Summary returns the International Patient Summary of the Patient that a call is on,
	// for links. nil shares none.
	Summary operationRun

	Authority string         // who issues: on papers, and in certificates of WHO
	Country   string         // of vaccinations, ISO 3166-1 alpha-3; "" is MEX
	Zone      *time.Location // of days; nil is that of central Mexico
	Now       func() time.Time
}

type service struct{ Config }

// central is the time of most of Mexico, which has no summer time since 2022.
var central = time.FixedZone("UTC-6", -6*60*60)

const own = "https://github.com/amate-health/amate/fhir/OperationDefinition/"

// IssueURL is the canonical URL of $health-cards-issue.
const IssueURL = "http://hl7.org/fhir/uv/smart-health-cards-and-links/OperationDefinition/patient-i-health-cards-issue"

// Operations returns, each on Patient/[id],
//
//   - $health-cards-issue: a SMART Health Card of the vaccinations, as Parameters, as a
//     file, or as a QR code (SVG, PNG),
//   - $cartilla: the vaccination record on paper, as a PDF or a page,
//   - $ddcc: a certificate of one vaccination as WHO has it, signed,
//   - $health-cards-revoke: takes back all cards that were issued of the Patient,
//   - with Links: $health-link shares card and summary, $health-links lists what is shared,
//     and $health-link-revoke ends it.
//
// Each shows what the caller may see, and is refused to those who see only parts.
func Operations(cfg Config) []operation.Operation {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Zone == nil {
		cfg.Zone = central
	}
	if cfg.Country == "" {
		cfg.Country = "MEX"
	}
	s := &service{cfg}
	on := func(o operation.Operation) operation.Operation {
		o.Scope, o.Types, o.Whole = operation.OnInstance, []string{"Patient"}, true
		if o.URL == "" {
			o.URL = own + o.Name
		}
		return o
	}
	all := []operation.Operation{
		on(operation.Operation{Name: "health-cards-issue", URL: IssueURL, Media: []string{health.MediaType, mediaSVG, mediaPNG}, Run: s.issue}),
		on(operation.Operation{Name: "cartilla", Media: []string{mediaPDF, mediaHTML}, Run: s.cartilla}),
		on(operation.Operation{Name: "ddcc", Run: s.ddcc}),
		on(operation.Operation{Name: "health-cards-revoke", Changes: true, Run: s.revoke}),
	}
	if cfg.Links != nil {
		all = append(all,
			on(operation.Operation{Name: "health-link", Changes: true, Run: s.share}),
			on(operation.Operation{Name: "health-links", Run: s.shared}),
			on(operation.Operation{Name: "health-link-revoke", Changes: true, Run: s.unshare}),
		)
	}
	return all
}
