package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/amate-health/amate/store/storetest"
)

// recorded is what an AuditEvent says, in short.
type recorded struct {
	Action  string
	Subtype []struct{ Code, Display string }
	Outcome string
	Entity  []struct {
		What struct {
			Reference  string
			Identifier struct{ Value string }
		}
		Query string
	}
}

// of returns the references and the question of an event, in order, and the request.
func (e *recorded) of() (things []string, request string) {
	for _, x := range e.Entity {
		switch {
		case x.What.Reference != "":
			things = append(things, x.What.Reference)
		case x.Query != "":
			query, _ := base64.StdEncoding.DecodeString(x.Query)
			things = append(things, "?"+string(query))
		default:
			request = x.What.Identifier.Value
		}
	}
	return things, request
}

// TestEveryAccessIsRecorded uses the API in every way, and compares the audit trail.
func TestEveryAccessIsRecorded(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, s storage) {
		base, _ := auditedServer(t, s)
		const observation = `{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p1"}}`
		moved := strings.Replace(observation, "Patient/p1", "Patient/p2", 1)
		entry := func(method, url, resource string) string {
			if resource != "" {
				resource = `"resource":` + resource + `,`
			}
			return fmt.Sprintf(`{%s"request":{"method":%q,"url":%q}}`, resource, method, url)
		}
		bundle := func(typ string, entries ...string) string {
			return `{"resourceType":"Bundle","type":"` + typ + `","entry":[` + strings.Join(entries, ",") + `]}`
		}
		for _, c := range []struct {
			method, path, body string
			want               []string // each: action subtype outcome: what
		}{
			{"PUT", "/Patient/p1", patient("p1", "One"), []string{"C update 0: Patient/p1 Patient/p1/_history/1"}},
			{"PUT", "/Patient/p2", patient("p2", "Two"), []string{"C update 0: Patient/p2 Patient/p2/_history/1"}},
			{"PUT", "/Observation/o1", observation, []string{"C update 0: Patient/p1 Observation/o1/_history/1"}},
			{"PUT", "/Observation/o1", observation, []string{"U update 0: Patient/p1 Observation/o1/_history/1"}}, // nothing changes
			{"PUT", "/Observation/o1", moved, []string{"U update 0: Patient/p1 Patient/p2 Observation/o1/_history/2"}},
			{"GET", "/Observation/o1", "", []string{"R read 0: Patient/p2 Observation/o1"}},
			{"GET", "/Observation/o1/_history/1", "", []string{"R vread 0: Patient/p1 Observation/o1"}},
			{"GET", "/Observation/o1/_history", "", []string{"R history-instance 0: Patient/p1 Patient/p2 Observation/o1"}},
			{"GET", "/Observation/none", "", []string{"R read 4: Observation/none"}},
			{"GET", "/Patient/none", "", []string{"R read 4: Patient/none"}},
			{"GET", "/Observation?subject=Patient/p2&_include=Observation:subject", "", []string{"E search-type 0: Patient/p2 Observation/o1 ?Observation?subject=Patient/p2&_include=Observation:subject"}},
			{"GET", "/Observation?patient=p9", "", []string{"E search-type 0: Patient/p9 ?Observation?patient=p9"}},
			{"GET", "/Patient/p2/Observation", "", []string{"E search-type 0: Patient/p2 Observation/o1 ?Patient/p2/Observation"}},
			{"GET", "/Observation?rubbish=1", "", []string{"E search-type 4: ?Observation?rubbish=1"}},
			{"POST", "/Patient/_search?family=one", "", []string{"E search-type 0: Patient/p1 ?Patient?family=~"}},
			{"POST", "/Patient", `{"resourceType":"Patient","gender":"wrong"}`, []string{"C create 4: "}},
			{"PATCH", "/Observation/o1", `[{"op":"replace","path":"/status","value":"amended"}]`, []string{"U patch 0: Patient/p2 Observation/o1/_history/3"}},
			{"POST", "", bundle("transaction", entry("PUT", "Observation/o2", strings.ReplaceAll(observation, "o1", "o2")), entry("DELETE", "Observation/o1", ""), entry("GET", "Patient/p1", "")), []string{
				"C transaction 0: Patient/p1 Observation/o2/_history/1", "D transaction 0: Patient/p2 Observation/o1/_history/4", "R read 0: Patient/p1",
			}},
			{"POST", "", bundle("batch", entry("GET", "Patient/p1", ""), entry("GET", "Patient/none", ""), entry("DELETE", "Observation/o2", "")), []string{
				"R read 0: Patient/p1", "R read 4: Patient/none", "D delete 0: Patient/p1 Observation/o2/_history/2",
			}},
			{"POST", "", bundle("transaction", entry("PUT", "Observation/o3", strings.ReplaceAll(observation, "o1", "o4"))), []string{"E transaction 4: "}},
			{"DELETE", "/Observation/o1", "", []string{"D delete 0: Observation/o1"}}, // there is nothing to delete
			{"POST", "/Observation/$validate", observation, []string{"E operation $validate 0: "}},
			{"GET", "/metadata", "", nil},
			{"GET", "/Nothing/1", "", nil},
		} {
			id := uuid.NewString()
			askUnder(t, c.method, base+c.path, c.body, id)
			got := recordOf(t, base, id)
			for i := range got {
				got[i] = pseudonym.ReplaceAllString(got[i], "~")
			}
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				t.Errorf("%s %s is on record as\n%s\nwant\n%s", c.method, c.path, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		}
	})
}

// pseudonym is what stands in the record for how somebody is called.
var pseudonym = regexp.MustCompile(`~[A-Za-z0-9_-]{16}`)

// askUnder sends a request under an id.
func askUnder(t *testing.T, method, url, body, id string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Request-Id", id)
	req.Header.Set("Content-Type", map[bool]string{true: "application/json-patch+json", false: "application/fhir+json"}[method == http.MethodPatch])
	if strings.Contains(url, "_search") {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
}

// recordOf returns what is on record of a request, sorted.
func recordOf(t *testing.T, base, id string) (lines []string) {
	t.Helper()
	status, body := get(t, base+"/AuditEvent?_count=20")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	var page struct{ Entry []struct{ Resource recorded } }
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Entry {
		r := &e.Resource
		things, request := r.of()
		if request != id {
			continue
		}
		name := r.Subtype[0].Code
		if r.Subtype[0].Display != "" {
			name += " " + r.Subtype[0].Display
		}
		lines = append(lines, fmt.Sprintf("%s %s %s: %s", r.Action, name, r.Outcome, strings.Join(things, " ")))
	}
	slices.Sort(lines)
	return lines
}

// onBothEngines runs f with an empty store of either kind.
func onBothEngines(t *testing.T, f func(t *testing.T, s storage)) {
	t.Run("sqlite", func(t *testing.T) { f(t, storage{Data: t.TempDir()}) })
	t.Run("postgres", func(t *testing.T) { f(t, storage{Data: t.TempDir(), Database: storetest.Postgres(t)}) })
}
