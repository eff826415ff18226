// Package match says whether two records are about one person, and how sure that is.
//
// It follows Fellegi and Sunter (A Theory for Record Linkage, JASA 1969): each field
// that two records share is compared and comes out at one of a few levels; a level
// weighs log2(m/u), where m is how often it is seen in records of one person and u how
// often in records of two. The sum of the weights, with how rare it is that any two
// records belong together, gives a probability.
//
// What the theory leaves out is added by rules: fields that a household shares (address,
// telephone, surnames) prove no identity together, twins share all but the given name
// and the order of birth, and an identifier proves something only when it was verified.
// [Model.Compare] explains each match by the weight of every field.
//
// The comparisons are made for Mexican names: two surnames that are swapped, joined or
// of which the second is left out, particles (DE LA CRUZ), MARIA as MA., accents and Ñ,
// and words that stand for no name at all (XX, NO ESPECIFICADO, RECIEN NACIDO).
package match
