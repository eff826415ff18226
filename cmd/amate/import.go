package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/rest"
)

// load brings files into the database, on the path that a transaction over HTTP
// takes. It can be killed and started again: what is there already is not made twice.
type load struct {
	Storage storage  `embed:""`
	BaseURL string   `help:"The public FHIR base of the server: absolute references to it are local ones." default:"http://127.0.0.1:8080/fhir" placeholder:"URL"`
	Workers int      `help:"Files (or parts of NDJSON files) at work at a time; 0 is one more than there are processors." default:"0"`
	Report  string   `help:"Write what was refused, and why, to this file: a JSON object a line. It quotes what it refuses." placeholder:"FILE" type:"path"`
	Paths   []string `arg:"" name:"path" help:"Folders, .json and .ndjson files, plain or .gz." type:"path"`
}

func (l *load) Run(ctx context.Context, s streams, log *slog.Logger) (err error) {
	files, err := inputs(l.Paths)
	if err != nil {
		return usagef("%v", err)
	}
	if len(files) == 0 {
		return usagef("no .json, .ndjson, .json.gz or .ndjson.gz file in %v", l.Paths)
	}
	store, err := l.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	j, err := openJournal(l.Storage.Data, store.key("journal"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.close()) }()
	r, err := openReport(l.Report, s.err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()

	im := &importer{store: store, maker: store.maker(strings.TrimRight(l.BaseURL, "/")), journal: j, report: r, workers: l.Workers}
	following, stop := context.WithCancel(ctx)
	defer stop()
	go store.follow(following) // a server may get a search parameter meanwhile
	im.progress = newProgress(s.err, files)
	started := time.Now()
	if err := im.run(ctx, files); err != nil {
		im.progress.end()
		return fmt.Errorf("stopped after %d resources: %w (the same command goes on where it stopped)", im.progress.resources.Load(), err)
	}
	im.progress.end()
	n, took := im.progress.resources.Load(), time.Since(started)
	fmt.Fprintf(s.out, "%d resources from %d files in %.1f s (%.0f a second); %d files were there already; %d refused\n",
		n, len(files), took.Seconds(), float64(n)/took.Seconds(), im.skipped.Load(), r.refused.Load())
	if r.refused.Load() > 0 {
		return errors.New("some of it was refused")
	}
	return nil
}

// importer applies files to a store.
type importer struct {
	store    rest.Store
	maker    bundle.Maker
	journal  *journal
	report   *report
	progress *progress
	workers  int
	skipped  counter // files that had been imported before
}

// run imports files, which are in the order of inputs. What others refer to by a
// search (hospitals, practitioners) is done before anything else begins.
func (im *importer) run(ctx context.Context, files []input) error {
	if im.workers <= 0 {
		im.workers = runtime.GOMAXPROCS(0) + 1
	}
	for len(files) > 0 {
		n := 1
		for n < len(files) && files[n].rank == files[0].rank {
			n++
		}
		if err := im.inParallel(ctx, files[:n]); err != nil {
			return err
		}
		files = files[n:]
	}
	return nil
}

// inParallel imports files in any order.
func (im *importer) inParallel(ctx context.Context, files []input) error {
	g, ctx := errgroup.WithContext(ctx)
	units := make(chan unit) // without room: what waits here is held in memory
	g.Go(func() error {
		defer close(units)
		for _, f := range files {
			if err := im.cut(ctx, f, units); err != nil {
				return fmt.Errorf("%s: %w", filepath.Base(f.path), err)
			}
		}
		return nil
	})
	for range im.workers {
		g.Go(func() error {
			for u := range units {
				if err := im.apply(ctx, u); err != nil {
					return fmt.Errorf("%s: %w", filepath.Base(u.file.path), err)
				}
			}
			return ctx.Err()
		})
	}
	return g.Wait()
}
