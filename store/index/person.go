package index

import (
	"cmp"
	"encoding/binary"

	"github.com/amate-health/amate/fhir/search"
)

// Person is the row of a Patient in the table person, and what it has in person_key.
type Person struct {
	Print    int64   // stands for the rest; rows are compared by it
	Keys     []int64 // not of a row that was read from a database
	Features []byte  // likewise
}

func comparePeople(a, b Person) int { return cmp.Compare(a.Print, b.Print) }

// people returns the row of x; none when too little is known.
func people(x *search.Index) []Person {
	p := &x.Person
	if len(p.Keys) == 0 || len(p.Features) == 0 {
		return nil
	}
	whole := make([]byte, 0, 8*len(p.Keys)+len(p.Features))
	for _, k := range p.Keys {
		whole = binary.BigEndian.AppendUint64(whole, uint64(k))
	}
	return []Person{{Print: firstEight(append(whole, p.Features...)), Keys: p.Keys, Features: p.Features}}
}
