package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/registry/demo"
	"github.com/amate-health/amate/fhir/registry/opendata"
)

// showsEverything looks at whether a demonstration has something of each part of the
// product, as those see it who work with it.
func showsEverything(t *testing.T, p *process, dir string) {
	t.Helper()
	if at := strings.Index(p.log.String(), "could not be made"); at >= 0 {
		t.Errorf("a part of the demonstration is not there: %.600s", p.log.String()[at:])
	}
	ask := func(role string, args ...string) func(path string) string {
		token := strings.TrimSpace(mustRun(t, append([]string{"--data", dir, "--role", role}, args...), "token"))
		a := &asker{t, p.base, token}
		return func(path string) string {
			t.Helper()
			status, _, out := a.do("GET", path, "")
			if status != 200 {
				t.Errorf("%s as %s: %d %.400s", path, role, status, out)
			}
			return out
		}
	}
	analyst, system := ask("analyst"), ask("system")
	until(t, "each table of the analysts has rows", func() string {
		for _, table := range []string{"patients", "encounters", "observations", "conditions", "doses", "coverage", "births", "birth_certification", "telehealth_visits"} {
			out := analyst("/$sql-run?_format=csv&query=" + url.QueryEscape("select count(*) as n from amate_"+table))
			if n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(out, "n"))); err != nil || n == 0 {
				return table + " has " + out
			}
		}
		if out := analyst("/$sql-run?_format=csv&query=" + url.QueryEscape("select count(*) as n from amate_birth_certification where certified_within not in ('0-1')")); !regexp.MustCompile(`^n\s+[1-9]`).MatchString(out) {
			return "no birth was certified late: " + out
		}
		return ""
	})
	total := func(path string, least int) func() string {
		return func() string {
			var found struct{ Total int }
			if out := system(path + "&_summary=count"); json.Unmarshal([]byte(out), &found) != nil || found.Total < least {
				return fmt.Sprintf("%s has %d, want %d: %.300s", path, found.Total, least, out)
			}
			return ""
		}
	}
	for path, least := range map[string]int{
		"/Schedule?active=true": 5, "/Appointment?status=booked": 7, "/Appointment?status=fulfilled": demoVisits - 1, "/Appointment?status=noshow": 1,
		"/Encounter?class=VR&status=finished": demoVisits - 1, "/Consent?status=active": demoVisits - 1, "/Communication?status=completed": 2 * (demoVisits - 1),
		"/Composition?status=final&type=http://loinc.org|57833-6": demoVisits - 1, "/MedicationRequest?status=active": demoVisits - 1,
		"/Composition?type=http://loinc.org|68998-4&status=final": demoBirths - 1, "/CarePlan?status=active": 1, "/Goal?lifecycle-status=active": 1,
		"/Task?status=requested&code=referral": 1, "/Task?status=accepted&code=referral": 1, "/Task?status=requested&code=alert": 1, // alerts follow what was measured
	} {
		until(t, path, total(path, least))
	}
	signed := system("/Composition?status=final&_count=3&_sort=-_lastUpdated&type=http://loinc.org|57833-6")
	for _, m := range regexp.MustCompile(`"fullUrl":"[^"]*/(Composition/[^"]*)"`).FindAllStringSubmatch(signed, -1) {
		if v := system("/" + m[1] + "/$verify-signature"); !strings.Contains(v, `"valueCode":"passed"`) || strings.Contains(v, `"failed"`) {
			t.Errorf("the signature of %s: %.600s", m[1], v)
		}
	}
	until(t, "/Immunization", total("/Immunization?status=completed", 850)) // of the population, and those of children since their certificates
	registrar := ask("civil-registrar")
	states := registrar("/$birth-find?from=2000-01-01&until=2100-01-01")
	for _, state := range []string{"certified", "delivered", "curp-assigned", "void"} {
		if !strings.Contains(states, `"`+state+`"`) {
			t.Errorf("no certificate of birth is %s: %.600s", state, states)
		}
	}
	if folio := regexp.MustCompile(`"folio","valueString":"([^"]*)"`).FindStringSubmatch(states); folio != nil {
		if v := registrar("/$birth-verify?folio=" + folio[1]); !strings.Contains(v, `"valid","valueBoolean":true`) && !strings.Contains(v, `"void"`) {
			t.Errorf("a certificate is not valid: %.600s", v)
		}
	}
	if free := ask("patient", "--patient", demo.PatientID(demoSeed, 1))("/Appointment/$find?schedule=" + demo.Doctor() + "&_count=3"); strings.Count(free, `"start":"`) != 3 {
		t.Errorf("free are %.400s", free)
	}
	period := opendata.Families()[0].Last(time.Now()).Name
	until(t, "open data", func() string {
		status, page := get(t, p.root("/datos/nacimientos/"+period+"/nacimientos/"))
		if status != 200 || !strings.Contains(page, "demostración") {
			return fmt.Sprintf("%d %.300s", status, page)
		}
		return ""
	})
	if _, err := readSigner(filepath.Join(dir, "demo-keys", demo.Doctor()+".cer"), filepath.Join(dir, "demo-keys", demo.Doctor()+".key")); err != nil {
		t.Error(err)
	}
}

// until waits until what there is to say against something is nothing.
func until(t *testing.T, what string, against func() string) {
	t.Helper()
	var said string
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if said = against(); said == "" {
			return
		}
	}
	t.Errorf("%s: %s", what, said)
}

// TestDemonstrationOfEarlierBuilds: what they made stays, and nothing is signed there by the
// keys of a demonstration; nor in a database that is in use for anything else.
func TestDemonstrationOfEarlierBuilds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := storage{Data: dir}.open(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	made := fmt.Sprintf(`{"resourceType":"Bundle","type":"transaction","entry":[
		{"resource":{"resourceType":"Organization","id":%[1]q},"request":{"method":"PUT","url":"Organization/%[1]s"}},
		{"resource":{"resourceType":"Practitioner","id":%[2]q},"request":{"method":"PUT","url":"Practitioner/%[2]s"}},
		{"resource":{"resourceType":"Patient","id":%[3]q},"request":{"method":"PUT","url":"Patient/%[3]s"}}]}`, demo.FirstFacility(), demo.Doctor(), demo.PatientID(demoSeed, demoPatients))
	if err := errors.Join(applyTransaction(t.Context(), store, []byte(made)), store.Close()); err != nil {
		t.Fatal(err)
	}
	p := startGuarded(t, "--data", dir, "--demo", "--demo-people=false")
	a := &asker{t, p.base, strings.TrimSpace(mustRun(t, []string{"--data", dir, "--role", "system"}, "token"))}
	for path, want := range map[string]string{"/Schedule?_summary=count": `"total":0`, "/Patient?_summary=count": `"total":1`, "/Encounter?class=VR&_summary=count": `"total":0`, "/Practitioner/" + demo.Doctor() + "/_history?_summary=count": `"total":1`} {
		if status, _, out := a.do("GET", path, ""); status != 200 || !strings.Contains(out, want) {
			t.Errorf("%s: %d %s", path, status, out)
		}
	}
	if _, err := readSigner(filepath.Join(dir, "demo-keys", "trust", "authority.cer"), filepath.Join(dir, "demo-keys", "authority.key")); err == nil {
		t.Error("it has keys of a demonstration")
	}
}
