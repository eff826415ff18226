package main

import (
	"fmt"
	"strings"

	"github.com/amate-health/amate/fhir/registry/demo"
)

// The population that --demo makes.
const (
	demoPatients = 200
	demoSeed     = 1
	demoNewborn  = 7 // the sixth household is the first with a birth in it: patients 6 and 7
)

// greeting says where the server listens, and three things to try that work when pasted.
func greeting(base string, demonstration bool) string {
	const create = `curl -H 'Content-Type: application/fhir+json' -d '{"resourceType":"Patient","name":[{"family":"Hernández","given":["Ana"]}]}' `
	try := []string{
		create + fmt.Sprintf("'%s/Patient'", base),
		fmt.Sprintf("curl '%s/Patient?family=hernandez&_pretty=true'", base),
		fmt.Sprintf("curl '%s/metadata?_summary=true&_pretty=true'", base),
	}
	if demonstration {
		try = []string{
			fmt.Sprintf("curl '%s/Patient/%s?_pretty=true'", base, demo.PatientID(demoSeed, 1)),
			fmt.Sprintf("curl '%s/Patient?family=hernandez&_count=3&_pretty=true'", base),
			fmt.Sprintf("curl '%s/Immunization?patient=%s&_sort=date&_pretty=true'", base, demo.PatientID(demoSeed, demoNewborn)),
		}
	}
	return fmt.Sprintf("\nAmate %s answers FHIR R4 at %s\nOnly this machine can reach it. There is no access control yet.\n\nTry:\n  %s\n\n",
		release, base, strings.Join(try, "\n  "))
}
