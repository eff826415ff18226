package view

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bulk"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/table"
)

// Canonical URLs of the operations: those of SQL on FHIR 2, and of the ballot of 3.0.
//
// See https://sql-on-fhir.org/ig/2.0.0/OperationDefinition-ViewDefinitionRun.html and
// https://build.fhir.org/ig/HL7/sql-on-fhir/en/operations.html.
const (
	OperationURL   = "http://sql-on-fhir.org/OperationDefinition/$viewdefinition-run"
	ExportURL      = "http://sql-on-fhir.org/OperationDefinition/$viewdefinition-export"
	shortURL       = "http://sql-on-fhir.org/OperationDefinition/$run"
	ballotURL      = "http://hl7.org/fhir/uv/sql-on-fhir/OperationDefinition/SQLRun"
	ballotExport   = "http://hl7.org/fhir/uv/sql-on-fhir/OperationDefinition/SQLExport"
	viewDefinition = "ViewDefinition"
)

// Sight is how somebody sees resources.
type Sight struct {
	Restriction *search.Restriction
	Seen        func(resource []byte) ([]byte, error) // nil when they see all of every resource
}

// Config is what a Service needs. Scanner and Search must be set.
type Config struct {
	Scanner search.Scanner
	Search  func(ctx context.Context, q *search.Query) (*search.Result, error)

	// Prepare returns what rows are made of for somebody, one for each of some stored
	// resources of a type, in any order; it does what Sight.Seen does, and more for those
	// who may not know who people are. Nil does what Sight.Seen does.
	Prepare func(ctx context.Context, v *View, sight Sight, found []fhir.Resource) ([][]byte, error)

	// Shipped returns a view that comes with the server and is not stored, by name, id or
	// canonical URL. Nil knows none.
	Shipped func(name string) (definition []byte, ok bool)

	Queries Queries // that $sql-export orders too; nil for none

	Orders *bulk.Service // takes orders of exports; nil for none

	AtOnce int // runs over stored resources at a time; 0 is 4
}

// Queries runs queries over tables, as views are run over resources.
type Queries interface {
	// Plan reads the query that parameters of an order say, which get returns by their names,
	// and returns it as JSON, to be kept; nil when they say a view.
	// Errors: those of a query that is not run, or not for who asks.
	Plan(ctx context.Context, call *operation.Call, get func(name string) []operation.Value) (json.RawMessage, error)

	// Run runs a query of Plan as the one whom ctx is of: it calls begin once, with the
	// columns, and then row with each row, which is valid until it returns.
	Run(ctx context.Context, query json.RawMessage, begin func([]table.Column) error, row func([]table.Cell) error) error
}

// Service runs views over what is stored.
type Service struct {
	Config

	mu   sync.Mutex
	all  int            // runs that are under way
	runs map[string]int // likewise, by who asked
}

// New returns the Service that cfg describes. Its exports are added to the kinds of
// cfg.Orders.
func New(cfg Config) *Service {
	if cfg.AtOnce <= 0 {
		cfg.AtOnce = 4
	}
	s := &Service{Config: cfg, runs: map[string]int{}}
	if s.Orders != nil {
		for _, name := range exportNames {
			s.Orders.Add(s.kind(name))
		}
	}
	return s
}

// Operations lists $viewdefinition-run, also as $run and $sql-run, and, where orders are
// taken, $viewdefinition-export and $sql-export. All show what the caller may read and
// search anyway, so that whoever is signed in may try views.
func (s *Service) Operations() []operation.Operation {
	const runs = "Makes a table of resources, as a ViewDefinition says, in JSON, NDJSON, CSV or Parquet (_format), as one answer without pages. Its rows stand in no order that can be relied on, and _limit takes any of them."
	one := operation.Operation{
		Name: "viewdefinition-run", URL: OperationURL, Scope: operation.OnSystem | operation.OnType | operation.OnInstance,
		Types: []string{viewDefinition}, Sees: true, Media: table.Media(), Documentation: runs, Run: s.run,
	}
	short, ballot := one, one
	short.Name, short.URL, short.Scope = "run", shortURL, operation.OnType|operation.OnInstance
	// The ballot has it on the system alone; on what is to be run it was before, by another name.
	ballot.Name, ballot.URL, ballot.Scope, ballot.Types = "sql-run", ballotURL, operation.OnSystem|operation.OnInstance, []string{viewDefinition, "Library"}
	all := []operation.Operation{one, short, ballot}
	if s.Orders == nil {
		return all
	}
	const exports = "Orders tables of resources, as ViewDefinitions say, to be fetched when they are done (Prefer: respond-async)."
	return append(all,
		operation.Operation{
			Name: "viewdefinition-export", URL: ExportURL, Scope: operation.OnSystem | operation.OnType | operation.OnInstance,
			Types: []string{viewDefinition}, Sees: true, Media: table.Media(), Documentation: exports, Run: s.Orders.Order("viewdefinition-export"),
		},
		operation.Operation{
			Name: "sql-export", URL: ballotExport, Scope: operation.OnSystem, Sees: true, Media: table.Media(), Documentation: exports, Run: s.Orders.Order("sql-export"),
		})
}
