// Package mexico holds Mexico's national immunization schedule, the Programa de
// Vacunación Universal, as data.
//
// Each folder beside this file is one version, in the form that [schedule.Load] reads: a
// file for each antigen with a source for every series, written to be reviewed by those
// who run vaccination. Where the sources leave something open, "unsure" says what was
// chosen. A country brings its own schedule as a folder of the same form.
package mexico

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"

	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

//go:embed 2026
var files embed.FS

// Name is the name of the schedule.
const Name = "mx"

// Shelf returns the versions of the schedule, the newest last.
// Errors: a version contradicts itself, which the tests of this package would have shown.
func Shelf() ([]*schedule.Schedule, error) {
	folders, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, err
	}
	var all []*schedule.Schedule
	for _, f := range folders {
		folder, err := fs.Sub(files, f.Name())
		if err != nil {
			return nil, err
		}
		s, err := schedule.Load(folder)
		if err != nil {
			return nil, fmt.Errorf("the schedule %s: %w", f.Name(), err)
		}
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(a, b *schedule.Schedule) int { return int(a.From - b.From) })
	return all, nil
}
