package spec

import (
	"strings"
	"testing"
)

func TestLoadRefuses(t *testing.T) {
	const head = "T\tElement\tcomplex\t\nT\tstring\tprimitive\tElement\n"
	for name, text := range map[string]string{
		"unknown kind":       "T\tX\tthing\t\n",
		"short type":         "T\tX\tcomplex\n",
		"unknown primitive":  "T\tElement\tcomplex\t\nT\tX\tprimitive\tElement\n",
		"base not read":      "T\tX\tcomplex\tY\n",
		"short element":      head + "E\tid\t0..1\n",
		"bad minimum":        "T\tElement\tcomplex\t\nT\tstring\tprimitive\t\nE\tid\tx..1\tstring\t-\n",
		"bad maximum":        "T\tElement\tcomplex\t\nT\tstring\tprimitive\t\nE\tid\t0..x\tstring\t-\n",
		"unknown type":       "T\tElement\tcomplex\t\nE\tid\t0..1\tX\t-\n",
		"parameter id":       "P\t2\tPatient\tname\tstring\turl\tPatient.name\n",
		"parameter type":     "P\t1\tPatient\tname\tX\turl\tPatient.name\n",
		"short parameter":    "P\t1\tPatient\tname\tstring\n",
		"unknown value set":  "T\tstring\tprimitive\t\nE\tid\t0..1\tstring\t-\thttp://x\n",
		"unknown line":       "X\ta\tb\n",
		"component's type":   "P\t1\tPatient\tname\tcomposite\turl\tPatient\nC\tX\turl\tname\n",
		"component is alone": "C\tstring\turl\tname\n",
		"codes are alone":    "S\tsystem\tcode\n",
	} {
		if _, err := load(text); err == nil {
			t.Errorf("%s: no error", name)
		} else if !strings.HasPrefix(err.Error(), "line ") {
			t.Errorf("%s: %v tells no line", name, err)
		}
	}
}

// BenchmarkLoad is what every start of the program pays.
func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		t, err := load(r4)
		if err != nil {
			b.Fatal(err)
		}
		t.resources()
		t.paramsByType()
	}
}
