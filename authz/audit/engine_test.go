package audit

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	driver "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/store/postgres"
	"github.com/amate-health/amate/store/sqlite"
	"github.com/amate-health/amate/store/storetest"
)

// engine is a real store, with a way past it.
type engine interface {
	rest.Store
	Chains
	Close() error
}

// lab is a trail on a real store.
type lab struct {
	*testing.T
	store  engine
	trail  *Trail
	config Config
	try    func(script string) error // runs SQL as whoever owns the database
	sqlite bool
}

// onEngines runs f on a trail over each engine.
func onEngines(t *testing.T, f func(l *lab)) {
	t.Run("sqlite", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "amate.db")
		s, err := sqlite.Open(t.Context(), file, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		f(newLab(t, s, true, func(script string) error {
			conn, err := driver.OpenConn(file, driver.OpenReadWrite|driver.OpenWAL)
			if err != nil {
				return err
			}
			defer conn.Close()
			return sqlitex.ExecuteScript(conn, script, nil)
		}))
	})
	t.Run("postgres", func(t *testing.T) {
		url := storetest.Postgres(t)
		s, err := postgres.Open(t.Context(), url, postgres.Options{})
		if err != nil {
			t.Fatal(err)
		}
		f(newLab(t, s, false, func(script string) error {
			conn, err := pgx.Connect(t.Context(), url)
			if err != nil {
				return err
			}
			defer conn.Close(context.Background())
			_, err = conn.Exec(t.Context(), script, pgx.QueryExecModeSimpleProtocol)
			return err
		}))
	})
}

func newLab(t *testing.T, s engine, isSQLite bool, try func(string) error) *lab {
	t.Helper()
	withinOneDay()
	signer, err := LoadSigner(filepath.Join(t.TempDir(), "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{T: t, store: s, try: try, sqlite: isSQLite, config: Config{
		Chains: s, Dir: filepath.Join(t.TempDir(), "audit"), Signer: signer, Log: slog.New(slog.DiscardHandler), CheckpointEvery: time.Hour,
	}}
	l.open()
	t.Cleanup(func() {
		if err := l.trail.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// withinOneDay waits for midnight where it is near: events have the time of the clock, and
// tests speak of the day and the month in which they are recorded.
func withinOneDay() {
	now := time.Now().UTC()
	if left := now.Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(now); left < time.Minute {
		time.Sleep(left + time.Second)
	}
}

func (l *lab) open() {
	l.Helper()
	trail, err := Open(l.config)
	if err != nil {
		l.Fatal(err)
	}
	l.trail = trail
}

// plant is try, which must succeed.
func (l *lab) plant(script string) {
	l.Helper()
	if err := l.try(script); err != nil {
		l.Fatal(err)
	}
}

// doctor is somebody who reads.
var doctor = &authz.Principal{
	ID: "account-7", Client: "clinic-app", Roles: []string{"clinician"}, Org: "DFSSA003966",
	User: fhir.Ref{Type: "Practitioner", ID: "dr"}, Purpose: "TREAT", Token: "jti-1",
}

// reads records that the doctor has read n times of patient p, and links it.
func (l *lab) reads(n int) {
	l.Helper()
	ctx := doctor.With(l.Context())
	for range n {
		e := l.trail.Event(ctx, &rest.Access{
			Request: "r", From: "10.0.0.9:1234", Interaction: rest.Read, Type: "Observation", ID: "o1", Action: 'R', Status: 200,
			Refs: []fhir.Ref{{Type: "Observation", ID: "o1"}}, Patients: []string{"p1"},
		})
		if err := l.trail.Keep(ctx, []fhir.Event{e}); err != nil {
			l.Fatal(err)
		}
	}
	l.trail.Flush(ctx)
}

// checkpoint ends the trail, which signs, and begins it again.
func (l *lab) checkpoint() {
	l.Helper()
	if err := l.trail.Close(); err != nil {
		l.Fatal(err)
	}
	l.open()
}

// verify returns what Verify finds.
func (l *lab) verify(copies ...[]byte) *Report {
	l.Helper()
	report, err := Verify(l.Context(), l.store, []PublicKey{l.config.Signer.Public()}, copies)
	if err != nil {
		l.Fatal(err)
	}
	return report
}

// sound expects n events and no fault.
func (l *lab) sound(n int64) {
	l.Helper()
	if r := l.verify(); r.Events != n || len(r.Faults) > 0 {
		l.Errorf("%d events, faults %v; want %d and none", r.Events, r.Faults, n)
	}
}
