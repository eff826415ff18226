package main

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/opendata"
	"github.com/amate-health/amate/store/job"
)

// opening says what is published for everybody, and by whom.
type opening struct {
	Definitions string `help:"Folder of definitions of datasets in JSON, beside those that are shipped." placeholder:"DIR" type:"existingdir"`
	Publisher   string `help:"Who publishes the datasets." default:"${publisher}" placeholder:"NAME"`
	Homepage    string `help:"URL of the publisher." placeholder:"URL"`
	Contact     string `help:"Address for questions on the datasets." placeholder:"EMAIL"`
	License     string `help:"URL of the licence." default:"https://datos.gob.mx/libreusomx" placeholder:"URL"`
	Auto        bool   `help:"Publish every period by itself once it is over and settled."`
}

// openPublisher is who publishes where nobody is named.
const openPublisher = "Registro Amate"

// library publishes open data, and knows what was published.
type library struct {
	store    *opened
	folder   string
	families []*opendata.Family
	now      func() time.Time
}

// library opens what is published from a store.
func (g *opening) library(s storage, store *opened) (*library, error) {
	l := &library{store: store, folder: filepath.Join(s.Data, "opendata"), families: slices.Clone(opendata.Families()), now: time.Now}
	if g.Definitions == "" {
		return l, nil
	}
	own, err := opendata.ReadFamilies(os.DirFS(g.Definitions))
	if err != nil {
		return nil, usagef("--opendata-definitions: %v", err)
	}
	for _, f := range own {
		if l.family(f.Name) != nil {
			return nil, usagef("--opendata-definitions: there is a family %s already", f.Name)
		}
		l.families = append(l.families, f)
	}
	return l, nil
}

func (l *library) family(name string) *opendata.Family {
	if i := slices.IndexFunc(l.families, func(f *opendata.Family) bool { return f.Name == name }); i >= 0 {
		return l.families[i]
	}
	return nil
}

// The kinds of entries: what was published, and what it told of each cell, which nobody
// may see.
const (
	openKind   = "open-data"
	ledgerKind = "open-data-ledger"
)

// shelved is a release with the folder that its files are in.
type shelved struct {
	opendata.Release
	Folder string `json:"folder"`
}

// key is that of its entry.
func (s *shelved) key() string { return fmt.Sprintf("%s/%s/%06d", s.Family, s.Period, s.Number) }

// releases returns everything that was published.
func (l *library) releases(ctx context.Context) ([]shelved, error) {
	const page = 500
	var all []shelved
	for after := ""; ; {
		found, err := l.store.Entries(ctx, openKind, "", after, page)
		if err != nil {
			return nil, err
		}
		for i := range found {
			var one shelved
			if err := json.Unmarshal(found[i].Value, &one); err != nil {
				return nil, fmt.Errorf("the release %s cannot be read: %w", found[i].Key, err)
			}
			all = append(all, one)
			after = found[i].Key
		}
		if len(found) < page {
			return all, nil
		}
	}
}

// publish makes a release of a family for a period, "" for the last one that is settled.
// It is false when nothing has changed since the release before, which it returns then.
// Errors: fhir.NotFound for a family that there is not; fhir.Invalid and fhir.Unprocessable
// for a period that cannot be published.
func (l *library) publish(ctx context.Context, name, period string) (*opendata.Release, bool, error) {
	f := l.family(name)
	if f == nil {
		return nil, false, fhir.Errorf(fhir.NotFound, "there is no such family of datasets").With("%.60q", name)
	}
	span := f.Last(l.now())
	var err error
	if period != "" {
		if span, err = f.Span(period); err != nil {
			return nil, false, err
		}
	}
	if !f.Settled(span, l.now()) {
		return nil, false, fhir.Errorf(fhir.Unprocessable, "the period is not over, or not settled yet").With("%s of %s: from %s on", span.Name, f.Name, span.Next.AddDate(0, 0, f.Settle).Format(time.DateOnly))
	}
	before, number, err := l.last(ctx, f.Name, span.Name)
	if err != nil {
		return nil, false, err
	}
	past, version, err := l.past(ctx, f.Name, span.Name)
	if err != nil {
		return nil, false, err
	}
	source, ok := l.store.openSources()[f.Source]
	if !ok {
		return nil, false, fhir.Errorf(fhir.Invalid, "the family counts rows of a source that there is not").With("%s: %.60q", f.Name, f.Source)
	}
	cube, err := opendata.Aggregate(ctx, f, source, span)
	if err != nil {
		return nil, false, err
	}
	protected, err := opendata.Protect(ctx, cube, past)
	if err != nil {
		return nil, false, err
	}
	made := shelved{Folder: f.Name + "-" + span.Name + "-" + uuid.NewString()}
	release, err := opendata.Write(ctx, cube, protected, number+1, l.now(), l.creator(made.Folder))
	if err == nil && before != nil && release.Same(before) {
		return before, false, l.discard(made.Folder)
	}
	if err == nil {
		made.Release = *release
		if err = l.shelve(ctx, &made, opendata.Remember(cube, protected, past), version); err != nil {
			switch known, unsure := l.known(ctx, &made); {
			case known:
				return release, true, nil
			case unsure != nil: // its files stay, since it may be known
				return nil, false, errors.Join(err, unsure)
			}
		}
	}
	if err != nil {
		return nil, false, errors.Join(err, l.discard(made.Folder))
	}
	return release, true, nil
}

// last returns the newest release of a period and its number; nil and 0 for none.
func (l *library) last(ctx context.Context, family, period string) (newest *opendata.Release, number int, err error) {
	all, err := l.releases(ctx)
	for i := range all {
		if r := &all[i].Release; r.Family == family && r.Period == period && r.Number > number {
			newest, number = r, r.Number
		}
	}
	return newest, number, err
}

// past returns what was told of the cells of a period, and the version of the entry.
func (l *library) past(ctx context.Context, family, period string) (map[string]opendata.Past, int64, error) {
	e, err := l.store.Entry(ctx, ledgerKind, family+"/"+period)
	if fhir.CodeOf(err) == fhir.NotFound {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	var past map[string]opendata.Past
	err = json.NewDecoder(flate.NewReader(bytes.NewReader(e.Value))).Decode(&past)
	return past, e.Version, err
}

// shelve makes a release known, with what it told: of two servers that publish a period at
// the same time one fails. Errors: fhir.Conflict.
func (l *library) shelve(ctx context.Context, made *shelved, told map[string]opendata.Past, version int64) error {
	value, err := json.Marshal(made)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err == nil {
		err = errors.Join(json.NewEncoder(w).Encode(told), w.Close())
	}
	if err != nil {
		return err
	}
	period := made.Family + "/" + made.Period
	return l.store.Put(ctx,
		fhir.Entry{Kind: openKind, Key: made.key(), Group: made.Family, Value: value},
		fhir.Entry{Kind: ledgerKind, Key: period, Group: made.Family, Version: version, Value: packed.Bytes()})
}

// knownWithin bounds how long it is asked whether a release is known.
const knownWithin = 10 * time.Second

// known reports whether a release was made known after all: the answer to that may be lost
// with a connection, or come too late for ctx.
func (l *library) known(ctx context.Context, made *shelved) (bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), knownWithin)
	defer cancel()
	e, err := l.store.Entry(ctx, openKind, made.key())
	if fhir.CodeOf(err) == fhir.NotFound {
		return false, nil
	}
	var there shelved
	if err == nil {
		err = json.Unmarshal(e.Value, &there)
	}
	return err == nil && there.Folder == made.Folder, err
}

// creator creates the files of a release in a folder of its own. They are on the disk when
// they are closed.
func (l *library) creator(folder string) opendata.Create {
	return func(name string) (io.WriteCloser, error) {
		file := l.file(folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) // everybody may have it
		return synced{f}, err
	}
}

// file is where a file of a release is: its name begins with the family and the period.
func (l *library) file(folder, name string) string {
	parts := strings.SplitN(name, "/", 3)
	return filepath.Join(l.folder, folder, filepath.FromSlash(parts[len(parts)-1]))
}

func (l *library) discard(folder string) error { return os.RemoveAll(filepath.Join(l.folder, folder)) }

type synced struct{ *os.File }

func (s synced) Close() error { return errors.Join(s.File.Sync(), s.File.Close()) }

const (
	openJob       = "open-data"
	openAutoJob   = "open-data-auto"
	openAutoEvery = 24 * time.Hour
	openAutoRetry = time.Hour // after an error
)

// openOrder is what a job publishes.
type openOrder struct{ Family, Period string }

// handleOpenData lets this process publish what is asked for, and with --opendata-auto what
// is due.
func (o *opened) handleOpenData(ctx context.Context, s *serve, log *slog.Logger) error {
	l, err := s.Opening.library(s.Storage, o)
	if err != nil {
		return err
	}
	o.library = l
	o.jobs.Handle(openJob, 1, func(ctx context.Context, t *job.Task) error {
		var order openOrder
		if err := t.Payload(&order); err != nil {
			return job.Permanent(err)
		}
		made, changed, err := l.publish(ctx, order.Family, order.Period)
		if code := fhir.CodeOf(err); code == fhir.Unprocessable || code == fhir.Invalid || code == fhir.NotFound {
			return job.Permanent(err)
		}
		if err != nil {
			return err
		}
		t.Progress(1, 1, openNote(made, changed))
		return nil
	})
	if !s.Opening.Auto {
		return nil
	}
	o.jobs.Handle(openAutoJob, 1, func(ctx context.Context, t *job.Task) error {
		again := l.now().Add(openAutoEvery)
		for _, f := range l.families {
			before, _, err := l.last(ctx, f.Name, f.Last(l.now()).Name)
			if err == nil && before != nil {
				continue
			}
			var made *opendata.Release
			if err == nil {
				made, _, err = l.publish(ctx, f.Name, "")
			}
			if err != nil {
				again = l.now().Add(openAutoRetry)
				log.Warn("open data are not published; it is tried again", "family", f.Name, "error", err)
			} else {
				log.Info("open data are published", "family", f.Name, "period", made.Period)
			}
		}
		return &job.Again{At: again}
	})
	return o.stand(ctx, openAutoJob)
}

func openNote(r *opendata.Release, changed bool) string {
	if !changed {
		return fmt.Sprintf("%s %s: nothing changed since number %d", r.Family, r.Period, r.Number)
	}
	return fmt.Sprintf("%s %s: number %d is published", r.Family, r.Period, r.Number)
}
