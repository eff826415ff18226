package audit

import (
	"encoding/json"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// Kind says what sort of thing happened.
type Kind string

// The kinds.
const (
	Access        Kind = "rest"            // an interaction of the API
	SignIn        Kind = "sign-in"         // somebody signed in, or tried to
	SignOut       Kind = "sign-out"        //
	TokenIssued   Kind = "token-issued"    // or refused: the outcome tells
	TokenRefused  Kind = "token-refused"   // a request came with a token that is not good
	TokenRevoked  Kind = "token-revoked"   //
	AppAuthorized Kind = "app-authorized"  // a person let an app act for them, or withdrew that
	Emergency     Kind = "emergency"       // break-glass
	AccountChange Kind = "account-changed" // accounts, clients, roles, policy
	Alarm         Kind = "alarm"           // something that an operator should look at
	Purged        Kind = "purge"           // a record was removed for good, its time being over
	FromApp       Kind = "app"             // an AuditEvent that an application sent
)

// Outcomes of a Record.
//
// See https://hl7.org/fhir/R4/valueset-audit-event-outcome.html.
const (
	Success        = 0
	MinorFailure   = 4 // the caller's fault, or not allowed
	SeriousFailure = 8 // ours
)

// Record is what the trail holds of one event.
type Record struct {
	Kind        Kind            `json:"k"`
	Action      string          `json:"a,omitempty"` // C, R, U, D or E
	Interaction string          `json:"i,omitempty"` // "read", "$everything"
	Type        string          `json:"t,omitempty"` // resource type asked for
	Outcome     int             `json:"o,omitempty"`
	Status      int             `json:"s,omitempty"` // of HTTP
	Request     string          `json:"r,omitempty"` // request id
	From        string          `json:"f,omitempty"` // network address of the client
	Agent       Agent           `json:"w,omitzero"`
	Entities    []string        `json:"e,omitempty"` // "Observation/1": what was shown or written, the latter with its version
	Listed      []string        `json:"l,omitempty"` // likewise, what was shown among others; found by its patients
	Patients    []string        `json:"p,omitempty"` // ids of those concerned
	Query       string          `json:"q,omitempty"` // "Observation?patient=1&code=x"
	Detail      string          `json:"d,omitempty"` // what there is to add, in our words
	Resource    json.RawMessage `json:"x,omitempty"` // FromApp: the AuditEvent as it was sent, with its id
}

// Agent is who did it.
type Agent struct {
	Account string   `json:"a,omitempty"` // key of the account, or of the client for a system by itself
	Client  string   `json:"c,omitempty"` // client_id of the app
	User    string   `json:"u,omitempty"` // "Practitioner/1"
	Roles   []string `json:"r,omitempty"`
	Org     string   `json:"o,omitempty"` // CLUES
	Purpose string   `json:"p,omitempty"` // v3-PurposeOfUse
	Reason  string   `json:"e,omitempty"` // of break-glass
	Token   string   `json:"t,omitempty"` // jti
}

// event makes the event of r, as of now.
func (r *Record) event() fhir.Event {
	id := uuid.Must(uuid.NewV7())
	return fhir.Event{ID: id, Month: month(id), Keys: r.keys(), Content: r.append(make([]byte, 0, 512))}
}

// Time returns when the event with an ID happened, to the millisecond.
func Time(id [16]byte) time.Time {
	var ms int64
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms).UTC()
}

// month returns the month of an ID: 202611.
func month(id [16]byte) int {
	at := Time(id)
	return at.Year()*100 + int(at.Month())
}

// append writes r as JSON. It is on the path of every request, so it is written
// out; parse is its opposite.
func (r *Record) append(b []byte) []byte {
	b = append(b, `{"k":`...)
	b = element.Quote(b, string(r.Kind))
	b = text(b, "a", r.Action)
	b = text(b, "i", r.Interaction)
	b = text(b, "t", r.Type)
	b = number(b, "o", r.Outcome)
	b = number(b, "s", r.Status)
	b = text(b, "r", r.Request)
	b = text(b, "f", r.From)
	b = r.Agent.append(b)
	b = list(b, "e", r.Entities)
	b = list(b, "l", r.Listed)
	b = list(b, "p", r.Patients)
	b = text(b, "q", r.Query)
	b = text(b, "d", r.Detail)
	if len(r.Resource) > 0 {
		b = append(b, `,"x":`...)
		b = append(b, r.Resource...)
	}
	return append(b, '}')
}

func (a *Agent) append(b []byte) []byte {
	b = append(b, `,"w":{`...)
	start := len(b)
	b = text(b, "a", a.Account)
	b = text(b, "c", a.Client)
	b = text(b, "u", a.User)
	b = list(b, "r", a.Roles)
	b = text(b, "o", a.Org)
	b = text(b, "p", a.Purpose)
	b = text(b, "e", a.Reason)
	b = text(b, "t", a.Token)
	if len(b) > start { // without the first comma
		b = slices.Delete(b, start, start+1)
	}
	return append(b, '}')
}

func text(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	return element.Quote(b, value)
}

func number(b []byte, name string, value int) []byte {
	if value == 0 {
		return b
	}
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	return strconv.AppendInt(b, int64(value), 10)
}

func list(b []byte, name string, values []string) []byte {
	if len(values) == 0 {
		return b
	}
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":[`...)
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = element.Quote(b, v)
	}
	return append(b, ']')
}

// parse reads what append wrote.
func parse(content []byte) (*Record, error) {
	var r Record
	return &r, json.Unmarshal(content, &r)
}

// Keys by which events are found. They are hashes, so that whoever asks looks at the
// event as well.
func keyPatient(id string) int64 { return key("p", id) }
func keyEntity(ref string) int64 { return key("e", ref) }
func keyAgent(ref string) int64  { return key("a", ref) }
func keyAccount(id string) int64 { return key("i", id) }
func key(kind, name string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(kind))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(name))
	return int64(h.Sum64())
}

// contentKeys returns the keys of an event, nil for one that cannot be read.
func contentKeys(content []byte) []int64 {
	r, err := parse(content)
	if err != nil {
		return nil
	}
	return r.keys()
}

// keys returns the keys of r, in order, each once.
func (r *Record) keys() []int64 {
	keys := make([]int64, 0, len(r.Entities)+len(r.Patients)+3)
	for _, p := range r.Patients {
		keys = append(keys, keyPatient(p))
	}
	for _, e := range r.Entities {
		ref, ok := fhir.ParseRef(e)
		switch {
		case ok && ref.Type == "Patient":
			keys = append(keys, keyPatient(ref.ID))
		case ok:
			keys = append(keys, keyEntity(ref.Current().String()))
		}
	}
	if ref, ok := fhir.ParseRef(r.Agent.User); ok {
		keys = append(keys, keyAgent(r.Agent.User))
		if ref.Type == "Patient" {
			keys = append(keys, keyPatient(ref.ID))
		}
	}
	for _, id := range []string{r.Agent.Account, r.Agent.Client} {
		if id != "" {
			keys = append(keys, keyAccount(id))
		}
	}
	if len(r.Resource) > 0 {
		keys = append(keys, keysOf(r.Resource)...)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// keysOf returns the keys of an AuditEvent that an application sent.
func keysOf(resource []byte) (keys []int64) {
	var e struct {
		Agent []struct {
			Who   struct{ Reference string }
			AltID string
		}
		Entity []struct {
			What struct{ Reference string }
		}
	}
	if json.Unmarshal(resource, &e) != nil {
		return nil
	}
	add := func(reference string, agent bool) {
		ref, ok := fhir.ParseRef(reference)
		if !ok {
			return
		}
		name := ref.Current().String()
		if ref.Type == "Patient" {
			keys = append(keys, keyPatient(ref.ID))
		}
		if agent {
			keys = append(keys, keyAgent(name))
		} else {
			keys = append(keys, keyEntity(name))
		}
	}
	for _, a := range e.Agent {
		add(a.Who.Reference, true)
		if a.AltID != "" {
			keys = append(keys, keyAccount(a.AltID))
		}
	}
	for _, x := range e.Entity {
		add(x.What.Reference, false)
	}
	return keys
}
