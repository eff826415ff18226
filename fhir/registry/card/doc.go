// Package card hands vaccinations to the person who got them, so that anybody can check
// them: the cartilla on paper, SMART Health Cards, links to them, and the certificate of
// WHO. What was handed out is remembered by what it says of which dose, so that it is
// revoked when a dose turns out not to have been given.
package card
