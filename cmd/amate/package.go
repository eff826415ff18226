package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/guide"
	"github.com/amate-health/amate/fhir/registry/profile"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// packages handles implementation guides.
type packages struct {
	Install packageInstall `cmd:"" help:"Load implementation guides: profiles, value sets, code systems, search parameters, operations."`
	List    packageList    `cmd:"" help:"List the implementation guides that are loaded."`
}

// packageInstall loads packages into the store.
type packageInstall struct {
	Storage     storage  `embed:""`
	SkipMissing bool     `help:"Go on where a package needs another that is neither given nor loaded."`
	Paths       []string `arg:"" name:"path" help:"Package archives (.tgz) and folders." type:"path"`
}

func (p *packageInstall) Run(ctx context.Context, s streams, log *slog.Logger) (err error) {
	var read []*guide.Package
	for _, path := range p.Paths {
		g, err := guide.Read(path, guide.DefaultLimits)
		if err != nil {
			return err
		}
		read = append(read, g)
	}
	store, err := p.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	there, err := loadedPackages(ctx, store)
	if err != nil {
		return err
	}
	ordered, err := guide.Order(read, there)
	var missing *guide.MissingError
	switch {
	case errors.As(err, &missing) && p.SkipMissing:
		fmt.Fprintln(s.out, "not there, and left out:", err)
	case err != nil:
		return err
	}
	refused := 0
	for _, g := range ordered {
		n, err := installPackage(ctx, store, g, s.out)
		if err != nil {
			return fmt.Errorf("%s: %w", g, err)
		}
		refused += n
	}
	if refused > 0 {
		return fmt.Errorf("%d definitions were refused", refused)
	}
	return nil
}

// installOwn installs this project's own profiles, where they are not yet.
func installOwn(ctx context.Context, store rest.Store) error {
	g, err := profile.Package()
	if err != nil {
		return err
	}
	if err := leaveLoaded(ctx, store, g); err != nil {
		return err
	}
	refused, err := installPackage(ctx, store, g, io.Discard)
	if err == nil && refused > 0 {
		err = fmt.Errorf("%s: %d definitions were refused", g, refused)
	}
	return err
}

// leaveLoaded takes out of a package the code systems of others, such as CVX, of which
// somebody has loaded a list that is not the one shipped.
func leaveLoaded(ctx context.Context, store rest.Store, g *guide.Package) error {
	loaded := map[string]bool{}
	err := eachOf(ctx, store, "CodeSystem", func(r *fhir.Resource) error {
		var s struct{ URL, Publisher string }
		if err := json.Unmarshal(r.JSON, &s); err != nil {
			return err
		}
		if s.Publisher != "Amate" {
			loaded[s.URL] = true
		}
		return nil
	})
	g.Definitions = slices.DeleteFunc(g.Definitions, func(d guide.Definition) bool { return d.Type == "CodeSystem" && loaded[d.URL] })
	return err
}

// installBatch is how many definitions are written in one transaction.
const installBatch = 100

// installPackage writes the definitions of a package, each at an id of its own that
// is always the same, and says what it did. It returns how many were refused.
func installPackage(ctx context.Context, store rest.Store, g *guide.Package, out io.Writer) (refused int, err error) {
	started := time.Now()
	done := map[bundle.Outcome]int{}
	for _, r := range g.Refused {
		fmt.Fprintf(out, "%s: %s was left out: %s\n", g, r.File, r.Reason)
	}
	for part := range slices.Chunk(g.Definitions, installBatch) {
		n, err := installPart(ctx, store, g, part, done, out)
		if err != nil {
			return refused, err
		}
		refused += n
	}
	types := map[string]int{}
	for _, d := range g.Definitions {
		types[d.Type]++
	}
	var list []string
	for typ, n := range types {
		list = append(list, fmt.Sprintf("%d %s", n, typ))
	}
	slices.Sort(list)
	_, err = fmt.Fprintf(out, "%s: %d new, %d changed, %d as before, %d refused in %.1f s (%s)\n", g,
		done[bundle.Created], done[bundle.Updated], done[bundle.Unchanged], refused, time.Since(started).Seconds(), strings.Join(list, ", "))
	return refused, err
}

// installPart writes some definitions. One that is refused does not keep out the others.
func installPart(ctx context.Context, store rest.Store, g *guide.Package, part []guide.Definition, done map[bundle.Outcome]int, out io.Writer) (refused int, err error) {
	refuse := func(d *guide.Definition, err error) {
		refused++
		fmt.Fprintf(out, "%s: %s is refused: %s\n", g, d.Name, told(err))
	}
	var batch bundle.Batch
	var of []*guide.Definition
	for i := range part {
		d := &part[i]
		c, err := definitionChange(makerFor(store), d)
		if err != nil {
			refuse(d, err)
			continue
		}
		batch.Changes, of = append(batch.Changes, c), append(of, d)
	}
	for len(batch.Changes) > 0 {
		results, err := store.Apply(ctx, &batch)
		var at *bundle.ChangeError
		if errors.As(err, &at) && at.Index >= 0 && inputAtFault(err) {
			refuse(of[at.Index], err)
			batch.Changes = slices.Delete(batch.Changes, at.Index, at.Index+1)
			of = slices.Delete(of, at.Index, at.Index+1)
			continue
		}
		if err != nil {
			return refused, err
		}
		for _, r := range results {
			done[r.Outcome]++
			unsearched(store, &r, g, out)
		}
		break
	}
	return refused, nil
}

// unsearched says why a search parameter that was stored is not searched by.
func unsearched(store rest.Store, r *bundle.Result, g *guide.Package, out io.Writer) {
	o, ok := store.(*opened)
	if !ok || r.Resource.Ref.Type != "SearchParameter" {
		return
	}
	if why := o.parameters.Problem(r.Resource.Ref.ID); why != "" {
		fmt.Fprintf(out, "%s: %s is stored, but not searched by: %s\n", g, r.Resource.Ref.Current(), why)
	}
}

// told returns the text of an error with the place that it names.
func told(err error) string {
	var e *fhir.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	text := e.Error()
	if e.Diagnostics != "" {
		text += ": " + e.Diagnostics
	} else if len(e.Issues) > 0 {
		text += ": " + e.Issues[0].Diagnostics
	}
	if e.Expression != "" {
		text += " at " + e.Expression
	}
	return text
}

// definitionChange is the write of one definition.
func definitionChange(maker bundle.Maker, d *guide.Definition) (bundle.Change, error) {
	s, err := bundle.Parse(d.JSON)
	if err != nil {
		var syntax *element.SyntaxError
		if errors.As(err, &syntax) {
			return bundle.Change{}, fhir.Errorf(fhir.Invalid, "it is no FHIR JSON").With("%v", err)
		}
		return bundle.Change{}, err
	}
	return maker.Update(s, fhir.Ref{Type: d.Type, ID: d.ID}, false)
}

// loadedPackages returns the packages whose ImplementationGuide is stored.
func loadedPackages(ctx context.Context, store rest.Store) ([]guide.Dependency, error) {
	var all []guide.Dependency
	err := eachOf(ctx, store, "ImplementationGuide", func(r *fhir.Resource) error {
		var g struct{ PackageID, Version string }
		if err := json.Unmarshal(r.JSON, &g); err != nil {
			return err
		}
		if g.PackageID != "" {
			all = append(all, guide.Dependency{Name: g.PackageID, Version: g.Version})
		}
		return nil
	})
	return all, err
}

// eachOf calls f with every current resource of a type.
func eachOf(ctx context.Context, store rest.Store, typ string, f func(*fhir.Resource) error) error {
	q := &search.Query{Type: typ, Count: 200, Restriction: search.Unrestricted}
	for {
		page, err := store.Search(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Matches {
			if err := f(&page.Matches[i]); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		q.After = page.Next
	}
}

// packageList prints what is loaded.
type packageList struct {
	Storage storage `embed:""`
}

func (p *packageList) Run(ctx context.Context, s streams, log *slog.Logger) (err error) {
	store, err := p.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	all, err := loadedPackages(ctx, store)
	for _, d := range all {
		fmt.Fprintf(s.out, "%s#%s\n", d.Name, d.Version)
	}
	return err
}
