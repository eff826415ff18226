package fhir

import "time"

// Birth is a certificate of birth as the ledger of births keeps it: a row of a table of
// its own, beside the resources that are made from it. A store writes it in the
// transaction of these, so that there is no half of a certificate.
type Birth struct {
	Folio    string // number of the certificate, unique
	Version  int64  // that of the stored row, 0 for a new one; a write makes it one more
	State    string // "draft", "certified", ...; see fhir/registry/birth
	Facility string // CLUES of the establishment that certifies
	Born     string // yyyy-mm-dd
	Guard    string // which newborn it is of: no two live certificates have the same; "" for none
	Namesake string // which newborn it is of, by weaker marks; several may have the same
	Token    string // under which the public may verify it; unique; "" for none

	Certified, Registered time.Time // zero for not yet

	Row   []string // the columns of SINAC, in their order
	Value []byte   // all of the certificate, which its owner alone reads

	Event BirthEvent // why this version was written
}

// BirthEvent is one step in the life of a certificate. They are only ever added.
type BirthEvent struct {
	Version int64  // of the certificate that it led to
	Kind    string // "certified", "void", ...
	At      time.Time
	Who     string // stable key of the account or client; never a name
	Note    string // of the people who did it: a reason
}

// BirthQuery says which certificates are looked for. Zero fields ask nothing.
type BirthQuery struct {
	Folio, Token, Guard, Namesake string
	Facility                      string
	From, Until                   string // days of birth, yyyy-mm-dd: from the first, before the second
	States                        []string

	After string // a folio: those after it, in the order of folios
	Limit int    // how many at most; 0 for all
}

// FolioRange is a run of folios that an establishment may give out in a year: Prefix and a
// number of Width digits, from First to Last.
type FolioRange struct {
	ID       string // unique
	Facility string // CLUES; "" for all that have none of their own
	Year     int
	Prefix   string
	Width    int
	First    int64
	Last     int64
	Next     int64  // the first that is not given out yet
	Node     string // offline node that gives them out by itself; "" for the server
}

// OldBirth is a birth as published long after: a row of SINAC without identities.
type OldBirth struct {
	Source string // digest of the file that it came from
	Line   int64  // in that file
	Year   int    // of birth
	Row    []string
}
