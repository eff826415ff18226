package main

import (
	"context"
	"log/slog"

	"github.com/amate-health/amate/store/postgres"
)

// migrate creates the database, or brings it to the version of this program.
type migrate struct {
	Storage storage `embed:""`
	Grant   string  `help:"Let this role of PostgreSQL serve the database, and no more than that: it cannot alter tables, nor change or remove versions and the audit trail. The role is made when it is not there." placeholder:"ROLE"`
}

func (m *migrate) Run(ctx context.Context, log *slog.Logger) error {
	if err := m.Storage.resolve(); err != nil {
		return err
	}
	if m.Grant != "" && m.Storage.Database == "" {
		return usagef("--grant is for PostgreSQL; a SQLite file is for who owns it")
	}
	if err := m.Storage.migrate(ctx); err != nil {
		return err
	}
	log.Info("the database is up to date", "database", m.Storage.String())
	if m.Grant == "" {
		return nil
	}
	if err := postgres.Grant(ctx, m.Storage.Database, m.Grant); err != nil {
		return err
	}
	log.Info("the role can serve the database", "role", m.Grant)
	return nil
}
