package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/terminology"
	"github.com/amate-health/amate/fhir/terminology/source"
)

// terms is what can be done with terminology.
type terms struct {
	Load loadTerms `cmd:"" help:"Store a code system: CSV or TSV (code, display, parent), CIE-10, CVX, FHIR JSON or NDJSON, or the folder of a SNOMED CT (RF2) or LOINC release."`
}

// loadTerms stores a code system. Doing it again replaces what was stored; a server
// that is running knows it within seconds.
type loadTerms struct {
	Storage  storage `embed:""`
	BaseURL  string  `help:"The public FHIR base of the server." default:"http://127.0.0.1:8080/fhir" placeholder:"URL"`
	System   string  `help:"URL of the code system; files of a known layout know their own." placeholder:"URL" env:"-"`
	Version  string  `help:"Version of the code system." placeholder:"VERSION" env:"-"`
	Name     string  `help:"Name of the code system, such as CIE10." placeholder:"NAME" env:"-"`
	Language string  `help:"Language of the displays, such as es." placeholder:"TAG" env:"-"`
	ID       string  `help:"Id of the CodeSystem; without it, that of the one stored with this URL, or one made of the URL." name:"id" placeholder:"ID" env:"-"`
	File     string  `arg:"" help:"The file (it may be .gz), or the folder of a release." type:"existingpath"`
}

func (l *loadTerms) Run(ctx context.Context, s streams, log *slog.Logger) (err error) {
	started := time.Now()
	system, resources, err := source.Read(l.File)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(l.File), err)
	}
	store, err := l.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	maker := store.maker(strings.TrimRight(l.BaseURL, "/"))
	concepts := 0
	if system != nil {
		if err := l.settle(system); err != nil {
			return err
		}
		concepts = len(system.Concepts)
		if resources, err = l.resources(ctx, store, maker, system); err != nil {
			return err
		}
	} else if l.System+l.Version+l.Name+l.Language+l.ID != "" {
		return usagef("FHIR resources say themselves what they are: --system, --version, --name, --language and --id are for other files")
	}
	if err := l.put(ctx, store, maker, resources); err != nil {
		return err
	}
	took := time.Since(started).Seconds()
	if system == nil {
		fmt.Fprintf(s.out, "%d resources in %.1f s\n", len(resources), took)
		return nil
	}
	fmt.Fprintf(s.out, "%s: %d concepts in %d resources, in %.1f s\n", system.URL, concepts, len(resources), took)
	return nil
}

// settle applies what the command line says of a system.
func (l *loadTerms) settle(s *source.System) error {
	for _, f := range []struct {
		to   *string
		from string
	}{{&s.URL, l.System}, {&s.Version, l.Version}, {&s.Name, l.Name}, {&s.Language, l.Language}} {
		if f.from != "" {
			*f.to = f.from
		}
	}
	if s.URL == "" {
		return usagef("the file does not say which code system it is: give --system URL")
	}
	if l.ID != "" && !fhir.ValidID(l.ID) {
		return usagef("--id: 1 to 64 characters of A-Z a-z 0-9 - .")
	}
	return nil
}

// resources returns what stands for s, at the id that it has, or is given now.
func (l *loadTerms) resources(ctx context.Context, store rest.Store, maker bundle.Maker, s *source.System) ([]source.Resource, error) {
	id := l.ID
	if id == "" {
		q, err := maker.Criterion("CodeSystem", []search.Param{{Name: "url", Value: s.URL}}, search.Unrestricted)
		if err != nil {
			return nil, err
		}
		found, err := store.Search(ctx, q)
		switch {
		case err != nil:
			return nil, err
		case len(found.Matches) > 1:
			return nil, usagef("several CodeSystems are stored with the URL %s: say by --id which to replace", s.URL)
		case len(found.Matches) == 1:
			id = found.Matches[0].Ref.ID
		default:
			id = source.IDFor(s.URL)
		}
	}
	return s.Resources(id)
}

// put stores resources, all or none, in place of what is there. Parts of an earlier
// load that are not needed any more are deleted.
func (l *loadTerms) put(ctx context.Context, store rest.Store, maker bundle.Maker, resources []source.Resource) error {
	b := &bundle.Batch{}
	for _, r := range resources {
		parsed, err := bundle.Parse(r.JSON)
		if err != nil {
			return err
		}
		c, err := maker.Update(parsed, fhir.Ref{Type: r.Type, ID: r.ID}, false)
		if err != nil {
			return fmt.Errorf("%s/%s: %w", r.Type, r.ID, err)
		}
		b.Changes = append(b.Changes, c)
		if r.Type == "CodeSystem" {
			old, err := leftover(ctx, store, r.ID, resources)
			if err != nil {
				return err
			}
			b.Changes = append(b.Changes, old...)
		}
	}
	_, err := store.Apply(ctx, b)
	return err
}

// leftover returns deletions of the stored parts of a code system that resources do
// not replace.
func leftover(ctx context.Context, store rest.Store, id string, resources []source.Resource) ([]bundle.Change, error) {
	var all []bundle.Change
	for n := 0; ; n++ {
		ref := fhir.Ref{Type: "Binary", ID: source.PartID(id, n)}
		if slices.ContainsFunc(resources, func(r source.Resource) bool { return r.Type == ref.Type && r.ID == ref.ID }) {
			continue
		}
		old, err := store.Read(ctx, ref)
		switch code := fhir.CodeOf(err); {
		case code == fhir.NotFound || code == fhir.Gone:
			return all, nil
		case err != nil:
			return nil, err
		case strings.Contains(string(old.JSON), terminology.PartType):
			all = append(all, bundle.Change{Op: bundle.Delete, Ref: ref})
		}
	}
}
