package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/amate-health/amate/authz/audit"
	"github.com/amate-health/amate/fhir/registry/rights"
)

// retaining looks after how long records are kept.
type retaining struct {
	Report       retentionReport       `cmd:"" help:"List the records that may be removed, and what keeps them."`
	Run          retentionRun          `cmd:"" help:"Remove the records whose time is over, for good: all versions of everything in them. Each leaves a certificate."`
	Certificates retentionCertificates `cmd:"" help:"Print the certificates of what was removed, one a line."`
	Scrub        retentionScrub        `cmd:"" help:"Overwrite what was removed in the files of the database. Of a large SQLite file, while no server runs."`
}

type retentionReport struct {
	Storage storage `embed:""`
	Keep    keeping `embed:""`
}

// keeperOf opens a store for a command, and calls f.
func keeperOf(ctx context.Context, s storage, keep keeping, log *slog.Logger, recorded bool, f func(*keeper) error) (err error) {
	if err := keep.check(); err != nil {
		return err
	}
	o, err := s.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if o.indexing.Base, err = rememberedBase(ctx, o); err != nil {
		return err
	}
	k := &keeper{opened: o, keeping: keep, log: log, by: osAccount(), long: true, tell: func(string) {}, now: time.Now}
	if recorded {
		trail, err := audit.Open(audit.Config{Chains: o, Dir: filepath.Join(s.Data, "audit"), Log: log})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, trail.Close()) }()
		k.record = trail
	}
	return f(k)
}

func (c *retentionReport) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return keeperOf(ctx, c.Storage, c.Keep, log, false, func(k *keeper) error { return k.report(ctx, out) })
}

// report prints what a run would do.
func (k *keeper) report(ctx context.Context, out streams) error {
	removed, kept := 0, 0
	err := k.look(ctx, func(d *due) error {
		last := "no act is dated"
		if !d.record.LastAct.IsZero() {
			last = "last act " + d.record.LastAct.Format(time.DateOnly)
		}
		var why []string
		if !d.over {
			why = append(why, fmt.Sprintf("kept for %d years", k.Years))
		}
		for _, h := range d.holds {
			why = append(why, fmt.Sprintf("legal hold %s of %s", h.Number, h.Authority))
		}
		verdict := "to be removed"
		if len(why) > 0 {
			verdict = "stays: " + strings.Join(why, "; ")
			kept++
		} else {
			removed++
		}
		_, err := fmt.Fprintf(out.out, "Patient/%s: %d resources, %s; %s\n", d.record.Patient, len(d.record.Refs), last, verdict)
		return err
	})
	if err == nil {
		_, err = fmt.Fprintf(out.out, "%d records to be removed, %d stay\n", removed, kept)
	}
	return err
}

type retentionRun struct {
	Storage storage `embed:""`
	Keep    keeping `embed:""`
	DryRun  bool    `help:"Only say what would be removed."`
}

func (c *retentionRun) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return keeperOf(ctx, c.Storage, c.Keep, log, !c.DryRun, func(k *keeper) error {
		if c.DryRun {
			return k.report(ctx, out)
		}
		k.tell = func(line string) { fmt.Fprintln(out.out, line) }
		done, err := k.run(ctx)
		if err == nil {
			_, err = fmt.Fprintf(out.out, "%d records removed\n", done)
		}
		return err
	})
}

type retentionCertificates struct {
	Storage storage `embed:""`
}

func (c *retentionCertificates) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return keeperOf(ctx, c.Storage, keeping{Years: rights.LeastYears}, log, false, func(k *keeper) error {
		for after := ""; ; {
			found, err := k.Entries(ctx, certificateKind, "", after, 500)
			if err != nil || len(found) == 0 {
				return err
			}
			for i := range found {
				after = found[i].Key
				if _, err := fmt.Fprintf(out.out, "%s\n", found[i].Value); err != nil {
					return err
				}
			}
		}
	})
}

type retentionScrub struct {
	Storage storage `embed:""`
}

func (c *retentionScrub) Run(ctx context.Context, log *slog.Logger) error {
	return keeperOf(ctx, c.Storage, keeping{Years: rights.LeastYears}, log, false, func(k *keeper) error { return k.engine.Scrub(ctx, true) })
}
