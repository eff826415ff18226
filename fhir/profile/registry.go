package profile

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/amate-health/amate/fhir/spec"
)

// Source finds StructureDefinitions.
type Source interface {
	// Definition returns the JSON of the StructureDefinition with this URL; version
	// "" takes any. It returns nil when there is none.
	Definition(url, version string) ([]byte, error)
}

// Registry compiles profiles when they are first asked for, and keeps them. It is
// safe for use by many goroutines.
type Registry struct {
	sources []Source

	mutex    sync.Mutex
	compiled map[string]*compilation // by canonical, as asked for
}

type compilation struct {
	profile *Profile
	err     error
	done    bool
}

// NewRegistry returns a registry that asks sources in turn, and R4's own
// extensions and profiles last.
func NewRegistry(sources ...Source) *Registry {
	return &Registry{sources: append(sources, published{}), compiled: map[string]*compilation{}}
}

// Forget drops what was compiled, after definitions have changed.
func (r *Registry) Forget() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.compiled = map[string]*compilation{}
}

// Profile returns the profile with this canonical URL, url or url|version; nil
// when it is not known. An error tells that the definition cannot be understood.
func (r *Registry) Profile(canonical string) (*Profile, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.profile(canonical)
}

// maxCompiled bounds how many answers are kept, since anybody may ask for any URL.
const maxCompiled = 20_000

// profile does the work of Profile. The caller holds the mutex.
func (r *Registry) profile(canonical string) (*Profile, error) {
	if c := r.compiled[canonical]; c != nil {
		if !c.done {
			return nil, fmt.Errorf("%s is based on itself", canonical)
		}
		return c.profile, c.err
	}
	if len(r.compiled) >= maxCompiled {
		r.compiled = map[string]*compilation{}
	}
	c := &compilation{}
	r.compiled[canonical] = c
	c.profile, c.err = r.make(canonical)
	c.done = true
	if errors.Is(c.err, errSource) {
		delete(r.compiled, canonical) // another time it may be found
	}
	return c.profile, c.err
}

// errSource is in errors of a source, which say nothing about the profile.
var errSource = errors.New("the definition could not be read")

func (r *Registry) make(canonical string) (*Profile, error) {
	url, version, _ := strings.Cut(canonical, "|")
	for _, s := range r.sources {
		text, err := s.Definition(url, version)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errSource, err)
		}
		if text == nil {
			continue
		}
		d, err := readDefinition(text)
		if err != nil {
			return nil, err
		}
		return compile(d, r.base)
	}
	return nil, nil
}

// base returns what a definition is based on: nil for an R4 type.
func (r *Registry) base(url string) (*Profile, error) {
	if TypeOf(url) != nil {
		return nil, nil
	}
	p, err := r.profile(url)
	if err == nil && p == nil {
		return nil, fmt.Errorf("%s is not known", url)
	}
	return p, err
}

// TypeOf returns the R4 type whose own definition has this canonical URL, or nil.
func TypeOf(canonical string) *spec.Type {
	name, ok := strings.CutPrefix(canonical, core)
	if !ok {
		return nil
	}
	name, _, _ = strings.Cut(name, "|")
	return spec.TypeOf(name)
}
