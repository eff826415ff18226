package bulk

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// ExportName is the name of the operation that exports.
const ExportName = "export"

// Exporter exports what is stored. All of its fields must be set.
type Exporter struct {
	Scanner search.Scanner
	Search  func(ctx context.Context, q *search.Query) (*search.Result, error)
	History func(ctx context.Context, h *search.History) (*search.Versions, error)
	Read    func(ctx context.Context, ref fhir.Ref) (fhir.Resource, error)

	// Index says by what a resource is found.
	Index func(r *fhir.Resource) (search.Index, error)
	// Subset leaves of a resource those elements that are named, and what must be there, and
	// marks it as a part of itself.
	Subset func(resource []byte, elements []string) ([]byte, error)
}

// Kind is the work of $export, on the system, on all patients, or on those of a Group.
func (x *Exporter) Kind() Kind {
	return Kind{Name: ExportName, Plan: x.plan, Run: x.run}
}

func (x *Exporter) plan(ctx context.Context, call *operation.Call) (any, error) {
	a, err := parseAsked(call)
	if err != nil {
		return nil, err
	}
	return a, x.check(ctx, a, call)
}

// place is how far an export is.
type place struct {
	Step  int    // of the steps: a type, what was deleted of a type, what is associated
	After string // within the step
	Files int    // that were begun in the step
	Done  int64  // resources in all
}

// exporting is an export at work.
type exporting struct {
	*Exporter
	*asked
	run     *Run
	at      place
	records map[string]bool // whose records are exported; nil for everybody's
	total   int64           // resources in all, about; 0 when that is not known
	shows   *Rights
	stale   bool // a scan ends behind this page, to be gone on with under other rights
	file    *File
	buffer  []byte
}

// errRenew breaks a scan off, to go on with what the orderer may see now.
var errRenew = errors.New("the rights are looked up again")

func (x *Exporter) run(ctx context.Context, r *Run) error {
	e := &exporting{Exporter: x, asked: new(asked), run: r}
	if err := r.Decode(e.asked); err != nil {
		return err
	}
	if _, err := r.Position(&e.at); err != nil {
		return err
	}
	if err := e.count(ctx); err != nil {
		return err
	}
	steps := e.steps()
	for e.at.Step < len(steps) {
		if err := steps[e.at.Step](ctx); err != nil {
			return err
		}
		e.at = place{Step: e.at.Step + 1, Done: e.at.Done}
		if e.file != nil {
			if err := e.file.Close(); err != nil {
				return err
			}
			e.file = nil
		}
	}
	return r.Save(ctx, e.at)
}

// steps are what an export consists of, in their order.
func (e *exporting) steps() (all []func(context.Context) error) {
	if len(e.Passed) > 0 {
		all = append(all, e.told)
	}
	for _, typ := range e.Types {
		if e.Parquet {
			all = append(all, func(ctx context.Context) error { return e.partitions(ctx, typ) })
		} else {
			all = append(all, func(ctx context.Context) error { return e.lines(ctx, typ) })
		}
	}
	if e.Provenance != "" {
		all = append(all, e.provenance)
	}
	if !e.Since.IsZero() {
		for _, typ := range e.Types {
			all = append(all, func(ctx context.Context) error { return e.deleted(ctx, typ) })
		}
	}
	return all
}

// renew looks up what the orderer may see, and whose records are exported.
func (e *exporting) renew(ctx context.Context) error {
	rights, err := e.run.Rights(ctx)
	if err != nil || rights == e.shows {
		return err
	}
	e.shows = rights
	if !e.Records || e.Group == "" && e.Patients == nil {
		return nil
	}
	e.records = map[string]bool{}
	members := e.Patients
	if e.Group != "" {
		if members, err = e.members(ctx, e.asked, cmp.Or(rights.Roster, rights.Restriction)); err != nil {
			return err
		}
	}
	for _, id := range members {
		e.records[id] = true
	}
	return nil
}

// members returns the ids of the patients of a Group, of those that are asked for.
func (x *Exporter) members(ctx context.Context, a *asked, only *search.Restriction) ([]string, error) {
	found, err := x.Search(ctx, &search.Query{Type: "Group", Where: []search.Expr{search.IDs{Any: []string{a.Group}}}, Count: 1, Restriction: only})
	if err != nil {
		return nil, err
	}
	if len(found.Matches) == 0 {
		return nil, fhir.Errorf(fhir.NotFound, "there is no such Group")
	}
	d, err := element.Parse(found.Matches[0].JSON)
	if err != nil {
		return nil, err
	}
	all := []string{} // a group without members is none of everybody
	for n := range d.Items(0, "member") {
		ref, ok := fhir.ParseRef(d.TextAt(n, "entity", "reference"))
		_, meant := slices.BinarySearch(a.Patients, ref.ID) // they are sorted, and both may be a hundred thousand
		if ok && ref.Type == "Patient" && d.TextAt(n, "inactive") != "true" && (a.Patients == nil || meant) {
			all = append(all, ref.ID)
		}
	}
	if missing := len(a.Patients) > len(all); missing {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter patient names somebody who is no member of the Group")
	}
	return all, nil
}

// fewRecords is of how many patients the records are searched for; those of more are
// picked from all that there is.
const fewRecords = 300

// query is what is exported of a type, as a search.
func (e *exporting) query(typ string) (*search.Query, error) {
	q := &search.Query{Type: typ, Restriction: e.shows.Restriction}
	for prefix, at := range map[string]time.Time{"gt": e.Since, "le": e.Until} {
		if at.IsZero() {
			continue
		}
		part, err := search.Parse(typ, []search.Param{{Name: "_lastUpdated", Value: prefix + at.Format(time.RFC3339Nano)}}, e.shows.Search)
		if err != nil {
			return nil, err
		}
		q.Where = append(q.Where, part.Where...)
	}
	var any search.Or
	for _, text := range e.Filters[typ] {
		part, err := filterQuery(typ, text, e.shows.Search)
		if err != nil {
			return nil, err
		}
		any = append(any, search.And(part.Where))
	}
	if len(any) == 1 {
		q.Where = append(q.Where, any[0].(search.And)...)
	} else if len(any) > 1 {
		q.Where = append(q.Where, any)
	}
	if e.records != nil && len(e.records) <= fewRecords {
		q.Where = append(q.Where, search.Patients(slices.Sorted(maps.Keys(e.records)), typ))
	}
	return q, nil
}

// scan calls page with all that is exported of a type, from where the step has come to, as
// the orderer sees it. Where it is stale, the place must be behind the page when that ends.
func (e *exporting) scan(ctx context.Context, typ string, page func(found []fhir.Resource, after string) error) error {
	for {
		if err := e.renew(ctx); err != nil {
			return err
		}
		if _, listed := e.shows.Restriction.Of(typ); !listed && !e.shows.Restriction.Open() {
			return fhir.Errorf(fhir.Forbidden, "you may not see %s any more", typ)
		}
		if e.records != nil && len(e.records) == 0 {
			return nil
		}
		q, err := e.query(typ)
		if err != nil {
			return err
		}
		err = e.Scanner.Scan(ctx, &search.Scan{Query: *q, At: e.run.At, After: e.at.After}, func(found []fhir.Resource, after string) error {
			rights, err := e.run.Rights(ctx)
			if err != nil {
				return err
			}
			e.stale = rights != e.shows
			if found, err = e.ofRecords(typ, found); err == nil {
				err = page(found, after)
			}
			if err == nil && e.stale {
				err = errRenew
			}
			return err
		})
		if !errors.Is(err, errRenew) {
			return err
		}
	}
}

// first returns the first of two errors that is one.
func first(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// ofRecords leaves of what was found that which is in a record that is exported.
func (e *exporting) ofRecords(typ string, found []fhir.Resource) ([]fhir.Resource, error) {
	if !e.Records || e.records != nil && len(e.records) <= fewRecords {
		return found, nil
	}
	var failed error
	return slices.DeleteFunc(found, func(r fhir.Resource) bool {
		ok, err := e.ofRecord(typ, &r)
		failed = first(failed, err)
		return !ok
	}), failed
}

// ofRecord reports whether a resource is in a record that is exported.
func (e *exporting) ofRecord(typ string, r *fhir.Resource) (bool, error) {
	if typ == "Patient" {
		return e.records == nil || e.records[r.Ref.ID], nil
	}
	named := map[string]bool{}
	for text := r.JSON; ; {
		at := bytes.Index(text, []byte(`Patient/`))
		if at < 0 {
			break
		}
		text = text[at+len(`Patient/`):]
		end := bytes.IndexAny(text, `"/`)
		if end < 0 {
			break
		}
		if id := string(text[:end]); e.records == nil || e.records[id] {
			named[id] = true
		}
	}
	if len(named) == 0 {
		return false, nil
	}
	ix, err := e.Index(r)
	if err != nil {
		return false, err
	}
	return search.Holds(search.Patients(slices.Sorted(maps.Keys(named)), typ), &search.Subject{Ref: r.Ref.Current(), Updated: r.Updated, Index: &ix})
}

// fileMost is how many resources a file has, about.
const fileMost = 500_000

// lines writes what is exported of a type as NDJSON.
func (e *exporting) lines(ctx context.Context, typ string) error {
	return e.scan(ctx, typ, func(found []fhir.Resource, after string) error {
		return e.append(ctx, typ, Outputs, found, after)
	})
}

// append writes resources to the file of the step, and notes how far that is.
func (e *exporting) append(ctx context.Context, typ string, list List, found []fhir.Resource, after string) error {
	if len(found) > 0 {
		if err := e.begin(typ, list); err != nil {
			return err
		}
		if err := e.write(found); err != nil {
			return err
		}
		e.file.Add(int64(len(found)))
	}
	e.at.After, e.at.Done = after, e.at.Done+int64(len(found))
	e.progress(e.at.Done, typ)
	if e.run.Due() {
		return e.run.Save(ctx, e.at)
	}
	return ctx.Err()
}

// begin opens the file to write to: that of the step, or another one when it is full.
func (e *exporting) begin(typ string, list List) error {
	if e.file != nil && e.file.Count() >= fileMost {
		if err := e.file.Close(); err != nil {
			return err
		}
		e.file = nil
		e.at.Files++
	}
	if e.file != nil {
		return nil
	}
	e.at.Files = max(e.at.Files, 1)
	name := fmt.Sprintf("%s.%d.ndjson", typ, e.at.Files)
	if list != Outputs {
		name = string(list) + "." + name
	}
	var err error
	e.file, err = e.run.File(Output{Name: name, List: list, Type: typ, Media: "application/fhir+ndjson", Coded: true})
	return err
}

// write writes resources as lines, each as the orderer sees it.
func (e *exporting) write(found []fhir.Resource) error {
	b := e.buffer[:0]
	for i := range found {
		json, err := e.seen(&found[i])
		if err != nil {
			return err
		}
		if bytes.IndexByte(json, '\n') >= 0 {
			json = bytes.ReplaceAll(json, []byte{'\n'}, []byte{' '}) // between tokens: within a string it is written as \n
		}
		b = append(append(b, json...), '\n')
	}
	e.buffer = b
	_, err := e.file.Write(b)
	return err
}

// seen returns what the orderer sees of a resource, of what they asked for.
func (e *exporting) seen(r *fhir.Resource) (json []byte, err error) {
	json = r.JSON
	if e.shows.Seen != nil {
		if json, err = e.shows.Seen(json); err != nil {
			return nil, err
		}
	}
	if names := slices.Concat(e.Elements[""], e.Elements[r.Ref.Type]); len(names) > 0 {
		if json, err = e.Subset(json, names); err != nil {
			return nil, err
		}
	}
	return e.absolute(json), nil
}
