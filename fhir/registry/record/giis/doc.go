// Package giis holds the file of outpatient visits that health facilities owe the
// DGIS each month: guide GIIS-B015, version 4.11 of November 2024 (consulta externa).
// It makes the rows from what is stored, checks them by the rules of the guide, and
// checks files that others made.
//
// A file is text in windows-1252: a row of names, then one row of 106 variables for each
// visit, parted by |, several values of one variable by &. The DGIS takes it compressed
// and enciphered with 3DES (.CIF within .ZIP). Key, mode and padding are not published,
// so that step is done outside, with the tool that the DGIS hands out.
//
// What a rule needs and the guide leaves to catalogues (which services a kind of
// personnel gives, which facilities are specialised, who may have which diagnosis) is
// checked as far as a Catalogue was given.
package giis
