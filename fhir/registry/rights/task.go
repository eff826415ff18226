package rights

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
)

// canonical begins the URLs of this project's own definitions.
const canonical = "https://github.com/amate-health/amate/fhir/"

// The code systems of requests.
const (
	SystemRight = canonical + "CodeSystem/arco"         // Right
	SystemState = canonical + "CodeSystem/arco-estado"  // State
	SystemPart  = canonical + "CodeSystem/arco-dato"    // what the inputs and outputs of its Task are
	SystemFolio = canonical + "NamingSystem/folio-arco" // number of a request
)

// Parts of a request.
const (
	partTarget     = "dato"       // input: the resource that is to be corrected
	partPatch      = "parche"     // input: the correction, a patch in JSON
	partCorrection = "correccion" // input: the correction in words
	partEvidence   = "prueba"     // input: a document that bears it out
	partPurpose    = "finalidad"  // input: the use that is objected to
	partRegime     = "regimen"    // input: under whose law the deadlines were reckoned
	partGranted    = "procedente" // output: since when it is granted
	partResult     = "resultado"  // output: what was written or made
	partNote       = "nota"       // output: what was said with a decision
)

type coding struct {
	System  string `json:"system,omitempty"`
	Code    string `json:"code,omitempty"`
	Display string `json:"display,omitempty"`
}

type concept struct {
	Coding []coding `json:"coding,omitempty"`
	Text   string   `json:"text,omitempty"`
}

type reference struct {
	Reference string `json:"reference,omitempty"`
	Display   string `json:"display,omitempty"`
}

type identifier struct {
	System string `json:"system,omitempty"`
	Value  string `json:"value,omitempty"`
}

type period struct {
	Start string `json:"start,omitempty"`
	End   string `json:"end,omitempty"`
}

// part is an input or output of a Task.
type part struct {
	Type  concept    `json:"type"`
	Text  string     `json:"valueString,omitempty"`
	Code  string     `json:"valueCode,omitempty"`
	Date  string     `json:"valueDate,omitempty"`
	Refer *reference `json:"valueReference,omitempty"`
}

// Request is a request as it is stored: a Task. Nothing but this package writes one, so
// that what it holds is all there is.
type Request struct {
	ResourceType   string          `json:"resourceType"`
	ID             string          `json:"id,omitempty"`
	Meta           json.RawMessage `json:"meta,omitempty"`
	Identifier     []identifier    `json:"identifier,omitempty"`
	Status         string          `json:"status"`
	StatusReason   *concept        `json:"statusReason,omitempty"`
	BusinessStatus concept         `json:"businessStatus"`
	Intent         string          `json:"intent"`
	Code           concept         `json:"code"`
	Description    string          `json:"description,omitempty"`
	Focus          *reference      `json:"focus,omitempty"`
	For            reference       `json:"for"`
	AuthoredOn     string          `json:"authoredOn"`
	LastModified   string          `json:"lastModified"`
	Requester      reference       `json:"requester"`
	Owner          *reference      `json:"owner,omitempty"`
	Restriction    *struct {
		Period period `json:"period"`
	} `json:"restriction,omitempty"`
	Input  []part `json:"input,omitempty"`
	Output []part `json:"output,omitempty"`

	version int64
}

// IsRequest reports whether a Task is a request of this package.
func IsRequest(task []byte) bool {
	var t struct{ Code concept }
	return json.Unmarshal(task, &t) == nil && len(t.Code.Coding) > 0 && t.Code.Coding[0].System == SystemRight
}

// readRequest reads a stored Task. Errors: fhir.Unprocessable when it is no request.
func readRequest(r *fhir.Resource) (*Request, error) {
	if !IsRequest(r.JSON) {
		return nil, fhir.Errorf(fhir.Unprocessable, "this Task is no request of ARCO rights")
	}
	out := &Request{version: r.Ref.Version}
	if err := json.Unmarshal(r.JSON, out); err != nil {
		return nil, fmt.Errorf("a stored request: %w", err)
	}
	return out, nil
}

// Right returns what is asked for.
func (r *Request) Right() Right {
	if len(r.Code.Coding) == 0 {
		return ""
	}
	return Right(r.Code.Coding[0].Code)
}

// State returns where it stands.
func (r *Request) State() State {
	if len(r.BusinessStatus.Coding) == 0 {
		return ""
	}
	return State(r.BusinessStatus.Coding[0].Code)
}

// Patient returns the id of whose record it is about.
func (r *Request) Patient() string { return strings.TrimPrefix(r.For.Reference, "Patient/") }

// Due returns its deadline: the day, at midnight UTC; zero when nothing is owed.
func (r *Request) Due() time.Time {
	if r.Restriction == nil || !r.State().Open() {
		return time.Time{}
	}
	at, _ := time.Parse(time.DateOnly, r.Restriction.Period.End) // a bad one is none
	return at
}

// came is the day it came.
func (r *Request) came() time.Time { return dayOf(r.AuthoredOn) }

func dayOf(instant string) time.Time {
	at, _ := time.Parse(time.DateOnly, instant[:min(len(instant), len(time.DateOnly))])
	return at
}

// move puts r into a state as of now, and sets the deadline that follows.
func (r *Request) move(c *Calendar, g *Regime, to State, now time.Time) {
	s := states[to]
	r.Status, r.LastModified = s.status, now.Format(time.RFC3339)
	r.BusinessStatus = concept{Coding: []coding{{System: SystemState, Code: string(to), Display: s.name}}}
	if to == Granted {
		r.Output = append(r.Output, part{Type: partType(partGranted), Date: c.day(now)})
	}
	due := g.term(c, to, r.came(), dayOf(r.output(partGranted).Date))
	if !due.IsZero() {
		r.Restriction = &struct {
			Period period `json:"period"`
		}{period{Start: c.day(r.came()), End: due.Format(time.DateOnly)}}
	}
}

// day is an instant's day as dates are written.
func (c *Calendar) day(at time.Time) string { return at.Format(time.DateOnly) }

func partType(code string) concept {
	return concept{Coding: []coding{{System: SystemPart, Code: code}}}
}

func (p *part) is(code string) bool {
	return len(p.Type.Coding) > 0 && p.Type.Coding[0].System == SystemPart && p.Type.Coding[0].Code == code
}

// input returns the first input of a kind, an empty one when there is none.
func (r *Request) input(code string) part { return first(r.Input, code) }

func (r *Request) output(code string) part { return first(r.Output, code) }

func first(parts []part, code string) part {
	for i := range parts {
		if parts[i].is(code) {
			return parts[i]
		}
	}
	return part{}
}

func join(names []string) string { return strings.Join(names, ", ") }
