// Package authztest has what the tests of authz share.
package authztest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Memory is an authz.State that keeps nothing. Its zero value is empty, and uses the
// clock of the machine.
type Memory struct {
	Now func() time.Time // nil is time.Now

	mu      sync.Mutex
	entries map[[2]string]fhir.Entry
}

func (m *Memory) now() time.Time {
	if m.Now == nil {
		return time.Now()
	}
	return m.Now()
}

// get returns an entry that has not expired.
func (m *Memory) get(kind, key string) (fhir.Entry, bool) {
	e, ok := m.entries[[2]string{kind, key}]
	if ok && !e.Expires.IsZero() && !m.now().Before(e.Expires) {
		return fhir.Entry{}, false
	}
	return e, ok
}

// Entry implements authz.State.
func (m *Memory) Entry(_ context.Context, kind, key string) (fhir.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.get(kind, key)
	if !ok {
		return e, fhir.Errorf(fhir.NotFound, "there is no such entry")
	}
	e.Value = slices.Clone(e.Value)
	return e, nil
}

// Put implements authz.State.
func (m *Memory) Put(_ context.Context, entries ...fhir.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		if old, _ := m.get(e.Kind, e.Key); old.Version != e.Version {
			return fhir.Errorf(fhir.Conflict, "somebody else has changed it")
		}
	}
	for _, e := range entries {
		e.Version++
		e.Value = slices.Clone(e.Value)
		if m.entries == nil {
			m.entries = map[[2]string]fhir.Entry{}
		}
		m.entries[[2]string{e.Kind, e.Key}] = e
	}
	return nil
}

// Remove implements authz.State.
func (m *Memory) Remove(_ context.Context, kind, key string, version int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.get(kind, key)
	if ok && version != 0 && e.Version != version {
		return fhir.Errorf(fhir.Conflict, "somebody else has changed it")
	}
	delete(m.entries, [2]string{kind, key})
	return nil
}

// Entries implements authz.State.
func (m *Memory) Entries(_ context.Context, kind, group, after string, limit int) ([]fhir.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []fhir.Entry
	for id := range m.entries {
		e, ok := m.get(id[0], id[1])
		if ok && e.Kind == kind && (group == "" || e.Group == group) && e.Key > after {
			e.Value = slices.Clone(e.Value)
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b fhir.Entry) int { return strings.Compare(a.Key, b.Key) })
	return found[:min(limit, len(found))], nil
}
