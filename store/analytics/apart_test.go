package analytics_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/table"
	"github.com/amate-health/amate/store/analytics"
)

// answering is the argument by which the tests are what runs one query.
const answering = "answer-one-query"

// resting is the argument by which they are a server whose query rests for good.
const resting = "rest-in-a-query"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == resting {
		apart := analytics.RunSQLiteApart(os.Args[2], restful(nil), os.Args[0], answering)
		_, _, err := ask(context.Background(), apart, endless, 10, nil)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if len(os.Args) == 2 && os.Args[1] == answering {
		if err := analytics.Answer(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// endless is a query that computes until it is stopped.
const endless = `WITH RECURSIVE r(n) AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 1000000000000) SELECT count(*) AS n FROM r`

// restful are limits of queries that rest once they have worked for a moment, until told to
// go on.
func restful(on <-chan bool) analytics.Limits {
	return analytics.Limits{Time: 10 * time.Minute, Connections: 1, Busy: func() bool { return true }, Rest: func(ctx context.Context, _ time.Duration) error {
		select {
		case <-on:
		case <-ctx.Done():
		}
		return ctx.Err()
	}}
}

// What runs apart answers as what runs here does: rows, more than are told at a time, more
// than are asked for, and what is wrong.
func TestApart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "analytics.db")
	k, err := analytics.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	var people []analytics.Row
	for n := range 500 {
		people = append(people, person(fmt.Sprint(n), "1990"))
	}
	fill(t, k, people...)
	limits := analytics.Limits{Time: time.Minute, Connections: 1}
	here, err := analytics.RunSQLite(path, limits)
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	apart := analytics.RunSQLiteApart(path, limits, os.Args[0], answering)
	for _, c := range []struct {
		sql  string
		rows int
	}{
		{`SELECT * FROM patient`, 1000}, {`SELECT id FROM patient`, 300}, {`SELECT id FROM patient WHERE birthyear > :y`, 10}, {`SELECT id FROM patient WHERE birthyear < :y`, 10},
		{`SELECT nothing FROM patient`, 10}, {`SELECT id, id FROM patient`, 10}, {`SELECT amate_key FROM rows_patient_1`, 10},
	} {
		args := map[string]analytics.Argument{"y": {Type: "integer", Text: "1980"}}
		want, more, wrong := ask(t.Context(), here, c.sql, c.rows, args)
		got, too, err := ask(t.Context(), apart, c.sql, c.rows, args)
		if got != want || more != too || fhir.CodeOf(err) != fhir.CodeOf(wrong) || fmt.Sprint(err) != fmt.Sprint(wrong) {
			t.Errorf("%s: %d bytes %v %v, want %d %v %v", c.sql, len(got), too, err, len(want), more, wrong)
		}
	}

	// A query that takes too long is over in time, and so is one that nobody waits for.
	short := analytics.RunSQLiteApart(path, analytics.Limits{Time: time.Second, Connections: 1}, os.Args[0], answering)
	if _, _, err := ask(t.Context(), short, endless, 10, nil); fhir.CodeOf(err) != fhir.TooCostly || !strings.Contains(fmt.Sprint(err), "1s") {
		t.Errorf("a query that takes too long: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, _, err := ask(ctx, apart, endless, 10, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a query that nobody waits for: %v", err)
	}
	s, err := analytics.Parse(`SELECT id FROM patient`)
	if err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	_, err = apart.Run(t.Context(), &analytics.Query{Statement: s, Rows: 500}, func([]table.Column) error { return nil }, func([]table.Cell) error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("who reads no further: %v", err)
	}
	if _, _, err := ask(t.Context(), analytics.RunSQLiteApart(path, limits, "/nowhere"), `SELECT 1 AS one`, 1, nil); err == nil {
		t.Error("a program that is not there runs queries")
	}
}
