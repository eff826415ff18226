package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/demo"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/telehealth/visit"
)

// stage is where the demonstration acts: the server's own API, guarded and audited, called
// within the process. Its clock can be set back for births and visits, which have taken
// place when somebody looks.
type stage struct {
	store   *opened
	api     *rest.API
	keys    *demoKeys // nil where the operator's authorities are believed, and no others
	visits  *visit.Service
	country *demo.Country
	begun   time.Time // "now" of the demonstration
	at      time.Time // what the clock says; zero for the time that it is
}

// births, visits and readings that the demonstration makes.
const (
	demoBirths  = 24
	demoVisits  = 8
	demoCounted = 6000 // births of a year, for open data
)

// enliven does what is left to do of the demonstration. What fails is told, and the rest
// goes on: a server without one visit is better than none.
func (s *serve) enliven(ctx context.Context, store *opened, api *rest.API, d *demonstration, e *fhir.Entry, log *slog.Logger) error {
	all := scenes()
	if d.Steps >= len(all) {
		return nil
	}
	started := time.Now()
	o, err := d.options()
	if err != nil {
		return err
	}
	country := demo.NewCountry(o, demoBirths, d.Begun)
	if s.demoKeys != nil { // so that the first of all notes can be signed by its author
		if _, err := s.demoKeys.of(ctx, store, country.People[0].Doctor); err != nil {
			return err
		}
	}
	policy, _, err := s.Guarding.load(ctx, store)
	if err != nil {
		return err
	}
	// One for all, since it remembers what it has worked out of the policy.
	guard := authz.NewGuard(authz.GuardConfig{Store: store.engine, Base: store.indexing.Base, Policy: policy, Seen: store.Feed().Seen})
	var stages [demoAtOnce]*stage
	for i := range stages {
		stages[i] = &stage{store: store, keys: s.demoKeys, country: country, begun: d.Begun}
		if err := stages[i].set(guard, api); err != nil {
			return err
		}
	}
	for d.Steps < len(all) {
		scene := all[d.Steps]
		d.Steps++ // before it is done: what was cut off is not done again
		if err := d.keep(ctx, store, e); err != nil {
			return err
		}
		var parts sync.WaitGroup
		for i, act := range scene {
			parts.Go(func() {
				if err := act(stages[i], ctx); err != nil && ctx.Err() == nil {
					log.Warn("a part of the demonstration could not be made", "error", err)
				}
			})
		}
		parts.Wait()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	log.Info("made what happens in the demonstration", "births", demoBirths, "visits", demoVisits, "seconds", time.Since(started).Seconds())
	return nil
}

// act is a part of the demonstration, on a stage with a clock of its own.
type act func(p *stage, ctx context.Context) error

// demoAtOnce is how many parts are acted at a time, since most of each is waiting for disks.
const demoAtOnce = 4

// scenes are what is done, one after another, and the parts of each at once: as many as
// there are stages at most. A build adds to the end alone.
func scenes() [][]act {
	all := [][]act{{(*stage).agendas}, {(*stage).watch, refer(0), refer(1), (*stage).counted}}
	var parts []act
	for n := range demoVisits {
		parts = append(parts, hold(n))
	}
	parts = append(parts, (*stage).ahead)
	for n := range demoBirths {
		parts = append(parts, bear(n))
	}
	return slices.AppendSeq(all, slices.Chunk(parts, demoAtOnce))
}

// set makes the API of the stage: that of the server, but for the clock of births, agendas
// and visits, and for who is asked: also without access control there are roles here.
func (p *stage) set(guard rest.Guard, api *rest.API) error {
	agendas := p.store.agendaService()
	agendas.Now = p.now
	v := p.store.visits.Service.Config
	v.Now = p.now
	p.visits = visit.New(v)
	births := p.store.birthConfig()
	births.Now = p.now
	cfg := api.Config
	cfg.Operations = slices.Clone(cfg.Operations)
	for _, op := range slices.Concat(agendas.Operations(), p.visits.Operations(), birth.Operations(births)) {
		i := slices.IndexFunc(cfg.Operations, func(o operation.Operation) bool { return o.URL == op.URL && o.Name == op.Name })
		if i < 0 {
			return fmt.Errorf("the server has no $%s", op.Name)
		}
		cfg.Operations[i].Run = op.Run
	}
	cfg.Guard, cfg.Admit, cfg.Observer = guard, nil, nil
	var err error
	p.api, err = rest.New(cfg)
	return err
}

func (p *stage) now() time.Time {
	if p.at.IsZero() {
		return time.Now()
	}
	return p.at
}

// acting returns somebody who acts in the demonstration.
func acting(role, clues, user string) *authz.Principal {
	a := &authz.Principal{ID: "demo-" + role, Client: "demo-" + role, Roles: []string{role}, Org: clues, Scopes: []string{"user/*.cruds"}}
	a.User, _ = fhir.ParseRef(user)
	if a.User.Type == "Patient" {
		a.Patient, a.Scopes = a.User.ID, []string{"patient/*.cruds"}
	}
	return a
}

func clinician(clues, practitioner string) *authz.Principal {
	return acting("clinician", clues, "Practitioner/"+practitioner)
}

func citizen(id string) *authz.Principal { return acting("patient", "", "Patient/"+id) }

// answer is what an operation answered, or a resource.
type answer struct {
	ID        string
	Parameter []struct {
		Name      string
		Text      string                     `json:"valueString"`
		ID        string                     `json:"valueId"`
		URL       string                     `json:"valueUrl"`
		Reference struct{ Reference string } `json:"valueReference"`
		Resource  json.RawMessage
	}
	body []byte
}

func (t *answer) text(name string) string {
	for _, p := range t.Parameter {
		if p.Name == name {
			return p.Text + p.ID + p.URL + p.Reference.Reference
		}
	}
	return ""
}

// do makes a request as somebody, and returns what it was answered with.
func (p *stage) do(ctx context.Context, as *authz.Principal, method, path string, body []byte) (*answer, error) {
	who := *as
	who.Expires = time.Now().Add(time.Hour)
	r, err := http.NewRequestWithContext(who.With(ctx), method, p.store.indexing.Base+"/"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/fhir+json")
	if method == http.MethodPatch {
		r.Header.Set("Content-Type", "application/json-patch+json")
	}
	w := &kept{header: http.Header{}, status: http.StatusOK}
	p.api.ServeHTTP(w, r)
	if w.status >= http.StatusBadRequest {
		return nil, fmt.Errorf("%s %s as %s: %d %.1500s", method, path, as.ID, w.status, w.body.Bytes()) // nobody in it exists
	}
	t := &answer{body: w.body.Bytes()}
	if len(t.body) == 0 {
		return t, nil
	}
	return t, json.Unmarshal(t.body, t)
}

// kept is an answer that is kept.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *kept) Header() http.Header         { return w.header }
func (w *kept) WriteHeader(status int)      { w.status = status }
func (w *kept) Write(b []byte) (int, error) { return w.body.Write(b) }

// signature makes what is answered to a document that was prepared: by the key of s, which
// is nowhere but on the desk of who signs, as amate sign has it.
func signature(s *sign.Signer, prepared *answer) ([]byte, error) {
	var document json.RawMessage
	for _, part := range prepared.Parameter {
		if part.Name == "document" {
			document = part.Resource
		}
	}
	payload, err := sign.Document(document)
	if err != nil {
		return nil, err
	}
	ready, err := sign.Resume(prepared.text("header"), payload)
	if err != nil {
		return nil, err
	}
	return s.Finish(ready)
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// sign has a Practitioner sign a Composition; where there are no keys, it stays a draft.
func (p *stage) sign(ctx context.Context, as *authz.Principal, composition string) error {
	if p.keys == nil {
		return nil
	}
	s, err := p.keys.of(ctx, p.store, as.User.ID)
	if err != nil {
		return err
	}
	prepared, err := p.do(ctx, as, "POST", composition+"/$prepare-signature", parameters([]part{{"name": "certificate", "valueBase64Binary": base64Of(s.Chain[0].Raw)}}).JSON)
	if err != nil {
		return err
	}
	made, err := signature(s, prepared)
	if err != nil {
		return err
	}
	_, err = p.do(ctx, as, "POST", composition+"/$sign", parameters([]part{{"name": "pending", "valueId": prepared.text("pending")}, {"name": "signature", "valueBase64Binary": base64Of(made)}}).JSON)
	return err
}
