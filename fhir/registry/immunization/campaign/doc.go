// Package campaign finds and counts a population by what the immunization schedule says
// of each person: lists of who is due, coverage and drop-out, plans for those who are
// late, and reminders. It reads the rows that package recommend keeps, so that a list of
// a million children loads no resource but those it shows.
package campaign
