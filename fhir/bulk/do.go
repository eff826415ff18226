package bulk

import (
	"context"
	"encoding/json"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
)

// Do does a kind of work at once, with the same code, for whoever runs the program: no order
// is kept, Config.Store and Config.Jobs may be nil, and nothing is gone on with. It returns
// the order as it came out, whose files are left in Config.Files.
func (s *Service) Do(ctx context.Context, kind string, call *operation.Call, task Task) (*Order, error) {
	k := s.kinds[kind]
	if k == nil {
		return nil, fhir.Errorf(fhir.NotSupported, "there is no such work")
	}
	plan, err := k.Plan(ctx, call)
	if err != nil {
		return nil, err
	}
	o := &Order{ID: kind, Kind: kind, Type: call.Type, Instance: call.ID, Ordered: s.Now().UTC(), Part: call.Seen != nil}
	o.by(&call.Caller)
	if o.Plan, err = json.Marshal(plan); err != nil {
		return nil, err
	}
	if o.Owner, o.Secured, err = s.Access.Owner(ctx); err != nil {
		return nil, err
	}
	if o.At, err = s.Moment(ctx); err != nil {
		return nil, err
	}
	r := &Run{Order: o, service: s, task: task, files: map[string]*File{}, at: s.Now()}
	defer r.abandon()
	if err := k.Run(ctx, r); err != nil {
		return nil, err
	}
	return o, r.outputs()
}
