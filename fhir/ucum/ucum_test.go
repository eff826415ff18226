package ucum_test

import (
	"encoding/xml"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/samples"
	"github.com/amate-health/amate/fhir/ucum"
)

type functionalTests struct {
	Validation []struct {
		ID    string `xml:"id,attr"`
		Unit  string `xml:"unit,attr"`
		Valid bool   `xml:"valid,attr"`
	} `xml:"validation>case"`
	Display []struct {
		ID   string `xml:"id,attr"`
		Unit string `xml:"unit,attr"`
		Text string `xml:"display,attr"`
	} `xml:"displayNameGeneration>case"`
	Conversion []struct {
		ID      string `xml:"id,attr"`
		Value   string `xml:"value,attr"`
		From    string `xml:"srcUnit,attr"`
		To      string `xml:"dstUnit,attr"`
		Outcome string `xml:"outcome,attr"`
	} `xml:"conversion>case"`
	Multiplication []product `xml:"multiplication>case"`
	Division       []product `xml:"division>case"`
}

type product struct {
	ID string `xml:"id,attr"`
	V1 string `xml:"v1,attr"`
	U1 string `xml:"u1,attr"`
	V2 string `xml:"v2,attr"`
	U2 string `xml:"u2,attr"`
	V  string `xml:"vRes,attr"`
	U  string `xml:"uRes,attr"`
}

// TestFunctional runs the functional tests that are published for UCUM.
func TestFunctional(t *testing.T) {
	src, err := os.ReadFile(samples.Path(t, "ucum", "UcumFunctionalTests.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var all functionalTests
	if err := xml.Unmarshal(src, &all); err != nil {
		t.Fatal(err)
	}
	for _, c := range all.Validation {
		if _, err := ucum.Parse(c.Unit); (err == nil) != c.Valid {
			t.Errorf("%s: %q valid is %t: %v", c.ID, c.Unit, c.Valid, err)
		}
	}
	for _, c := range all.Display {
		if got := ucum.Display(c.Unit); got != c.Text {
			t.Errorf("%s: Display(%q) = %q, want %q", c.ID, c.Unit, got, c.Text)
		}
	}
	for _, c := range all.Conversion {
		got, ok := ucum.Convert(rat(t, c.Value), unit(t, c.From), unit(t, c.To))
		if !ok || !agree(t, got, c.Outcome) {
			t.Errorf("%s: %s %s = %v %s, want %s", c.ID, c.Value, c.From, got, c.To, c.Outcome)
		}
	}
	for _, c := range all.Multiplication {
		c.check(t, 1)
	}
	for _, c := range all.Division {
		c.check(t, -1)
	}
	total := len(all.Validation) + len(all.Display) + len(all.Conversion) + len(all.Multiplication) + len(all.Division)
	if !t.Failed() {
		t.Logf("%d of %d cases pass", total, total)
	}
	if total < 280 {
		t.Errorf("only %d cases were read", total)
	}
}

func (c product) check(t *testing.T, n int) {
	t.Helper()
	u, factor, ok := ucum.Product(unit(t, c.U1), unit(t, c.U2), n)
	if !ok {
		t.Errorf("%s: no product", c.ID)
		return
	}
	a, b := rat(t, c.V1), rat(t, c.V2)
	if n < 0 {
		b.Inv(b)
	}
	v := new(big.Rat).Mul(a, b)
	got, ok := ucum.Convert(v.Mul(v, factor), u, unit(t, c.U))
	if !ok || !agree(t, got, c.V) {
		t.Errorf("%s: got %v %s, want %s %s", c.ID, got, u, c.V, c.U)
	}
}

func unit(t testing.TB, code string) *ucum.Unit {
	t.Helper()
	u, err := ucum.Parse(code)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func rat(t testing.TB, text string) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is no number", text)
	}
	return r
}

// agree reports whether got is want, to as many digits as want has.
func agree(t testing.TB, got *big.Rat, want string) bool {
	t.Helper()
	_, fraction, _ := strings.Cut(want, ".")
	unit := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(len(fraction))), nil))
	off := new(big.Rat).Sub(got, rat(t, want))
	return off.Abs(off).Cmp(unit.Quo(unit, big.NewRat(2, 1))) <= 0
}

func TestConvert(t *testing.T) {
	for _, c := range []struct{ value, from, to, want string }{
		{"37", "Cel", "K", "310.15"},
		{"98.6", "[degF]", "Cel", "37.0"},
		{"310.15", "K", "[degF]", "98.60"},
		{"80", "[degRe]", "Cel", "100.00"},
		{"7", "[pH]", "nmol/L", "100.000"},
		{"30", "dB", "1", "1000.000"},
		{"1", "B[V]", "V", "3.16228"},
		{"100", "%[slope]", "deg", "45.000"},
		{"1", "[lb_av]", "kg", "0.45359237"},
		{"120", "mm[Hg]", "kPa", "15.998640"},
		{"5", "mmol/L", "mol/m3", "5"},
		{"1", "10*9/L", "10*3/uL", "1"},
		{"1", "[IU]", "m[iU]", "1000"},
		{"1", "kg{dry}/m2", "g/cm2", "0.1"},
		{"2", "10.mg", "g", "0.02"},
		{"1", "Cel/min", "K/s", "0.01667"},
		{"1", "KiBy", "bit", "8192"},
		{"1", "/min", "Hz", "0.016667"},
		{"3", "dB/cm", "B/m", "30"},
		{"1", "m/(s.kg)", "mm.s-1.g-1", "1"},
	} {
		got, ok := ucum.Convert(rat(t, c.value), unit(t, c.from), unit(t, c.to))
		if !ok || !agree(t, got, c.want) {
			t.Errorf("%s %s = %v %s, want %s", c.value, c.from, got, c.to, c.want)
		}
	}
}

func TestNotComparable(t *testing.T) {
	for _, c := range [][2]string{
		{"m", "s"}, {"[iU]", "1"}, {"[iU]", "[arb'U]"}, {"[iU]/L", "mol/L"}, {"g", "g/L"}, {"rad", "1"}, {"B", "dB/m"}, {"[CFU]", "[PFU]"},
	} {
		if unit(t, c[0]).Comparable(unit(t, c[1])) {
			t.Errorf("%s and %s are taken to measure the same", c[0], c[1])
		}
	}
}

func TestInvalid(t *testing.T) {
	for _, code := range []string{
		"", " ", "m ", "m/", "m//s", ".m", "m.", "()", "(m", "m)", "{a", "a}", "{a{b}}", "kmin", "mg per dL", "mG%", "Mg%x", "m-", "m+", "m0",
		"12h", "1,5", "0", "m{a}2", "{a}m", "[in_x]", "k[in_i]", "10*999", "μg", "m100", "9999999999999999999999", "(m)2", "m^2", "m*s",
		strings.Repeat("(", 300), strings.Repeat("m.", 200) + "m", "Ym99", "10*99.10*99.10*99.10*99.10*99.10*99.10*99.10*99.10*99.10*99.10*99.10*99.10*99",
	} {
		if u, err := ucum.Parse(code); err == nil {
			t.Errorf("%q is taken for %s", code, u.Dimension())
		}
	}
}

func TestDimension(t *testing.T) {
	for code, want := range map[string]string{
		"N": "g.m.s-2", "1": "1", "%": "1", "mol/L": "m-3", "V": "C-1.g.m2.s-2", "[iU]/mL": "m-3.[iU]", "10*3/uL": "m-3", "[CFU]/[CFU]": "1",
	} {
		u := unit(t, code)
		if got := u.Dimension().String(); got != want {
			t.Errorf("%s has dimension %s, want %s", code, got, want)
		}
		if back := unit(t, u.Dimension().String()); back.Dimension() != u.Dimension() {
			t.Errorf("%s: its dimension reads back as %s", code, back.Dimension())
		}
	}
}

func TestFloat(t *testing.T) {
	for code, want := range map[string]float64{"mg": 0.001, "kg": 1000, "Cel": 274.15} {
		if got := unit(t, code).Float(1); got != want {
			t.Errorf("1 %s is %v, want %v", code, got, want)
		}
	}
	u := unit(t, "mmol/L")
	if n := testing.AllocsPerRun(100, func() { u.Float(5.4) }); n != 0 {
		t.Errorf("Float allocates %v times", n)
	}
}

// FuzzParse holds that no text does harm, and that what is accepted is consistent.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"mg/dL", "m[H2O]", "10*-3/ul", "/{LPF}", "B[10.nV]", "[m/s2/Hz^(1/2)]", "4.[pi].10*-7.N/A2", "((((m))))", "%[slope]/Cel.dB2", "[", "]", "{", "1{c}",
		"Y[iU]99/[arb'U]99", "10*99.10*99.10*99", "mm[Hg].min/L{x}", "\xff", "/", "/(/m)", "\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, code string) {
		u, err := ucum.Parse(code)
		if err != nil {
			return
		}
		again, err := ucum.Parse(u.Dimension().String())
		if err != nil || again.Dimension() != u.Dimension() {
			t.Fatalf("%q: dimension %q reads back as %v, %v", code, u.Dimension(), again, err)
		}
		v := big.NewRat(1, 2)
		if base, ok := u.Base(v); ok && !u.Special() {
			if back, ok := ucum.Convert(base, again, u); !ok || back.Cmp(v) != 0 {
				t.Fatalf("%q: 1/2 comes back as %v", code, back)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ucum.Parse("mmol/L"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		code := []byte("mmol/L{aaaaaaaa}")
		for n := 0; b.Loop(); n++ {
			for i := range 8 {
				code[7+i] = 'a' + byte(n>>(4*i)&15)
			}
			if _, err := ucum.Parse(string(code)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
