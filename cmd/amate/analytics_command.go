package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store/analytics"
)

// analysts works with the tables that are kept for analysts.
type analysts struct {
	Status     analystsStatus     `cmd:"" help:"Show the tables, their rows, and as of when they are."`
	Dictionary analystsDictionary `cmd:"" help:"Print what the tables and columns mean."`
	Rebuild    analystsRebuild    `cmd:"" help:"Have tables made anew. A running server does it, or the next one that starts; readers see the old table until then."`
	Enable     analystsEnable     `cmd:"" help:"Have a table kept of a stored ViewDefinition."`
	Disable    analystsDisable    `cmd:"" help:"Have no table kept of a stored ViewDefinition any more."`
	Answer     analystsAnswer     `cmd:"" hidden:""`
	Grant      analystsGrant      `cmd:"" help:"Let a login of PostgreSQL read the tables, and nothing else, as with psql, Metabase or Superset. It is made when it is not there, without a password."`
}

// keeper opens the tables for a command.
func (s storage) commandKeeper(ctx context.Context, log *slog.Logger) (analytics.Keeper, error) {
	if err := s.resolve(); err != nil {
		return nil, err
	}
	return s.openKeeper(ctx, log)
}

type analystsStatus struct {
	Storage storage `embed:""`
}

func (c *analystsStatus) Run(ctx context.Context, out streams, log *slog.Logger) (err error) {
	keeper, err := c.Storage.commandKeeper(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keeper.Close()) }()
	at, counts, err := tablesCounted(ctx, keeper)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "table\trows\tmade\tstate")
	for _, name := range slices.Sorted(maps.Keys(at.Tables)) {
		kept := at.Tables[name]
		rows, made, state := "", "", "not there yet"
		if kept.Base != "" {
			rows, made, state = strconv.FormatInt(counts[name], 10), kept.Built.Format(time.RFC3339), "current"
		}
		if kept.Next != "" || kept.Print == "" && kept.Base != "" {
			state = "is made anew"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, rows, made, state)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if at.Caught.IsZero() {
		_, err = fmt.Fprintln(out.out, "\nNot everything has been in the tables yet.")
		return err
	}
	_, err = fmt.Fprintf(out.out, "\nEverything that was written by %s is in the tables. Resources left out: %d.\n", at.Caught.Format(time.RFC3339), at.Refused)
	return err
}

// tablesCounted returns how far the tables are, and how many rows each has. A table that a
// server has replaced since it was named is looked up anew, with all others.
func tablesCounted(ctx context.Context, keeper analytics.Keeper) (*analytics.Progress, map[string]int64, error) {
	at, err := keeper.Load(ctx)
	if err != nil {
		return nil, nil, err
	}
	for {
		counts, gone := map[string]int64{}, ""
		for name, kept := range at.Tables {
			if kept.Base == "" {
				continue
			}
			if counts[name], err = keeper.Count(ctx, kept.Base); err != nil {
				gone = name
				break
			}
		}
		if gone == "" {
			return at, counts, nil
		}
		now, failed := keeper.Load(ctx)
		if failed != nil {
			return nil, nil, failed
		}
		if there := now.Tables[gone]; there != nil && there.Base == at.Tables[gone].Base {
			return nil, nil, err
		}
		at = now
	}
}

type analystsDictionary struct {
	Storage storage `embed:""`
	Format  string  `help:"How it is printed: markdown or csv." enum:"markdown,csv" default:"markdown"`
}

func (c *analystsDictionary) Run(ctx context.Context, out streams, log *slog.Logger) (err error) {
	keeper, err := c.Storage.commandKeeper(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keeper.Close()) }()
	all, err := keeper.Dictionary(ctx)
	if err != nil {
		return err
	}
	if c.Format == "csv" {
		return dictionaryCSV(out.out, all)
	}
	return dictionaryMarkdown(out.out, all)
}

func dictionaryCSV(out io.Writer, all []analytics.Entry) error {
	w := csv.NewWriter(out)
	rows := [][]string{{"table", "column", "position", "sql_type", "fhir_type", "description"}}
	for _, e := range all {
		rows = append(rows, []string{e.Table, e.Column, strconv.Itoa(e.Position), e.SQL, e.FHIR, e.Description})
	}
	return w.WriteAll(rows)
}

func dictionaryMarkdown(out io.Writer, all []analytics.Entry) error {
	var b strings.Builder
	cell := strings.NewReplacer("|", `\|`, "\n", " ").Replace
	for _, e := range all {
		if e.Column == "" {
			fmt.Fprintf(&b, "## %s\n\n%s\n\nOne or more rows for each resource of the type %s.\n\n| column | type | FHIR | meaning |\n|---|---|---|---|\n", e.Table, e.Description, e.FHIR)
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", e.Column, e.SQL, e.FHIR, cell(e.Description))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

type analystsRebuild struct {
	Storage storage  `embed:""`
	Tables  []string `arg:"" optional:"" help:"Names of tables; all when none is given."`
}

func (c *analystsRebuild) Run(ctx context.Context, log *slog.Logger) (err error) {
	keeper, err := c.Storage.commandKeeper(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keeper.Close()) }()
	for {
		at, err := keeper.Load(ctx)
		if err != nil {
			return err
		}
		names := c.Tables
		if len(names) == 0 {
			names = slices.Collect(maps.Keys(at.Tables))
		}
		for _, name := range names {
			kept := at.Tables[name]
			if kept == nil {
				return usagef("there is no table %s", name)
			}
			kept.Print, kept.Wants, kept.After, kept.Full = "", "", "", false
		}
		err = keeper.Write(ctx, at)
		if errors.Is(err, analytics.ErrMoved) {
			continue // the server wrote meanwhile
		}
		if err == nil {
			log.Info("tables are made anew by the server", "tables", len(names))
		}
		return err
	}
}

type analystsEnable struct {
	Storage storage `embed:""`
	View    string  `arg:"" help:"Id of the ViewDefinition."`
}

func (c *analystsEnable) Run(ctx context.Context, log *slog.Logger) (err error) {
	store, err := c.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	id := strings.TrimPrefix(c.View, "ViewDefinition/")
	r, err := store.engine.Read(ctx, fhir.Ref{Type: "ViewDefinition", ID: id})
	if err != nil {
		return fmt.Errorf("ViewDefinition/%s: %w", id, err)
	}
	t, err := tabledOf(r.JSON, "", "")
	if err != nil {
		return fmt.Errorf("ViewDefinition/%s: %w", id, err)
	}
	err = store.Put(ctx, fhir.Entry{Kind: viewKind, Key: id, Value: []byte(`{}`)})
	if fhir.CodeOf(err) == fhir.Conflict {
		err = nil // it is enabled
	}
	if err == nil {
		log.Info("a table is kept of the view", "table", t.Name)
	}
	return err
}

type analystsDisable struct {
	Storage storage `embed:""`
	View    string  `arg:"" help:"Id of the ViewDefinition."`
}

func (c *analystsDisable) Run(ctx context.Context, log *slog.Logger) (err error) {
	store, err := c.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return store.Remove(ctx, viewKind, strings.TrimPrefix(c.View, "ViewDefinition/"), 0)
}

// analystsAnswer runs one query over the SQLite file, for a server that starts it.
type analystsAnswer struct{}

func (c *analystsAnswer) Run(ctx context.Context, out streams) error {
	return analytics.Answer(ctx, os.Stdin, out.out)
}

type analystsGrant struct {
	Storage storage `embed:""`
	Login   string  `arg:"" help:"Name of the login."`
}

func (c *analystsGrant) Run(ctx context.Context, log *slog.Logger) error {
	if err := c.Storage.resolve(); err != nil {
		return err
	}
	if c.Storage.Database == "" {
		return usagef("logins are for PostgreSQL; the file %s is for who may read it", c.Storage.analyticsFile())
	}
	unbounded, err := analytics.Admit(ctx, c.Storage.Database, c.Login)
	if err != nil {
		return err
	}
	if unbounded != nil {
		log.Warn("the login is let in, with no bound on the files of its queries", "login", c.Login, "error", unbounded)
	}
	log.Info("the login reads the tables of analysts and nothing else", "login", c.Login, "role", analytics.Role, "schema", "analytics")
	return nil
}
