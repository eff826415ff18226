package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/demo"
	"github.com/amate-health/amate/store/job"
)

// bear returns the part that certifies the n-th birth, and takes its certificate as far as
// it has come: with the clock of those days, since what is certified bears its time.
func bear(n int) act {
	return func(p *stage, ctx context.Context) error {
		if p.keys == nil {
			return nil // nobody here can sign
		}
		b := &p.country.Births[n]
		certifier := acting("birth-certifier", b.Facility, "Practitioner/"+b.Certifier)
		folio, err := p.certify(ctx, certifier, b)
		if err != nil {
			return err
		}
		with := func(more ...part) []byte {
			return parameters(append([]part{{"name": "folio", "valueString": folio}}, more...)).JSON
		}
		p.later(time.Hour)
		if b.Void != "" {
			_, err := p.do(ctx, certifier, "POST", "$birth-void", with(part{"name": "reason", "valueString": b.Void}))
			return err
		}
		if n >= len(p.country.Births)-2 {
			return nil // it was not handed over yet
		}
		if _, err := p.do(ctx, certifier, "POST", "$birth-deliver", with(part{"name": "to", "valueString": b.Mother})); err != nil {
			return err
		}
		if !b.Registered.IsZero() {
			if err := p.registered(ctx, b, with); err != nil {
				return err
			}
		}
		return p.raise(ctx, b, folio, with)
	}
}

// raise has a clinic write down where a child lives, and the vaccines that it got there.
func (p *stage) raise(ctx context.Context, b *demo.Birth, folio string, with func(more ...part) []byte) error {
	found, err := p.do(ctx, acting("system", b.Facility, ""), "POST", "$birth-find", with())
	if err != nil {
		return err
	}
	newborn := found.text("newborn")
	_, id, ok := strings.Cut(newborn, "/")
	if !ok {
		return fmt.Errorf("the certificate %s has no newborn", folio)
	}
	if _, err := p.do(ctx, acting("system", b.Facility, ""), "PATCH", newborn, fmt.Appendf(nil, `[{"op":"add","path":"/address","value":%s}]`, b.Address())); err != nil {
		return err
	}
	if doses := b.Vaccinations(id); doses != nil {
		_, err = p.do(ctx, acting("system", b.Facility, ""), "POST", "", doses)
	}
	return err
}

// certify certifies a birth in both steps, and returns its folio.
func (p *stage) certify(ctx context.Context, certifier *authz.Principal, b *demo.Birth) (string, error) {
	s, err := p.keys.of(ctx, p.store, b.Certifier)
	if err != nil {
		return "", err
	}
	p.at = b.Certified
	prepared, err := p.do(ctx, certifier, "POST", "$birth-certify", b.Claim(base64Of(s.Chain[0].Raw)))
	if err != nil {
		return "", err
	}
	made, err := signature(s, prepared)
	if err != nil {
		return "", err
	}
	folio := prepared.text("folio")
	if folio == "" {
		return "", errors.New("a birth was prepared without a folio")
	}
	_, err = p.do(ctx, certifier, "POST", "$birth-certify", parameters([]part{{"name": "folio", "valueString": folio}, {"name": "signature", "valueBase64Binary": base64Of(made)}}).JSON)
	return folio, err
}

// registered has the civil registry register a birth, and RENAPO assign the CURP.
func (p *stage) registered(ctx context.Context, b *demo.Birth, with func(more ...part) []byte) error {
	p.at = b.Registered
	registrar := acting("civil-registrar", "", "")
	_, err := p.do(ctx, registrar, "POST", "$birth-register", with(
		part{"name": "acta", "valueString": b.Acta}, part{"name": "oficialia", "valueString": b.Oficialia},
		part{"name": "date", "valueDate": b.Registered.Format(time.DateOnly)}, part{"name": "name", "valueHumanName": json.RawMessage(b.Name)}))
	if err != nil || b.CURP == "" {
		return err
	}
	p.later(24 * time.Hour)
	_, err = p.do(ctx, registrar, "POST", "$birth-assign-curp", with(part{"name": "curp", "valueString": b.CURP}))
	return err
}

// later moves the clock on, but not beyond now.
func (p *stage) later(d time.Duration) {
	if p.at = p.at.Add(d); p.at.After(p.begun) {
		p.at = p.begun
	}
}

// counted loads births of the last year whose figures are settled, as SINAC publishes them,
// and has the datasets of that year published.
func (p *stage) counted(ctx context.Context) error {
	f := p.store.library.family("nacimientos")
	if f == nil {
		return nil
	}
	period := f.Last(p.begun)
	year := period.First.Year()
	var all []fhir.OldBirth
	for i, row := range demo.CountedBirths(demoSeed, year, demoCounted) {
		all = append(all, fhir.OldBirth{Source: fmt.Sprintf("demo-%d", year), Line: int64(i + 2), Year: year, Row: row[:]})
	}
	if _, err := p.store.AddOldBirths(ctx, all); err != nil {
		return err
	}
	_, err := p.store.jobs.Add(ctx, job.New{ID: "demo-" + openJob, Kind: openJob, Payload: openOrder{f.Name, period.Name}})
	return err
}
