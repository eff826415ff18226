package card

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/document/qr"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/card/health"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
	"github.com/amate-health/amate/fhir/search"
)

const (
	mediaSVG  = "image/svg+xml"
	mediaPNG  = "image/png"
	mediaHTML = "text/html"
	mediaPDF  = "application/pdf"
)

// issue answers $health-cards-issue: one card with the vaccinations that were asked for.
//
// See https://hl7.org/fhir/uv/smart-health-cards-and-links/OperationDefinition-patient-i-health-cards-issue.html.
func (s *service) issue(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	a, err := parseAsked(call)
	if err != nil {
		return nil, err
	}
	r, err := s.read(ctx, call)
	if err != nil {
		return nil, err
	}
	doses := slices.DeleteFunc(slices.Clone(r.doses), func(o dose) bool { return !a.wants(&o) })
	if len(doses) == 0 || a.nothing {
		if call.Media != "" {
			return nil, fhir.Errorf(fhir.Unprocessable, "there is no vaccination for such a card")
		}
		return answer(nil), nil
	}
	jws, err := s.card(ctx, &r.person, doses, a.claims)
	if err != nil {
		return nil, err
	}
	switch call.Media {
	case "":
	case health.MediaType:
		raw, err := health.File(jws)
		return &operation.Answer{Media: health.MediaType, Raw: raw}, err
	default:
		return picture(jws, call.Media)
	}
	parts := []object{part("verifiableCredential", "String", jws)}
	link := func(i int, ref fhir.Ref) {
		parts = append(parts, object{"name": "resourceLink", "part": []object{
			part("vcIndex", "Integer", 0), part("bundledResource", "Uri", fmt.Sprintf("resource:%d", i)), part("hostedResource", "Uri", call.Base+"/"+ref.String()),
		}})
	}
	link(0, r.ref)
	for i := range doses {
		link(i+1, doses[i].ref)
	}
	return answer(parts), nil
}

// card issues a card of doses.
func (s *service) card(ctx context.Context, p *person, doses []dose, claims []string) (string, error) {
	bundle := minimal(p, doses, claims)
	return s.Ledger.sign(ctx, p.ref.ID, string(bundle), &health.Card{Types: types, Bundle: bundle}, doses)
}

var types = []string{health.TypeCard, health.TypeImmunization}

// picture draws the QR code of a card.
func picture(jws, media string) (*operation.Answer, error) {
	codes := health.Codes(jws)
	if len(codes) > 1 {
		return nil, fhir.Errorf(fhir.Unprocessable, "the card is too long for one QR code (%d characters, %d fit): ask for fewer vaccinations by credentialValueSet or _since, for the file, or for a link ($health-link)", len(jws), health.LongestSingle)
	}
	at := strings.LastIndexByte(codes[0], '/') + 1
	c, err := qr.Encode(qr.L, qr.Segment{Text: codes[0][:at]}, qr.Segment{Text: codes[0][at:], Numeric: true})
	if err != nil {
		return nil, err
	}
	if media == mediaSVG {
		return &operation.Answer{Media: mediaSVG, Raw: c.SVG()}, nil
	}
	raw, err := c.PNG(8)
	return &operation.Answer{Media: mediaPNG, Raw: raw}, err
}

// asked is what a call of $health-cards-issue asks for.
type asked struct {
	claims  []string // elements of the Patient
	since   time.Time
	filters [][]string // antigens, each of which a vaccine must have one of; nil is any vaccine
	nothing bool       // it asks for what is in no card of ours
}

// claims are the elements of the Patient that a card can have, and those that it has
// unless it is said.
var (
	allClaims     = []string{"Patient.name", "Patient.birthDate", "Patient.gender", "Patient.identifier"}
	defaultClaims = allClaims[:2]
)

// filters are the types and value sets that choose among vaccinations.
var filters = map[string][]string{
	"health-card": nil, "immunization": nil, "Immunization": nil, "covid19": {"COVID-19"},
	"immunization-all": nil, "immunization-covid": {"COVID-19"}, "immunization-orthopoxvirus": {"Orthopoxvirus", "Smallpox"},
}

const valueSets = "https://terminology.smarthealth.cards/ValueSet/"

func parseAsked(call *operation.Call) (*asked, error) {
	a := &asked{claims: defaultClaims}
	names := []string{"credentialType", "credentialValueSet", "includeIdentityClaim", "_since"}
	if err := understood(call, names); err != nil {
		return nil, err
	}
	kinds := call.In.All("credentialType")
	if len(kinds) == 0 {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter credentialType is missing").With("%s or Immunization", health.TypeCard)
	}
	for _, v := range kinds {
		kind := strings.TrimPrefix(strings.TrimPrefix(v.Text, "https://smarthealth.cards"), "#")
		antigens, ok := filters[kind]
		if !ok {
			a.nothing = true
		}
		a.filters = append(a.filters, antigens)
	}
	for _, v := range call.In.All("credentialValueSet") {
		name, ok := strings.CutPrefix(v.Text, valueSets)
		if i := strings.LastIndexByte(name, '-'); ok && i > 0 {
			if _, known := filters[name]; !known {
				name = name[:i] // its codes in one system: -all, -cvx, -snomed, -icd11
			}
		}
		antigens, known := filters[name]
		if !ok || !known {
			return nil, fhir.Errorf(fhir.Unprocessable, "the parameter credentialValueSet names a value set that is not known here").
				With("%.200q; known are %simmunization-all-cvx, -covid-all and -orthopoxvirus-all", v.Text, valueSets)
		}
		a.filters = append(a.filters, antigens)
	}
	if claims := call.In.All("includeIdentityClaim"); len(claims) > 0 {
		a.claims = nil
		for _, v := range claims {
			if !slices.Contains(allClaims, v.Text) {
				return nil, fhir.Errorf(fhir.Invalid, "the parameter includeIdentityClaim names an element that is in no card").
					With("it takes %s, not %.100q", strings.Join(allClaims, ", "), v.Text)
			}
			a.claims = append(a.claims, v.Text)
		}
	}
	since, err := call.In.Text("_since")
	if err == nil && since != "" {
		a.since, err = instant(since)
	}
	return a, err
}

// understood refuses parameters that an operation does not take.
func understood(call *operation.Call, names []string) error {
	for _, name := range call.In.Names() {
		if len(names) == 0 && !call.Lenient {
			return fhir.Errorf(fhir.Invalid, "this operation takes no parameters").With("not %.100q", name)
		}
		if !slices.Contains(names, name) && !call.Lenient {
			return fhir.Errorf(fhir.Invalid, "this operation does not take this parameter").
				With("it takes %s, not %.100q%s", strings.Join(names, ", "), name, search.Nearest(name, names))
		}
	}
	return nil
}

// instant reads a dateTime.
func instant(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05.999999999Z07:00", time.DateOnly, "2006-01", "2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fhir.Errorf(fhir.Invalid, "the parameter _since is no dateTime").With("_since=%.100s", s)
}

// wants reports whether a dose belongs on the card. One without a code or a day says
// nothing that could be verified.
func (a *asked) wants(o *dose) bool {
	if o.code == "" || o.system == "" || o.day == "" || o.updated.Before(a.since) {
		return false
	}
	for _, antigens := range a.filters {
		if antigens == nil {
			continue
		}
		v := code.Vaccine{}
		if o.system == code.SystemCVX {
			v, _ = code.Lookup(o.code)
		}
		if !slices.ContainsFunc(antigens, func(one string) bool { return slices.Contains(v.Antigens, one) }) {
			return false
		}
	}
	return true
}

// minimal is the Bundle of a card: no ids, no texts, and of each resource what is needed.
//
// See https://hl7.org/fhir/uv/smart-health-cards-and-links/cards-specification.html#health-cards-are-compact.
func minimal(p *person, doses []dose, claims []string) []byte {
	entries := []any{entry{"resource:0", claimed(p, claims)}}
	for i := range doses {
		entries = append(entries, entry{fmt.Sprintf("resource:%d", i+1), doses[i].minimal()})
	}
	return encode(struct {
		ResourceType string `json:"resourceType"`
		Type         string `json:"type"`
		Entry        []any  `json:"entry"`
	}{"Bundle", "collection", entries})
}

type entry struct {
	URL      string `json:"fullUrl"`
	Resource any    `json:"resource"`
}

type humanName struct {
	Family string   `json:"family,omitempty"`
	Given  []string `json:"given,omitempty"`
	Text   string   `json:"text,omitempty"`
}

type coding struct {
	System string `json:"system"`
	Code   string `json:"code"`
}

// claimed is the Patient of a card.
func claimed(p *person, claims []string) any {
	var out struct {
		ResourceType string            `json:"resourceType"`
		Identifier   []json.RawMessage `json:"identifier,omitempty"`
		Name         []humanName       `json:"name,omitempty"`
		Gender       string            `json:"gender,omitempty"`
		BirthDate    string            `json:"birthDate,omitempty"`
	}
	out.ResourceType = "Patient"
	for _, claim := range claims {
		switch claim {
		case "Patient.name":
			n := humanName{Family: p.family, Given: p.given}
			if n.Family == "" && n.Given == nil {
				n.Text = p.text
			}
			if n.Family != "" || n.Given != nil || n.Text != "" {
				out.Name = []humanName{n}
			}
		case "Patient.birthDate":
			out.BirthDate = p.born
		case "Patient.gender":
			out.Gender = p.gender
		case "Patient.identifier":
			if p.curp != "" {
				out.Identifier = append(out.Identifier, encode(object{"system": "urn:oid:2.16.840.1.113883.4.629", "value": p.curp}))
			}
		}
	}
	return out
}

// minimal is the Immunization of a card.
func (o *dose) minimal() any {
	type display struct {
		Display string `json:"display"`
	}
	type performer struct {
		Actor display `json:"actor"`
	}
	type maker struct {
		Identifier object `json:"identifier"`
	}
	var out struct {
		ResourceType string `json:"resourceType"`
		Status       string `json:"status"`
		VaccineCode  struct {
			Coding []coding `json:"coding"`
		} `json:"vaccineCode"`
		Patient struct {
			Reference string `json:"reference"`
		} `json:"patient"`
		Occurrence string      `json:"occurrenceDateTime"`
		Maker      *maker      `json:"manufacturer,omitempty"`
		Lot        string      `json:"lotNumber,omitempty"`
		Performer  []performer `json:"performer,omitempty"`
	}
	out.ResourceType, out.Status, out.Patient.Reference = "Immunization", "completed", "resource:0"
	out.VaccineCode.Coding = []coding{{o.system, o.code}}
	out.Occurrence, out.Lot = o.day, o.lot
	if o.mvx != "" {
		out.Maker = &maker{object{"system": code.SystemMVX, "value": o.mvx}}
	}
	if o.place != "" {
		out.Performer = []performer{{display{o.place}}}
	}
	return out
}
