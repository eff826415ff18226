package bulk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Run is an order at work, for one goroutine.
type Run struct {
	*Order
	service *Service
	task    Task

	saved  saved
	files  map[string]*File
	at     time.Time     // of the last Save
	due    time.Duration // after that, until the next; 0 for saveFirst
	rights *Rights
	asked  time.Time // when the rights were looked up
}

// saved is what is kept at a position.
type saved struct {
	Files []savedFile     `json:"files,omitempty"`
	Work  json.RawMessage `json:"work,omitempty"`
}

// savedFile is a file as it was at a position.
type savedFile struct {
	Output
	Size int64 // bytes of the file
}

const (
	// rightsLast is how long it is believed what the orderer may see.
	rightsLast = 10 * time.Second
	// saveFirst is after what time a work should save for the first time, since it may be
	// done soon; then after twice as long each time, until it is saveEvery.
	saveFirst = 200 * time.Millisecond
	saveEvery = 3 * time.Second
)

// Decode reads what Kind.Plan returned.
func (r *Run) Decode(plan any) error { return json.Unmarshal(r.Plan, plan) }

// Position reads what was last saved, and reports whether there is anything.
func (r *Run) Position(into any) (bool, error) {
	if r.saved.Work == nil {
		return false, nil
	}
	return true, json.Unmarshal(r.saved.Work, into)
}

// Rights returns what the orderer may see now; it is to be asked before each page that is
// read, and looks it up every few seconds. The Context of it is good as long as ctx.
// Errors: those of a refusal, by which the work ends.
func (r *Run) Rights(ctx context.Context) (*Rights, error) {
	if r.rights != nil && r.service.Now().Sub(r.asked) < rightsLast {
		return r.rights, nil
	}
	as, err := r.service.Access.As(ctx, r.Owner)
	if err != nil {
		return nil, err
	}
	asked := r.service.Now()
	rights, err := r.service.Access.Rights(as, r.Kind, r.Type, r.Instance)
	if err != nil {
		return nil, err
	}
	if r.Part != (rights.Seen != nil) {
		return nil, fhir.Errorf(fhir.Forbidden, "what you may see of resources has changed since this was ordered: order it again")
	}
	rights.As = as
	r.rights, r.asked = rights, asked
	return rights, nil
}

// Progress notes how far the work is, of total, 0 when that is not known. note is for
// people, and holds nothing about anybody.
func (r *Run) Progress(done, total int64, note string) { r.task.Progress(done, total, note) }

// Due reports whether it is time to save.
func (r *Run) Due() bool { return r.service.Now().Sub(r.at) >= cmp.Or(r.due, saveFirst) }

// Save makes durable what was written to the files, and the position from which the work
// can go on, as JSON. Errors: those after which the work must end.
func (r *Run) Save(ctx context.Context, position any) error {
	work, err := json.Marshal(position)
	if err != nil {
		return err
	}
	files, err := r.settle()
	if err != nil {
		return err
	}
	r.saved = saved{Files: files, Work: work}
	r.at, r.due = r.service.Now(), min(2*cmp.Or(r.due, saveFirst), saveEvery)
	return r.task.Save(ctx, &r.saved)
}

// Work does the work of an order, for a job. final reports that trying again is of no use.
func (s *Service) Work(ctx context.Context, order string, task Task) (final bool, err error) {
	e, err := s.Store.Entry(ctx, entryKind, order)
	if err != nil {
		return fhir.CodeOf(err) == fhir.NotFound, err
	}
	o, err := readOrder(&e)
	if err != nil || !o.Ended.IsZero() {
		return true, err
	}
	r := &Run{Order: o, service: s, task: task, files: map[string]*File{}, at: s.Now()}
	defer r.abandon()
	if _, err := task.Position(&r.saved); err != nil {
		return true, err
	}
	if err = s.begin(ctx, r); err == nil {
		err = s.kinds[o.Kind].Run(ctx, r)
	}
	if err == nil {
		return true, s.finish(ctx, r)
	}
	var told *fhir.Error
	if ctx.Err() == nil && errors.As(err, &told) && told.Code != fhir.Unavailable && told.Code != fhir.Throttled && told.Code != fhir.Conflict {
		o.Fault, o.Outputs = &Fault{told.Code, told.Details, told.Diagnostics}, nil
		if err := s.end(ctx, o); err != nil {
			return false, err
		}
		return true, errors.Join(err, s.Files.Remove(o.ID))
	}
	return false, err
}

// begin fixes as of when an order is done.
func (s *Service) begin(ctx context.Context, r *Run) error {
	if s.kinds[r.Kind] == nil {
		return fhir.Errorf(fhir.NotSupported, "this server does no such work")
	}
	if r.Place != s.Files.Name() {
		return errors.New("the files of orders are in another folder: all servers of a database share the one below --data")
	}
	if !r.At.IsZero() {
		return nil
	}
	at, err := s.Moment(ctx)
	if err != nil {
		return err
	}
	r.At = at
	return s.put(ctx, r.Order)
}

// finish makes an order done.
func (s *Service) finish(ctx context.Context, r *Run) error {
	if err := r.outputs(); err != nil {
		return err
	}
	if s.Record != nil {
		if err := s.Record(ctx, r.Order); err != nil {
			return err
		}
	}
	return s.end(ctx, r.Order)
}

// outputs makes all files durable, and lists them as what came of the order.
func (r *Run) outputs() error {
	files, err := r.settle()
	for i := range files {
		r.Outputs = append(r.Outputs, files[i].Output)
	}
	return err
}

func (s *Service) end(ctx context.Context, o *Order) error {
	o.Ended = s.Now().UTC()
	o.expires = o.Ended.Add(s.Keep)
	return s.put(ctx, o)
}

func (s *Service) put(ctx context.Context, o *Order) error {
	err := s.Store.Put(ctx, o.entry())
	if err == nil {
		o.version++
	}
	return err
}
