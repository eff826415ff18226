package main

import (
	"fmt"
	"os"
	"strings"
	"unicode"

	"github.com/amate-health/amate/fhir/registry/demo"
)

// The population that --demo makes.
const (
	demoPatients = 200
	demoSeed     = 1
	demoNewborn  = 7 // the sixth household is the first with a birth in it: patients 6 and 7
)

// greeting says where the server listens, and three things to try that work when pasted.
func (s *serve) greeting(base string) string {
	const create = `-H 'Content-Type: application/fhir+json' -d '{"resourceType":"Patient","name":[{"family":"Hernández","given":["Ana"]}]}' `
	try := []string{
		create + fmt.Sprintf("'%s/Patient'", base),
		fmt.Sprintf("'%s/Patient?family=hernandez&_pretty=true'", base),
		fmt.Sprintf("'%s/metadata?_summary=true&_pretty=true'", base),
	}
	if s.Demo {
		try = []string{
			fmt.Sprintf("'%s/Patient/%s?_pretty=true'", base, demo.PatientID(demoSeed, 1)),
			fmt.Sprintf("'%s/Patient?family=hernandez&_count=3&_pretty=true'", base),
			fmt.Sprintf("'%s/Immunization?patient=%s&_sort=date&_pretty=true'", base, demo.PatientID(demoSeed, demoNewborn)),
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nAmate %s answers FHIR R4 at %s\n", release, base)
	curl := "curl "
	if s.InsecureNoAuth {
		b.WriteString("Only this machine can reach it. THERE IS NO ACCESS CONTROL: everybody on it may do everything.\n")
	} else {
		role := "system"
		if s.Demo {
			role = "clinician"
			fmt.Fprintf(&b, "Secrets of the demonstration, one for each role: %s\n", credentialsFile(s.Storage.Data))
			fmt.Fprintf(&b, "Sign in as one of its people: %s/account\n", issuerOf(base))
			fmt.Fprintf(&b, "What everybody may see: %s/datos\n", issuerOf(base))
		}
		fmt.Fprintf(&b, "\nGet a token:\n  TOKEN=$(%s)\n", s.tokenCommand(role))
		curl = `curl -H "Authorization: Bearer $TOKEN" `
	}
	fmt.Fprintf(&b, "\nTry:\n  %s\n\n", curl+strings.Join(try, "\n  "+curl))
	return b.String()
}

// tokenCommand is the command that makes a token for a role, as it was started.
func (s *serve) tokenCommand(role string) string {
	where := "--data " + quoted(s.Storage.Data)
	if s.Storage.Database != "" {
		where = `--database "$AMATE_DATABASE"` // it may hold a password
	}
	return strings.Join([]string{invocation(), "token", where, "--role", role}, " ")
}

// invocation is how this program was started: from its source, or as it is installed.
func invocation() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/amate"
	}
	return quoted(os.Args[0])
}

// quoted writes s as one word of a shell.
func quoted(s string) string {
	if strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("/._-+:@", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
