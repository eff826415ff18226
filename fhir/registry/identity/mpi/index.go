package mpi

import (
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity/match"
	"github.com/amate-health/amate/fhir/search"
)

// Index returns what says of a Patient, as search.Indexing.Person, by what it is found
// here. A Patient of whom too little is known for any key is found by nothing.
func Index(r match.Reading) func(d *element.Doc, root element.Node) search.Person {
	return func(d *element.Doc, root element.Node) search.Person {
		p := r.Patient(d, root)
		keys := indexKeys(&p)
		if len(keys) == 0 {
			return search.Person{}
		}
		return search.Person{Keys: keys, Features: p.Features()}
	}
}

// indexKeys are the keys of p as they are stored.
func indexKeys(p *match.Person) []int64 {
	all := p.IndexKeys()
	keys := make([]int64, len(all))
	for i, k := range all {
		keys[i] = int64(k)
	}
	return keys
}
