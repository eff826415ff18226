package qr

// draw places codewords and picks the mask that is easiest to read.
func draw(version int, level Level, words []byte) *Code {
	size := 17 + 4*version
	c := &Code{Version: version, Size: size, dark: make([]bool, size*size), fixed: make([]bool, size*size)}
	c.patterns(level)
	c.place(words)
	best, least := 0, 1<<30
	for mask := range 8 {
		c.mask(mask)
		c.format(level, mask)
		if p := c.penalty(); p < least {
			best, least = mask, p
		}
		c.mask(mask) // takes it back
	}
	c.mask(best)
	c.format(level, best)
	return c
}

func (c *Code) set(x, y int, dark bool) {
	c.dark[y*c.Size+x], c.fixed[y*c.Size+x] = dark, true
}

// patterns draws what each code of a version has (clauses 6.3 and 7.10).
func (c *Code) patterns(level Level) {
	for i := range c.Size {
		c.set(6, i, i%2 == 0)
		c.set(i, 6, i%2 == 0)
	}
	for _, at := range [][2]int{{3, 3}, {c.Size - 4, 3}, {3, c.Size - 4}} {
		for dy := -4; dy <= 4; dy++ {
			for dx := -4; dx <= 4; dx++ {
				x, y, ring := at[0]+dx, at[1]+dy, max(abs(dx), abs(dy))
				if x >= 0 && x < c.Size && y >= 0 && y < c.Size {
					c.set(x, y, ring != 2 && ring != 4)
				}
			}
		}
	}
	centres := c.centres()
	last := len(centres) - 1
	for i, x := range centres {
		for j, y := range centres {
			if i == 0 && j == 0 || i == 0 && j == last || i == last && j == 0 {
				continue // there are the large ones
			}
			for dy := -2; dy <= 2; dy++ {
				for dx := -2; dx <= 2; dx++ {
					c.set(x+dx, y+dy, max(abs(dx), abs(dy)) != 1)
				}
			}
		}
	}
	c.format(level, 0)
	if c.Version >= 7 {
		rest := c.Version
		for range 12 {
			rest = rest<<1 ^ (rest>>11)*0x1F25
		}
		bits := c.Version<<12 | rest
		for i := range 18 {
			a, b := c.Size-11+i%3, i/3
			c.set(a, b, bits>>i&1 == 1)
			c.set(b, a, bits>>i&1 == 1)
		}
	}
}

// centres are where the small squares stand, on both axes (annex E).
func (c *Code) centres() []int {
	if c.Version == 1 {
		return nil
	}
	n := c.Version/7 + 2
	step := (c.Version*8 + n*3 + 5) / (n*4 - 4) * 2
	at := make([]int, n)
	at[0] = 6
	for i, pos := n-1, c.Size-7; i > 0; i, pos = i-1, pos-step {
		at[i] = pos
	}
	return at
}

// format draws the level and the mask, twice (clause 7.9).
func (c *Code) format(level Level, mask int) {
	data := map[Level]int{L: 1, M: 0}[level]<<3 | mask
	rest := data
	for range 10 {
		rest = rest<<1 ^ (rest>>9)*0x537
	}
	bits := (data<<10 | rest) ^ 0x5412
	bit := func(i int) bool { return bits>>i&1 == 1 }
	for i := range 6 {
		c.set(8, i, bit(i))
	}
	c.set(8, 7, bit(6))
	c.set(8, 8, bit(7))
	c.set(7, 8, bit(8))
	for i := 9; i < 15; i++ {
		c.set(14-i, 8, bit(i))
	}
	for i := range 8 {
		c.set(c.Size-1-i, 8, bit(i))
	}
	for i := 8; i < 15; i++ {
		c.set(8, c.Size-15+i, bit(i))
	}
	c.set(8, c.Size-8, true)
}

// place puts codewords into the pairs of columns, from the right, up and down in turn.
func (c *Code) place(words []byte) {
	i := 0
	for right := c.Size - 1; right >= 1; right -= 2 {
		if right == 6 {
			right = 5
		}
		for step := range c.Size {
			y := step
			if (right+1)&2 == 0 {
				y = c.Size - 1 - step
			}
			for x := right; x >= right-1; x-- {
				if at := y*c.Size + x; !c.fixed[at] && i < 8*len(words) {
					c.dark[at] = words[i/8]>>(7-i%8)&1 == 1
					i++
				}
			}
		}
	}
}

// mask inverts modules by a pattern (table 10).
func (c *Code) mask(mask int) {
	for y := range c.Size {
		for x := range c.Size {
			var on bool
			switch mask {
			case 0:
				on = (x+y)%2 == 0
			case 1:
				on = y%2 == 0
			case 2:
				on = x%3 == 0
			case 3:
				on = (x+y)%3 == 0
			case 4:
				on = (x/3+y/2)%2 == 0
			case 5:
				on = x*y%2+x*y%3 == 0
			case 6:
				on = (x*y%2+x*y%3)%2 == 0
			case 7:
				on = ((x+y)%2+x*y%3)%2 == 0
			}
			if at := y*c.Size + x; on && !c.fixed[at] {
				c.dark[at] = !c.dark[at]
			}
		}
	}
}

// penalty is how hard a code is to read (clause 7.8.3).
func (c *Code) penalty() int {
	total, dark := 0, 0
	row := make([]bool, c.Size)
	for y := range c.Size {
		for x := range c.Size {
			row[x] = c.Dark(x, y)
			if row[x] {
				dark++
			}
		}
		total += line(row)
		for x := range c.Size {
			row[x] = c.Dark(y, x)
		}
		total += line(row)
	}
	for y := 1; y < c.Size; y++ {
		for x := 1; x < c.Size; x++ {
			if d := c.Dark(x, y); d == c.Dark(x-1, y) && d == c.Dark(x, y-1) && d == c.Dark(x-1, y-1) {
				total += 3
			}
		}
	}
	all := c.Size * c.Size
	return total + abs(dark*20-all*10)/all*10
}

// line is the penalty of a row or column: for modules of one colour in a row, and for
// what looks like the large squares.
func line(row []bool) int {
	total, run := 0, 0
	for i := range row {
		if i > 0 && row[i] == row[i-1] {
			run++
		} else {
			run = 1
		}
		if run == 5 {
			total += 3
		} else if run > 5 {
			total++
		}
	}
	for i := 0; i+11 <= len(row); i++ {
		if matches(row[i:], finderBefore) || matches(row[i:], finderAfter) {
			total += 40
		}
	}
	return total
}

var (
	finderBefore = []bool{true, false, true, true, true, false, true, false, false, false, false}
	finderAfter  = []bool{false, false, false, false, true, false, true, true, true, false, true}
)

func matches(row, pattern []bool) bool {
	for i, want := range pattern {
		if row[i] != want {
			return false
		}
	}
	return true
}

func abs(n int) int { return max(n, -n) }
