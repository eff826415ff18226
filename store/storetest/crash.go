package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
)

// batchSize is how many resources each batch of a crash test holds.
const batchSize = 5

// Hammer applies batches from several goroutines until ctx ends or the store
// fails, and says the name of each once it is acknowledged.
func Hammer(ctx context.Context, s Store, prefix string, acknowledged func(name string)) {
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				name := fmt.Sprintf("%s-%d-%d", prefix, w, i)
				if _, err := s.Apply(ctx, &bundle.Batch{Changes: crashBatch(name)}); err != nil {
					return
				}
				acknowledged(name)
			}
		})
	}
	wg.Wait()
}

// crashBatch creates some resources, and changes one that all batches change.
func crashBatch(name string) []bundle.Change {
	var changes []bundle.Change
	for i := range batchSize - 1 {
		changes = append(changes, create(fmt.Sprintf("Observation/%s-%d", name, i), name, search.Index{Tokens: []int64{1}}))
	}
	return append(changes, update("Patient/shared", name, search.Index{Tokens: []int64{1}}))
}

// Survived checks that all acknowledged batches are there, and no part of another.
func Survived(t *testing.T, s Store, acknowledged []string) {
	t.Helper()
	if len(acknowledged) == 0 {
		t.Fatal("nothing was acknowledged before the crash")
	}
	for _, name := range acknowledged {
		for i := range batchSize - 1 {
			if _, err := s.Read(t.Context(), ref(fmt.Sprintf("Observation/%s-%d", name, i))); err != nil {
				t.Fatalf("of %d acknowledged batches, %s is not whole: %v", len(acknowledged), name, err)
			}
		}
	}
	// Every batch made one version of the shared resource, and the other resources beside it.
	f := &fixture{T: t, s: s, ctx: t.Context()}
	versions := f.versions(search.History{Type: "Patient", ID: "shared"}, 1000)
	others := f.versions(search.History{Type: "Observation"}, 1000)
	if len(versions) < len(acknowledged) || len(others) != len(versions)*(batchSize-1) {
		t.Errorf("%d batches acknowledged, %d versions of what each changes, %d of what each creates",
			len(acknowledged), len(versions), len(others))
	}
	if n := len(versions); versions[0].Ref.Version != int64(n) {
		t.Errorf("%d versions, the newest is %d", n, versions[0].Ref.Version)
	}
	if _, err := s.Apply(t.Context(), &bundle.Batch{Changes: crashBatch("after")}); err != nil {
		t.Errorf("a write after the crash: %v", err)
	}
	if r, err := s.Read(t.Context(), fhir.Ref{Type: "Patient", ID: "shared"}); err != nil || r.Ref.Version != int64(len(versions))+1 {
		t.Errorf("after it: %v, %v", r.Ref, err)
	}
}

// childVariable tells a process that it is the one to be killed.
const childVariable = "AMATE_TEST_CHILD"

// Child returns the argument of KillChild when this process is the child, else "".
func Child() string { return os.Getenv(childVariable) }

// KillChild runs the test called test in a process of its own, where Child returns
// argument and Say talks to this one, kills it without warning after some time, and
// returns what it said.
func KillChild(t *testing.T, test, argument string, after time.Duration) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+test+"$", "-test.timeout=10m")
	cmd.Env = append(os.Environ(), childVariable+"="+argument)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	lines := bufio.NewReader(out)
	timer := time.AfterFunc(5*time.Minute, func() { cmd.Process.Kill() }) // it may take its time to begin
	defer timer.Stop()
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break // a last line without its end was not said
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(said) == 0 {
			timer.Reset(after)
		}
		said = append(said, line[:len(line)-1])
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
	return said
}

var saying sync.Mutex

// Say writes a line to the process that called KillChild.
func Say(line string) {
	saying.Lock()
	defer saying.Unlock()
	fmt.Println(line)
}
