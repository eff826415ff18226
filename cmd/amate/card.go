package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/card"
	smart "github.com/amate-health/amate/fhir/registry/card/health"
	"github.com/amate-health/amate/fhir/registry/card/link"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
	"github.com/amate-health/amate/fhir/registry/key"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/job"
	"github.com/amate-health/amate/telehealth/portal"
)

// carding says how vaccination cards are issued and verified.
type carding struct {
	Trust     string `help:"List of issuers whose SMART Health Cards the public page takes for authentic beside our own: a snapshot of a directory, in the layout of VCI, in JSON." placeholder:"FILE" type:"existingfile"`
	Authority string `help:"Name of the authority, as it stands on cartillas and in certificates." placeholder:"NAME"`
}

// cardsPath is where the keys of cards are published, and links lead: the path of the
// issuer, below what the FHIR base is below.
const cardsPath = "/cards"

// cardIssuer is the URL of the issuer of cards.
func (o *opened) cardIssuer() string { return issuerOf(o.indexing.Base) + cardsPath }

// cardKeys are the keys of cards.
func (o *opened) cardKeys() *key.Ring { return &key.Ring{State: o, Kind: card.KeyKind} }

// cardLedger is what was issued. It reads Immunizations whoever asks: what comes out of it
// is whether a card holds.
func (o *opened) cardLedger() *card.Ledger {
	return &card.Ledger{State: o, Store: o.engine, Ring: o.cardKeys(), Secret: o.key("cards"), URL: o.cardIssuer(), Now: time.Now, Standing: o.standing}
}

func (o *opened) cardLinks() *link.Service {
	return &link.Service{State: o, Secret: o.key("card links"), URL: o.cardIssuer() + linksPath, Now: time.Now, Standing: o.standing}
}

// standing reports whether the record of a patient may be shown at all: it is neither
// blocked, since its cancellation was granted, nor removed.
func (o *opened) standing(ctx context.Context, patient string) (bool, error) {
	r, err := o.engine.Read(ctx, fhir.Ref{Type: "Patient", ID: patient})
	switch fhir.CodeOf(err) {
	case fhir.NotFound, fhir.Gone:
		return false, nil
	}
	if err != nil {
		return false, err
	}
	d, err := element.Parse(r.JSON)
	blocked := false
	if err == nil {
		each(d, d.Get(0, "meta"), "security", func(n element.Node) {
			blocked = blocked || primitive(d, d.Get(n, "system")) == blockedLabel.System && primitive(d, d.Get(n, "code")) == blockedLabel.Code
		})
	}
	return !blocked, err
}

// forgetCards removes what cards, papers and links left behind of resources that were
// removed for good.
func (o *opened) forgetCards(ctx context.Context, refs []fhir.Ref) error {
	if err := o.cardLedger().Forget(ctx, refs...); err != nil {
		return err
	}
	links := o.cardLinks()
	for _, ref := range refs {
		if ref.Type != "Patient" {
			continue
		}
		if err := links.Forget(ctx, ref.ID); err != nil {
			return err
		}
	}
	return nil
}

// cardOperations issue cards, print cartillas and share both.
func (o *opened) cardOperations() []operation.Operation {
	cfg := card.Config{
		Store: o, Ledger: o.cardLedger(), Links: o.cardLinks(), Assessor: o.assessor, Authority: o.carding.Authority, Zone: birth.Zone,
		Page: func(token string) string { return verifyPage(o.indexing.Base, token) },
	}
	for _, op := range o.summaryOperations() {
		if op.Name == "summary" {
			cfg.Summary = op.Run
		}
	}
	return card.Operations(cfg)
}

// cardJob is the kind of the job that revokes cards, and of the entry of how far it is.
const cardJob = "card-revocation"

// handleCards lets this process revoke cards whose doses turn out to be otherwise.
func (o *opened) handleCards(ctx context.Context) error {
	o.jobs.Handle(cardJob, 1, o.followCards)
	return o.stand(ctx, cardJob)
}

// followCards looks at every Immunization that is changed, until ctx ends.
func (o *opened) followCards(ctx context.Context, t *job.Task) error {
	ledger, seen := o.cardLedger(), int64(0)
	for {
		n, err := o.nextCards(ctx, ledger)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		seen += int64(n)
		t.Progress(seen, 0, "changes looked at")
		if err != nil {
			o.log.Warn("cards are not revoked now; it is tried again", "error", err)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(duplicatesRest):
			}
		}
	}
}

// cardPage is how many changes are looked at in one go.
const cardPage = 1000

// nextCards waits for changes, revokes what they make untrue, and notes how far it is.
func (o *opened) nextCards(ctx context.Context, ledger *card.Ledger) (int, error) {
	e, err := o.Entry(ctx, cardJob, feedKey)
	var mark fhir.Mark
	switch {
	case fhir.CodeOf(err) == fhir.NotFound:
		e, err = fhir.Entry{Kind: cardJob, Key: feedKey}, nil
	case err == nil:
		err = json.Unmarshal(e.Value, &mark)
	}
	if err != nil {
		return 0, err
	}
	save := func() error {
		if e.Value, err = json.Marshal(mark); err != nil {
			return err
		}
		return o.Put(ctx, e)
	}
	if e.Version == 0 {
		if mark, err = o.Feed().End(ctx); err != nil {
			return 0, err
		}
		return 0, save()
	}
	changes, err := o.ahead(ctx, mark, cardPage, card.Matters)
	switch {
	case errors.Is(err, store.ErrOtherHistory):
		if mark, err = o.Feed().End(ctx); err != nil {
			return 0, err
		}
		return 0, save()
	case err != nil:
		return 0, err
	}
	for i := range changes {
		if err := ledger.Changed(ctx, changes[i].Ref); err != nil {
			return 0, err
		}
	}
	mark = changes[len(changes)-1].At
	return len(changes), save()
}

// cardVerifier tells the public of cartillas by their tokens, and of cards by what they
// say.
type cardVerifier struct {
	ledger  *card.Ledger
	trusted smart.Trust
}

// newCardVerifier reads whom to trust.
func (o *opened) newCardVerifier() (*cardVerifier, error) {
	v := &cardVerifier{ledger: o.cardLedger(), trusted: smart.Trust{}}
	if o.carding.Trust == "" {
		return v, nil
	}
	text, err := os.ReadFile(o.carding.Trust)
	if err == nil {
		v.trusted, err = smart.ParseDirectory(text)
	}
	if err != nil {
		return nil, usagef("--card-trust %s: %v", o.carding.Trust, err)
	}
	return v, nil
}

// Kind implements portal.Verifier.
func (*cardVerifier) Kind() string { return "vaccination-record" }

// Verify implements portal.Verifier. It shows what lets a clerk see that the paper was
// altered: the month of birth, initials, and how many doses are on it.
func (v *cardVerifier) Verify(ctx context.Context, token string) (*portal.Finding, error) {
	p, err := v.ledger.Paper(ctx, token)
	if err != nil {
		return nil, err
	}
	f := &portal.Finding{Title: portal.Text{Spanish: "Cartilla de vacunación", English: "Vaccination record"}, State: portal.Valid}
	if !p.Counts {
		f.State = portal.Replaced
		return f, nil
	}
	add := func(name, spanish, english string, value portal.Text) {
		if value.Spanish != "" {
			f.Facts = append(f.Facts, portal.Fact{Name: name, Label: portal.Text{Spanish: spanish, English: english}, Value: value})
		}
	}
	printed := p.Printed.In(birth.Zone)
	add("issued", "Emitida el", "Issued on", portal.Text{Spanish: printed.Format("02/01/2006"), English: printed.Format("2 January 2006")})
	if born, err := time.Parse("2006-01", p.Born); err == nil {
		add("born", "Mes de nacimiento", "Month of birth", portal.Text{Spanish: fmt.Sprintf("%s de %d", months[born.Month()-1], born.Year()), English: born.Format("January 2006")})
	}
	add("initials", "Iniciales", "Initials", portal.Same(spaced(p.Initials)))
	add("doses", "Vacunas en el papel", "Vaccinations on the paper", portal.Same(fmt.Sprint(len(p.Doses))))
	return f, nil
}

// states are those of cards on the public page.
var states = map[smart.Verdict]portal.State{
	smart.Valid: portal.Valid, smart.Altered: portal.Altered, smart.Unknown: portal.UnknownIssuer, smart.NoKey: portal.NoKey,
	smart.Revoked: portal.Revoked, smart.Expired: portal.Expired, smart.NotYet: portal.NotYet, smart.Malformed: portal.Malformed,
}

// VerifyCards implements portal.CardVerifier. Only of a card that counts is shown what it
// says.
func (v *cardVerifier) VerifyCards(ctx context.Context, text []byte) ([]*portal.Finding, error) {
	cards, err := smart.Find(text)
	if err != nil || len(cards) > mostCards {
		return nil, portal.ErrNoCard
	}
	var all []*portal.Finding
	for _, jws := range cards {
		r, err := v.ledger.Check(ctx, jws, v.trusted)
		if err != nil {
			return nil, err
		}
		f := &portal.Finding{Title: portal.Text{Spanish: "Tarjeta de salud SMART", English: "SMART Health Card"}, State: states[r.Verdict]}
		if r.Issuer != nil {
			f.Facts = append(f.Facts, portal.Fact{Name: "issuer", Label: portal.Text{Spanish: "Emisor", English: "Issuer"}, Value: portal.Same(cmp.Or(r.Issuer.Name, r.Issuer.URL))})
		}
		if r.Verdict == smart.Valid {
			f.Facts = append(f.Facts, saidBy(r.Signed)...)
		}
		all = append(all, f)
	}
	return all, nil
}

// mostCards is how many cards are looked at in one go.
const mostCards = 20

// saidBy is what a card says, for people.
func saidBy(s *smart.Signed) (facts []portal.Fact) {
	d, err := element.Parse(s.Bundle)
	if err != nil {
		return nil
	}
	say := func(name, spanish, english string, value portal.Text) {
		if value.Spanish != "" {
			facts = append(facts, portal.Fact{Name: name, Label: portal.Text{Spanish: spanish, English: english}, Value: value})
		}
	}
	add := func(name, spanish, english, value string) {
		say(name, spanish, english, portal.Same(strings.TrimSpace(value)))
	}
	at := s.From.In(birth.Zone)
	facts = append(facts, portal.Fact{Name: "issued", Label: portal.Text{Spanish: "Emitida el", English: "Issued on"}, Value: portal.Text{Spanish: at.Format("02/01/2006"), English: at.Format("2 January 2006")}})
	each(d, 0, "entry", func(e element.Node) {
		r := d.Get(e, "resource")
		switch primitive(d, d.Get(r, "resourceType")) {
		case "Patient":
			each(d, r, "name", func(n element.Node) {
				name := primitive(d, d.Get(n, "text"))
				if family := primitive(d, d.Get(n, "family")); family != "" {
					name = ""
					each(d, n, "given", func(g element.Node) { name += primitive(d, g) + " " })
					name += family
				}
				add("name", "Nombre", "Name", name)
			})
			say("born", "Fecha de nacimiento", "Date of birth", dayOf(primitive(d, d.Get(r, "birthDate"))))
		case "Immunization":
			name := ""
			each(d, d.Get(r, "vaccineCode"), "coding", func(c element.Node) {
				system, is := primitive(d, d.Get(c, "system")), primitive(d, d.Get(c, "code"))
				if cvx, ok := code.CVX(system, is); ok && name == "" {
					v, _ := code.Lookup(cvx)
					name = v.Name
				}
				name = cmp.Or(name, is)
			})
			value := dayOf(primitive(d, d.Get(r, "occurrenceDateTime")))
			value.Spanish, value.English = value.Spanish+" · "+name, value.English+" · "+name
			if lot := primitive(d, d.Get(r, "lotNumber")); lot != "" {
				value.Spanish, value.English = value.Spanish+" · lote "+lot, value.English+" · lot "+lot
			}
			say("vaccination", "Vacuna", "Vaccination", value)
		}
	})
	return facts
}

// dayOf writes the day of a date or dateTime for people; one that is not known to the day
// stays as it is.
func dayOf(date string) portal.Text {
	day, err := time.Parse(time.DateOnly, date[:min(len(date), len(time.DateOnly))])
	if err != nil {
		return portal.Same(date)
	}
	return portal.Text{Spanish: day.Format("02/01/2006"), English: day.Format("2 January 2006")}
}

// primitive is the text of a primitive, "" for anything else.
func primitive(d *element.Doc, n element.Node) string {
	if n == element.None || d.Kind(n) == element.Object || d.Kind(n) == element.Array {
		return ""
	}
	return d.Text(n)
}

// each calls f with the items of a list.
func each(d *element.Doc, n element.Node, name string, f func(element.Node)) {
	list := d.Get(n, name)
	if list == element.None || d.Kind(list) != element.Array {
		return
	}
	for i := d.First(list); i != element.None; i = d.Next(list, i) {
		f(i)
	}
}
