package storetest

import (
	"fmt"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// people is what most search tests look at.
func (f *fixture) people() {
	f.Helper()
	f.load(
		patient("a", "Pérez Nuñez", "1980-05-17"),
		patient("b", "Perea", "1980-05"),
		patient("c", "López", "1990"),
		`{"resourceType":"Patient","id":"d","identifier":[{"system":"urn:curp","value":"X1"},{"value":"Y2"}],"active":false}`,
		`{"resourceType":"Encounter","id":"e1","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/a"},
"period":{"start":"2020-01-10T08:00:00Z","end":"2020-01-12T08:00:00Z"}}`,
		`{"resourceType":"Encounter","id":"e2","status":"in-progress","class":{"code":"AMB"},"subject":{"reference":"Patient/b"},
"period":{"start":"2020-01-11T08:00:00Z"}}`,
		observation("o1", "Patient/a", "8302-2", "2020-01-10T10:00:00-06:00", "70.4"),
		observation("o2", "Patient/a", "8302-2", "2021-03", "71"),
		observation("o3", "Patient/b", "29463-7", "2019", "100"),
		`{"resourceType":"Observation","id":"o4","status":"preliminary","code":{"text":"x"},"valueQuantity":{"value":5,"comparator":"<"}}`,
	)
}

var searchTests = map[string]func(*fixture){
	"strings": func(f *fixture) {
		f.people()
		for text, want := range map[string]string{
			"Patient?family=perez": "a", "Patient?family=PERE": "a b", "Patient?family=nunez": "a", "Patient?family=ñuñez": "a",
			"Patient?family:exact=Perea": "b", "Patient?family:exact=perea": "", "Patient?family:exact=Nuñez": "", "Patient?family:exact=nunez": "",
			"Patient?family:exact=Pérez Nuñez": "a", "Patient?family:contains=rez": "a", "Patient?family=lop,perea": "b c",
			"Patient?family=pere&family=nun": "a", "Patient?name=jose": "a b c", "Patient?family:missing=true": "d",
			"Patient?family:missing=false": "a b c", "Patient?family=zz": "", "Patient?given:exact=Ma": "a b c",
		} {
			f.finds(text, want)
		}
	},
	"tokens": func(f *fixture) {
		f.people()
		for text, want := range map[string]string{
			"Patient?identifier=X1": "d", "Patient?identifier=urn:curp|X1": "d", "Patient?identifier=urn:curp|": "d",
			"Patient?identifier=|Y2": "d", "Patient?identifier=|X1": "", "Patient?identifier=urn:other|X1": "",
			"Patient?identifier:missing=true": "a b c", "Patient?active=false": "d", "Patient?gender=female": "a b c",
			"Patient?gender:not=female": "d", "Observation?code=http://loinc.org|8302-2,29463-7": "o1 o2 o3",
			"Observation?code=8302-2&status=final": "o1 o2", "Observation?code:not=8302-2": "o3 o4",
			"Observation?status=preliminary": "o4", "Observation?combo-code=8302-2": "o1 o2", "Encounter?class=AMB": "e1 e2",
		} {
			f.finds(text, want)
		}
	},
	"references": func(f *fixture) {
		f.people()
		for text, want := range map[string]string{
			"Observation?subject=Patient/a": "o1 o2", "Observation?subject=a": "o1 o2", "Observation?patient=a": "o1 o2",
			"Observation?subject:Patient=b": "o3", "Observation?patient=nobody": "", "Observation?subject:missing=true": "o4",
			"Observation?subject:missing=false": "o1 o2 o3", "Observation?subject=" + base + "/Patient/a": "o1 o2",
			"Observation?patient=a,b&code=8302-2": "o1 o2", "Observation?patient:Patient.family=perez": "o1 o2",
			"Observation?patient.family=pere&code=8302-2": "o1 o2", "Observation?subject.birthdate=gt1985": "",
			"Patient?_has:Observation:patient:code=8302-2": "a", "Patient?_has:Observation:patient:code=nothing": "",
			"Patient?_has:Encounter:patient:status=in-progress&family=pere": "b",
			"Encounter?patient._has:Observation:patient:code=29463-7":       "e2",
			"Observation?patient._id=a":                                     "o1 o2",
		} {
			f.finds(text, want)
		}
	},
	"dates": func(f *fixture) {
		f.people()
		for text, want := range map[string]string{
			"Patient?birthdate=1980-05-17": "a", "Patient?birthdate=1980-05": "a b", "Patient?birthdate=1980": "a b",
			"Patient?birthdate=ne1980-05": "c", "Patient?birthdate=gt1980-05-17": "b c", "Patient?birthdate=ge1980-06": "c",
			"Patient?birthdate=lt1980-05-17": "b", "Patient?birthdate=le1980-05-17": "a b", "Patient?birthdate=sa1980-05-17": "c",
			"Patient?birthdate=eb1981": "a b", "Patient?birthdate=ge1980&birthdate=lt1981": "a b", "Patient?birthdate:missing=true": "d",
			"Encounter?date=2020-01-11": "", "Encounter?date=ap2020-01-11": "e1 e2", "Encounter?date=ge2020-01-12": "e2",
			"Encounter?date=gt2020-01-12": "e2", "Encounter?date=sa2020-01-10": "e2", "Encounter?date=eb2020-01-13": "e1",
			"Encounter?date=gt2030": "e2", "Observation?date=2020-01-10": "o1", "Observation?date=2020-01-10T16:00:00Z": "o1",
			"Observation?date=lt2020": "o3", "Observation?date=2019,2021": "o2 o3",
		} {
			f.finds(text, want)
		}
	},
	"quantities": func(f *fixture) {
		f.people()
		for text, want := range map[string]string{
			"Observation?value-quantity=71": "o2", "Observation?value-quantity=70.4": "o1", "Observation?value-quantity=70": "o1", "Observation?value-quantity=70.0": "",
			"Observation?value-quantity=7.1e1": "o2", "Observation?value-quantity=gt70.4": "o2 o3", "Observation?value-quantity=ge70.4": "o1 o2 o3",
			"Observation?value-quantity=lt71": "o1 o4", "Observation?value-quantity=le71": "o1 o2 o4", "Observation?value-quantity=lt-5": "o4",
			"Observation?value-quantity=ne71": "o1 o3 o4", "Observation?value-quantity=ap72": "o1 o2",
			"Observation?value-quantity=71||kg": "o2", "Observation?value-quantity=71|http://unitsofmeasure.org|kg": "o2",
			"Observation?value-quantity=71||mg": "", "Observation?value-quantity=gt1||kg": "o1 o2 o3", "Observation?value-quantity:missing=true": "",
			"Observation?combo-value-quantity=71": "o2",
		} {
			f.finds(text, want)
		}
	},
	"ids and times": func(f *fixture) {
		f.people()
		first := f.search(query(f, "Patient?_id=a")).Matches[0].Updated.Format(fhir.InstantLayout)
		for text, want := range map[string]string{
			"Patient?_id=a": "a", "Patient?_id=a,c,nobody": "a c", "Patient?_id=A": "", "?_id=a,e1": "a e1", "?_type=Encounter,Patient&_id=a,e1,o1": "a e1",
			"Patient?_lastUpdated=" + first: "a b c d", "Patient?_lastUpdated=gt" + first: "", "Patient?_lastUpdated=ge" + first: "a b c d",
			"Patient?_lastUpdated=lt" + first: "", "Patient?_lastUpdated=gt2000": "a b c d", "?_lastUpdated=lt2000": "",
		} {
			f.finds(text, want)
		}
	},
	"all types": func(f *fixture) {
		f.people()
		if n := len(f.search(query(f, "?_count=100")).Matches); n != 10 {
			f.Errorf("a search of everything finds %d", n)
		}
	},
	"updates leave nothing behind": func(f *fixture) {
		f.load(patient("a", "Uno Dos", "1980"), observation("o", "Patient/a", "one", "2001", "1"))
		f.load(patient("a", "Tres", "1990"), observation("o", "Patient/b", "two", "2002", "2"))
		for text, want := range map[string]string{
			"Patient?family=uno": "", "Patient?family=dos": "", "Patient?family=tres": "a", "Patient?birthdate=1980": "", "Patient?birthdate=1990": "a",
			"Observation?code=one": "", "Observation?code=two": "o", "Observation?patient=a": "", "Observation?patient=b": "o",
			"Observation?date=2001": "", "Observation?date=2002": "o", "Observation?value-quantity=1": "", "Observation?value-quantity=2": "o",
		} {
			f.finds(text, want)
		}
		f.apply(remove("Patient/a"), remove("Observation/o"))
		for _, text := range []string{
			"Patient?family=tres", "Patient?birthdate=1990", "Observation?code=two", "Observation?patient=b", "Observation?date=2002",
			"Observation?value-quantity=2", "Patient?_id=a", "Patient", "Observation?_lastUpdated=gt2000", "Observation?code:missing=true",
			"Patient?family:missing=true", "Observation?code:not=x",
		} {
			f.finds(text, "")
		}
		f.load(patient("a", "Cuatro", "2000"))
		f.finds("Patient?family=cuatro", "a")
		f.finds("Patient?family=tres", "")
	},
	"what is found": func(f *fixture) {
		f.load(patient("a", "Uno", "1980"))
		f.load(patient("a", "Dos", "1980"))
		m := f.search(query(f, "Patient?_id=a")).Matches
		if len(m) != 1 {
			f.Fatalf("%d matches", len(m))
		}
		read, err := f.s.Read(f.ctx, ref("Patient/a"))
		if err != nil {
			f.Fatal(err)
		}
		if got := m[0]; got.Ref != read.Ref || !got.Updated.Equal(read.Updated) || string(got.JSON) != string(read.JSON) || got.Method != read.Method {
			f.Errorf("search gives %+v, read %+v", got, read)
		}
	},
	"totals": func(f *fixture) {
		f.people()
		for text, want := range map[string]int64{
			"Patient?_count=1": -1, "Patient?_count=1&_total=accurate": 4, "Patient?_count=0": 4, "Patient?_total=estimate&family=pere": 2,
			"Observation?code=8302-2&_summary=count": 2, "Patient?_total=accurate&_id=nobody": 0,
		} {
			if got := f.search(query(f, text)).Total; got != want {
				f.Errorf("%s has total %d, want %d", text, got, want)
			}
		}
		if r := f.search(query(f, "Patient?_count=0")); len(r.Matches) != 0 || r.Next != "" {
			f.Errorf("a count returns %d matches and %q", len(r.Matches), r.Next)
		}
	},
	"long lists": func(f *fixture) {
		f.people()
		list := "a"
		for i := range 900 {
			list += fmt.Sprintf(",x%d", i)
		}
		f.finds("Patient?_id="+list, "a")
		f.finds("Observation?patient="+list, "o1 o2")
		f.finds("Observation?code=8302-2,"+list, "o1 o2")
		f.finds("Patient?family=perez,"+list, "a")
	},
	"a query without a restriction": func(f *fixture) {
		q := query(f, "Patient?_total=accurate")
		q.Restriction = nil
		if _, err := f.s.Search(f.ctx, q); err == nil {
			f.Error("no error from a search")
		}
		q.Count, q.Total = 0, search.TotalNone
		if _, err := f.s.Search(f.ctx, q); err == nil {
			f.Error("no error from a search without entries")
		}
		if _, err := f.s.History(f.ctx, &search.History{}); err == nil {
			f.Error("no error from a history")
		}
	},
	"a time in the future": func(f *fixture) {
		f.people()
		f.finds("Patient?_lastUpdated=gt"+time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05Z"), "")
	},
}
