package opendata

import "strconv"

// figures draws the tables that say so.
func (w *writing) figures() {
	f := w.c.Family
	if rates := w.rates(); len(rates.Points) > 0 {
		w.out.Figures = append(w.out.Figures, rates)
	}
	for _, t := range w.set.Tables {
		d := f.dimension(t.Chart)
		if d < 0 {
			continue
		}
		g := Figure{Title: Text{f.Unit.Spanish + " por " + lower(f.Dimensions[d].Title.Spanish), f.Unit.English + " by " + lower(f.Dimensions[d].Title.English)}, Unit: f.Unit}
		for i := range w.c.cells {
			key := w.c.cells[i].key
			node := w.c.axes[d].of(key)
			if node == 0 || w.c.axes[d].depth[node] != 1 || w.c.axes[d].with(key, 0) != 0 {
				continue
			}
			v, note := w.value(int32(i))
			g.Points = append(g.Points, point(w.c.axes[d].titles[node], float64(v), strconv.FormatInt(v, 10), note == noteGone))
		}
		if len(g.Points) > 0 {
			w.out.Figures = append(w.out.Figures, g)
		}
	}
}

// rates compares the rates of all.
func (w *writing) rates() Figure {
	g := Figure{Title: Text{"Por cada 100, en todo el país", "Of each 100, in all of the country"}, Unit: Same("%")}
	all, ok := w.c.at[0]
	for _, name := range w.set.Measures {
		if w.c.Family.flag(name) < 0 || !ok {
			continue
		}
		count, note := w.value(all)
		part, partNote := w.part(0, name)
		v := 100 * float64(part) / float64(max(1, count))
		g.Points = append(g.Points, point(w.c.Family.Measures[w.c.Family.measure(name)].Title, v, percent(part, count), note != "" || partNote != ""))
	}
	return g
}

func point(label Text, v float64, text string, hidden bool) Point {
	if hidden {
		return Point{Label: label, Hidden: true}
	}
	return Point{Label: label, Value: v, Text: text}
}
