package birth

import (
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
)

// State is how far a certificate has come.
type State string

// The states. A certificate is live from Certified to Assigned.
const (
	Draft      State = "draft"         // a folio is reserved, and somebody is to sign
	Certified  State = "certified"     // signed; nothing of what it certifies changes any more
	Delivered  State = "delivered"     // handed over to the mother, or who acts for her
	Registered State = "registered"    // the civil registry has made the acta from it
	Assigned   State = "curp-assigned" // RENAPO has given the CURP
	Void       State = "void"          // withdrawn, with a reason
	Replaced   State = "replaced"      // withdrawn, and another folio certifies the birth
)

// States lists them in their order.
var States = []State{Draft, Certified, Delivered, Registered, Assigned, Void, Replaced}

// Live reports whether a certificate in this state certifies its birth.
func (s State) Live() bool {
	return s == Certified || s == Delivered || s == Registered || s == Assigned
}

// Spanish returns the state for people.
func (s State) Spanish() string {
	return map[State]string{
		Draft: "Borrador", Certified: "Certificado", Delivered: "Entregado", Registered: "Registrado",
		Assigned: "Con CURP", Void: "Cancelado", Replaced: "Reemplazado",
	}[s]
}

// Name is the name of a person as Mexico writes it.
type Name struct {
	Given  string `json:"given,omitempty"`
	First  string `json:"first,omitempty"`  // primer apellido
	Second string `json:"second,omitempty"` // segundo apellido; "" for none
}

// String returns the name as it is read: given names, first and second surname.
func (n Name) String() string {
	text := n.Given
	for _, part := range []string{n.First, n.Second} {
		if part != "" && text != "" {
			text += " "
		}
		text += part
	}
	return text
}

// Person is somebody whom a certificate names.
type Person struct {
	Name Name     `json:"name"`
	Born string   `json:"born,omitempty"` // yyyy-mm-dd
	Sex  string   `json:"sex,omitempty"`  // FHIR's gender: female, male, other, unknown
	CURP string   `json:"curp,omitempty"` // "" for none
	Ref  fhir.Ref `json:"ref,omitzero"`   // the Patient, RelatedPerson or Practitioner
}

// Official is who certifies: a professional in an establishment.
type Official struct {
	Person
	Cedula   string `json:"cedula,omitempty"`
	Facility string `json:"facility"`           // CLUES of the establishment in which they certify
	Place    string `json:"place,omitempty"`    // its name, where the directory has it
	Locality string `json:"locality,omitempty"` // municipality and entity in words, where known
}

// Registration is what the civil registry says of a birth that it registered.
type Registration struct {
	Acta     string    `json:"acta"`            // number of the acta de nacimiento
	Office   string    `json:"oficialia"`       // which of its offices
	Date     string    `json:"date"`            // yyyy-mm-dd
	State    string    `json:"state,omitempty"` // entity of INEGI, 2 digits
	Recorded time.Time `json:"recorded"`
}

// Certificate is a certificate of birth, as the ledger keeps it.
type Certificate struct {
	Folio   string `json:"folio"`
	Version int64  `json:"-"` // of its row in the ledger
	State   State  `json:"state"`
	Year    int    `json:"year"` // of the range that the folio is from

	// When it reached each state; zero for not yet.
	Drafted   time.Time `json:"drafted"`
	Certified time.Time `json:"certified,omitzero"`
	Delivered time.Time `json:"delivered,omitzero"`
	Assigned  time.Time `json:"assigned,omitzero"`
	Voided    time.Time `json:"voided,omitzero"`

	Certifier Official  `json:"certifier"`
	Newborn   Person    `json:"newborn"`
	Mother    Person    `json:"mother"`
	Father    *Person   `json:"father,omitempty"`
	Row       sinac.Row `json:"-"` // in columns of its own

	DeliveredTo  string        `json:"deliveredTo,omitempty"`
	Registration *Registration `json:"registration,omitempty"`
	CURP         string        `json:"curp,omitempty"`       // of the newborn, once it is assigned
	Reason       string        `json:"reason,omitempty"`     // why it is void or was replaced
	Replaces     string        `json:"replaces,omitempty"`   // folio that this one stands for; "" for none
	ReplacedBy   string        `json:"replacedBy,omitempty"` // folio that stands for this one

	Document  string `json:"document,omitempty"`  // id of the Bundle that is signed
	Signature string `json:"signature,omitempty"` // of the certifier: a detached JWS of the canonical document
	Seal      string `json:"seal,omitempty"`      // of the establishment, over the same; "" for none
	Hash      string `json:"hash,omitempty"`      // SHA-256 of the canonical document, in hex
	Token     string `json:"token,omitempty"`     // by which the public may verify it: 128 random bits, base64url

	// Held are the resources that were made from it and stay as they are.
	Held []fhir.Ref `json:"held,omitempty"`

	guard, namesake string       // see fhir.Birth
	carried         []fhir.Entry // what is stored with its next step: legal holds of a newborn who is joined

	Waiting *waiting `json:"waiting,omitempty"` // of a draft: what waits for the signature
}
