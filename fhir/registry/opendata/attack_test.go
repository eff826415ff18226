package opendata

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What follows knows the published files and nothing else: it shares no code with what
// protects them.

// disk holds files in memory.
type disk map[string]*bytes.Buffer

type memoryFile struct{ *bytes.Buffer }

func (memoryFile) Close() error { return nil }

func (d disk) create(name string) (io.WriteCloser, error) {
	d[name] = new(bytes.Buffer)
	return memoryFile{d[name]}, nil
}

// attacker has put together what the files say: a number for each cell, -1 where it is
// hidden. A cell is named by its codes, dimension by dimension.
type attacker struct {
	dims   []string
	cells  map[string]float64
	kept   map[string]bool
	listed map[string]bool // hidden ones that count somebody, for rows of nobody are left out
}

// read takes all tables of a release. Dimensions that a table does not have are total.
func read(t testing.TB, files disk, dims, rates []string) *attacker {
	t.Helper()
	a := &attacker{dims: slices.Concat(dims, rates), cells: map[string]float64{}, kept: map[string]bool{}, listed: map[string]bool{}}
	for name, content := range files {
		if !strings.HasSuffix(name, ".csv") || strings.Contains(name, "diccionario") {
			continue
		}
		rows, err := csv.NewReader(bytes.NewReader(content.Bytes())).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			at := func(column string) (string, bool) {
				i := slices.Index(rows[0], column)
				if i < 0 {
					return "", false
				}
				return row[i], true
			}
			where := make([]string, len(a.dims))
			for i, d := range a.dims {
				if where[i] = "total"; i < len(dims) {
					if code, ok := at(d); ok {
						where[i] = code
					}
				}
			}
			value := func(column string) float64 {
				text, _ := at(column)
				if text == "" {
					return -1
				}
				v, err := strconv.ParseFloat(text, 64)
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
			whole := value("casos")
			note, _ := at("nota")
			kept := strings.HasPrefix(note, "A")
			a.put(t, where, whole, kept)
			for i, rate := range rates {
				if _, ok := at(rate); !ok {
					continue
				}
				one := slices.Clone(where)
				one[len(dims)+i] = "1"
				part := value(rate)
				a.put(t, one, part, false)
				one[len(dims)+i] = "0"
				if whole >= 0 && part >= 0 { // as old as the whole, where that is of before
					a.put(t, one, whole-part, kept)
				} else {
					a.put(t, one, -1, false)
					a.listed[strings.Join(one, "|")] = whole >= 0 // of few it may be that all count in it
				}
			}
		}
	}
	return a
}

func (a *attacker) put(t testing.TB, where []string, v float64, kept bool) {
	name := strings.Join(where, "|")
	if old, ok := a.cells[name]; ok && old != v {
		t.Errorf("%s is %v in one table and %v in another", name, old, v)
	}
	a.cells[name] = v
	a.kept[name] = kept
	a.listed[name] = v < 0
}

// after forgets that somebody is in cells that an earlier release hid: they stay listed.
func (a *attacker) after(earlier ...*attacker) *attacker {
	for _, e := range earlier {
		for name, v := range e.cells {
			if v < 0 {
				a.listed[name] = false
			}
		}
	}
	return a
}

// above returns the code that a code of a dimension, the first of which is of places, is part of.
func above(dim int, code string) string {
	if dim == 0 && len(code) == 5 && code != "total" {
		return code[:2]
	}
	return "total"
}

// sums returns the sums that the cells make: names, the first of which is the whole.
func (a *attacker) sums() [][]string {
	group := map[string][]string{}
	for name := range a.cells {
		where := strings.Split(name, "|")
		for i, code := range where {
			if code == "total" {
				continue
			}
			whole := slices.Clone(where)
			whole[i] = above(i, code)
			key := strings.Join(whole, "|")
			group[fmt.Sprint(key, "#", i)] = append(group[fmt.Sprint(key, "#", i)], name)
		}
	}
	var all [][]string
	for key, parts := range group {
		slices.Sort(parts)
		all = append(all, append([]string{key[:strings.LastIndex(key, "#")]}, parts...))
	}
	slices.SortFunc(all, slices.Compare)
	return all
}

// small finds cells that count one to k-1.
func (a *attacker) small(k float64) (found []string) {
	for name, v := range a.cells {
		if v > 0 && v < k {
			found = append(found, fmt.Sprintf("%s = %v", name, v))
		}
	}
	return found
}

// differences finds cells that two releases show, and that few people make different.
func differences(before, after *attacker, k float64) (found []string) {
	for name, v := range before.cells {
		w, ok := after.cells[name]
		if !ok {
			w = 0
		}
		if v < 0 || w < 0 {
			continue
		}
		if d := math.Abs(v - w); d > 0 && d < k {
			found = append(found, fmt.Sprintf("%s: %v, then %v", name, v, w))
		}
	}
	return found
}

// combined is what somebody knows who has two releases, and holds that a cell counts the
// same people in both where it is hidden in one of them.
func combined(before, after *attacker) *attacker {
	all := &attacker{dims: after.dims, cells: map[string]float64{}, kept: map[string]bool{}, listed: map[string]bool{}}
	for name, v := range after.cells {
		if v < 0 {
			if w, ok := before.cells[name]; ok && w >= 0 {
				v = w
			}
		}
		all.cells[name], all.kept[name] = v, after.kept[name]
	}
	return all
}

// between finds cells of which two releases tell, by what they leave possible of each, that
// some people were added or taken away, but fewer than k. truth is how many there are.
func between(before, after *attacker, k float64, truth func(name string) (was, is float64, ok bool)) (found []string) {
	first, second := before.system().bounded(before, k), after.system().bounded(after, k)
	ends := func(a *attacker, s *system, name string) (low, high float64) {
		if _, open := s.index[name]; open {
			return s.extreme(name, -1), s.extreme(name, 1)
		}
		return a.cells[name], a.cells[name]
	}
	names := maps.Clone(before.cells)
	maps.Copy(names, after.cells)
	for name := range names {
		was, is, ok := truth(name)
		if d := math.Abs(is - was); !ok || d == 0 || d >= k {
			continue
		}
		low1, high1 := ends(before, first, name)
		low2, high2 := ends(after, second, name)
		least, most := low2-high1, high2-low1
		if least > 1e-6 && most < k-1e-6 || most < -1e-6 && least > 1e-6-k {
			found = append(found, fmt.Sprintf("%s: %v to %v, then %v to %v", name, low1, high1, low2, high2))
		}
	}
	return found
}

var anyCURP = regexp.MustCompile(`(?i)[a-z]{4}\d{2}(0\d|1[0-2])[0-3]\d[hmx][a-z]{5}[a-z0-9]\d`)

// identities finds whatever looks like a CURP in any file.
func (d disk) identities() (found []string) {
	for name, content := range d {
		if anyCURP.Match(content.Bytes()) {
			found = append(found, name)
		}
	}
	return found
}
