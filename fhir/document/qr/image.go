package qr

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
)

// quiet is the width of the blank frame, in modules (clause 6.3.8).
const quiet = 4

// PNG returns the code with its frame as a picture, with so many dots a module.
func (c *Code) PNG(dots int) ([]byte, error) {
	dots = max(1, dots)
	side := (c.Size + 2*quiet) * dots
	p := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y := range c.Size {
		for x := range c.Size {
			if !c.Dark(x, y) {
				continue
			}
			for dy := range dots {
				at := p.PixOffset((x+quiet)*dots, (y+quiet)*dots+dy)
				for dx := range dots {
					p.Pix[at+dx] = 1
				}
			}
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, p)
	return b.Bytes(), err
}

// SVG returns the code with its frame as a drawing of the size of where it is put.
func (c *Code) SVG() []byte {
	var b bytes.Buffer
	side := c.Size + 2*quiet
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="`, side, side, side, side)
	for y := range c.Size {
		for x := 0; x < c.Size; x++ {
			from := x
			for x < c.Size && c.Dark(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, x-from, x-from)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.Bytes()
}
