package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/birth/paper"
)

// birthReport says how soon and how completely the births of a year were certified.
type birthReport struct {
	Storage storage `embed:""`

	Year     int    `help:"Year of birth." required:"" placeholder:"YYYY"`
	Facility string `help:"CLUES that certifies, or what it begins with." placeholder:"CLUES"`
	CSV      bool   `help:"Print it as CSV."`
	Publish  bool   `help:"Leave out figures of fewer than 11 births, as for whoever may not see the births themselves."`
}

func (r *birthReport) Run(ctx context.Context, out streams, log *slog.Logger) (err error) {
	if r.Year < 1900 || r.Year > 9998 {
		return usagef("--year %d: a year has four digits", r.Year)
	}
	store, err := r.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	made, err := paper.Run(ctx, birth.Book{Rows: store}, paper.Asked{Year: r.Year, Facility: r.Facility, Now: time.Now(), Suppress: r.Publish})
	if err != nil {
		return err
	}
	if r.CSV {
		return made.CSV(out.out)
	}
	return made.Write(out.out)
}
