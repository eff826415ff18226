package prescription

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/document"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/search"
	"unicode"
)

// State is how far a signed prescription has come.
type State string

// The states.
const (
	Open      State = "open"
	Partial   State = "partial"
	Dispensed State = "dispensed"
	Cancelled State = "cancelled"
	Expired   State = "expired"
)

// Prescription is what a signed document says.
type Prescription struct {
	Folio            string
	Place            string // of the establishment
	CLUES, Address   string
	Prescriber       string
	Cedula           string
	Degree           string // who issued it, as far as known
	Patient, Sex     string
	Born             time.Time
	Signed, Expires  time.Time
	Items            []*Item
	Hash             string // SHA-256 of the signed document, base64url
	Serial           string // of the certificate of the signature
	patient, doctors fhir.Ref
}

// Initials of the patient: enough to see that it is somebody else's, too few to tell whose.
func (p *Prescription) Initials() string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(p.Patient, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }) {
		for _, r := range word {
			b.WriteRune(unicode.ToUpper(r))
			break
		}
	}
	return b.String()
}

// readDocument reads the signed document, a Bundle.
func readDocument(raw []byte) (*Prescription, error) {
	d, err := element.Parse(raw)
	if err != nil {
		return nil, err
	}
	byName := map[string]element.Node{}
	first := element.None
	for e := range d.Items(0, "entry") {
		r := d.Get(e, "resource")
		if first == element.None {
			first = r
		}
		byName[d.TextAt(r, "resourceType")+"/"+d.TextAt(r, "id")] = r
	}
	find := func(reference string) element.Node {
		parts := strings.Split(reference, "/")
		if len(parts) < 2 {
			return element.None
		}
		if n, ok := byName[strings.Join(parts[len(parts)-2:], "/")]; ok {
			return n
		}
		return element.None
	}
	p := &Prescription{Folio: folioOf(d, first)}
	place := find(d.TextAt(first, "custodian", "reference"))
	p.Place, p.CLUES, p.Address = d.TextAt(place, "name"), identifierOf(d, place, identity.SystemCLUES), addressText(d, place)
	person := find(d.TextAt(first, "subject", "reference"))
	p.patient = fhir.Ref{Type: "Patient", ID: d.TextAt(person, "id")}
	p.Patient, p.Sex = nameText(d, person), d.TextAt(person, "gender")
	p.Born, _ = birthDate(d, person)
	for a := range d.Items(first, "author") {
		doctor := find(d.TextAt(a, "reference"))
		p.doctors = fhir.Ref{Type: "Practitioner", ID: d.TextAt(doctor, "id")}
		p.Prescriber, p.Cedula = nameText(d, doctor), identifierOf(d, doctor, identity.SystemCedula)
		for q := range d.Items(doctor, "qualification") {
			if name := d.TextAt(q, "issuer", "display"); name != "" && p.Degree == "" {
				p.Degree = strings.TrimPrefix(conceptText(d, d.Get(q, "code"))+", "+name, ", ")
			}
		}
	}
	p.Signed, _ = time.Parse(time.RFC3339, d.TextAt(d.Get(0, "signature"), "when"))
	for section := range d.Items(first, "section") {
		for e := range d.Items(section, "entry") {
			n := find(d.TextAt(e, "reference"))
			if d.TextAt(n, "resourceType") != "MedicationRequest" {
				continue
			}
			m, _ := readItem(d, n, "")
			p.Items = append(p.Items, m)
			if _, until, ok := validity(d, d.Get(n, "dispenseRequest")); ok {
				p.Expires = until
			}
		}
	}
	jws, _ := base64.StdEncoding.DecodeString(d.TextAt(d.Get(0, "signature"), "data"))
	header, _, _ := strings.Cut(string(jws), ".")
	if made, err := sign.Resume(header, nil); err == nil {
		p.Serial = sign.IdentityOf(made.Signer).Serial
	}
	payload, err := sign.Document(raw)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(payload)
	p.Hash = base64.RawURLEncoding.EncodeToString(sum[:])
	return p, nil
}

// signed returns a prescription that was signed, and how far it has come.
// Errors: fhir.NotFound for one that nobody signed.
func (s *service) signed(ctx context.Context, only *search.Restriction, p *progress) (*Prescription, State, error) {
	c, _, err := s.one(ctx, only, fhir.Ref{Type: "Composition", ID: p.Composition})
	if err != nil {
		return nil, "", err
	}
	id, ok := document.Signed(c.JSON)
	if !ok {
		return nil, "", fhir.Errorf(fhir.NotFound, "the prescription is not signed")
	}
	b, _, err := s.one(ctx, only, fhir.Ref{Type: "Bundle", ID: id})
	if err != nil {
		return nil, "", err
	}
	rx, err := readDocument(b.JSON)
	if err != nil {
		return nil, "", err
	}
	return rx, s.state(p, rx), nil
}

func (s *service) state(p *progress, rx *Prescription) State {
	switch {
	case p.Cancelled:
		return Cancelled
	case p.done():
		return Dispensed
	case s.Now().After(rx.Expires):
		return Expired
	case p.begun():
		return Partial
	}
	return Open
}

// called returns the prescription whose Composition a call is on, as the caller may see it.
func (s *service) called(ctx context.Context, call *operation.Call) (*fhir.Resource, *progress, error) {
	c, d, err := s.one(ctx, call.Restriction, call.Ref())
	if err != nil {
		return nil, nil, err
	}
	folio := folioOf(d, 0)
	if folio == "" {
		return nil, nil, fhir.Errorf(fhir.Unprocessable, "this Composition is no prescription that was drafted here").At("Composition.identifier")
	}
	p, err := s.progressOf(ctx, folio)
	return c, p, err
}

// Shown is what anybody who has the paper is told.
type Shown struct {
	*Prescription
	State State
}

// Looker tells the public of prescriptions.
type Looker struct{ s *service }

// NewLooker returns a Looker. Its Store reads whoever asks.
func NewLooker(cfg Config) *Looker { return &Looker{&service{cfg.filled()}} }

// Look returns the prescription whose paper has a token. Errors: fhir.NotFound for none,
// and for one that nobody signed.
func (l *Looker) Look(ctx context.Context, token string) (*Shown, error) {
	p, err := l.s.byToken(ctx, token)
	if err != nil {
		return nil, err
	}
	rx, state, err := l.s.signed(ctx, search.Unrestricted, p)
	if err != nil {
		return nil, err
	}
	return &Shown{rx, state}, nil
}
