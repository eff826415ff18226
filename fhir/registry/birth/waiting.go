package birth

import (
	"encoding/json"
	"time"

	"github.com/amate-health/amate/fhir"
)

// waiting is what a draft keeps until it is signed.
type waiting struct {
	Caller    string            `json:"caller"` // who prepared it; see callerOf
	Expires   time.Time         `json:"expires"`
	Header    string            `json:"header"`    // of the signature that was prepared
	Codes     []string          `json:"codes"`     // CURP and RFC of the certifier
	Guard     string            `json:"guard"`     // which newborn it is of, once it is signed
	Bundle    json.RawMessage   `json:"bundle"`    // the document that is to be signed
	Resources []json.RawMessage `json:"resources"` // what is stored with it, the Composition first
	Newborn   json.RawMessage   `json:"newborn"`   // the Patient
	Custodian fhir.Ref          `json:"custodian,omitzero"`
}
