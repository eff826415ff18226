package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
	"github.com/amate-health/amate/store/job"
	"github.com/amate-health/amate/store/reindex"
)

// reindexOperations start a reindexing, and tell how far one is.
func (o *opened) reindexOperations() []operation.Operation {
	return []operation.Operation{
		{Name: "reindex", URL: "https://github.com/amate-health/amate/fhir/OperationDefinition/reindex", Scope: operation.OnSystem, Changes: true, Run: o.startReindex},
		{Name: "reindex-status", URL: "https://github.com/amate-health/amate/fhir/OperationDefinition/reindex-status", Scope: operation.OnSystem, Item: "job", Run: o.reindexStatus},
	}
}

// startReindex is POST $reindex: it makes the index of all resources anew, or of those
// of the types that the parameters type name.
func (o *opened) startReindex(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	var types []string
	for _, v := range call.In.All("type") {
		types = append(types, strings.Split(v.Text, ",")...)
	}
	types, err := resourceTypes(types)
	if err != nil {
		return nil, err
	}
	j, err := o.reindexSome(ctx, types)
	if err != nil {
		return nil, err
	}
	answer := parameters(o.jobParts(&j, call.Base))
	answer.Status = http.StatusAccepted
	return answer, nil
}

// resourceTypes returns types sorted, each once. Errors: fhir.Invalid for what is no type.
func resourceTypes(types []string) ([]string, error) {
	for _, typ := range types {
		if !spec.IsResource(typ) {
			return nil, fhir.Errorf(fhir.Invalid, "the parameter type names a resource type%s", search.Nearest(typ, spec.Resources())).With("%.100q", typ)
		}
	}
	types = slices.Clone(types)
	slices.Sort(types)
	return slices.Compact(types), nil
}

// reindexSome queues the job that reindexes types, all for none, and returns it; when
// such a one has not begun yet, that.
func (o *opened) reindexSome(ctx context.Context, types []string) (job.Job, error) {
	open, err := o.jobs.Open(ctx, reindex.Kind)
	if err != nil {
		return job.Job{}, err
	}
	for i := range open {
		s := scopeOf(&open[i])
		if open[i].Status == job.Queued && s.Words && s.Whole() && slices.Equal(s.Types, types) {
			return open[i], nil
		}
	}
	id, err := o.jobs.Add(ctx, job.New{Kind: reindex.Kind, Payload: reindex.Scope{Types: types, Words: true, Why: "somebody asked for it"}})
	if err != nil {
		return job.Job{}, err
	}
	return o.jobs.Get(ctx, id)
}

// scopeOf returns what a job reindexes.
func scopeOf(j *job.Job) (s reindex.Scope) {
	_ = json.Unmarshal(j.Payload, &s) // of our own making
	return s
}

// endedListed is how many jobs that have ended are listed, the last ones first.
const endedListed = 50

// reindexStatus is GET $reindex-status/[job], or $reindex-status for all jobs that
// are known.
func (o *opened) reindexStatus(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	id, err := call.In.Text("job")
	if err != nil {
		return nil, err
	}
	if id != "" {
		j, err := o.jobs.Get(ctx, id)
		if err == nil && j.Kind != reindex.Kind {
			err = fhir.Errorf(fhir.NotFound, "there is no such job")
		}
		if err != nil {
			return nil, err
		}
		return parameters(o.jobParts(&j, call.Base)), nil
	}
	open, err := o.jobs.Open(ctx, reindex.Kind)
	if err != nil {
		return nil, err
	}
	ended, err := o.jobs.Ended(ctx, reindex.Kind)
	if err != nil {
		return nil, err
	}
	open = unended(open, ended)
	slices.SortFunc(ended, func(a, b job.Job) int { return b.Ended.Compare(a.Ended) })
	ended = ended[:min(len(ended), endedListed)]
	var all []part
	for _, j := range slices.Concat(open, ended) {
		all = append(all, part{"name": "job", "part": o.jobParts(&j, call.Base)})
	}
	for id, why := range o.parameters.Problems() {
		all = append(all, part{"name": "unsearched", "part": []part{
			{"name": "resource", "valueReference": part{"reference": "SearchParameter/" + id}}, {"name": "reason", "valueString": why},
		}})
	}
	return parameters(all), nil
}

// unended returns those of some jobs that are not among others, which were read later and
// have ended.
func unended(open, ended []job.Job) []job.Job {
	return slices.DeleteFunc(open, func(j job.Job) bool {
		return slices.ContainsFunc(ended, func(e job.Job) bool { return e.ID == j.ID })
	})
}

// part is a parameter of a Parameters resource.
type part map[string]any

func parameters(parts []part) *operation.Answer {
	text := []byte(`{"resourceType":"Parameters"}`)
	if len(parts) > 0 {
		list, err := json.Marshal(parts)
		if err != nil {
			panic(err) // maps of strings, numbers and lists
		}
		text = fmt.Appendf(text[:len(text)-1], `,"parameter":%s}`, list)
	}
	return &operation.Answer{JSON: text}
}

// jobParts says what there is to say of a job.
func (o *opened) jobParts(j *job.Job, base string) []part {
	s := scopeOf(j)
	parts := []part{
		{"name": "id", "valueString": j.ID}, {"name": "status", "valueCode": string(j.Status)},
		{"name": "url", "valueUrl": base + "/$reindex-status/" + j.ID},
		{"name": "done", "valueDecimal": j.Done}, {"name": "total", "valueDecimal": j.Total},
	}
	instant := func(name string, at time.Time) {
		if !at.IsZero() {
			parts = append(parts, part{"name": name, "valueInstant": at.UTC().Format(fhir.InstantLayout)})
		}
	}
	text := func(name, value string) {
		if value != "" {
			parts = append(parts, part{"name": name, "valueString": value})
		}
	}
	for _, typ := range s.Types {
		parts = append(parts, part{"name": "type", "valueCode": typ})
	}
	instant("created", j.Created)
	instant("due", j.Due)
	instant("started", j.Started)
	instant("ended", j.Ended)
	if left := j.Remaining(time.Now()); left > 0 {
		instant("expected", time.Now().Add(left))
	}
	text("why", s.Why)
	text("note", j.Note)
	text("error", j.Error)
	return parts
}
