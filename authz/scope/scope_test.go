package scope

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
)

func TestParse(t *testing.T) {
	tests := []struct{ text, want string }{
		{"patient/*.read", "patient/*.rs"},
		{"user/Patient.write", "user/Patient.cud"},
		{"system/*.*", "system/*.cruds"},
		{"patient/Observation.rs", "patient/Observation.rs"},
		{"patient/Observation.r patient/Observation.s", "patient/Observation.rs"},
		{"patient/Observation.r patient/*.rs", "patient/*.rs"},
		{"patient/*.r patient/Observation.rs", "patient/*.r patient/Observation.rs"},
		{"openid launch/patient openid", "launch/patient openid"},
		{
			"patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
			"patient/Observation.rs?category=http%3A%2F%2Fterminology.hl7.org%2FCodeSystem%2Fobservation-category%7Claboratory",
		},
		{"patient/Observation.rs?category=a patient/Observation.rs", "patient/Observation.rs"},
		{"patient/Observation.rs?code=b&category=a&code=b", "patient/Observation.rs?category=a&code=b"},
		{"patient/*.rs?_security=R", "patient/*.rs?_security=R"},
		{"", ""},
	}
	for _, tt := range tests {
		set, err := Parse(tt.text)
		if err != nil || set.String() != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.text, set, err, tt.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"patient/Observation", "patient/Observation.", "patient/Observation.sr", "patient/Observation.rr", "patient/Observation.x",
		"patient/Nothing.r", "patient/.r", "Patient/Observation.r", "admin", "*/*.*", "patient/*.rs?", "patient/Observation.rs?nothing=1",
		"patient/Observation.rs?_sort=date", "patient/Observation.rs?_include=Observation:subject", "patient/Observation.rs?_count=1",
		"patient/*.rs?category=a", "system/Resource.r", "launch/location", "patient/Observation.rs?%zz=1", "patient/Observation.rs?category=",
		"patient/Observation.rs?code=" + strings.Repeat("x", 3000),
	} {
		if set, err := Parse("openid", text); fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("%s: %v, %v", text, set, err)
		}
		if set, unknown := Known("openid", text); set.String() != "openid" || !slices.Equal(unknown, []string{text}) {
			t.Errorf("%s: %v, unknown %q", text, set, unknown)
		}
	}
	if _, err := Parse(strings.Repeat("openid ", maxScopes+1)); err == nil {
		t.Error("no bound on the number of scopes")
	}
}

func TestNarrow(t *testing.T) {
	tests := []struct{ requested, allowed, want string }{
		{"patient/*.cruds", "patient/Observation.rs", "patient/Observation.rs"},
		{"patient/Observation.rs", "patient/*.r", "patient/Observation.r"},
		{"patient/Observation.rs", "patient/Observation.rs?category=a", "patient/Observation.rs?category=a"},
		{"patient/Observation.rs?code=b", "patient/*.rs?_security=N", "patient/Observation.rs?_security=N&code=b"},
		{"patient/Observation.rs", "user/*.cruds system/*.cruds", ""},
		{"patient/Observation.c", "patient/*.rs", ""},
		{"openid offline_access", "openid", "openid"},
	}
	for _, tt := range tests {
		if got := Narrow(must(t, tt.requested), must(t, tt.allowed)).String(); got != tt.want {
			t.Errorf("%s of %s: %q, want %q", tt.requested, tt.allowed, got, tt.want)
		}
	}
}

func must(t testing.TB, text string) Set {
	t.Helper()
	set, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// sets draws sets of scopes on few types, so that they meet.
var sets = rapid.Custom(func(t *rapid.T) Set {
	var texts []string
	for range rapid.IntRange(0, 5).Draw(t, "scopes") {
		text := rapid.SampledFrom([]string{"patient/", "user/", "system/"}).Draw(t, "context")
		text += rapid.SampledFrom([]string{"*", "Observation", "Condition", "Patient"}).Draw(t, "type") + "."
		p := Perms(rapid.IntRange(1, int(AllPerms)).Draw(t, "perms"))
		text += p.String()
		if rapid.IntRange(0, 2).Draw(t, "narrowed") == 0 {
			text += "?" + rapid.SampledFrom([]string{"_security=R", "_security=N", "_id=1,2", "_security=R&_id=1"}).Draw(t, "params")
		}
		texts = append(texts, text)
	}
	texts = append(texts, rapid.SliceOf(rapid.SampledFrom(others)).Draw(t, "others")...)
	set, err := Parse(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return set
})

// lets says by itself, scope by scope, whether a set lets a resource through that
// has the given parameters.
func lets(s Set, c Context, typ string, p Perms, params string) bool {
	for _, text := range s.Strings() {
		head, query, _ := strings.Cut(text, "?")
		context, rest, ok := strings.Cut(head, "/")
		on, perms, _ := strings.Cut(rest, ".")
		if !ok || context != c.String() || on != "*" && on != typ || !strings.Contains(perms, p.String()) {
			continue
		}
		all := true
		for _, part := range strings.Split(query, "&") {
			all = all && (part == "" || strings.Contains(params, part))
		}
		if all {
			return true
		}
	}
	return false
}

// TestNarrowIsTheMeet: the granted scopes let through what both sets do, no more
// and no less; to narrow again, or in the other order, changes nothing.
func TestNarrowIsTheMeet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := sets.Draw(t, "a"), sets.Draw(t, "b")
		both := Narrow(a, b)
		if back := Narrow(b, a); back.String() != both.String() {
			t.Fatalf("%s and %s: %s, and the other way round %s", a, b, both, back)
		}
		if again := Narrow(both, a); again.String() != both.String() {
			t.Fatalf("narrowed again: %s, then %s", both, again)
		}
		if !a.Covers(both) || !b.Covers(both) {
			t.Fatalf("%s and %s: %s is more than one of them", a, b, both)
		}
		for _, c := range []Context{Patient, User, System} {
			for _, typ := range []string{"Observation", "Condition", "Patient"} {
				for p := Create; p <= Search; p <<= 1 {
					for _, has := range []string{"", "_security=R", "_security=N", "_security=R&_id=1", "_security=R&_security=N&_id=1%2C2&_id=1"} {
						if lets(both, c, typ, p, has) != (lets(a, c, typ, p, has) && lets(b, c, typ, p, has)) {
							t.Fatalf("%s and %s: %s, of %s/%s.%s with %q", a, b, both, c, typ, p, has)
						}
					}
				}
			}
		}
	})
}

// TestNarrowIsMonotone: who may ask for more is never granted less.
func TestNarrowIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		requested, small, extra := sets.Draw(t, "requested"), sets.Draw(t, "allowed"), sets.Draw(t, "extra")
		large := must2(t, small.String(), extra.String())
		if !large.Covers(small) {
			t.Fatalf("%s does not cover %s", large, small)
		}
		if a, b := Narrow(requested, small), Narrow(requested, large); !b.Covers(a) {
			t.Fatalf("of %s: %s with %s, but only %s with %s", requested, a, small, b, large)
		}
	})
}

func must2(t *rapid.T, texts ...string) Set {
	set, err := Parse(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestStringsParseBack: what is written is read as the same set.
func TestStringsParseBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := sets.Draw(t, "set")
		if back := must2(t, s.Strings()...); back.String() != s.String() {
			t.Fatalf("%s became %s", s, back)
		}
	})
}

func TestGrants(t *testing.T) {
	s := must(t, "patient/Observation.rs?category=lab user/*.r system/Patient.c openid")
	tests := []struct {
		typ   string
		perms Perms
		want  string
	}{
		{"Observation", Search, "patient[category=lab]"},
		{"Observation", Read | Search, "patient[category=lab] user[]"},
		{"Condition", Read, "user[]"},
		{"Condition", Update, ""},
		{"Patient", Create, "system[]"},
	}
	for _, tt := range tests {
		grants, err := s.Grants(tt.typ, tt.perms, "http://x/fhir")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, g := range grants {
			var where []string
			for _, e := range g.Where {
				where = append(where, e.String())
			}
			got = append(got, g.Context.String()+"["+strings.Join(where, "&")+"]")
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s.%s: %q, want %q", tt.typ, tt.perms, got, tt.want)
		}
		if (len(grants) > 0) != s.Allows(tt.typ, tt.perms) {
			t.Errorf("%s.%s: Allows says otherwise", tt.typ, tt.perms)
		}
	}
	if !s.NeedsPatient() || s.Without("openid").Has("openid") || !s.Has("openid") || s.Empty() {
		t.Error("what a set says of itself is wrong")
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"patient/*.cruds openid", "user/Observation.rs?category=a|b&code=c,d", "patient/*.rs?_security=%52", "patient/Observation.rs?_has:Group:member:_id=1",
		"system/*.*?", "launch/patient\tlaunch", "patient/Observation.rs?subject:Patient.name=x", "patient/Patient.r?_id=1;2", "\xff/\x00.r",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, _ := Known(text)
		back, err := Parse(set.Strings()...)
		if err != nil || back.String() != set.String() {
			t.Fatalf("%q: %q, and back %q, %v", text, set, back, err)
		}
		if n := Narrow(set, set); n.String() != set.String() {
			t.Fatalf("%q: %q narrowed by itself is %q", text, set, n)
		}
	})
}
