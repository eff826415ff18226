package summary

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/terminology"
)

// Store finds resources.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
}

// Config is what summaries are made with.
type Config struct {
	Store       Store
	Terminology *terminology.Registry // names of codes in the language of the reader; nil for none
	Software    string                // "Amate 1.2", the author
	Now         func() time.Time      // nil is time.Now
}

const (
	bundleProfile      = "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips"
	compositionProfile = "http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips"
	absentUnknown      = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips"
	loinc              = "http://loinc.org"
	snomed             = "http://snomed.info/sct"
)

// wholeRecord is how many resources of a patient are looked at.
const wholeRecord = 20_000

// Operations returns the operations of this package.
func Operations(cfg Config) []operation.Operation {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &service{Config: cfg}
	return []operation.Operation{
		{
			Name: "summary", URL: "http://hl7.org/fhir/uv/ips/OperationDefinition/summary",
			Scope: operation.OnType | operation.OnInstance, Types: []string{"Patient"}, Run: s.summary,
		},
		{
			Name: "import-summary", URL: "https://github.com/amate-health/amate/fhir/OperationDefinition/Patient-import-summary",
			Scope: operation.OnInstance, Types: []string{"Patient"}, Changes: true, Run: s.take,
		},
	}
}

type service struct{ Config }

// summary answers $summary.
//
// See http://hl7.org/fhir/uv/ips/OperationDefinition/summary.
func (s *service) summary(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := understood(call); err != nil {
		return nil, err
	}
	id, err := s.whose(ctx, call)
	if err != nil {
		return nil, err
	}
	w := workspaces.Get().(*workspace)
	defer w.release()
	m := &making{service: s, call: call, workspace: w, now: s.Now().UTC()}
	if err := m.read(ctx, id); err != nil {
		return nil, err
	}
	asked, err := call.In.Text("_language")
	if err != nil {
		return nil, err
	}
	m.words = s.reader(asked, call.Language, m.patient)
	if err := m.support(ctx); err != nil {
		return nil, err
	}
	tag := m.tag()
	return &operation.Answer{JSON: m.bundle(tag), Tag: tag}, nil
}

// inputs are the parameters of $summary. The published definition misspells one.
var inputs = []string{"identifier", "identifer", "profile", "graph", "_language"}

// understood refuses what a call asks for that cannot be answered.
func understood(call *operation.Call) error {
	for _, name := range call.In.Names() {
		if !slices.Contains(inputs, name) && !call.Lenient {
			return fhir.Errorf(fhir.Invalid, "$summary does not take this parameter").
				With("it takes identifier, profile and _language, not %.100q%s", name, search.Nearest(name, inputs))
		}
	}
	profile, err := call.In.Text("profile")
	if err != nil {
		return err
	}
	if url, _ := terminology.SplitCanonical(profile); url != "" && url != bundleProfile && url != compositionProfile {
		return fhir.Errorf(fhir.Invalid, "the parameter profile names no summary that is made here").With("there is %s, not %.200q", bundleProfile, profile)
	}
	if graph, err := call.In.Text("graph"); err != nil || graph != "" {
		return fhir.Errorf(fhir.Invalid, "the parameter graph is not taken: what a summary holds is fixed").With("graph=%.200s", graph)
	}
	if call.ID != "" && (len(call.In.All("identifier")) > 0 || len(call.In.All("identifer")) > 0) {
		return fhir.Errorf(fhir.Invalid, "the parameter identifier is for Patient/$summary, where no id is given")
	}
	return nil
}

// whose returns the id of the patient whom a call is about.
func (s *service) whose(ctx context.Context, call *operation.Call) (string, error) {
	if call.ID != "" {
		return call.ID, nil
	}
	all := append(call.In.All("identifier"), call.In.All("identifer")...)
	if len(all) != 1 {
		return "", fhir.Errorf(fhir.Invalid, "$summary needs one identifier, or the id of a patient: Patient/[id]/$summary")
	}
	token := all[0].Text
	if n, property := all[0].Typed(); property == "valueIdentifier" {
		d := all[0].Doc
		token = escaped(d.TextAt(n, "system")) + "|" + escaped(d.TextAt(n, "value"))
	}
	if token == "" || strings.HasSuffix(token, "|") {
		return "", fhir.Errorf(fhir.Invalid, "the parameter identifier needs a value: system|value")
	}
	q, err := search.Parse("Patient", []search.Param{{Name: "identifier", Value: token}}, search.Options{})
	if err != nil {
		return "", err
	}
	q.Count, q.Restriction = 2, call.Restriction
	found, err := s.Store.Search(ctx, q)
	switch {
	case err != nil:
		return "", err
	case len(found.Matches) == 0:
		return "", fhir.Errorf(fhir.NotFound, "no patient with this identifier")
	case len(found.Matches) > 1:
		return "", fhir.Errorf(fhir.MultipleMatches, "more than one patient has this identifier; name one by Patient/[id]/$summary")
	}
	return found.Matches[0].Ref.ID, nil
}

// escaped writes text as a value of a search.
func escaped(s string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`, `|`, `\|`, `$`, `\$`).Replace(s)
}

// workspace holds the memory of one summary, for the next one to use.
type workspace struct {
	docs []*element.Doc
	used int
}

var workspaces = sync.Pool{New: func() any { return new(workspace) }}

// keep bounds how many parsed resources a workspace holds on to.
const keep = 1024

func (w *workspace) parse(json []byte) (*element.Doc, error) {
	if w.used == len(w.docs) {
		w.docs = append(w.docs, new(element.Doc))
	}
	d := w.docs[w.used]
	w.used++
	return d, d.Parse(json, element.Limits{})
}

func (w *workspace) release() {
	if len(w.docs) <= keep {
		w.used = 0
		workspaces.Put(w)
	}
}

// making is one summary on its way.
type making struct {
	*service
	*workspace
	call    *operation.Call
	now     time.Time
	words   *reader
	patient *record
	lists   [rooms][]item
	others  []*record // what the entries refer to
	secrecy int
}

// read fetches the record, and chooses from it. Errors: fhir.NotFound.
func (m *making) read(ctx context.Context, id string) error {
	owner := fhir.Ref{Type: "Patient", ID: id}
	found, err := m.Store.Search(ctx, &search.Query{
		Where: []search.Expr{recordOf(owner)}, Count: wholeRecord, Bytes: m.call.MaxBytes, Restriction: m.call.Restriction,
	})
	if err != nil {
		return err
	}
	if found.Next != "" {
		return fhir.Errorf(fhir.TooCostly, "the record is larger than a summary can be made of")
	}
	c := &chooser{patient: owner, base: m.call.Base + "/", now: m.now, told: map[string]bool{}}
	for i := range found.Matches {
		r, err := m.record(&found.Matches[i])
		if err != nil {
			return err
		}
		if r.Ref.Current() == owner {
			m.patient = r
			continue
		}
		c.take(r)
	}
	if m.patient == nil {
		return fhir.Errorf(fhir.NotFound, "no such resource").With("%s is not known", owner)
	}
	m.bear(c)
	m.lists = c.chosen()
	for i := range m.lists {
		for k := range m.lists[i] {
			m.secrecy = max(m.secrecy, secrecy(m.lists[i][k].record))
		}
	}
	return nil
}

func (m *making) record(r *fhir.Resource) (*record, error) {
	d, err := m.parse(r.JSON)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Ref, err)
	}
	return &record{Resource: *r, doc: d}, nil
}

// recordOf is the condition of being the patient, or a record about them that sections list.
func recordOf(owner fhir.Ref) search.Expr {
	about := search.Or{search.WholeCompartment([]fhir.Ref{owner})}
	for _, p := range search.SubjectParams("Device") { // Devices are in no compartment
		about = append(about, search.Match{Param: p, Compared: p.Type, Values: []search.Value{{Raw: owner.String(), Refs: []fhir.Ref{owner}}}})
	}
	return search.And{about, search.Types{Any: kinds}}
}

// bear adds statements for those Devices of the patient that nothing tells of.
func (m *making) bear(c *chooser) {
	for _, device := range c.bearers {
		if c.told[device.Ref.Current().String()] {
			continue
		}
		made := m.worn(device)
		m.others = append(m.others, device)
		c.add(devices, made, 0, "", []string{"=" + device.Ref.Current().String()})
	}
}

// supporting are the types that come along because an entry refers to them.
var supporting = []string{"Medication", "Device", "Practitioner", "PractitionerRole", "Organization", "Specimen"}

// support fetches what entries refer to, so that the document can be read alone.
func (m *making) support(ctx context.Context) error {
	seen := map[string]bool{}
	for _, r := range m.others {
		seen[r.Ref.Current().String()] = true
	}
	var refs [6][]string
	n := 0
	for i := range m.lists {
		for k := range m.lists[i] {
			refersTo(m.lists[i][k].JSON, func(text []byte) {
				if seen[string(text)] {
					return
				}
				s := string(text)
				seen[s] = true
				ref, ok := fhir.ParseRef(strings.TrimPrefix(s, m.call.Base+"/"))
				if at := slices.Index(supporting, ref.Type); ok && at >= 0 && !slices.Contains(refs[at], ref.ID) {
					refs[at] = append(refs[at], ref.ID)
					n++
				}
			})
		}
	}
	if n == 0 {
		return nil
	}
	var named search.Or
	for at, ids := range refs {
		if len(ids) > 0 {
			named = append(named, search.And{search.Types{Any: supporting[at : at+1]}, search.IDs{Any: ids}})
		}
	}
	found, err := m.Store.Search(ctx, &search.Query{Where: []search.Expr{named}, Count: n, Bytes: m.call.MaxBytes, Restriction: m.call.Restriction})
	if err != nil {
		return err
	}
	here := map[fhir.Ref]bool{}
	for _, r := range m.others {
		here[r.Ref.Current()] = true
	}
	for i := range found.Matches {
		if here[found.Matches[i].Ref.Current()] {
			continue
		}
		r, err := m.record(&found.Matches[i])
		if err != nil {
			return err
		}
		m.others = append(m.others, r)
	}
	slices.SortFunc(m.others, func(a, b *record) int { return strings.Compare(a.Ref.String(), b.Ref.String()) })
	return nil
}

// tag names what a summary says, whenever it is made: the entity tag of the answer.
func (m *making) tag() string {
	h := sha256.New()
	add := func(parts ...string) {
		for _, p := range parts {
			h.Write([]byte(p))
			h.Write([]byte{0})
		}
	}
	add(m.Software, m.words.tag(), m.call.Base, m.patient.Ref.String())
	for i := range m.lists {
		add(fmt.Sprint(i, m.masked(room(i)), m.partly(room(i))))
		for k := range m.lists[i] {
			add(m.lists[i][k].Ref.String(), m.lists[i][k].id)
		}
	}
	for _, r := range m.others {
		add(r.Ref.String())
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// masked reports whether the caller may see nothing of the kind that a section lists.
func (m *making) masked(at room) bool {
	return !slices.ContainsFunc(sections[at].types, m.visible)
}

// partly reports whether there may be more in a section than the caller may see.
func (m *making) partly(at room) bool {
	only := m.call.Restriction
	return !only.Open() && slices.ContainsFunc(sections[at].types, func(typ string) bool {
		where, _ := only.Of(typ)
		return !m.visible(typ) || len(where) > 0
	})
}

func (m *making) visible(typ string) bool {
	only := m.call.Restriction
	_, listed := only.Of(typ)
	return only.Open() || listed
}
