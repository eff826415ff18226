package fhir

// Vaccinee is what the immunization schedule says of one Patient: a row that a store
// keeps beside the resources, derived from them, to list who is due and to count how far
// a population is protected. Days are counted from 1599-12-31, as
// fhir/registry/immunization/schedule does; 0 is none.
type Vaccinee struct {
	Key     int64  // row key of the Patient
	Patient string // id; found by Key where the row is written

	Print    int64 // of what was recommended, whatever the day; 0 for nothing
	Schedule int64 // Number of the VaccineeSchedule that Due and Given are written by
	Assessed int32 // day for which it was made
	Again    int32 // day from which on time alone makes it another

	Born    int32
	Soonest int32 // first day on which a missing dose is recommended
	Overdue int32 // first day on which a missing dose is overdue
	Place   int32 // of residence, by INEGI: entity * 1000 + municipality; 0 for unknown
	Sex     uint8 // 0 unknown, 1 female, 2 male
	Doubts  int16 // how much of what is recorded could not be read

	Home string // who manages the Patient: a CLUES, else Organization/id; "" for unknown
	Post string // where the latest dose was given: a CLUES, else Type/id; "" for unknown

	Due   []byte // of each vaccine group, as fhir/registry/immunization/recommend packs it
	Given []byte // of each antigen, likewise
}

// VaccineeSchedule names a version of a schedule and what the places in Due and Given of
// a Vaccinee stand for.
type VaccineeSchedule struct {
	Number        int64 // a hash of the rest
	Name, Version string
	Groups        []string // of vaccines, in order
	Antigens      []string // in order
}

// VaccineeQuery says which Vaccinees are looked for. Zero fields ask nothing.
type VaccineeQuery struct {
	Patients []string // ids

	Home, Post string
	Facility   string // Home or Post, either

	Place, PlaceEnd  int32 // from the first municipality, before the second; a zero PlaceEnd is Place alone
	BornFrom, BornTo int32 // days of birth, both included
	Soonest, Overdue int32 // those with such a day, up to this one
	Again            int32 // those to be made anew up to this day

	After int64 // row key: those after it, in the order of row keys
	Limit int   // how many at most; 0 for all, in any order

	// Lean asks for what is counted alone: Key, Schedule, Born, Place, Sex, Home, Post and
	// Given. The other fields are zero. It does not go with Patients.
	Lean bool
}
