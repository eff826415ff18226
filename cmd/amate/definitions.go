package main

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"sync"
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

	mu      sync.Mutex
	checked time.Time // when changes of others were last looked for
	latest  fhir.Ref  // version of the StructureDefinition that was changed last
}

func newDefinitions(store rest.Store) *definitions {
	d := &definitions{store: store}
	d.profiles = profile.NewRegistry(d)
	return d
}

// lookupWithin bounds how long one look into the store may take.
const lookupWithin = 10 * time.Second

// Profile returns a stored profile, or one of R4 itself.
func (d *definitions) Profile(canonical string) (*profile.Profile, error) {
	d.freshen()
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
		if results[i].Resource.Ref.Type == "StructureDefinition" && results[i].Outcome != bundle.Unchanged {
			d.profiles.Forget()
			return
		}
	}
}

// freshen looks, now and then, whether another process changed a profile.
func (d *definitions) freshen() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(d.checked) < pollEvery {
		return
	}
	d.checked = time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), lookupWithin)
	defer cancel()
	h, err := d.store.History(ctx, &search.History{Type: "StructureDefinition", Count: 1, Restriction: search.Unrestricted})
	if err != nil || len(h.Entries) == 0 {
		return // asked again soon
	}
	if at := h.Entries[0].Ref; at != d.latest {
		d.latest = at
		d.profiles.Forget()
	}
}
