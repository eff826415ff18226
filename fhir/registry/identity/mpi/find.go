package mpi

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity/match"
	"github.com/amate-health/amate/fhir/search"
)

// Store is where Patients are looked for.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)

	// People calls each with the row key and features of the Patients that have one of
	// the keys: of each key at most the first most, and perhaps not those that share one
	// common key alone. The features are good for the call.
	People(ctx context.Context, keys []int64, most int, each func(key int64, features []byte)) error

	// Refs returns the resources that have these row keys.
	Refs(ctx context.Context, keys []int64) (map[int64]fhir.Ref, error)
}

// mostOfKey is up to how many Patients are looked at for a key. What more share says
// little, and whoever belongs together shares rarer keys as well.
const mostOfKey = 64

// Finder finds Patients who may be a person. It is safe for concurrent use.
type Finder struct {
	Store   Store
	Model   *match.Model
	Reading match.Reading
}

// Wish says who is asked for.
type Wish struct {
	Restriction *search.Restriction // what may be seen
	Count       int                 // how many at most
	Least       match.Grade         // match.Possible at least
}

// Found is a Patient who may be the person.
type Found struct {
	Patient fhir.Resource
	Score   float64 // from 0 to 1, within the range of its grade
	Grade   match.Grade
	Alike   *match.Person // what was compared: of Patient, or of one that it replaces
}

// candidate is a stored record that is graded.
type candidate struct {
	key    int64
	score  float64
	grade  match.Grade
	person *match.Person
}

// Find returns the Patients who may be p, the likeliest first. Those that another one
// has replaced stand for that one, and inactive ones for nobody.
func (f *Finder) Find(ctx context.Context, p *match.Person, w Wish) ([]Found, error) {
	all, err := f.candidates(ctx, p, w.Least)
	if err != nil {
		return nil, err
	}
	var found []Found
	seen := map[string]bool{}
	for block := range slices.Chunk(all, max(2*w.Count, 8)) {
		patients, err := f.patients(ctx, block, w.Restriction)
		if err != nil {
			return nil, err
		}
		for i := range block {
			at := patients[block[i].key]
			if at == nil || seen[at.Ref.ID] {
				continue
			}
			seen[at.Ref.ID] = true
			if found = append(found, Found{*at, block[i].score, block[i].grade, block[i].person}); len(found) == w.Count {
				return found, nil
			}
		}
	}
	return found, nil
}

// candidates grades all that share a key with p, and returns those of least and more,
// the likeliest first.
func (f *Finder) candidates(ctx context.Context, p *match.Person, least match.Grade) ([]candidate, error) {
	var all []candidate
	err := f.Store.People(ctx, indexKeys(p), mostOfKey, func(key int64, features []byte) {
		other, ok := match.PersonOf(features)
		if !ok {
			return // of another version: it is reindexed before long
		}
		if grade, score := f.Model.Grade(p, &other); grade >= max(least, match.Possible) {
			all = append(all, candidate{key, f.settled(score, grade), grade, &other})
		}
	})
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(-cmp.Compare(a.score, b.score), cmp.Compare(a.key, b.key))
	})
	return all, err
}

// settled brings a score into the range of a grade that a rule has decided, so that
// both put Patients in one order.
func (f *Finder) settled(score float64, g match.Grade) float64 {
	const below = 1e-4
	m := f.Model
	switch g {
	case match.Certain:
		return max(score, m.Certain)
	case match.Probable:
		return min(max(score, m.Probable), m.Certain-below)
	}
	return min(max(score, m.Possible), m.Probable-below)
}

// patients returns, for the keys of candidates, the Patients that they are or stand
// for, as far as they may be seen.
func (f *Finder) patients(ctx context.Context, block []candidate, r *search.Restriction) (map[int64]*fhir.Resource, error) {
	keys := make([]int64, len(block))
	for i := range block {
		keys[i] = block[i].key
	}
	refs, err := f.Store.Refs(ctx, keys)
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(refs))
	for _, ref := range refs {
		ids = append(ids, ref.ID)
	}
	records, err := f.survivors(ctx, ids, r)
	if err != nil {
		return nil, err
	}
	found := make(map[int64]*fhir.Resource, len(refs))
	for key, ref := range refs {
		found[key] = records[ref.ID]
	}
	return found, nil
}

// mostReplaced is how far a chain of replacements is followed.
const mostReplaced = 5

// survivors returns, for the ids of Patients, those that are left of them: themselves,
// or what they were replaced by. It has nothing for those that are inactive otherwise,
// or may not be seen, or lead to such.
func (f *Finder) survivors(ctx context.Context, ids []string, r *search.Restriction) (map[string]*fhir.Resource, error) {
	at := map[string]string{} // where each of ids has come to
	for _, id := range ids {
		at[id] = id
	}
	found := map[string]*fhir.Resource{}
	known := map[string]state{}
	for range mostReplaced {
		var next []string
		for _, to := range at {
			if _, ok := known[to]; !ok {
				next, known[to] = append(next, to), state{}
			}
		}
		if len(next) == 0 {
			break
		}
		records, err := load(ctx, f.Store, "Patient", next, r)
		if err != nil {
			return nil, err
		}
		for i := range records {
			s := stateOf(records[i].JSON)
			s.record = &records[i]
			known[records[i].Ref.ID] = s
		}
		for id, to := range at {
			if by := known[to].replacedBy; by != "" {
				at[id] = by
			}
		}
	}
	for id, to := range at {
		if s := known[to]; s.record != nil && s.active && s.replacedBy == "" {
			found[id] = s.record
		}
	}
	return found, nil
}

// state says whether a record counts.
type state struct {
	record     *fhir.Resource
	active     bool
	replacedBy string // id of the Patient in its place; "" for none
}

// stateOf reads a stored Patient.
//
// See https://hl7.org/fhir/R4/valueset-link-type.html.
func stateOf(json []byte) state {
	d, err := element.Parse(json)
	if err != nil {
		return state{}
	}
	s := state{active: true}
	if n := d.Get(0, "active"); n != element.None && d.Text(n) == "false" {
		s.active = false
	}
	list := d.Get(0, "link")
	if list == element.None || d.Kind(list) != element.Array {
		return s
	}
	for l := d.First(list); l != element.None; l = d.Next(list, l) {
		kind, other := d.Get(l, "type"), d.Get(l, "other")
		if kind == element.None || other == element.None || d.Text(kind) != "replaced-by" {
			continue
		}
		if to := d.Get(other, "reference"); to != element.None {
			if ref, ok := fhir.ParseRef(d.Text(to)); ok && ref.Type == "Patient" {
				s.replacedBy = ref.ID
			}
		}
	}
	return s
}

// labels returns the security labels of a record, as they are stored.
func labels(record []byte) []json.RawMessage {
	var r struct {
		Meta struct{ Security []json.RawMessage }
	}
	if json.Unmarshal(record, &r) != nil {
		return nil
	}
	return r.Meta.Security
}

// load returns the resources of a type that have these ids and may be seen.
func load(ctx context.Context, s interface {
	Search(context.Context, *search.Query) (*search.Result, error)
}, typ string, ids []string, r *search.Restriction) ([]fhir.Resource, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	result, err := s.Search(ctx, &search.Query{Type: typ, Where: []search.Expr{search.IDs{Any: ids}}, Count: len(ids), Restriction: r})
	if err != nil {
		return nil, err
	}
	return result.Matches, nil
}
