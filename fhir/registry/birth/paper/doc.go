// Package paper is the certificate of birth that is handed to the mother: one sheet, in
// Spanish, as a PDF or a page, with a QR code that says whether it counts, to those who
// have a connection and to those who have none.
package paper
