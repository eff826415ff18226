// Package analytics keeps tables of de-identified rows for those who count: what views
// make of resources, kept beside the records and apart from them, and the queries that
// analysts run over them.
//
// Rows stand in tables that nobody reads but through views, which leave out the key by
// which the rows of a resource are replaced. A view is replaced in one transaction, so
// that its readers see a table as it was or as it is, never one that is half made.
//
// PostgreSQL has them in the schemas of its database analytics (what is read) and
// analytics_rows (what is kept); SQLite in a file of its own.
package analytics

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/table"
)

// Table is what is to be kept of a view.
type Table struct {
	Name        string // NameOf that of the view
	Resource    string // type of the resources that it is of
	Description string
	Columns     []table.Column
	Print       string // another one when the rows are to be made anew
}

// Kept is how far a table is.
type Kept struct {
	Print string    `json:"print,omitempty"` // of the rows that are shown
	Base  string    `json:"base,omitempty"`  // table that has them; "" while none are shown
	Next  string    `json:"next,omitempty"`  // table that is being filled; "" for none
	Wants string    `json:"wants,omitempty"` // print of that one
	After string    `json:"after,omitempty"` // where the scan goes on that fills it
	Full  bool      `json:"full,omitempty"`  // it has all rows, and can be shown
	Built time.Time `json:"built,omitzero"`  // when Base was complete
}

// Progress is how far everything is. It is stored with what it says of.
type Progress struct {
	Version int64            `json:"-"`
	Feed    fhir.Mark        `json:"feed,omitzero"` // up to which changes are in all tables
	Tables  map[string]*Kept `json:"tables,omitempty"`
	Serial  int              `json:"serial,omitempty"`  // of the newest table
	Caught  time.Time        `json:"caught,omitzero"`   // as of which everything is in the tables, at least
	Day     string           `json:"day,omitempty"`     // on which it was last looked at what time alone changes
	Refused int64            `json:"refused,omitempty"` // resources that a view or the de-identification did not take
}

// ErrMoved says that another process has written what was to be replaced.
var ErrMoved = errors.New("the tables of analysts were written by another process")

// Replacement is new rows of resources in one table, in place of what it has of them.
type Replacement struct {
	Base    string
	Columns []table.Column
	Keys    [][]byte // of the resources, 16 bytes each
	Rows    []Row
}

// Row is a row of the resource that has a key.
type Row struct {
	Key   []byte
	Cells []table.Cell
}

// Shown is a table that is to be shown.
type Shown struct {
	*Table
	Base string // has its rows
	Old  string // had them, and is removed; "" for none
}

// Entry is a line of the data dictionary: of a table where Column is "".
type Entry struct {
	Table, Column string
	Position      int    // of the column, from 1
	SQL           string // type in SQL
	FHIR          string // type in FHIR
	Description   string
}

// Keeper writes the tables. One goroutine uses it.
type Keeper interface {
	// Load reads how far everything is.
	Load(ctx context.Context) (*Progress, error)

	// Write replaces rows and stores p, in one transaction, and raises p.Version.
	// Errors: ErrMoved.
	Write(ctx context.Context, p *Progress, changes ...Replacement) error

	// Create makes an empty table named base for the rows of t, and stores p.
	// Errors: ErrMoved.
	Create(ctx context.Context, p *Progress, t *Table, base string) error

	// Publish shows tables, all in one transaction, and stores p. The order of their rows
	// tells nothing then but that of their keys.
	// Errors: ErrMoved.
	Publish(ctx context.Context, p *Progress, all ...Shown) error

	// Retire shows a table no longer, removes those that had its rows, and stores p.
	// Errors: ErrMoved.
	Retire(ctx context.Context, p *Progress, name string, bases ...string) error

	// Dictionary returns the data dictionary, by tables and the order of their columns.
	Dictionary(ctx context.Context) ([]Entry, error)

	// Count returns how many rows a table has, about.
	Count(ctx context.Context, base string) (int64, error)

	Close() error
}

// Query is a query of an analyst.
type Query struct {
	*Statement
	Arguments map[string]Argument
	Rows      int // at most
}

// Argument is the value of a parameter.
type Argument struct {
	Type string // of FHIR: "integer"; "" is text
	Text string
}

// Runner runs queries, and can do nothing else.
type Runner interface {
	// Run calls begin once with the columns of the result and then row with each row,
	// which is valid until it returns. more says that there are rows beyond q.Rows.
	// Errors: fhir.Unprocessable for what the database refuses; fhir.TooCostly for a
	// query that takes too long or too much; those of begin and row.
	Run(ctx context.Context, q *Query, begin func([]table.Column) error, row func([]table.Cell) error) (more bool, err error)

	// Dialect names the SQL that is spoken, as contentType of a Library has it.
	Dialect() string

	Close() error
}

// Limits bound a query.
type Limits struct {
	Time        time.Duration // for a query as a whole
	Connections int           // queries at a time

	// Busy reports whether others are served, beside whom a query that runs apart is to rest;
	// nil for never. Rest is then called by one that has worked for some time, and returns
	// when it may go on. Errors: that of ctx.
	Busy func() bool
	Rest func(ctx context.Context, worked time.Duration) error
}

// longestValue is how many bytes a value of a result has at most.
const longestValue = 1 << 20

func tooSlow(limit time.Duration) error {
	return fhir.Errorf(fhir.TooCostly, "the query took more than %s: narrow it, or ask the operator for a larger --analytics-timeout", limit)
}

// nameForm is what names look like in every database, also without quotes.
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,49}$`)

// rowsPrefix begins the names of tables that have rows, progressTable is that which has the
// Progress in SQLite.
const (
	rowsPrefix    = "rows_"
	progressTable = rowsPrefix + "progress"
)

// BaseName returns the name of the table that has the rows of one called name.
func BaseName(name string, serial int) string {
	return fmt.Sprintf("%s%s_%d", rowsPrefix, name, serial)
}

// reservedNames are those that tables here have already, or that cannot be used.
var reservedNames = map[string]bool{"dictionary": true}

// NameOf returns the name that a view or column has in SQL: in small letters, as it can be
// written without quotes. Errors: fhir.Unprocessable for one that no database takes.
func NameOf(name string) (string, error) {
	low := strings.ToLower(name)
	switch {
	case !nameForm.MatchString(low):
		return "", fhir.Errorf(fhir.Unprocessable, "names of tables and columns begin with a letter, and have up to 50 letters, digits and _").With("%.100q", name)
	case strings.HasPrefix(low, "pg_") || strings.HasPrefix(low, "sqlite_") || strings.HasPrefix(low, rowsPrefix):
		return "", fhir.Errorf(fhir.Unprocessable, "names that begin with pg_, sqlite_ or rows_ belong to the database").With("%.100q", name)
	}
	return low, nil
}

// Named returns t with names that SQL takes.
// Errors: fhir.Unprocessable for names that it does not, or that become the same.
func Named(t Table) (Table, error) {
	var err error
	if t.Name, err = NameOf(t.Name); err != nil {
		return t, err
	}
	if reservedNames[t.Name] {
		return t, fhir.Errorf(fhir.Unprocessable, "a table of that name is there already").With("%q", t.Name)
	}
	seen := map[string]bool{keyColumn: true, numberColumn: true}
	columns := make([]table.Column, len(t.Columns))
	for i, c := range t.Columns {
		if c.Name, err = NameOf(c.Name); err != nil {
			return t, err
		}
		if seen[c.Name] {
			return t, fhir.Errorf(fhir.Unprocessable, "two columns have the same name in SQL, where letters are small").With("%q", c.Name)
		}
		seen[c.Name] = true
		columns[i] = c
	}
	t.Columns = columns
	return t, nil
}
