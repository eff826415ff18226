package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/rbac"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/analysis"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/view"
	"github.com/amate-health/amate/store/analytics"
	"github.com/amate-health/amate/store/job"
)

// analysing says how tables are kept for analysts, and how they may ask.
type analysing struct {
	Off          bool          `help:"Keep no tables for analysts, and answer no queries."`
	Database     string        `help:"PostgreSQL database in which the queries of analysts run: a replica of the server's own, best with a login made by 'amate analytics grant'. Without it they run in the server's own." placeholder:"URL"`
	DatabaseFile string        `help:"File that holds what --analytics-database is to say." placeholder:"FILE" type:"path"`
	Timeout      time.Duration `help:"Time for one query of an analyst." default:"30s"`
	Connections  int           `help:"Queries of analysts that run at a time." default:"2"`
	Rows         int           `help:"Rows that the answer to one query has at most." default:"100000"`
	Release      string        `help:"Names the pseudonyms in the tables: with another name all of them are others, and the tables are made anew." default:"tables" placeholder:"NAME"`
}

// analytic is what an open server has of the tables.
type analytic struct {
	analysing
	keeper analytics.Keeper
	runner analytics.Runner // nil where no queries are answered
	alone  sync.Once        // makes guard
	guard  *authz.Guard     // of who sees what every analyst may, where there is no access control
	caught atomic.Int64     // when everything was in the tables, in Unix seconds; 0 where another server sees to it
}

// analyticsFile is the SQLite file of the tables.
func (s storage) analyticsFile() string { return filepath.Join(s.Data, "analytics.db") }

// openKeeper opens the tables for writing.
func (s storage) openKeeper(ctx context.Context, log *slog.Logger) (analytics.Keeper, error) {
	if s.Database == "" {
		return analytics.OpenSQLite(ctx, s.analyticsFile())
	}
	keeper, missing, err := analytics.OpenPostgres(ctx, s.Database)
	if missing != nil {
		log.Warn("analysts cannot be let in", "error", missing)
	}
	return keeper, err
}

// check reads what the flags say.
func (a *analysing) check() error {
	switch {
	case a.Timeout <= 0 || a.Connections < 1 || a.Rows < 1:
		return usagef("--analytics-timeout, --analytics-connections and --analytics-rows are more than nothing")
	case a.DatabaseFile == "":
		return nil
	case a.Database != "":
		return usagef("--analytics-database and --analytics-database-file say the same: give one")
	}
	text, err := secretFile("analytics-database-file", a.DatabaseFile)
	a.Database = text
	return err
}

// openAnalytics opens what runs queries, and lets this process keep the tables.
func (o *opened) openAnalytics(ctx context.Context, a analysing, s storage, log *slog.Logger) error {
	if err := a.check(); err != nil {
		return err
	}
	o.gate = newGate()
	o.analytic = &analytic{analysing: a}
	if a.Off {
		return nil
	}
	keeper, err := s.openKeeper(ctx, log)
	if err != nil {
		// Records are served without tables for analysts rather than not at all.
		log.Error("there are no tables for analysts", "error", err)
		return nil
	}
	limits := analytics.Limits{Time: a.Timeout, Connections: a.Connections, Busy: func() bool { return o.gate.busy(time.Now()) }, Rest: o.gate.yielding}
	var standing analytics.Standing
	switch {
	case a.Database != "":
		o.analytic.runner, standing, err = analytics.RunPostgres(ctx, a.Database, limits)
		standing.Equal = nil // that of clinics is another one
	case s.Database != "":
		o.analytic.runner, standing, err = analytics.RunPostgres(ctx, s.Database, limits)
	case thisProgram != "":
		o.analytic.runner = analytics.RunSQLiteApart(s.analyticsFile(), limits, thisProgram, "analytics", "answer")
	default:
		o.analytic.runner, err = analytics.RunSQLite(s.analyticsFile(), limits)
	}
	if err != nil {
		return errors.Join(err, keeper.Close())
	}
	if standing.Records {
		log.Warn("the login by which queries of analysts run can read the records too: they run as " + analytics.Role + ", and what they call is checked; a login of their own ('amate analytics grant') is safer")
	}
	if standing.Equal != nil {
		log.Info("queries of analysts do not yield to clinics in the database: a replica for them (--analytics-database) would", "cause", standing.Equal)
	}
	return o.handleTables(ctx, keeper)
}

// closeAnalytics ends queries.
func (o *opened) closeAnalytics(log *slog.Logger) {
	if o.analytic == nil || o.analytic.runner == nil {
		return
	}
	if err := errors.Join(o.analytic.runner.Close(), o.analytic.keeper.Close()); err != nil {
		log.Error("close the database of analysts", "error", err)
	}
}

// watch tells m how far behind the tables are.
func (a *analytic) watch(m *metrics) {
	if a == nil || a.Off {
		return
	}
	m.gauge("amate_analytics_lag_seconds", "For how long at most there has been something that is not in the tables of analysts yet; NaN on a server that does not keep them.", func() float64 {
		at := a.caught.Load()
		if at == 0 {
			return math.NaN()
		}
		return max(0, time.Since(time.Unix(at, 0)).Seconds()-analyticsIdle.Seconds())
	})
}

// tablesJob is the kind of the job that keeps the tables.
const tablesJob = "analytics-tables"

// handleTables lets this process keep the tables.
func (o *opened) handleTables(ctx context.Context, keeper analytics.Keeper) error {
	o.jobs.Handle(tablesJob, 1, func(ctx context.Context, t *job.Task) error {
		defer o.analytic.caught.Store(0)
		return (&tabulator{opened: o, keeper: keeper, task: t}).follow(ctx)
	})
	o.analytic.keeper = keeper
	return o.stand(ctx, tablesJob)
}

// tabled is a view of which a table is kept.
type tabled struct {
	analytics.Table
	view  *view.View
	shape string // stands for the definition, and the pseudonyms
}

// analyst is whom the tables are made for: who sees what every analyst may see.
var analyst = &authz.Principal{ID: "analytics", Roles: []string{"analyst"}, Scopes: []string{"user/*.rs"}, Purpose: "PUBHLTH"}

// guardian is the guard that says what an analyst may see.
func (o *opened) guardian() *authz.Guard {
	if o.guarded != nil {
		return o.guarded
	}
	o.analytic.alone.Do(func() {
		o.analytic.guard = authz.NewGuard(authz.GuardConfig{Store: o.engine, Base: o.indexing.Base, Seen: o.Feed().Seen})
	})
	return o.analytic.guard
}

// heed has it looked anew whether anything is blocked. For a second it is believed that
// nothing is, and another server may have blocked the first record meanwhile: who asks for
// that record a moment later is refused, but a table would show it for good.
func (o *opened) heed() { o.guardian().Written(&fhir.Resource{Ref: fhir.Ref{Type: "Consent"}}) }

// asAnalyst returns what an analyst may see of a type, in the form of a decision.
func (o *opened) asAnalyst(ctx context.Context, typ string) (rest.Decision, error) {
	// Analysts view records, and read none.
	d, err := o.guardian().Check(analyst.With(ctx), &rest.Request{Interaction: rest.Operation, Operation: "viewdefinition-run"})
	if err != nil {
		return d, err
	}
	if _, listed := d.Restriction.Of(typ); !listed && !d.Restriction.Open() {
		return d, fhir.Errorf(fhir.Forbidden, "analysts view no resources of this type")
	}
	return d, nil
}

// sqlRun is the operation that reads the tables.
const sqlRun = "sql-run"

// viewKind is the kind of the entries that name stored views of which tables are kept.
const viewKind = "analytics-view"

// tables returns the views of which tables are to be kept: those that come with the
// program, and stored ones that were enabled. A stored one that cannot be is passed over.
func (o *opened) tables(ctx context.Context, month time.Time) ([]tabled, error) {
	made := o.madeBy(month)
	var all []tabled
	for _, v := range analysis.Views() {
		s, err := tabledOf(v.Definition, o.analytic.Release, made)
		if err != nil {
			return nil, fmt.Errorf("the view %s: %w", v.Name, err)
		}
		all = append(all, s)
	}
	enabled, err := o.Entries(ctx, viewKind, "", "", 1000)
	if err != nil {
		return nil, err
	}
	for _, e := range enabled {
		r, err := o.engine.Read(ctx, fhir.Ref{Type: "ViewDefinition", ID: e.Key})
		if code := fhir.CodeOf(err); code == fhir.NotFound || code == fhir.Gone || code == fhir.UnknownType {
			continue
		}
		if err != nil {
			return nil, err
		}
		s, err := tabledOf(r.JSON, o.analytic.Release, made)
		if err == nil && slices.ContainsFunc(all, func(have tabled) bool { return have.Name == s.Name }) {
			err = fhir.Errorf(fhir.Conflict, "another view has that name")
		}
		if err != nil {
			o.log.Warn("no table is kept of a view that was enabled", "view", e.Key, "error", err)
			continue
		}
		all = append(all, s)
	}
	return all, nil
}

// madeBy stands for all but the view and the release that decides about rows: who may see
// what, how they are de-identified, and the month as of which people have an age.
func (o *opened) madeBy(month time.Time) string {
	policy := rbac.Default()
	if o.guarded != nil {
		policy = o.guarded.Rules()
	}
	return fmt.Sprintf("%s %s", policy.Markdown(rbac.English), month.Format("2006-01"))
}

// tabledOf compiles a view for a table.
func tabledOf(definition []byte, release, made string) (tabled, error) {
	d, err := element.Parse(definition)
	if err != nil {
		return tabled{}, err
	}
	v, err := view.Compile(d, 0)
	if err != nil {
		return tabled{}, err
	}
	t, err := analytics.Named(analytics.Table{Name: v.Name, Resource: v.Resource, Description: d.TextAt(0, "description"), Columns: v.Columns})
	if err != nil {
		return tabled{}, err
	}
	if analysis.Hidden(v.Resource) {
		return tabled{}, fhir.Errorf(fhir.Unprocessable, "nothing of such resources is shown without who they are of").With("%s", v.Resource)
	}
	shape := digest(string(definition) + " " + release)
	t.Print = shape + digest(made)
	return tabled{Table: t, view: v, shape: shape}, nil
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:12])
}
