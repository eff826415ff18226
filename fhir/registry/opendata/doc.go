// Package opendata makes tables that anybody may have: counts of births, doses and visits
// by place and time, out of which nobody can be found.
//
// What is counted is defined by a Family: one population, such as the births of a year,
// the dimensions by which it is divided, and the datasets that show it. All tables of a
// family are protected together, for they share their margins: what one of them hides
// another one must not tell.
//
// A release is made in steps, each of which is a function of values:
//
//	Aggregate  rows, one at a time     -> Cube: a count for each cell of each table
//	Protect    Cube, earlier releases  -> what is hidden, and a proof for each of it
//	Audit      Cube, Protection        -> what somebody with the published tables can bound
//	Write      Cube, Protection        -> CSV, Parquet, data dictionary
//	Catalogue  releases                -> DCAT-AP in JSON-LD
//
// # What is hidden
//
// A cell that counts fewer than K people (11 unless a family says otherwise) is hidden, and
// so is one of whose sum one row makes up nearly all, or to which too few establishments
// contribute. People are counted, not rows, where a family says of whom a row is. Then others
// are hidden, so that no hidden cell follows from what is shown: for each of them there are
// two other tables, which have the same published cells and rows, and in which it is larger and
// (where it can be) smaller by so much that nobody can tell that it is small. They are kept as
// proofs while a release is made, and checked by other code than that which found them.
//
// A release covers one period that is over. It may be made anew, and then a cell that
// differs by less than K from what any release before published keeps what that published,
// and is held to be hidden; what was hidden and has not changed much stays hidden. What the
// first release of a period left out, or did not have, no later one tells. Where that cannot
// be done, the earlier release stands: so it does where few people were registered late in
// many places, while late ones of one place, or many of them, can be published.
//
// # What is not hidden
//
// Families are protected each by itself. Two of them that count nearly the same people by the
// same dimensions may tell together what neither does: define them as one. That nobody is in
// a cell is told, also of a small group, and so is that a group is all in one category.
package opendata
