// Package qr draws QR codes (ISO/IEC 18004, model 2) of several segments: text, and digits
// that take a third of the room. That is what SMART Health Cards ask for, and what fits
// their 2,390 digits into a code that can still be read from paper.
package qr
