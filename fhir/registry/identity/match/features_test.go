package match

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawn draws a Person such as a reading makes.
func drawn(t *rapid.T) Person {
	word := rapid.StringMatching(`[A-Z0-9]{1,8}`)
	words := func(name string) []string {
		if list := rapid.SliceOfN(word, 0, 3).Draw(t, name); len(list) > 0 {
			return list
		}
		return nil
	}
	text := func(name string) string { return rapid.StringMatching(`[A-Z0-9 ]{0,6}`).Draw(t, name) }
	p := Person{
		Given: words("given"), Family: words("family"), Former: words("former"), Suffix: text("suffix"), Phones: words("phones"),
		Birth: Date{rapid.SampledFrom([]int{0, 1956, 2020}).Draw(t, "year"), rapid.IntRange(0, 12).Draw(t, "month"), rapid.IntRange(0, 31).Draw(t, "day")},
		Sex:   rapid.SampledFrom([]byte{0, 'M', 'F', 'X'}).Draw(t, "sex"), Mother: words("mother"), MotherID: text("motherID"),
		Order: rapid.IntRange(0, 3).Draw(t, "order"), Multiple: rapid.Bool().Draw(t, "multiple"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "ids") {
		p.IDs = append(p.IDs, ID{"urn:x:" + text("system"), "V" + text("value"), rapid.Bool().Draw(t, "verified"), rapid.Bool().Draw(t, "local")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "homes") {
		p.Homes = append(p.Homes, Home{words("street"), text("number"), text("locality"), text("state"), text("postcode")})
	}
	return p
}

// TestFeatures: what is written is read again, and compares as it did.
func TestFeatures(t *testing.T) {
	m := Default()
	rapid.Check(t, func(t *rapid.T) {
		p, other := drawn(t), drawn(t)
		got, ok := PersonOf(p.Features())
		if !ok || !reflect.DeepEqual(got, p) {
			t.Fatalf("%q: read as\n%+v, want\n%+v", p.Features(), got, p)
		}
		if g, s := m.Grade(&got, &other); g != first(m.Grade(&p, &other)) || s < 0 || s > 1 {
			t.Fatalf("grade %v, score %v", g, s)
		}
	})
}

func first(g Grade, _ float64) Grade { return g }

// TestIndexKeys: each is one of a record alone, of which nothing but the order says
// another thing, and those of another record are others.
func TestIndexKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawn(t)
		keys := p.IndexKeys()
		if !slices.IsSorted(keys) || len(slices.Compact(slices.Clone(keys))) != len(keys) {
			t.Fatal("the keys are not in order, each once")
		}
		slices.Reverse(p.IDs)
		slices.Reverse(p.Phones)
		slices.Reverse(p.Homes)
		if !slices.Equal(keys, p.IndexKeys()) {
			t.Fatal("the order of numbers and homes changes the keys")
		}
	})
	none := Person{Given: []string{"ANA"}}
	if keys := none.IndexKeys(); len(keys) != 0 {
		t.Errorf("a given name alone has keys: %v", keys)
	}
}

// FuzzPersonOf: whatever is stored, reading it ends, and what was read can be compared.
func FuzzPersonOf(f *testing.F) {
	for _, seed := range []string{"", "1", "1M", "10\x1f\x1f\x1f\x1f", "1F9999999999999999999999\x1f", "1X" + string(make([]byte, 60)), "2M1956\x1f4\x1f27\x1f"} {
		f.Add([]byte(seed))
	}
	whole := Person{Given: []string{"ANA"}, Homes: []Home{{Street: []string{"SOL"}}}, IDs: []ID{{System: "urn:x", Value: "1"}}}
	f.Add(whole.Features())
	m := Default()
	f.Fuzz(func(t *testing.T, stored []byte) {
		p, ok := PersonOf(stored)
		if !ok {
			return
		}
		for _, list := range [][]string{p.Given, p.Family, p.Former} {
			if slices.Contains(list, "") {
				return // no reading makes empty words
			}
		}
		if again, ok := PersonOf(p.Features()); !ok || !slices.Equal(again.Given, p.Given) {
			t.Errorf("%q is not read as it was written", p.Features())
		}
		m.Grade(&whole, &p)
	})
}

func BenchmarkPersonOf(b *testing.B) {
	p := Person{
		Given: []string{"MARIA", "GUADALUPE"}, Family: []string{"HERNANDEZ", "GARCIA"}, Birth: Date{1956, 4, 27}, Sex: 'F', Phones: []string{"5512345678"},
		IDs:   []ID{{System: "urn:oid:2.16.840.1.113883.4.629", Value: "HEGG560427MVZRRL04"}},
		Homes: []Home{{Street: []string{"REFORMA"}, Number: "12", Locality: "XALAPA", State: "VERACRUZ"}},
	}
	features, m := p.Features(), Default()
	b.ReportAllocs()
	b.ReportMetric(float64(len(features)), "bytes")
	for b.Loop() {
		other, ok := PersonOf(features)
		if g, _ := m.Grade(&p, &other); !ok || g != Certain {
			b.Fatal("it is not the same person")
		}
	}
}
