package element

import (
	"strings"
	"testing"
)

func TestEdit(t *testing.T) {
	const src = `{"a":{"x":[1,{"r":"one"},3]},"b":"two","c":[],"d":{}}`
	at := func(d *Doc, path ...string) Node {
		n := Node(0)
		for _, p := range path {
			n = d.Get(n, p)
		}
		return n
	}
	item := func(d *Doc, array Node, i int) Node {
		c := d.First(array)
		for range i {
			c = d.Next(array, c)
		}
		return c
	}
	for _, c := range []struct {
		name string
		edit func(*Doc, *Edit)
		want string
	}{
		{"nothing", func(*Doc, *Edit) {}, src},
		{"set strings out of order", func(d *Doc, e *Edit) {
			e.SetString(at(d, "b"), "dos\n\"ñ\"")
			e.SetString(d.Get(item(d, at(d, "a", "x"), 1), "r"), "uno")
		}, `{"a":{"x":[1,{"r":"uno"},3]},"b":"dos\n\"ñ\"","c":[],"d":{}}`},
		{"drop the first, the last and an item", func(d *Doc, e *Edit) {
			e.Drop(at(d, "d"))
			e.Drop(item(d, at(d, "a", "x"), 0))
		}, `{"a":{"x":[{"r":"one"},3]},"b":"two","c":[]}`},
		{"drop all", func(d *Doc, e *Edit) {
			for _, name := range []string{"a", "b", "c", "d"} {
				e.Drop(at(d, name))
			}
		}, `{}`},
		{"change inside what is dropped", func(d *Doc, e *Edit) {
			e.SetString(d.Get(item(d, at(d, "a", "x"), 1), "r"), "uno")
			e.Drop(at(d, "a", "x"))
			e.SetString(at(d, "b"), "dos")
		}, `{"a":{},"b":"dos","c":[],"d":{}}`},
		{"change inside what is replaced", func(d *Doc, e *Edit) {
			e.SetString(d.Get(item(d, at(d, "a", "x"), 1), "r"), "uno")
			e.Replace(at(d, "a"), "null")
			e.Drop(at(d, "c"))
		}, `{"a":null,"b":"two","d":{}}`},
		{"append and prepend", func(d *Doc, e *Edit) {
			e.Append(at(d, "c"), `1`)
			e.Append(at(d, "c"), `2`)
			e.Prepend(at(d, "c"), `0`)
			e.Prepend(at(d, "d"), `"y":1`)
			e.Append(at(d, "a", "x"), `4`)
			e.Prepend(at(d, "a", "x"), `0`)
			e.Append(0, `"z":9`)
			e.Prepend(0, `"0":0`)
		}, `{"0":0,"a":{"x":[0,1,{"r":"one"},3,4]},"b":"two","c":[0,1,2],"d":{"y":1},"z":9}`},
		{"insert after, even after what is dropped", func(d *Doc, e *Edit) {
			e.InsertAfter(at(d, "a"), `"a2":1`)
			e.Drop(at(d, "a"))
			e.InsertAfter(at(d, "d"), `"d2":2`)
			e.InsertAfter(item(d, at(d, "a", "x"), 0), `9`) // lost with a
		}, `{"a2":1,"b":"two","c":[],"d":{},"d2":2}`},
	} {
		for _, spaced := range []bool{false, true} {
			in := src
			if spaced {
				in = strings.NewReplacer(",", " ,\n ", ":", " : ", "[", "[ ").Replace(src)
			}
			d, err := Parse([]byte(in))
			if err != nil {
				t.Fatal(err)
			}
			e := d.Edit(0)
			c.edit(d, e)
			if got := string(e.AppendTo(nil)); got != c.want {
				t.Errorf("%s (spaced %v):\n got %s\nwant %s", c.name, spaced, got, c.want)
			}
		}
	}
}

func TestStamp(t *testing.T) {
	const gap = `"versionId":"V","lastUpdated":"U"`
	for _, c := range []struct{ name, in, want string }{
		{"bare", `{"resourceType":"Basic"}`, `{"resourceType":"Basic","id":"n1","meta":{` + gap + `}}`},
		{"nothing", `{}`, `{"id":"n1","meta":{` + gap + `}}`},
		{"type last", `{ "active" : true, "resourceType" : "Basic" }`, `{"active":true,"resourceType":"Basic","id":"n1","meta":{` + gap + `}}`},
		{"id there", `{"id":"old","resourceType":"Basic","x":1.10}`, `{"id":"n1","meta":{` + gap + `},"resourceType":"Basic","x":1.10}`},
		{"meta there, id not", `{"resourceType":"Basic","x":1,"meta":{"tag":[{"code":"a"}]}}`,
			`{"resourceType":"Basic","id":"n1","x":1,"meta":{` + gap + `,"tag":[{"code":"a"}]}}`},
		{"meta before id", `{"meta":{"versionId":"7"},"resourceType":"Basic","id":"old"}`,
			`{"meta":{` + gap + `},"resourceType":"Basic","id":"n1"}`},
		{"meta full", `{"resourceType":"Basic","id":"old","meta":{"extension":[{"url":"http://e"}],"versionId":"7","_versionId":{"id":"q"},"profile":["p"],"lastUpdated":"2020-01-01T00:00:00Z","source":"s"}}`,
			`{"resourceType":"Basic","id":"n1","meta":{` + gap + `,"extension":[{"url":"http://e"}],"profile":["p"],"source":"s"}}`},
		{"meta of a wrong kind", `{"resourceType":"Basic","meta":[1],"id":"old"}`, `{"resourceType":"Basic","id":"n1","meta":{` + gap + `}}`},
		{"id of a wrong kind", `{"resourceType":"Basic","id":{"a":1}}`, `{"resourceType":"Basic","id":"n1","meta":{` + gap + `}}`},
		{"names escaped", `{"resourceType":"Basic","\u0069d":"old","met\u0061":{"v\u0065rsionId":"3"}}`,
			`{"resourceType":"Basic","\u0069d":"n1","met\u0061":{` + gap + `}}`},
	} {
		d, err := Parse([]byte(c.in))
		if err != nil {
			t.Fatal(err)
		}
		body, v, u := d.Edit(0).Stamp("n1")
		if got := string(body[:v]) + "V" + string(body[v:u]) + "U" + string(body[u:]); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestStampOfPart(t *testing.T) {
	d, err := Parse([]byte(`{"entry":[{"resource": {"resourceType":"Basic","subject":{"reference":"urn:uuid:1"}}},{"resource":{"resourceType":"Basic"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	root := d.Get(d.First(d.Get(0, "entry")), "resource")
	e := d.Edit(root)
	e.SetString(d.Get(d.Get(root, "subject"), "reference"), "Patient/9")
	body, v, u := e.Stamp("b")
	got := string(body[:v]) + "V" + string(body[v:u]) + "U" + string(body[u:])
	want := `{"resourceType":"Basic","id":"b","meta":{"versionId":"V","lastUpdated":"U"},"subject":{"reference":"Patient/9"}}`
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}
