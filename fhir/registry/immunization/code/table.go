package code

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

var (
	//go:embed vaccine.tsv
	vaccineFile string
	//go:embed snomed.tsv
	snomedFile string
	//go:embed atc.tsv
	atcFile string
	//go:embed antigen.tsv
	antigenFile string
	//go:embed maker.tsv
	makerFile string
)

// tables are the files, read once.
type tables struct {
	vaccines []Vaccine
	byCVX    map[string]int
	snomed   map[string]mapped
	atc      map[string]mapped
	antigens []Antigen
	antigen  map[string]int
	makers   []Maker
	maker    map[string]int
}

// mapped is a code of another list.
type mapped struct {
	cvx     string // that says as much; "" for none
	display string
}

// all returns the tables. They are part of the program, so a fault in one is ours.
var all = sync.OnceValue(func() *tables {
	t := &tables{byCVX: map[string]int{}, snomed: map[string]mapped{}, atc: map[string]mapped{}, antigen: map[string]int{}, maker: map[string]int{}}
	for _, f := range rows(antigenFile, 4) {
		t.antigen[f[0]] = len(t.antigens)
		t.antigens = append(t.antigens, Antigen{Name: f[0], SNOMED: f[1], Display: f[2], Title: f[3]})
	}
	for _, f := range rows(vaccineFile, 7) {
		v := Vaccine{CVX: f[0], Status: Status(f[1]), Display: f[2], Name: f[3], SNOMED: f[4], ATC: f[5]}
		if f[6] != "" {
			v.Antigens = strings.Split(f[6], ",")
		}
		t.byCVX[v.CVX] = len(t.vaccines)
		t.vaccines = append(t.vaccines, v)
	}
	for _, f := range rows(snomedFile, 3) {
		t.snomed[f[0]] = mapped{f[1], f[2]}
	}
	for _, f := range rows(atcFile, 3) {
		t.atc[f[0]] = mapped{f[1], f[2]}
	}
	for _, f := range rows(makerFile, 2) {
		t.maker[f[0]] = len(t.makers)
		t.makers = append(t.makers, Maker{MVX: f[0], Name: f[1]})
	}
	return t
})

// rows reads a table: fields parted by tabs, n in each line; lines that begin with #
// are comments.
func rows(file string, n int) [][]string {
	var all [][]string
	for line := range strings.Lines(file) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != n {
			panic(fmt.Sprintf("code: a line has %d fields, not %d: %q", len(fields), n, line))
		}
		all = append(all, fields)
	}
	return all
}
