package storetest

import (
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// Old is a resource as a database of the first schema holds it.
type Old struct {
	Key     int64
	Ref     fhir.Ref // version 1
	Updated time.Time
	JSON    []byte
	Index   search.Index
}

// Upgrade has write fill a database of the first schema, which knew no dictionary, no
// pairs and no places, and expects that nothing is lost when open brings it up to date.
func Upgrade(t *testing.T, write func(all []Old), open func() Store) {
	f := &fixture{T: t, ctx: t.Context()}
	at := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	var all []Old
	for i, json := range []string{
		patient("p", "Pérez Nuñez", "1980-05-17"),
		observation("o1", "Patient/p", "8302-2", "2020-01-10T10:00:00Z", "70.4"),
		observation("o2", "Patient/p", "8302-2", "2021-03", "71"),
		`{"resourceType":"Encounter","id":"e1","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"},
"period":{"start":"1950-01-10T08:00:00Z"}}`,
	} {
		c := resource(t, json)
		content, err := c.Build(nil, c.Ref, nil)
		if err != nil {
			t.Fatal(err)
		}
		old := Old{Key: int64(i + 1), Ref: c.Ref, Updated: at, JSON: content.Body.Stamp(1, at)}
		old.Ref.Version = 1
		ix := content.Index
		old.Index = search.Index{Tokens: ix.Tokens, Links: ix.Links, Numbers: ix.Numbers, Strings: ix.Strings, Dates: ix.Dates}
		all = append(all, old)
	}
	write(all)
	f.s = open()
	for text, want := range map[string]string{
		"Observation?code=8302-2": "o1 o2", "Observation?patient=p&date=2020": "o1", "Observation?patient.family=perez": "o1 o2",
		"Patient?family=nunez": "p", "Patient?birthdate=1980-05-17": "p", "Observation?value-quantity=gt70.5": "o2",
		"Encounter?patient=p&date=gt2000": "e1", "Patient?_has:Observation:patient:code=8302-2": "p", "Patient?_lastUpdated=2025-01-02T03:04:05Z": "p",
		"Observation?code:missing=false": "o1 o2",
	} {
		f.finds(text, want)
	}
	f.orders("Observation?_sort=-date", "o2 o1")
	f.load(patient("p", "Otra", "1990"), observation("o1", "Patient/q", "other", "2001", "1"))
	for text, want := range map[string]string{
		"Patient?family=nunez": "", "Patient?family=otra": "p", "Observation?code=8302-2": "o2", "Observation?code=other": "o1",
		"Observation?patient=p": "o2", "Observation?date=2020": "", "Observation?value-quantity=70.4": "", "Observation?code:text=x": "",
	} {
		f.finds(text, want)
	}
	f.orders("Observation?_sort=code", "o1 o2") // the dictionary knows what was written since
}
