package element_test

import (
	"slices"
	"testing"

	"github.com/amate-health/amate/fhir/element"
)

func TestMembers(t *testing.T) {
	d, err := element.Parse([]byte(`{"a":{"b":{"c":"x","n":1.50,"t":true}},"list":["p","q"],"one":"r"}`))
	if err != nil {
		t.Fatal(err)
	}
	for want, path := range map[string][]string{"x": {"a", "b", "c"}, "1.50": {"a", "b", "n"}, "true": {"a", "b", "t"}, "r": {"one"}} {
		if got := d.TextAt(0, path...); got != want {
			t.Errorf("%v is %q, want %q", path, got, want)
		}
	}
	for _, path := range [][]string{{"a"}, {"list"}, {"a", "z", "c"}, {"one", "two"}, {"list", "0"}, {}} {
		if got := d.TextAt(0, path...); got != "" {
			t.Errorf("%v is %q", path, got)
		}
	}
	if got := d.TextAt(element.None, "a"); got != "" {
		t.Errorf("of nothing: %q", got)
	}
	var got []string
	for _, name := range []string{"list", "one", "none"} {
		for n := range d.Items(0, name) {
			got = append(got, d.Text(n))
		}
	}
	for range d.Items(element.None, "list") {
		t.Error("nothing has items")
	}
	for range d.Items(0, "list") {
		break
	}
	if !slices.Equal(got, []string{"p", "q"}) {
		t.Errorf("the items are %q", got)
	}
	e := d.Edit(0)
	e.Set(0, "one", `2`)
	e.Set(0, "new", `3`)
	e.Push(0, "list", `"s"`)
	e.Push(0, "more", `4`)
	e.Push(0, "a", `5`)
	const want = `{"a":[5],"list":["p","q","s"],"one":2,"new":3,"more":[4]}`
	if got := string(e.AppendTo(nil)); got != want {
		t.Errorf("edited it is\n%s\nwant\n%s", got, want)
	}
}
