package page

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/boombuler/barcode/qr"

	cards "github.com/amate-health/amate/fhir/document/qr"
)

// quiet is the width of the blank frame of a QR code, in modules (ISO/IEC 18004, 6.3.8).
const quiet = 4

// modules returns the squares of the code by row, true where it is dark, without the
// frame.
func (q *Code) modules() ([][]bool, error) {
	if q.Text == "" || clean(q.Alt) == "" {
		return nil, errors.New("page: a code without content, or without a text in its place")
	}
	if strings.HasPrefix(q.Text, healthCard) {
		return card(q.Text)
	}
	image, err := qr.Encode(q.Text, qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("page: %d bytes in a code: %w", len(q.Text), errTooLong)
	}
	side := image.Bounds().Dx()
	out := make([][]bool, side)
	for y := range out {
		out[y] = make([]bool, side)
		for x := range out[y] {
			r, _, _, _ := image.At(x, y).RGBA()
			out[y][x] = r == 0
		}
	}
	return out, nil
}

// healthCard begins what the code of a SMART Health Card holds. Its digits are a segment
// of their own, at level L: as text they would not fit.
//
// See https://hl7.org/fhir/uv/smart-health-cards-and-links/cards-specification.html#encoding-qrs.
const healthCard = "shc:/"

func card(text string) ([][]bool, error) {
	at := strings.LastIndexByte(text, '/') + 1
	code, err := cards.Encode(cards.L, cards.Segment{Text: text[:at]}, cards.Segment{Text: text[at:], Numeric: true})
	if err != nil {
		return nil, fmt.Errorf("page: a health card of %d bytes in a code: %w", len(text), err)
	}
	out := make([][]bool, code.Size)
	for y := range out {
		out[y] = make([]bool, code.Size)
		for x := range out[y] {
			out[y][x] = code.Dark(x, y)
		}
	}
	return out, nil
}

var errTooLong = errors.New("more than a QR code holds")

// bars calls draw with each horizontal bar of dark modules.
func bars(modules [][]bool, draw func(x, y, length int)) {
	for y, line := range modules {
		for x := 0; x < len(line); x++ {
			from := x
			for x < len(line) && line[x] {
				x++
			}
			if x > from {
				draw(from, y, x-from)
			}
		}
	}
}

// target returns where a tap on the code leads. Only pages of the web are followed: a
// document must not run anything.
func (q *Code) target() (string, bool) {
	u, err := url.Parse(q.Link)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", false
	}
	return u.String(), true
}
