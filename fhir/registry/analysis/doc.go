// Package analysis makes of records what analysts may work with: resources without who
// they are of, and the views over them that the server ships.
//
// # What is taken out
//
// A Deidentifier writes a resource anew from the elements that rules.json lets through;
// what it does not know it leaves out. It does not rely on the mask of a role that comes
// before it, which may be narrower.
//
//   - Ids and references become pseudonyms: a keyed hash, whose key is derived from the
//     name of the release, so that rows of one release join and rows of two do not.
//   - A birth or death is a year, and years of birth that make people 90 or older are one.
//     Other dates are their month, or their ISO week (its Monday) where rules.json says so.
//     An instant is the first moment of that. Hours of the day, versions and lastUpdated go.
//   - Of places stays the municipality, under INEGI's key, the state and the country.
//   - Text goes, names of codes included: a code has a table that says what it means.
//     Whatever looks like a CURP or a UUID goes wherever it stands.
//
// # What is put in
//
// Before that, Derive reads what counting needs and what no date tells any more: the age
// at an event, in months for doses; how many days after a birth it was certified; how long
// a stay or visit lasted. They are extensions, whose URLs begin with Extension.
//
// # What remains
//
// This is no protection against somebody who knows a person well. The codes of rare
// diseases stay, since their count is what surveillance is for, and so does what makes a
// person rare together: a municipality, an age, a month, a diagnosis. The month of a dose
// with the age in months tells the month of birth of a child, never the day. Whoever gives
// results away counts and suppresses first, as fhir/registry/opendata does.
package analysis
