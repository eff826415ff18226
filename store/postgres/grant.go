package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/amate-health/amate/migrations"
)

// Grant lets role serve the database at url, whose schema is current, and do no more.
func Grant(ctx context.Context, url, role string) (err error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return errors.New("the database URL cannot be read") // the cause would quote its password
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	return migrations.Grant(ctx, conn, role)
}
