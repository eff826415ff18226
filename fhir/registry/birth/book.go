package birth

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
)

// Rows is where the rows of the ledger are.
type Rows interface {
	Births(ctx context.Context, q *fhir.BirthQuery) ([]fhir.Birth, error)
	BirthEvents(ctx context.Context, folio string) ([]fhir.BirthEvent, error)
}

// Book is the Ledger in a store.
type Book struct{ Rows Rows }

var _ Ledger = Book{}

// page is how many certificates are in memory at a time.
const page = 200

// Certificate implements Ledger.
func (b Book) Certificate(ctx context.Context, folio string) (*Certificate, error) {
	if folio == "" {
		return nil, unknown()
	}
	return b.one(ctx, &fhir.BirthQuery{Folio: folio, Limit: 1})
}

// Verified implements Ledger.
func (b Book) Verified(ctx context.Context, token string) (*Certificate, error) {
	if token == "" {
		return nil, unknown()
	}
	return b.one(ctx, &fhir.BirthQuery{Token: token, Limit: 1})
}

// unknown says that there is no such certificate, or that it is not for the caller to know.
func unknown() error { return fhir.Errorf(fhir.NotFound, "there is no such certificate of birth") }

func (b Book) one(ctx context.Context, q *fhir.BirthQuery) (*Certificate, error) {
	found, err := b.Rows.Births(ctx, q)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, unknown()
	}
	return read(&found[0])
}

// Each implements Ledger.
func (b Book) Each(ctx context.Context, q Query, f func(*Certificate) error) error {
	asked := fhir.BirthQuery{Facility: q.Facility, From: q.From, Until: q.Until, Limit: page}
	states := q.States
	if states == nil {
		states = States[1:]
	}
	for _, s := range states {
		asked.States = append(asked.States, string(s))
	}
	for {
		found, err := b.Rows.Births(ctx, &asked)
		if err != nil {
			return err
		}
		for i := range found {
			c, err := read(&found[i])
			if err == nil {
				err = f(c)
			}
			if err != nil {
				return err
			}
		}
		if len(found) < page {
			return nil
		}
		asked.After = found[len(found)-1].Folio
	}
}

// History implements Ledger.
func (b Book) History(ctx context.Context, folio string) ([]fhir.BirthEvent, error) {
	return b.Rows.BirthEvents(ctx, folio)
}

// read returns the certificate of a row.
func read(b *fhir.Birth) (*Certificate, error) {
	c := &Certificate{}
	if err := json.Unmarshal(b.Value, c); err != nil {
		return nil, fmt.Errorf("certificate of birth: %w", err)
	}
	c.Version, c.guard, c.namesake = b.Version, b.Guard, b.Namesake
	if len(b.Row) != sinac.Columns {
		return nil, fmt.Errorf("certificate of birth: %d columns", len(b.Row))
	}
	copy(c.Row[:], b.Row)
	return c, nil
}

// write returns the row of c, which comes to its state by an event.
func (c *Certificate) write(e fhir.BirthEvent) (fhir.Birth, error) {
	value, err := json.Marshal(c)
	if err != nil {
		return fhir.Birth{}, err
	}
	b := fhir.Birth{
		Folio: c.Folio, Version: c.Version, State: string(c.State), Facility: c.Certifier.Facility, Born: c.Newborn.Born,
		Namesake: c.namesake, Token: c.Token, Certified: c.Certified, Row: c.Row[:], Value: value, Event: e,
	}
	if c.State.Live() {
		b.Guard = c.guard
	}
	if c.Registration != nil {
		b.Registered = c.Registration.Recorded
	}
	return b, nil
}
