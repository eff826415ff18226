package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/amate-health/amate/fhir/registry/identity/directory"
)

// directories works with the registries of health facilities and professionals.
type directories struct {
	Load directoryLoad `cmd:"" help:"Load facilities (Organization, Location) and professionals (Practitioner, PractitionerRole) from CSV files. Loading again updates what is there."`
}

// directoryLoad loads the registries.
type directoryLoad struct {
	Storage       storage `embed:""`
	Facilities    string  `help:"CSV of the DGIS catalogue ESTABLECIMIENTO_SALUD, with its header." placeholder:"FILE" type:"existingfile"`
	Practitioners string  `help:"CSV of professionals: CEDULA, NOMBRE, PRIMER APELLIDO, SEGUNDO APELLIDO, CURP, SEXO, PROFESION, ESPECIALIDAD, CLUES." placeholder:"FILE" type:"existingfile"`
}

func (c *directoryLoad) Run(ctx context.Context, out streams, log *slog.Logger) error {
	if c.Facilities == "" && c.Practitioners == "" {
		return usagef("give --facilities, --practitioners or both")
	}
	store, err := c.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	err = c.load(ctx, store, c.Facilities, "facilities", directory.Facilities, out)
	if err == nil { // facilities first: professionals refer to them
		err = c.load(ctx, store, c.Practitioners, "professionals", directory.Practitioners, out)
	}
	return errors.Join(err, store.Close())
}

func (c *directoryLoad) load(ctx context.Context, store *opened, file, what string, read func(io.Reader, func(directory.Batch) error) ([]directory.Skipped, error), out streams) error {
	if file == "" {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	resources := 0
	skipped, err := read(f, func(b directory.Batch) error {
		resources += b.Entries
		return applyTransaction(ctx, store, b.JSON)
	})
	for _, s := range skipped {
		fmt.Fprintf(out.err, "%s, line %d: left out: %s\n", file, s.Line, s.Why)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	fmt.Fprintf(out.out, "%s: %d resources, %d rows left out\n", what, resources, len(skipped))
	if resources == 0 && len(skipped) > 0 {
		return fmt.Errorf("%s: no row could be taken", file)
	}
	return nil
}
