// Command conformance runs the public test suites and prints, as a table, how many
// cases of each pass. It is for the developers of Amate: see "make conformance".
//
// The suites are tests like all others, next to what they test. Each logs one line
// "N of M ..."; a test that fails, or is skipped because the data is not there, is
// shown as such.
//
// Usage: conformance [-update README.md]
//
// With -update the table goes into the file as well, between the lines
// <!-- conformance --> and <!-- /conformance -->.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
)

func main() {
	file := flag.String("update", "", "a file to put the table into")
	flag.Parse()
	if err := run(*file); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	results := map[string]result{} // by package and test
	for _, pkg := range packages() {
		fmt.Fprintln(os.Stderr, "running", pkg)
		cmd := exec.Command("go", "test", "-json", "-count=1", "-run", pattern(pkg), "./"+pkg)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output() // that a test fails is in the output
		if len(out) == 0 {
			return fmt.Errorf("go test ./%s: %w", pkg, err)
		}
		if err := read(bytes.NewReader(out), pkg, results); err != nil {
			return err
		}
	}
	text, sound := table(results)
	fmt.Print(text)
	if file != "" {
		if err := update(file, text); err != nil {
			return err
		}
	}
	if !sound {
		return fmt.Errorf("not every suite is as it should be")
	}
	return nil
}

// update puts text into a file, between its marks.
func update(file, text string) error {
	src, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(src, []byte("<!-- conformance -->\n"))
	_, after, closed := bytes.Cut(rest, []byte("<!-- /conformance -->\n"))
	if !ok || !closed {
		return fmt.Errorf("%s has no lines <!-- conformance --> and <!-- /conformance -->", file)
	}
	whole := fmt.Sprintf("%s<!-- conformance -->\n%s<!-- /conformance -->\n%s", before, text, after)
	return os.WriteFile(file, []byte(whole), 0o644)
}
