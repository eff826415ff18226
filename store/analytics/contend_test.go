package analytics_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store/analytics"
	"github.com/amate-health/amate/store/storetest"
)

// begun connects to a database and begins a transaction.
func begun(t *testing.T, url string) pgx.Tx {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// TestStartAtOnce: a server that lets the role of analysts in while another one does so
// waits for it.
func TestStartAtOnce(t *testing.T) {
	url := storetest.Postgres(t)
	k, missing, err := analytics.OpenPostgres(t.Context(), url)
	if err != nil || missing != nil {
		t.Fatal(err, missing)
	}
	defer k.Close()
	other := begun(t, url)
	for _, sql := range []string{`REVOKE USAGE ON SCHEMA analytics FROM ` + analytics.Role, `GRANT USAGE ON SCHEMA analytics TO ` + analytics.Role} {
		if _, err := other.Exec(t.Context(), `SELECT pg_advisory_xact_lock($1)`, analytics.PrepareLock); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- analytics.AdmitAgain(t.Context(), k) }()
	watch := begun(t, url)
	for waits := false; !waits; time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-ended:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		const sql = `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)`
		if err := watch.QueryRow(t.Context(), sql).Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("after the other: %v", err)
	}
}

// TestRenewedMeanwhile: a query whose table is another's for too long is no fault of who
// asks, nor of the server.
func TestRenewedMeanwhile(t *testing.T) {
	url := storetest.Postgres(t)
	k, missing, err := analytics.OpenPostgres(t.Context(), url)
	if err != nil || missing != nil {
		t.Fatal(err, missing)
	}
	defer k.Close()
	fill(t, k, person("a", "1980"))
	r, _, err := analytics.RunPostgres(t.Context(), url, analytics.Limits{Time: 2 * time.Minute, Connections: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := begun(t, url).Exec(t.Context(), `LOCK TABLE analytics.patient IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ask(t.Context(), r, "SELECT id FROM patient", 10, nil); fhir.CodeOf(err) != fhir.Unavailable {
		t.Errorf("%v, want that it is told to try again", err)
	}
}

// TestFaultOfTheDatabase: what the database cannot do at the moment is not taken for what is
// wrong with a query.
func TestFaultOfTheDatabase(t *testing.T) {
	for code, want := range map[string]fhir.Code{
		"55P03": fhir.Unavailable, "40P01": fhir.Unavailable, "40001": fhir.Unavailable, // another was in the way
		"53300": fhir.Unavailable, "57P01": fhir.Unavailable, "57P03": fhir.Unavailable, // it stops, starts, or is full
		"53400": fhir.TooCostly, "53100": fhir.TooCostly, "57014": fhir.TooCostly, "54001": fhir.TooCostly,
		"42501": fhir.Forbidden, "42P01": fhir.Unprocessable, "22012": fhir.Unprocessable, "XX000": 0,
	} {
		if err := analytics.PostgresFault(&pgconn.PgError{Code: code}); fhir.CodeOf(err) != want {
			t.Errorf("%s: %v, want code %d", code, err, want)
		}
	}
	_, err := pgx.Connect(t.Context(), "postgres://x@127.0.0.1:1/x")
	if err := analytics.PostgresFault(err); fhir.CodeOf(err) != fhir.Unavailable {
		t.Errorf("without a database: %v", err)
	}
	if err := analytics.PostgresFault(errors.New("else")); fhir.CodeOf(err) != 0 {
		t.Errorf("%v", err)
	}
}
