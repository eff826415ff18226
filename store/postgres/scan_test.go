package postgres

import (
	"testing"
	"time"

	"github.com/amate-health/amate/store/storetest"
)

func TestScan(t *testing.T) {
	storetest.Scan(t, func(t *testing.T) storetest.Scanner {
		s := open(t)
		s.slack = 0 // nobody else writes
		return s
	})
}

// TestMomentAmongServers: it is waited for the writes of other servers only where there are any.
func TestMomentAmongServers(t *testing.T) {
	url := storetest.Postgres(t)
	server := func(url string) *Store {
		s, err := Open(t.Context(), url, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	here := server(url)
	defer here.Close()
	moment := func() int64 {
		t.Helper()
		n, err := here.number(t.Context(), others, []byte(here.name))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	alone := func(who string) {
		t.Helper()
		for deadline := time.Now().Add(3 * time.Minute); moment() != 0; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s is still seen", who)
			}
		}
	}
	alone("who had the database before") // the processes of its connections take a moment to end
	there := server(url + "&application_name=two")
	if n := moment(); n == 0 {
		t.Error("another server is not seen")
	}
	there.Close()
	alone("a server that has ended")
}

func BenchmarkScan(b *testing.B) { storetest.BenchmarkScan(b, open(b)) }
