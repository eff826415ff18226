package main

import (
	"context"
	"log/slog"
)

// migrate creates the database, or brings it to the version of this program.
type migrate struct {
	Storage storage `embed:""`
}

func (m *migrate) Run(ctx context.Context, log *slog.Logger) error {
	if err := m.Storage.migrate(ctx); err != nil {
		return err
	}
	log.Info("the database is up to date", "database", m.Storage.String())
	return nil
}
