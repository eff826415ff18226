package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/document"
)

// attempt is a way to write one resource: it changes it, or deletes it.
type attempt struct {
	method, path, body string
	headers            []string
	want               int // its status; in a batch that of the entry
}

// paths returns every way over HTTP to change or delete what is stored at a place. changed
// is the resource with something else in it.
func paths(at, changed string) map[string]attempt {
	typ, id, _ := strings.Cut(at, "/")
	entry := func(method, url, resource string) string {
		if resource != "" {
			resource = `"resource":` + resource + ","
		}
		return fmt.Sprintf(`{%s"request":{"method":%q,"url":%q}}`, resource, method, url)
	}
	wrap := func(kind string, entries ...string) string {
		return `{"resourceType":"Bundle","type":"` + kind + `","entry":[` + strings.Join(entries, ",") + `]}`
	}
	jsonPatch := `[{"op":"add","path":"/language","value":"es"}]`
	pathPatch := `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"add"},{"name":"path","valueString":"` + typ +
		`"},{"name":"name","valueString":"language"},{"name":"value","valueCode":"es"}]}]}`
	patch := []string{"Content-Type", "application/json-patch+json"}
	other := entry("PUT", "Patient/p3", `{"resourceType":"Patient","id":"p3"}`)
	all := map[string]attempt{
		"PUT":                       {"PUT", at, changed, nil, 409},
		"PUT with If-Match":         {"PUT", at, changed, []string{"If-Match", `W/"1"`}, 409},
		"PATCH":                     {"PATCH", at, jsonPatch, patch, 409},
		"FHIRPath PATCH":            {"PATCH", at, pathPatch, nil, 409},
		"conditional PUT":           {"PUT", typ + "?_id=" + id, changed, nil, 409},
		"conditional PATCH":         {"PATCH", typ + "?_id=" + id, jsonPatch, patch, 409},
		"DELETE":                    {"DELETE", at, "", nil, 409},
		"conditional DELETE":        {"DELETE", typ + "?_id=" + id, "", nil, 409},
		"DELETE of many":            {"DELETE", typ + "?_lastUpdated=gt2020-01-01", "", nil, 409},
		"transaction PUT":           {"POST", "", wrap("transaction", other, entry("PUT", at, changed)), nil, 409},
		"transaction PATCH":         {"POST", "", wrap("transaction", other, entry("PATCH", at, pathPatch)), nil, 409},
		"transaction DELETE":        {"POST", "", wrap("transaction", other, entry("DELETE", at, "")), nil, 409},
		"transaction DELETE by _id": {"POST", "", wrap("transaction", other, entry("DELETE", typ+"?_id="+id, "")), nil, 409},
		"transaction PUT by _id":    {"POST", "", wrap("transaction", other, entry("PUT", typ+"?_id="+id, changed)), nil, 409},
		"batch PUT":                 {"POST", "", wrap("batch", entry("PUT", at, changed)), nil, 409},
		"batch PATCH":               {"POST", "", wrap("batch", entry("PATCH", at, pathPatch)), nil, 409},
		"batch DELETE":              {"POST", "", wrap("batch", entry("DELETE", at, "")), nil, 409},
	}
	// Whoever takes off the tag, or says that it is another, changes it as well.
	untagged := strings.Replace(changed, document.TagSystem, "urn:other", 1)
	all["PUT without the tag"] = attempt{"PUT", at, untagged, nil, 409}
	all["PUT with an escaped tag"] = attempt{"PUT", at, strings.Replace(changed, document.TagSystem, `http\u0073:\/\/github.com`+strings.TrimPrefix(document.TagSystem, "https://github.com"), 1), nil, 409}
	return all
}

// TestSignedStaysAsItIs: by no path does a signed document change or go, nor is anything of
// a transaction done that tries.
func TestSignedStaysAsItIs(t *testing.T) {
	t.Parallel()
	eachWard(t, func(w *ward) {
		made := w.sign(doctor, w.doctor, "n1")
		places := []string{"Composition/n1", made.ref("document"), made.ref("provenance")}
		before := map[string]string{}
		for _, at := range places {
			before[at] = w.must(200, "system", "GET", at, "")
		}
		same := func(what string) {
			w.Helper()
			for _, at := range places {
				if status, now := w.call("system", "GET", at, ""); status != 200 || now != before[at] {
					w.Fatalf("%s: %s is now %d %.600s", what, at, status, now)
				}
				if h := w.must(200, "system", "GET", at+"/_history", ""); strings.Contains(h, `"total":`) && !strings.Contains(h, fmt.Sprintf(`"total":%d`, map[bool]int{true: 2, false: 1}[at == "Composition/n1"])) {
					w.Fatalf("%s: the history of %s is %.600s", what, at, h)
				}
			}
			if status, _ := w.call("system", "GET", "Patient/p3", ""); status != 404 {
				w.Fatalf("%s: a part of it was done", what)
			}
		}
		for _, at := range places {
			changed := strings.Replace(before[at], `"resourceType"`, `"language":"es","resourceType"`, 1)
			for name, p := range paths(at, changed) {
				what := name + " of " + at
				status, out := w.call("system", p.method, p.path, p.body, p.headers...)
				if strings.HasPrefix(name, "batch") {
					if status != 200 || !strings.Contains(out, `"status":"409`) {
						w.Errorf("%s: %d %.900s", what, status, out)
					}
				} else if status != p.want && !(name == "PUT with If-Match" && status == 412) {
					w.Errorf("%s: %d, want %d: %.900s", what, status, p.want, out)
				}
				if name != "PUT with If-Match" && (!strings.Contains(out, document.Right) || !strings.Contains(out, "$void")) {
					w.Errorf("%s: it names neither the rule nor the way out: %.900s", what, out)
				}
				same(what)
			}
			w.imported(at, changed)
			same("import of " + at)
			if status, out := w.call("system", "PUT", at, before[at]); status != 200 { // it changes nothing
				w.Errorf("PUT of %s as it is: %d %s", at, status, out)
			}
			same("PUT of what is there")
		}
		w.forged(before)
		if status, out := w.call("system", "PUT", "Composition/n1/", ""); status == 200 {
			w.Error(out)
		}
	})
}

// imported tries the command that loads files.
func (w *ward) imported(at, changed string) {
	w.Helper()
	var compact json.RawMessage
	if err := json.Unmarshal([]byte(changed), &compact); err != nil {
		w.Fatal(err)
	}
	for name, text := range map[string]string{
		"x.ndjson": changed + "\n", "y.json": changed,
		"z.json": `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"` + at + `"}}]}`,
		"b.json": `{"resourceType":"Bundle","type":"batch","entry":[{"resource":` + changed + `,"request":{"method":"PUT","url":"` + at + `"}}]}`,
	} {
		if strings.HasPrefix(at, "Bundle/") && name == "y.json" {
			continue // a Bundle that is a file is what is loaded itself
		}
		dir := tree(w.T, map[string]string{name: text})
		if status, out, errs := amate(append([]string{"import", dir}, w.where...)...); status != exitFailed || !strings.Contains(out, "1 refused") {
			w.Errorf("import of %s as %s: %d %s%s", at, name, status, out, errs)
		}
	}
}

// forged tries to make what looks signed.
func (w *ward) forged(before map[string]string) {
	w.Helper()
	for at, text := range before {
		typ, id, _ := strings.Cut(at, "/")
		for name, p := range map[string]attempt{
			"POST":     {"POST", typ, text, nil, 422},
			"PUT":      {"PUT", typ + "/forged", strings.Replace(text, `"id":"`+id+`"`, `"id":"forged"`, 1), nil, 422},
			"escaped":  {"POST", typ, strings.Replace(text, "documento-firmado", `documento\u002dfirmado`, 1), nil, 422},
			"slashes":  {"POST", typ, strings.Replace(text, document.TagSystem, strings.ReplaceAll(document.TagSystem, "/", `\/`), 1), nil, 422},
			"as batch": {"POST", "", `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":` + text + `,"request":{"method":"POST","url":"` + typ + `"}}]}`, nil, 422},
		} {
			if status, out := w.call("system", p.method, p.path, p.body); status != p.want || !strings.Contains(out, document.Right) {
				w.Errorf("%s of a forged %s: %d %.600s", name, typ, status, out)
			}
		}
	}
	w.put("Composition/plain", note("p1", "Practitioner/dr", ""))
	patch := fmt.Sprintf(`[{"op":"add","path":"/meta/tag","value":[{"system":%q,"code":"x"}]}]`, document.TagSystem)
	if status, out := w.call("system", "PATCH", "Composition/plain", patch, "Content-Type", "application/json-patch+json"); status != 422 {
		w.Errorf("PATCH of a tag: %d %s", status, out)
	}
	// What is not signed here is as free as ever, also where it says that it is final.
	w.put("Composition/plain", strings.Replace(note("p1", "Practitioner/dr", ""), "preliminary", "final", 1))
	w.put("Composition/plain", strings.Replace(note("p1", "Practitioner/dr", ""), "preliminary", "amended", 1))
	w.must(204, "system", "DELETE", "Composition/plain", "")
}
