package mpi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/registry/identity/match"
	"github.com/amate-health/amate/fhir/search"
)

// What the Tasks of the work list are told by.
const (
	SystemTask    = canonical + "CodeSystem/identity-task"  // CodePossible, and what the inputs of a Task are
	CodePossible  = "possible-duplicate"                    // two Patients may be one person
	SystemPatient = canonical + "NamingSystem/work-patient" // Task.identifier: the id of a Patient that it is about, so that both lead to it
	SystemState   = canonical + "CodeSystem/duplicate-state"

	partPatient = "patient" // input: a Patient of the pair
	partPrint   = "data"    // input: a hash of what was compared
	partRule    = "rule"    // input: the rule that decided the grade
	partScore   = "score"   // input
)

// The states of SystemState.
const (
	stateOpen     = "to-be-looked-at"
	stateMerged   = "merged"        // one replaces the other, or somebody took one out
	stateTwo      = "not-duplicate" // somebody said that they are two people
	stateNoLonger = "no-longer"     // the data changed, and they are not alike any more
)

type (
	coding struct {
		System  string `json:"system,omitempty"`
		Code    string `json:"code,omitempty"`
		Display string `json:"display,omitempty"`
	}
	concept struct {
		Coding []coding `json:"coding,omitempty"`
		Text   string   `json:"text,omitempty"`
	}
	reference struct {
		Reference string `json:"reference,omitempty"`
	}
	identifier struct {
		System string `json:"system"`
		Value  string `json:"value"`
	}
	part struct {
		Type   concept    `json:"type"`
		Code   string     `json:"valueCode,omitempty"`
		Text   string     `json:"valueString,omitempty"`
		Number float64    `json:"valueDecimal,omitempty"`
		Refer  *reference `json:"valueReference,omitempty"`
	}
)

// task is a Task of the work list, as far as it is read and written here.
type task struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id,omitempty"`

	Meta map[string]json.RawMessage `json:"meta,omitempty"`

	Identifier   []identifier `json:"identifier,omitempty"`
	Status       string       `json:"status"`
	StatusReason *concept     `json:"statusReason,omitempty"`
	Business     *concept     `json:"businessStatus,omitempty"`
	Intent       string       `json:"intent"`
	Priority     string       `json:"priority,omitempty"`
	Code         concept      `json:"code"`
	Description  string       `json:"description,omitempty"`
	Focus        *reference   `json:"focus,omitempty"`
	AuthoredOn   string       `json:"authoredOn,omitempty"`
	LastModified string       `json:"lastModified,omitempty"`
	Input        []part       `json:"input,omitempty"`

	version int64
	stored  map[string]json.RawMessage // as it was read: what people added to it is kept
}

// pair is two Patients that may be one person.
type pair struct {
	a, b  string // ids, the smaller one first
	grade match.Grade
	score float64
	rule  string
	print string // of what was compared

	labels []json.RawMessage // security labels of either Patient: what binds one of them binds what tells of it
}

// labelled notes the labels of both.
func (p *pair) labelled(x, y *fhir.Resource) {
	for _, l := range append(labels(x.JSON), labels(y.JSON)...) {
		if !slices.ContainsFunc(p.labels, func(have json.RawMessage) bool { return string(have) == string(l) }) {
			p.labels = append(p.labels, l)
		}
	}
	slices.SortFunc(p.labels, func(a, b json.RawMessage) int { return strings.Compare(string(a), string(b)) })
}

func pairOf(x, y string) pair { return pair{a: min(x, y), b: max(x, y)} }

// id is that of the Task of p, of which there is one for ever.
func (p *pair) id() string { return "duplicate-" + hash(p.a, p.b) }

// hash returns 128 bits of a hash, in hexadecimal digits.
func hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// printOf stands for what was compared of two Patients, in either order.
func printOf(x, y *match.Person) string {
	a, b := string(x.Features()), string(y.Features())
	return hash(min(a, b), max(a, b))
}

// priority is how soon somebody should look: where records are certainly of one
// person, care is given by half of what is known.
func priority(g match.Grade) string {
	switch g {
	case match.Certain:
		return "asap"
	case match.Probable:
		return "urgent"
	}
	return "routine"
}

func partType(code string) concept { return concept{Coding: []coding{{SystemTask, code, ""}}} }

// newTask returns the Task of p, without a state.
func newTask(p *pair, now time.Time) *task {
	t := &task{
		ResourceType: "Task", ID: p.id(), Intent: "proposal",
		Identifier:  []identifier{{SystemPatient, p.a}, {SystemPatient, p.b}},
		Code:        concept{Coding: []coding{{SystemTask, CodePossible, "Posible expediente duplicado"}}},
		Description: "Dos expedientes pueden ser de la misma persona: revisar, y fusionarlos o declarar que son dos personas.",
		Focus:       &reference{"Patient/" + p.a}, AuthoredOn: now.Format(time.RFC3339),
	}
	t.say(p)
	return t
}

// label gives t the labels of its Patients, and reports whether it had others.
func (t *task) label(p *pair) bool {
	var all []json.RawMessage
	_ = json.Unmarshal(t.Meta["security"], &all) // what is no list is replaced
	if slices.EqualFunc(all, p.labels, func(a, b json.RawMessage) bool { return string(a) == string(b) }) {
		return false
	}
	meta := map[string]json.RawMessage{}
	maps.Copy(meta, t.Meta)
	delete(meta, "security")
	if raw, err := json.Marshal(p.labels); err == nil && len(p.labels) > 0 {
		meta["security"] = raw
	}
	t.Meta = meta
	return true
}

// say notes how the Patients compare.
func (t *task) say(p *pair) {
	t.label(p)
	t.Priority = priority(p.grade)
	t.Input = []part{
		{Type: partType(partPatient), Refer: &reference{"Patient/" + p.a}},
		{Type: partType(partPatient), Refer: &reference{"Patient/" + p.b}},
		{Type: concept{Coding: []coding{{"http://terminology.hl7.org/CodeSystem/match-grade", p.grade.String(), ""}}}, Code: p.grade.String()},
		{Type: partType(partScore), Number: float64(int(p.score*1e4)) / 1e4},
		{Type: partType(partPrint), Text: p.print},
	}
	if p.rule != "" {
		t.Input = append(t.Input, part{Type: partType(partRule), Code: p.rule})
	}
}

// set puts t into a state.
func (t *task) set(status, state, reason string, now time.Time) {
	t.Status, t.LastModified = status, now.Format(time.RFC3339)
	t.Business = &concept{Coding: []coding{{SystemState, state, ""}}}
	t.StatusReason = nil
	if reason != "" {
		t.StatusReason = &concept{Text: reason}
	}
}

// open reports whether somebody is still to decide about t.
func (t *task) open() bool {
	return slices.Contains([]string{"draft", "requested", "received", "accepted", "ready", "in-progress", "on-hold"}, t.Status)
}

// print returns what was compared when t was last written by the clerk.
func (t *task) print() string {
	for i := range t.Input {
		if c := t.Input[i].Type.Coding; len(c) > 0 && c[0] == (coding{SystemTask, partPrint, ""}) {
			return t.Input[i].Text
		}
	}
	return ""
}

// pair returns the ids of the Patients.
func (t *task) patients() []string {
	var ids []string
	for _, i := range t.Identifier {
		if i.System == SystemPatient {
			ids = append(ids, i.Value)
		}
	}
	return ids
}

// readTask reads a stored Task.
func readTask(r *fhir.Resource) (*task, error) {
	t := &task{version: r.Ref.Version}
	if err := errors.Join(json.Unmarshal(r.JSON, t), json.Unmarshal(r.JSON, &t.stored)); err != nil {
		return nil, fmt.Errorf("a stored %s: %w", r.Ref, err)
	}
	return t, nil
}

// change returns the Change that writes t over the version that was read, or as a new one.
func (t *task) change(m bundle.Maker) (bundle.Change, error) {
	raw, err := json.Marshal(t)
	if err == nil && t.stored != nil {
		delete(t.stored, "statusReason") // it goes with the state
		if err = json.Unmarshal(raw, &t.stored); err == nil {
			raw, err = json.Marshal(t.stored)
		}
	}
	if err != nil {
		return bundle.Change{}, fmt.Errorf("a Task of our own: %w", err)
	}
	src, err := bundle.Parse(raw)
	if err != nil {
		return bundle.Change{}, err
	}
	c, err := m.Update(src, fhir.Ref{Type: "Task", ID: t.ID}, false)
	c.IfMatch, c.IfNoneMatch = t.version, t.version == 0
	return c, err
}

// tasksOf is the condition of the Tasks of the work list that are about some Patients.
func tasksOf(ids []string) (search.Query, error) {
	values := make([]string, len(ids))
	for i, id := range ids {
		values[i] = SystemPatient + "|" + id
	}
	q, err := search.Parse("Task", []search.Param{{Name: "identifier", Value: strings.Join(values, ",")}}, search.Options{})
	if err != nil {
		return search.Query{}, err
	}
	q.Restriction, q.Count = search.Unrestricted, 500
	return *q, nil
}
