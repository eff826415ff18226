package main

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/guide"
	"github.com/amate-health/amate/fhir/profile"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// definitions finds stored profiles and questionnaires for the validator. Nothing is
// read before it is asked for, and a compiled profile is kept. A write of this
// process is known at once; one of another process to the same database within
// pollEvery.
type definitions struct {
	store    rest.Store
	profiles *profile.Registry

	mu   sync.Mutex
	seen map[fhir.Ref]int64 // newest versions that noticed was told of

	changes   atomic.Int64 // how often profiles changed, as far as was noticed
	loaded    rest.Conformance
	loadedFor int64 // changes at the time of loaded; -1 before
}

func newDefinitions(store rest.Store) *definitions {
	d := &definitions{store: store, seen: map[fhir.Ref]int64{}, loadedFor: -1}
	d.profiles = profile.NewRegistry(d)
	return d
}

// lookupWithin bounds how long one look into the store may take.
const lookupWithin = 10 * time.Second

// Profile returns a stored profile, or one of R4 itself.
func (d *definitions) Profile(canonical string) (*profile.Profile, error) {
	return d.profiles.Profile(canonical)
}

// Definition returns a stored StructureDefinition.
func (d *definitions) Definition(url, version string) ([]byte, error) {
	return d.byURL("StructureDefinition", url, version)
}

// Questionnaire returns a stored Questionnaire.
func (d *definitions) Questionnaire(canonical string) ([]byte, bool) {
	url, version, _ := strings.Cut(canonical, "|")
	text, err := d.byURL("Questionnaire", url, version)
	return text, err == nil && text != nil
}

// byURL returns the definition of a type with a URL: of several versions the one
// asked for, else the latest.
func (d *definitions) byURL(typ, url, version string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupWithin)
	defer cancel()
	escaped := strings.NewReplacer(`\`, `\\`, ",", `\,`, "|", `\|`, "$", `\$`).Replace(url)
	q, err := search.Parse(typ, []search.Param{{Name: "url", Value: escaped}}, search.Options{DefaultCount: 50})
	if err != nil {
		return nil, nil // nothing can have such a URL
	}
	q.Restriction = search.Unrestricted
	found, err := d.store.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	var best []byte
	bestVersion := ""
	for i := range found.Matches {
		var r struct{ Version string }
		if err := json.Unmarshal(found.Matches[i].JSON, &r); err != nil {
			return nil, err
		}
		if version != "" && r.Version != version {
			continue
		}
		if best == nil || cmp.Or(guide.Compare(r.Version, bestVersion), cmp.Compare(r.Version, bestVersion)) > 0 {
			best, bestVersion = found.Matches[i].JSON, r.Version
		}
	}
	return best, nil
}

// applied notices what a write of this process changed.
func (d *definitions) applied(results []bundle.Result) {
	for i := range results {
		typ := results[i].Resource.Ref.Type
		if (typ == "StructureDefinition" || typ == "ImplementationGuide") && results[i].Outcome != bundle.Unchanged {
			d.changes.Add(1)
			d.profiles.Forget()
			return
		}
	}
}

// definingTypes are the types of which profiles and guides are made.
var definingTypes = []string{"StructureDefinition", "ImplementationGuide"}

// noticed notices what another process changed; versions that were seen before are
// no change.
func (d *definitions) noticed(changed []fhir.Resource) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fresh := false
	for i := range changed {
		r := &changed[i]
		if ref := r.Ref.Current(); d.seen[ref] < r.Ref.Version {
			d.seen[ref] = r.Ref.Version
			fresh = true
		}
	}
	if fresh {
		d.changes.Add(1)
		d.profiles.Forget()
	}
}

// conformance says what profiles and guides are stored, for /metadata.
func (d *definitions) conformance(ctx context.Context) (rest.Conformance, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.changes.Load()
	if d.loadedFor == now {
		return d.loaded, nil
	}
	all := rest.Conformance{Stamp: strconv.FormatInt(now, 10), Profiles: map[string][]string{}}
	take := func(r *fhir.Resource) error {
		var s struct{ URL, Version, Type, Kind, Derivation string }
		if err := json.Unmarshal(r.JSON, &s); err != nil {
			return err
		}
		switch {
		case s.URL == "":
		case r.Ref.Type == "ImplementationGuide":
			all.Guides = append(all.Guides, versioned(s.URL, s.Version))
		case s.Derivation == "constraint" && s.Kind == "resource":
			all.Profiles[s.Type] = append(all.Profiles[s.Type], versioned(s.URL, s.Version))
		}
		return nil
	}
	for _, typ := range []string{"ImplementationGuide", "StructureDefinition"} {
		if err := eachOf(ctx, d.store, typ, take); err != nil {
			return rest.Conformance{}, err
		}
	}
	slices.Sort(all.Guides)
	for _, list := range all.Profiles {
		slices.Sort(list)
	}
	d.loaded, d.loadedFor = all, now
	return all, nil
}

func versioned(url, version string) string {
	if version == "" {
		return url
	}
	return url + "|" + version
}
