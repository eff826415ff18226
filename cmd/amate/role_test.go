package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/amate-health/amate/store/storetest"
)

// TestServingRole: a role that "amate migrate --grant" made serves everything, from a
// database URL in a file, and can neither alter the schema nor rewrite what happened.
func TestServingRole(t *testing.T) {
	t.Parallel()
	db := storetest.StartServer(t)
	owner := storage{Data: t.TempDir(), Database: db.URL("postgres")}
	m := migrate{Storage: owner, Grant: "amate serving"}
	quiet := slog.New(slog.DiscardHandler)
	for range 2 { // again after an upgrade
		if err := m.Run(t.Context(), quiet); err != nil {
			t.Fatal(err)
		}
	}
	asRole := strings.Replace(owner.Database, "amate@", "amate%20serving@", 1)
	secret := filepath.Join(t.TempDir(), "database")
	if err := os.WriteFile(secret, []byte(asRole+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startServe(t, "--data", owner.Data, "--database-file", secret)
	ctx := context.Background()
	id, ok := write(ctx, http.MethodPost, p.base+"/Patient", patient("", "Role"), http.StatusCreated)
	if !ok {
		t.Fatal("create failed")
	}
	for method, body := range map[string]string{http.MethodPut: patient(id, "Changed"), http.MethodGet: ""} {
		if _, ok := write(ctx, method, p.base+"/Patient/"+id, body, http.StatusOK); !ok {
			t.Errorf("%s failed", method)
		}
	}
	if _, ok := write(ctx, http.MethodPost, p.base, transactionOf("role", 150), http.StatusOK); !ok {
		t.Error("a large transaction failed")
	}
	if _, ok := write(ctx, http.MethodDelete, p.base+"/Patient/"+id, "", http.StatusNoContent); !ok {
		t.Error("delete failed")
	}
	if status, body := get(t, p.base+"/AuditEvent?action=D&patient="+id); status != http.StatusOK || !strings.Contains(body, `"action":"D"`) {
		t.Errorf("the audit trail: %d %s", status, body)
	}
	p.terminate(t)
	if log := p.log.String(); strings.Contains(log, `"level":"ERROR"`) {
		t.Errorf("errors in the log: %s", log)
	}
	verified(t, owner)
	refused(t, asRole)
}

// refused tries what the serving role must not be able to do.
func refused(t *testing.T, asRole string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), asRole)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	partition := "audit_" + thisMonth()
	for _, sql := range []string{
		`ALTER TABLE resource ADD COLUMN x integer`, `DROP TABLE version`, `CREATE TABLE mine (x integer)`,
		`UPDATE audit SET seq = 0`, `DELETE FROM audit`, `TRUNCATE audit`, `DROP TABLE ` + partition,
		`UPDATE ` + partition + ` SET seq = 0`, `DELETE FROM ` + partition, `ALTER TABLE audit DISABLE TRIGGER ALL`,
		`UPDATE audit_checkpoint SET seq = 0`, `DELETE FROM audit_checkpoint`, `UPDATE audit_inbox SET content = ''`,
		`UPDATE version SET content = ''`, `DELETE FROM version`, `TRUNCATE version`, `UPDATE setting SET value = ''`,
		`INSERT INTO migration VALUES (999, 'x', now())`, `SELECT audit_drop(` + thisMonth() + `)`,
		`SELECT audit_prepare(999999)`, `SET session_replication_role = replica`, `DROP FUNCTION audit_is_fixed() CASCADE`,
	} {
		var pg *pgconn.PgError
		_, err := conn.Exec(t.Context(), sql)
		if !errors.As(err, &pg) || pg.Code != "42501" && pg.Code != "P0001" { // no privilege; a check of ours
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// thisMonth is the end of the name of a partition: 202611.
func thisMonth() string { return time.Now().UTC().Format("200601") }
