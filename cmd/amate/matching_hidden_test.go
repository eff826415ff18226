package main

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestDuplicatesOfHidden: the work list tells nobody of a blocked record, whichever of the
// pair it is of.
func TestDuplicatesOfHidden(t *testing.T) {
	t.Parallel()
	s := newIdentityScene(t, []string{"--data", t.TempDir()})
	status, out, errs := amate(append([]string{"token", "--role", "arco-officer"}, s.where...)...)
	if status != exitDone {
		t.Fatal(errs)
	}
	s.tokens["officer"] = strings.TrimSpace(out)
	s.put("ana1", ana("ana1", ""))
	s.put("ana2", ana("ana2", ""))
	s.task("requested", "ana1", "ana2")
	const label = `,"meta":{"security":[{"system":"https://github.com/amate-health/amate/fhir/CodeSystem/etiqueta","code":"bloqueado"}]}`
	tells := func(who, id string) bool {
		return strings.Contains(s.must(http.StatusOK, who, "GET", "Task", ""), id)
	}
	soon := func(want bool, who, id string) { // the list follows what is written
		for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			if tells(who, id) == want {
				return
			}
		}
		t.Fatalf("whether %s is told of %s stays %t", who, id, !want)
	}
	for _, hidden := range []string{"ana1", "ana2"} {
		s.must(http.StatusOK, "officer", "PUT", "Patient/"+hidden, ana(hidden, label))
		for _, who := range []string{"clinician", "identity"} {
			soon(false, who, hidden)
		}
		if !tells("officer", hidden) {
			t.Errorf("the Task of %s is gone", hidden)
		}
		s.must(http.StatusOK, "officer", "PUT", "Patient/"+hidden, ana(hidden, ""))
		soon(true, "identity", hidden)
	}
}
