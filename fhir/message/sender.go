package message

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"time"

	_ "embed"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/zone"
)

// Sender is a system that sends messages, as it is registered.
type Sender struct {
	Name   string `json:"name"`
	Client string `json:"client"` // the registered app as which it writes: its roles and scopes hold

	// By what it is known over MLLP. A message must come from one of Networks or with one
	// of Certificates, and name one of Applications in MSH-3 and MSH-4 if there are any.
	Networks     []string      `json:"networks,omitempty"`     // addresses or networks: 10.1.2.0/24
	Certificates []string      `json:"certificates,omitempty"` // SHA-256 of client certificates, in hexadecimal
	Applications []Application `json:"applications,omitempty"`

	Zone     string `json:"zone,omitempty"`     // of times without one: America/Mexico_City
	Charset  string `json:"charset,omitempty"`  // of messages without MSH-18
	Facility string `json:"facility,omitempty"` // the organization that answers for its results: Organization/1

	// Again says what becomes of another message under an id that was used before: ""
	// rejects it, "process" takes it as new.
	Again string `json:"again,omitempty"`

	Tables Tables `json:"tables"`

	once     sync.Once
	location *time.Location
	merged   Tables
	networks []netip.Prefix
}

// Application is what a system calls itself. An empty part stands for any.
type Application struct {
	Application string `json:"application,omitempty"` // MSH-3.1
	Facility    string `json:"facility,omitempty"`    // MSH-4.1
}

// Tables say what the codes of a sender mean. Those of a sender go before the default.
type Tables struct {
	Assigners map[string]string `json:"assigners,omitempty"` // assigning authority, or type of identifier -> system of identifiers
	Systems   map[string]string `json:"systems,omitempty"`   // name of a coding system, as in CWE.3 -> its URI
	Codes     map[string]Coding `json:"codes,omitempty"`     // "system|code", as sent, or "code" -> a coding that is added
	Units     map[string]string `json:"units,omitempty"`     // unit in small letters -> UCUM

	Sex           map[string]string `json:"sex,omitempty"`           // table 0001 -> administrative-gender
	Class         map[string]string `json:"class,omitempty"`         // table 0004 -> v3-ActCode
	Marital       map[string]string `json:"marital,omitempty"`       // table 0002 -> v3-MaritalStatus
	Flags         map[string]string `json:"flags,omitempty"`         // table 0078 -> v3-ObservationInterpretation
	ResultStatus  map[string]string `json:"resultStatus,omitempty"`  // table 0085 -> observation-status
	ReportStatus  map[string]string `json:"reportStatus,omitempty"`  // table 0123 -> diagnostic-report-status
	OrderStatus   map[string]string `json:"orderStatus,omitempty"`   // table 0038 -> request-status
	Sections      map[string]string `json:"sections,omitempty"`      // table 0074 -> observation-category
	NameUse       map[string]string `json:"nameUse,omitempty"`       // table 0200 -> name-use
	AddressUse    map[string]string `json:"addressUse,omitempty"`    // table 0190 -> address-use
	TelecomUse    map[string]string `json:"telecomUse,omitempty"`    // table 0201 -> contact-point-use
	TelecomSystem map[string]string `json:"telecomSystem,omitempty"` // table 0202 -> contact-point-system

	Kin         map[string]string `json:"kin,omitempty"`         // table 0063 -> v3-RoleCode
	DoseSource  map[string]string `json:"doseSource,omitempty"`  // table NIP001 -> immunization-origin; "" for given by the sender
	DoseRefusal map[string]string `json:"doseRefusal,omitempty"` // table NIP002 -> v3-ActReason
	DoseSite    map[string]string `json:"doseSite,omitempty"`    // table 0163 -> v3-ActSite
	DoseRoute   map[string]string `json:"doseRoute,omitempty"`   // table 0162, or code of NCIT -> v3-RouteOfAdministration
}

// Coding is a code of a system.
type Coding struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display,omitempty"`
}

//go:embed tables.json
var defaultTables []byte

// DefaultTables returns what codes mean where a sender says nothing else.
var DefaultTables = sync.OnceValue(func() *Tables {
	t := new(Tables)
	if err := json.Unmarshal(defaultTables, t); err != nil {
		panic(err) // a test reads it
	}
	return t
})

// over returns t with what own says in its place.
func (t *Tables) over(own *Tables) Tables {
	text, of, to := t.texts(), own.texts(), new(Tables)
	for i, m := range to.texts() {
		*m = maps.Clone(*text[i])
		if *m == nil {
			*m = map[string]string{}
		}
		maps.Copy(*m, *of[i])
	}
	to.Codes = maps.Clone(t.Codes)
	if to.Codes == nil {
		to.Codes = map[string]Coding{}
	}
	maps.Copy(to.Codes, own.Codes)
	return *to
}

func (t *Tables) texts() []*map[string]string {
	return []*map[string]string{
		&t.Assigners, &t.Systems, &t.Units, &t.Sex, &t.Class, &t.Marital, &t.Flags, &t.ResultStatus, &t.ReportStatus,
		&t.OrderStatus, &t.Sections, &t.NameUse, &t.AddressUse, &t.TelecomUse, &t.TelecomSystem, &t.Kin, &t.DoseSource, &t.DoseRefusal, &t.DoseSite, &t.DoseRoute,
	}
}

var senderName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)

// ParseSender reads a sender as JSON and checks it.
func ParseSender(text []byte) (*Sender, error) {
	s := new(Sender)
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("sender: %w", err)
	}
	return s, s.Check()
}

// Check says what is wrong with s.
func (s *Sender) Check() error {
	switch {
	case !senderName.MatchString(s.Name):
		return fmt.Errorf("sender: the name must be 1 to 63 of a-z 0-9 . and -")
	case s.Client == "":
		return fmt.Errorf("sender %s: client must name the registered app as which it writes", s.Name)
	case s.Again != "" && s.Again != "process":
		return fmt.Errorf(`sender %s: again is "process" or nothing`, s.Name)
	case s.Facility != "" && !strings.HasPrefix(s.Facility, "Organization/"):
		return fmt.Errorf("sender %s: facility must be a reference such as Organization/1", s.Name)
	}
	if _, err := s.zone(); err != nil {
		return fmt.Errorf("sender %s: zone %q is not known, such as America/Mexico_City", s.Name, s.Zone)
	}
	for _, n := range s.Networks {
		if _, err := network(n); err != nil {
			return fmt.Errorf("sender %s: network %q: want an address or a network such as 10.1.2.0/24", s.Name, n)
		}
	}
	for _, c := range s.Certificates {
		if len(c) != 64 || strings.Trim(strings.ToLower(c), "0123456789abcdef") != "" {
			return fmt.Errorf("sender %s: certificate %q: want the SHA-256 of a certificate as 64 hexadecimal digits", s.Name, c)
		}
	}
	return nil
}

func network(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		return netip.ParsePrefix(s)
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return a.Prefix(a.BitLen())
}

// zone returns the time zone of times that bear none.
func (s *Sender) zone() (*time.Location, error) {
	return zone.Load(cmp.Or(s.Zone, "America/Mexico_City"))
}

// ready works out what follows from the settings, once.
func (s *Sender) ready() {
	s.once.Do(func() {
		s.location = time.UTC
		if l, err := s.zone(); err == nil {
			s.location = l
		}
		s.merged = DefaultTables().over(&s.Tables)
		for _, n := range s.Networks {
			if p, err := network(n); err == nil {
				s.networks = append(s.networks, p)
			}
		}
	})
}

// Peer is where a message comes from.
type Peer struct {
	Address     netip.Addr
	Certificate string // SHA-256 of the client certificate, in hexadecimal; "" for none
}

// Knows reports whether a peer may be this sender.
func (s *Sender) Knows(p Peer) bool {
	s.ready()
	for _, c := range s.Certificates {
		if p.Certificate != "" && strings.EqualFold(c, p.Certificate) {
			return true
		}
	}
	for _, n := range s.networks {
		if n.Contains(p.Address.Unmap()) {
			return true
		}
	}
	return false
}

// Named reports whether the names in MSH-3 and MSH-4 are those of s.
func (s *Sender) Named(application, facility string) bool {
	if len(s.Applications) == 0 {
		return true
	}
	for _, a := range s.Applications {
		if (a.Application == "" || a.Application == application) && (a.Facility == "" || a.Facility == facility) {
			return true
		}
	}
	return false
}

// AddConceptMap adds the codes that a FHIR ConceptMap translates: those that it calls
// equivalent or equal. It returns how many.
//
// See https://hl7.org/fhir/R4/conceptmap.html.
func (t *Tables) AddConceptMap(text []byte) (int, error) {
	var m struct {
		ResourceType string
		Group        []struct {
			Source, Target string
			Element        []struct {
				Code   string
				Target []struct{ Code, Display, Equivalence string }
			}
		}
	}
	if _, err := element.Parse(text); err != nil {
		return 0, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return 0, err
	}
	if m.ResourceType != "ConceptMap" {
		return 0, fmt.Errorf("want a ConceptMap")
	}
	if t.Codes == nil {
		t.Codes = map[string]Coding{}
	}
	n := 0
	for _, g := range m.Group {
		for _, e := range g.Element {
			for _, to := range e.Target {
				if to.Equivalence != "equivalent" && to.Equivalence != "equal" || to.Code == "" {
					continue
				}
				key := e.Code
				if g.Source != "" {
					key = g.Source + "|" + e.Code
				}
				t.Codes[key] = Coding{System: g.Target, Code: to.Code, Display: to.Display}
				n++
				break
			}
		}
	}
	return n, nil
}
