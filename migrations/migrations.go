package migrations

import (
	"embed"
	"fmt"
	"io/fs"
	"sort"
	"strconv"
	"strings"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// step is one numbered file.
type step struct {
	number int    // from 1, without gaps
	name   string // "0001_start.sql"
	sql    string
}

// VersionError says that the schema of a database and this program do not fit.
type VersionError struct {
	Database int // number of the newest migration in the database; 0 for an empty one
	Program  int // number of the newest migration this program knows
}

// Error says which side is behind, and what to do.
func (e *VersionError) Error() string {
	if e.Database > e.Program {
		return fmt.Sprintf("the database has schema version %d, newer than version %d of this program: run a newer amate",
			e.Database, e.Program)
	}
	return fmt.Sprintf("the database has schema version %d, older than version %d of this program: run amate migrate",
		e.Database, e.Program)
}

// load returns the steps of one engine, in order.
func load(engine string) ([]step, error) {
	names, err := fs.Glob(files, engine+"/*.sql")
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	var steps []step
	for i, path := range names {
		name := strings.TrimPrefix(path, engine+"/")
		number, err := strconv.Atoi(name[:min(4, len(name))])
		if err != nil || number != i+1 {
			return nil, fmt.Errorf("migration %s: its number should be %04d", path, i+1)
		}
		text, err := files.ReadFile(path)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step{number: number, name: name, sql: string(text)})
	}
	return steps, nil
}

// missing returns the steps that a database at version have still lacks.
func missing(engine string, have int) ([]step, error) {
	steps, err := load(engine)
	if err != nil {
		return nil, err
	}
	if have > len(steps) {
		return nil, &VersionError{Database: have, Program: len(steps)}
	}
	return steps[have:], nil
}

// check returns a *VersionError unless a database at version have is just what this program knows.
func check(engine string, have int) error {
	left, err := missing(engine, have)
	if err == nil && len(left) > 0 {
		err = &VersionError{Database: have, Program: have + len(left)}
	}
	return err
}
