package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bulk"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// bulkExport writes what is stored into files, for somebody who can open the database, and
// so may see everything anyway. It is $export without a server; a server may run meanwhile.
type bulkExport struct {
	Storage storage `embed:""`

	Out    string   `help:"Folder that the files are written to, which is made, or empty. They name patients, and are for the user alone who runs this." required:"" placeholder:"DIR" type:"path"`
	Format string   `help:"ndjson, a resource a line, which amate import reads; or parquet, a file for each type and month." enum:"ndjson,parquet" default:"ndjson"`
	Type   []string `help:"Types of resources that are written; all when none is named." placeholder:"TYPE"`
	Since  string   `help:"Only what changed after this moment, and, as transactions, what was deleted since." placeholder:"INSTANT"`
}

func (x *bulkExport) Run(ctx context.Context, out streams, log *slog.Logger) (err error) {
	var params []search.Param
	for name, value := range map[string]string{"_outputFormat": x.Format, "_type": strings.Join(x.Type, ","), "_since": x.Since} {
		if value != "" {
			params = append(params, search.Param{Name: name, Value: value})
		}
	}
	files, err := openFolder(x.Out)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && files.fresh {
			err = errors.Join(err, os.Remove(x.Out)) // nothing came into it, or it was removed
		}
	}()
	store, err := x.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := x.Storage.recordExport(ctx, store, "$"+bulk.ExportName, log); err != nil {
		return err
	}
	service := bulk.New(bulk.Config{Files: files, Access: operator{}, Moment: store.engine.Moment, Plain: true}, store.bulkKinds()...)
	call := &operation.Call{Restriction: search.Unrestricted, In: operation.NewInputs(params, nil)}
	began := time.Now()
	order, err := service.Do(ctx, bulk.ExportName, call, &toldExport{to: out.err})
	var told *fhir.Error
	if errors.As(err, &told) && told.Code == fhir.Invalid {
		err = usagef("%s: %s", told.Details, told.Diagnostics)
	}
	if err != nil {
		return errors.Join(err, files.Remove("")) // a part would pass for the whole
	}
	counts, total := map[string]int64{}, int64(0)
	for i := range order.Outputs {
		counts[order.Outputs[i].Type] += order.Outputs[i].Count
		total += order.Outputs[i].Count
	}
	for _, typ := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(out.out, "%9d %s\n", counts[typ], typ)
	}
	_, err = fmt.Fprintf(out.out, "%d resources in %d files, as they were at %s, in %.1f s\n",
		total, len(order.Outputs), order.At.Format(fhir.InstantLayout), time.Since(began).Seconds())
	return err
}

// operator may see everything.
type operator struct{}

func (operator) Owner(context.Context) ([]byte, bool, error) { return []byte("{}"), false, nil }

func (operator) As(ctx context.Context, _ []byte) (context.Context, error) { return ctx, nil }

func (operator) Rights(context.Context, string, string, string) (*bulk.Rights, error) {
	return &bulk.Rights{Restriction: search.Unrestricted}, nil
}

// toldExport is work that tells how far it is, and cannot be gone on with.
type toldExport struct {
	to   io.Writer
	text string
}

func (t *toldExport) Position(any) (bool, error) { return false, nil }

func (t *toldExport) Progress(done, total int64, note string) {
	t.text = fmt.Sprintf("%d resources (%s)", done, note)
	if total > 0 {
		t.text = fmt.Sprintf("%d of about %d resources (%s)", done, total, note)
	}
}

// Save comes every few seconds.
func (t *toldExport) Save(ctx context.Context, _ any) error {
	fmt.Fprintln(t.to, t.text)
	return ctx.Err()
}

// folder is where the files of one order are, whatever that is.
type folder struct {
	dir   string
	fresh bool            // it was not there before
	made  map[string]bool // names of the files
}

// openFolder makes a folder, or takes one that is empty.
func openFolder(dir string) (*folder, error) {
	_, err := os.Stat(dir)
	fresh := errors.Is(err, os.ErrNotExist)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	there, err := os.ReadDir(dir)
	if err == nil && len(there) > 0 {
		err = usagef("--out %s: the folder is not empty", dir)
	}
	return &folder{dir, fresh, map[string]bool{}}, err
}

func (f *folder) Name() string { return f.dir }

func (f *folder) Append(_, name string, at int64) (bulk.Appender, error) {
	how := os.O_WRONLY
	if !f.made[name] {
		how |= os.O_CREATE | os.O_EXCL
	}
	to, err := os.OpenFile(filepath.Join(f.dir, name), how, 0o600)
	if err != nil {
		return nil, err
	}
	f.made[name] = true
	if _, err = to.Seek(at, io.SeekStart); err == nil {
		err = to.Truncate(at)
	}
	return to, err
}

func (f *folder) Open(_, name string) (bulk.Reader, int64, error) {
	from, err := os.Open(filepath.Join(f.dir, name))
	if err != nil {
		return nil, 0, err
	}
	s, err := from.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, from.Close())
	}
	return from, s.Size(), nil
}

// Remove removes the files that were made.
func (f *folder) Remove(string) (err error) {
	for name := range f.made {
		err = errors.Join(err, os.Remove(filepath.Join(f.dir, name)))
	}
	return err
}

func (f *folder) Orders() (map[string]time.Time, error) { return nil, nil }

func (f *folder) Used() (used, free int64, err error) { return 0, -1, nil }
