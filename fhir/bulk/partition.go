package bulk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/table"
)

// columns are those of resources in Parquet.
var columns = []table.Column{
	{Name: "id", Type: "id", Description: "the logical id", Unique: true},
	{Name: "versionId", Type: "string", Description: "the version"},
	{Name: "lastUpdated", Type: "instant", Description: "when the version was made"},
	{Name: "resource", Type: "string", Description: "the resource in JSON", Unique: true},
}

const (
	// partMost is how many resources of a type go into the files of one part, one for each
	// month; a part that is not finished is made anew after a restart.
	partMost = 200_000
	// monthsMost is how many files are open at a time, about: each takes a megabyte, and
	// heldMost is how many bytes the rows have that all of them hold.
	monthsMost = 24
	heldMost   = 32 << 20
)

// month is a file of Parquet of what was last updated in a month.
type month struct {
	file *File
	rows table.Grouped
}

// partitions writes what is exported of a type as Parquet, in a file for each month: part by
// part, so that a restart loses one part at most.
func (e *exporting) partitions(ctx context.Context, typ string) error {
	months := map[string]*month{}
	var n int64
	closeAll := func(after string) error {
		for _, key := range slices.Sorted(maps.Keys(months)) {
			m := months[key]
			if err := first(m.rows.Close(), m.file.Close()); err != nil {
				return err
			}
		}
		clear(months)
		e.at.After, e.at.Done, e.at.Files, n = after, e.at.Done+n, e.at.Files+1, 0
		return e.run.Save(ctx, e.at)
	}
	last := e.at.After
	err := e.scan(ctx, typ, func(found []fhir.Resource, after string) error {
		for i := range found {
			r := &found[i]
			m, err := e.month(months, typ, r.Updated.UTC().Format("2006-01"))
			if err == nil {
				err = e.row(m, r)
			}
			if err != nil {
				return err
			}
			n++
		}
		if err := settle(months); err != nil {
			return err
		}
		last = after
		e.progress(e.at.Done+n, typ)
		if n >= partMost || len(months) > monthsMost || e.stale {
			return closeAll(after)
		}
		return ctx.Err()
	})
	if err != nil || n == 0 {
		return err
	}
	return closeAll(last)
}

// settle has files write rows, those that hold most first, until all hold few enough.
func settle(months map[string]*month) error {
	held, open := 0, slices.Collect(maps.Values(months))
	for _, m := range open {
		held += m.held()
	}
	slices.SortFunc(open, func(a, b *month) int { return b.held() - a.held() })
	for _, m := range open {
		if held <= heldMost {
			break
		}
		held -= m.held()
		if err := m.rows.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// held returns how many bytes the rows have that a file holds.
func (m *month) held() int { return m.rows.Held() }

// month returns the file of a month.
func (e *exporting) month(months map[string]*month, typ, key string) (*month, error) {
	if m := months[key]; m != nil {
		return m, nil
	}
	file, err := e.run.Whole(Output{
		Name: fmt.Sprintf("%s.%s.%d.parquet", typ, key, e.at.Files+1), List: Outputs, Type: typ, Media: table.Parquet.Media,
		Extension: []byte(fmt.Sprintf(`{"partition":{"type":%q,"month":%q}}`, typ, key)),
	})
	if err != nil {
		return nil, err
	}
	rows, err := table.Parquet.Open(file, columns, table.Options{})
	if err != nil {
		return nil, err
	}
	months[key] = &month{file, rows.(table.Grouped)}
	return months[key], nil
}

// row writes a resource, as the orderer sees it.
func (e *exporting) row(m *month, r *fhir.Resource) error {
	json, err := e.seen(r)
	if err != nil {
		return err
	}
	m.file.Add(1)
	return m.rows.Write([]table.Cell{
		{Kind: table.String, Text: r.Ref.ID}, {Kind: table.String, Text: strconv.FormatInt(r.Ref.Version, 10)},
		{Kind: table.String, Text: r.Updated.UTC().Format(fhir.InstantLayout)}, {Kind: table.String, Text: string(json)},
	})
}
