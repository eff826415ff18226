package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/registry/profile"
)

// definedOperation is what a CapabilityStatement and an OperationDefinition say of an operation.
type definedOperation struct {
	Name, Definition, Documentation string

	Code                   string
	System, Type, Instance bool
	AffectsState           bool
	Resource               []string
	Parameter              []struct{ Name, Use, Type string }
}

// ownOperations returns the operations of a server that are this project's own, by URL, and
// on what they are; "" is the system.
func ownOperations(t *testing.T, base string) (own map[string]definedOperation, on map[string][]string) {
	t.Helper()
	var c struct {
		Rest []struct {
			Operation []definedOperation
			Resource  []struct {
				Type      string
				Operation []definedOperation
			}
		}
	}
	if err := json.Unmarshal([]byte(fetched(t, base+"/metadata")), &c); err != nil {
		t.Fatal(err)
	}
	own, on = map[string]definedOperation{}, map[string][]string{}
	add := func(typ string, all []definedOperation) {
		for _, o := range all {
			if strings.HasPrefix(o.Definition, "urn:") {
				t.Errorf("$%s has no address: %s", o.Name, o.Definition)
			}
			if strings.Contains(o.Definition, "amate") {
				own[o.Definition], on[o.Definition] = o, append(on[o.Definition], typ)
			}
		}
	}
	add("", c.Rest[0].Operation)
	for _, r := range c.Rest[0].Resource {
		add(r.Type, r.Operation)
	}
	return own, on
}

func fetched(t *testing.T, at string) string {
	t.Helper()
	res, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v %s", at, res.StatusCode, err, text)
	}
	return string(text)
}

// takes is how operations that refuse a parameter list those that they take.
var takes = regexp.MustCompile(`it takes ([a-zA-Z_, -]+?), not `)

// takesAny are the operations that pass over parameters that they do not know, or say first
// what they lack.
var takesAny = []string{"birth-replace", "import", "not-duplicate", "message-dead-letters", "message-replay", "reindex", "reindex-status"}

// TestOwnOperationsAreDefined: every operation of this project has a definition that the
// server holds, and that says of it what is so.
func TestOwnOperationsAreDefined(t *testing.T) {
	p := startServe(t, "--data", t.TempDir())
	own, on := ownOperations(t, p.base)
	if len(own) < 34 {
		t.Fatalf("there are %d", len(own))
	}
	listed := 0
	for at, o := range own {
		var b struct {
			Entry []struct{ Resource definedOperation }
		}
		if err := json.Unmarshal([]byte(fetched(t, p.base+"/OperationDefinition?url="+url.QueryEscape(at))), &b); err != nil || len(b.Entry) != 1 {
			t.Errorf("%s: %d definitions, %v", at, len(b.Entry), err)
			continue
		}
		d := b.Entry[0].Resource
		slices.Sort(d.Resource)
		types := slices.DeleteFunc(slices.Clone(on[at]), func(typ string) bool { return typ == "" })
		if !strings.HasPrefix(at, profile.OperationCanonical) || d.Code != o.Name || o.Documentation == "" {
			t.Errorf("%s: it is $%s, documented by %q, and defined as $%s", at, o.Name, o.Documentation, d.Code)
		}
		if d.System != slices.Contains(on[at], "") || (d.Type || d.Instance) != (len(types) > 0) || !slices.Equal(types, d.Resource) {
			t.Errorf("%s: it is on %q, and defined as on %v, system %t", at, on[at], d.Resource, d.System)
		}
		listed += parametersFit(t, p.base, &d)
	}
	if listed < 15 {
		t.Errorf("only %d operations list their parameters", listed)
	}
}

// parametersFit calls an operation with each parameter of its definition, which it must
// know, and with one of no definition, which it must not. It returns 1 where the operation
// lists its parameters, and they are those.
func parametersFit(t *testing.T, base string, d *definedOperation) (listed int) {
	t.Helper()
	at := map[bool]string{true: base + "/$" + d.Code}[d.System]
	if at == "" && d.Instance {
		at = fmt.Sprintf("%s/%s/none/$%s", base, d.Resource[0], d.Code)
	} else if at == "" {
		at = fmt.Sprintf("%s/%s/$%s", base, d.Resource[0], d.Code)
	}
	call := func(name string) (int, string) {
		t.Helper()
		res, err := http.Post(at, "application/fhir+json", strings.NewReader(fmt.Sprintf(`{"resourceType":"Parameters","parameter":[{"name":%q,"valueString":"x"}]}`, name)))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, strings.ReplaceAll(string(text), name, "*")
	}
	status, unknown := call("nonesuch")
	if slices.Contains(takesAny, d.Code) {
		return 0
	}
	if status != http.StatusBadRequest || !strings.Contains(unknown, "*") {
		t.Errorf("$%s takes what it does not know: %d %s", d.Code, status, unknown)
		return 0
	}
	var in []string
	for _, p := range d.Parameter {
		if p.Use != "in" {
			continue
		}
		in = append(in, p.Name)
		if _, got := call(p.Name); got == unknown {
			t.Errorf("$%s does not know the parameter %s of its definition", d.Code, p.Name)
		}
	}
	_, plain := call("nonesuch")
	if m := takes.FindStringSubmatch(plain); m != nil && !strings.Contains(m[1], "the columns of") {
		names := strings.Split(strings.ReplaceAll(m[1], " and ", ", "), ", ")
		slices.Sort(names)
		slices.Sort(in)
		if !slices.Equal(names, in) {
			t.Errorf("$%s takes %v, and its definition says %v", d.Code, names, in)
		}
		return 1
	}
	return 0
}
