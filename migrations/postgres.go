package migrations

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// lockKey is the advisory lock that keeps two migrating programs apart ("amate" in ASCII).
const lockKey = 0x616d617465

const undefinedTable = "42P01"

// Postgres applies what the database lacks, each step in a transaction of its
// own. Programs that do so at once wait for one another. It returns a
// *VersionError when the database is newer than the program.
func Postgres(ctx context.Context, conn *pgx.Conn) (err error) {
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(lockKey)); err != nil {
		return fmt.Errorf("lock for migration: %w", err)
	}
	defer func() {
		_, unlockErr := conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(lockKey))
		err = errors.Join(err, unlockErr)
	}()
	have, err := postgresVersion(ctx, conn)
	if err != nil {
		return err
	}
	left, err := missing("postgres", have)
	if err != nil {
		return err
	}
	for _, s := range left {
		if err := postgresStep(ctx, conn, s); err != nil {
			return fmt.Errorf("migration %s: %w", s.name, err)
		}
	}
	return nil
}

// CheckPostgres returns a *VersionError unless the database is at the program's version.
// It only reads, so a role that may not alter tables can call it. It waits for who is
// migrating: a database on its way is that of no program.
func CheckPostgres(ctx context.Context, conn *pgx.Conn) error {
	have, err := postgresVersion(ctx, conn)
	if err != nil {
		return err
	}
	older := check("postgres", have)
	if older == nil || have == 0 {
		return older
	}
	for _, sql := range []string{`SELECT pg_advisory_lock_shared($1)`, `SELECT pg_advisory_unlock_shared($1)`} {
		if _, err := conn.Exec(ctx, sql, int64(lockKey)); err != nil {
			return fmt.Errorf("wait for a migration: %w", err)
		}
	}
	if have, err = postgresVersion(ctx, conn); err != nil {
		return err
	}
	return check("postgres", have)
}

func postgresStep(ctx context.Context, conn *pgx.Conn, s step) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := tx.Exec(ctx, s.sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	const record = `INSERT INTO migration (number, name, applied) VALUES ($1, $2, now())`
	if _, err := tx.Exec(ctx, record, s.number, s.name); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// postgresVersion returns the number of the newest migration applied, 0 for an empty database.
func postgresVersion(ctx context.Context, conn *pgx.Conn) (int, error) {
	var n int
	err := conn.QueryRow(ctx, `SELECT coalesce(max(number), 0) FROM migration`).Scan(&n)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == undefinedTable {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the schema version: %w", err)
	}
	return n, nil
}
