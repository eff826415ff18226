package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/amate-health/amate/authz/audit"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/opendata"
	"github.com/amate-health/amate/fhir/registry/profile"
	"github.com/amate-health/amate/store/job"
)

// openDatasets works with the datasets that anybody may have.
type openDatasets struct {
	Publish openPublish `cmd:"" help:"Publish the datasets of a family for a period that is over."`
	List    openList    `cmd:"" help:"List what can be published, and what was."`
	Check   openCheck   `cmd:"" help:"Check the files of everything that was published against their checksums. Exits with 1 when one is wrong or missing."`
}

// openLibrary says where the records and the datasets are.
type openLibrary struct {
	Storage storage `embed:""`
	Opening opening `embed:"" prefix:"opendata-"`
}

// with calls work with the library, and closes it.
func (o *openLibrary) with(ctx context.Context, log *slog.Logger, work func(*library) error) error {
	store, err := o.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	l, err := o.Opening.library(o.Storage, store)
	if err == nil {
		err = work(l)
	}
	return errors.Join(err, store.Close())
}

// withReleases calls work with the library, and all that was published.
func (o *openLibrary) withReleases(ctx context.Context, log *slog.Logger, work func(*library, []shelved) error) error {
	return o.with(ctx, log, func(l *library) error {
		all, err := l.releases(ctx)
		if err != nil {
			return err
		}
		return work(l, all)
	})
}

type openPublish struct {
	Of openLibrary `embed:""`

	Family string `arg:"" help:"Family of datasets, as list shows it."`
	Period string `help:"Period: YYYY or YYYY-MM. The last one that is settled, when left out." placeholder:"PERIOD"`
}

func (c *openPublish) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return c.Of.with(ctx, log, func(l *library) error {
		// As the operation is of those who call it.
		published := audit.Record{Kind: audit.Access, Action: "E", Interaction: "$publish-open-data", Detail: "datasets published from the command line"}
		if err := c.Of.Storage.record(ctx, l.store, published, log); err != nil {
			return err
		}
		made, changed, err := l.publish(ctx, c.Family, c.Period)
		if err != nil {
			return err
		}
		fmt.Fprintln(out.out, openNote(made, changed))
		for i := range made.Sets {
			for _, t := range made.Sets[i].Tables {
				fmt.Fprintf(out.out, "  %s/%s: %d rows, of %d something is suppressed\n", made.Sets[i].Name, t.Name, t.Rows, t.Hidden)
			}
		}
		for _, w := range made.Withdrawn {
			fmt.Fprintf(out.out, "  without %s, which could not be protected\n", w)
		}
		return nil
	})
}

type openList struct {
	Of openLibrary `embed:""`
}

func (c *openList) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return c.Of.withReleases(ctx, log, func(l *library, all []shelved) error {
		for _, f := range l.families {
			fmt.Fprintf(out.out, "%s: by %s, %d datasets, k=%d; the last settled period is %s\n", f.Name, f.Every, len(f.Datasets), f.K, f.Last(time.Now()).Name)
			for i := range all {
				if r := &all[i]; r.Family == f.Name {
					fmt.Fprintf(out.out, "  %s, number %d, of %s\n", r.Period, r.Number, r.Issued.Format(time.DateOnly))
				}
			}
		}
		return nil
	})
}

type openCheck struct {
	Of openLibrary `embed:""`
}

func (c *openCheck) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return c.Of.withReleases(ctx, log, func(l *library, all []shelved) error {
		files, wrong := 0, 0
		for i := range all {
			for _, f := range all[i].Files() {
				files++
				if err := l.verify(all[i].Folder, f); err != nil {
					wrong++
					fmt.Fprintf(out.out, "%s: %v\n", f.Name, err)
				}
			}
		}
		fmt.Fprintf(out.out, "%d releases, %d files, %d wrong\n", len(all), files, wrong)
		if wrong > 0 {
			return errTold
		}
		return nil
	})
}

// verify compares a file with its checksum.
func (l *library) verify(folder string, f opendata.File) error {
	content, err := os.Open(l.file(folder, f.Name))
	if err != nil {
		return errors.New("it is not there")
	}
	defer content.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, content); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return errors.New("it is not what was published")
	}
	return nil
}

// openDataOperations publish, for those who may.
func (o *opened) openDataOperations() []operation.Operation {
	return []operation.Operation{{
		Name: "publish-open-data", URL: profile.OperationCanonical + "publish-open-data", Scope: operation.OnSystem, Changes: true, Run: o.publishOpenData,
	}}
}

// publishOpenData orders a release, or tells of one that was ordered.
func (o *opened) publishOpenData(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("family", "period", "job"); err != nil {
		return nil, err
	}
	if o.library == nil {
		return nil, fhir.Errorf(fhir.NotSupported, "this server publishes no open data")
	}
	id, err := call.In.Text("job")
	if err == nil && id == "" {
		id, err = o.orderOpenData(ctx, call)
	}
	if err != nil {
		return nil, err
	}
	j, err := o.jobs.Get(ctx, id)
	if err == nil && j.Kind != openJob {
		err = fhir.Errorf(fhir.NotFound, "there is no such order")
	}
	if err != nil {
		return nil, err
	}
	parts := []compose.Object{compose.Part("job", "String", id), compose.Part("status", "Code", string(j.Status))}
	if text := j.Note; text != "" && j.Error == "" {
		parts = append(parts, compose.Part("note", "String", text))
	}
	if j.Error != "" {
		parts = append(parts, compose.Part("error", "String", j.Error))
	}
	return &operation.Answer{JSON: compose.Parameters(parts...)}, nil
}

func (o *opened) orderOpenData(ctx context.Context, call *operation.Call) (string, error) {
	name, err := call.Needed("family", "the family of datasets that is published")
	if err != nil {
		return "", err
	}
	f := o.library.family(name)
	if f == nil {
		return "", fhir.Errorf(fhir.Invalid, "there is no such family of datasets").With("%.60q", name)
	}
	period, err := call.In.Text("period")
	if err != nil {
		return "", err
	}
	span := f.Last(time.Now())
	if period != "" {
		if span, err = f.Span(period); err != nil {
			return "", err
		}
	}
	if !f.Settled(span, time.Now()) {
		return "", fhir.Errorf(fhir.Unprocessable, "the period is not over, or not settled yet").With("%s: from %s on", span.Name, span.Next.AddDate(0, 0, f.Settle).Format(time.DateOnly))
	}
	return o.jobs.Add(ctx, job.New{Kind: openJob, Payload: openOrder{f.Name, span.Name}})
}
