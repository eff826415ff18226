package rest

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// versionsDefinition is the canonical URL of $versions, which is performed by an
// interaction of its own.
const versionsDefinition = "http://hl7.org/fhir/OperationDefinition/CapabilityStatement-versions"

// operate performs a $operation.
//
// See https://hl7.org/fhir/R4/operations.html#executing.
func (a *API) operate(ctx context.Context, req *Request, d Decision) (*Response, error) {
	if o := onceIn(ctx); o != nil && req.operation.Changes {
		return a.operateOnce(ctx, o, req, d)
	}
	return a.operateNow(ctx, req, d)
}

// operateNow performs a $operation, whether it was performed before or not.
func (a *API) operateNow(ctx context.Context, req *Request, d Decision) (*Response, error) {
	if req.operation.Quotes && req.ID != "" && d.Mask.Veils(req.Type) || req.operation.Whole && d.Mask != nil {
		return nil, fhir.Errorf(fhir.Forbidden, "you see this resource only in part, and what $%s says of it could tell the rest", req.Operation)
	}
	doc, err := req.document()
	if err != nil {
		return nil, err
	}
	call := &operation.Call{
		Type:        req.Type,
		ID:          req.ID,
		In:          operation.NewInputs(req.Params, doc),
		Base:        a.base,
		Restriction: d.Restriction,
		Roster:      d.Roster,
		Lenient:     req.Prefer.Lenient,
		Async:       req.Prefer.Async,
		Elements:    req.Form.Elements,
		URL:         a.called(ctx, req),
		Cursor:      req.end(),
		MaxCount:    a.limits.MaxCount,
		MaxBytes:    a.limits.Answer,
		Search:      a.searchOptions(req),
		Language:    req.Language,
		Media:       req.wants,
		Caller:      d.Caller,
		Send:        a.sends,
		Idle:        a.idle,
	}
	if !d.Mask.Empty() {
		call.Seen = func(resource []byte) ([]byte, error) { return d.Mask.appendTo(nil, resource) }
	}
	call.Renew = func(ctx context.Context) error {
		again, err := a.check(ctx, req)
		if err == nil {
			d = again
			call.Restriction, call.Roster, call.Caller = d.Restriction, d.Roster, d.Caller
		}
		return err
	}
	if x := exchangeOf(ctx); x != nil && x.places != nil && req.Source == nil {
		call.Place = x.places.Place
	}
	run := req.operation.Run
	if req.cancels {
		run = req.operation.Cancel
	}
	answer, err := run(ctx, call)
	if err != nil {
		return nil, err
	}
	if acc := accessOf(ctx); acc != nil && answer.Nothing {
		acc.kept = true
	}
	if answer.Set != nil {
		return a.page(req, answer, d.Mask)
	}
	if answer.Media != "" {
		if !d.Mask.Empty() && !req.operation.Sees {
			return nil, fhir.Errorf(fhir.Forbidden, "you see resources only in part, and this answer cannot be cut to that")
		}
		return about(answer, &Response{Status: cmp.Or(answer.Status, http.StatusOK), Body: answer.Raw, Media: answer.Media, File: answer.File}), nil
	}
	if !d.Mask.Empty() && len(answer.JSON) > 0 {
		if answer.JSON, err = d.Mask.appendTo(nil, answer.JSON); err != nil {
			return nil, err
		}
	}
	return req.answered(answer), nil
}

// page returns the response to a call that a set of resources answers. For who sees them in
// part the tag would be of more than they see.
func (a *API) page(req *Request, answer *operation.Answer, mask *Mask) (*Response, error) {
	if !mask.Empty() {
		answer.Tag = ""
	}
	if answer.Tag != "" && namesTag(req.IfNoneMatch, answer.Tag) {
		return &Response{Status: http.StatusNotModified, Tag: answer.Tag}, nil
	}
	resp, err := a.searchset(req, req.operationPath(), answer.Set.Self, answer.Set)
	if err == nil {
		resp.Tag = answer.Tag
	}
	return resp, err
}

// answered returns the response to a call that one resource answers.
func (r *Request) answered(answer *operation.Answer) *Response {
	resp := &Response{Status: cmp.Or(answer.Status, http.StatusOK), Body: answer.JSON, Tag: answer.Tag}
	if resp.Tag != "" && namesTag(r.IfNoneMatch, resp.Tag) {
		resp.Status, resp.Body = http.StatusNotModified, nil
	}
	return about(answer, resp)
}

// about puts into a response what an answer says of work behind it.
func about(answer *operation.Answer, resp *Response) *Response {
	resp.Location, resp.Progress, resp.RetryAfter, resp.Expires = answer.Location, answer.Progress, answer.RetryAfter, answer.Expires
	return resp
}

// called returns the URL that a client called an operation by.
func (a *API) called(ctx context.Context, req *Request) string {
	x := exchangeOf(ctx)
	if x == nil || req.Source != nil || x.req.Interaction != Operation {
		return ""
	}
	path, err := a.below(x.r)
	if err != nil {
		return ""
	}
	if x.r.URL.RawQuery != "" {
		path += "?" + x.r.URL.RawQuery
	}
	return a.base + path
}

// send performs a batch or transaction for an operation, as the one who called it.
func (a *API) send(ctx context.Context, bundle []byte) ([]byte, error) {
	resp, err := a.Do(ctx, &Request{Interaction: Batch, Body: bundle, Media: mediaFHIR})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// operationPath is the path, below the base, of the operation that r calls.
func (r *Request) operationPath() string {
	path := ""
	for _, part := range []string{r.Type, r.ID, "$" + r.Operation} {
		if part != "" {
			path += "/" + part
		}
	}
	return path
}

// document returns the body of a call, parsed, or nil when there is none. It need
// not be a resource of R4: some operations take what other specifications define.
func (r *Request) document() (*element.Doc, error) {
	body := r.Body
	if r.Source != nil { // an operation sees the resource of an entry as if it had come alone
		body = r.Source.Doc.Raw(r.Source.Root)
	}
	if len(body) == 0 {
		return nil, nil
	}
	doc, err := element.Parse(body)
	if err != nil {
		return nil, err
	}
	if doc.Kind(0) != element.Object {
		return nil, fhir.Errorf(fhir.Invalid, "the body of an operation is a Parameters or another resource")
	}
	return doc, nil
}

// checkOperations refuses operations that lack something, or of which two would
// answer the same call.
func checkOperations(all []operation.Operation) error {
	for i := range all {
		op := &all[i]
		if op.Name == "" || strings.ContainsAny(op.Name, "/$%") || op.URL == "" || op.Scope == 0 || op.Run == nil {
			return fmt.Errorf("operation %q: Name, URL, Scope and Run must be set, and Name without the $", op.Name)
		}
		for k := range i {
			if other := &all[k]; other.Name == op.Name && overlap(other, op) {
				return fmt.Errorf("operation %q stands twice: %s and %s", op.Name, other.URL, op.URL)
			}
		}
	}
	return nil
}

// overlap reports whether some call fits both a and b.
func overlap(a, b *operation.Operation) bool {
	both := a.Scope & b.Scope
	if both&operation.OnSystem != 0 {
		return true
	}
	return both != 0 && (a.Types == nil || b.Types == nil || slices.ContainsFunc(a.Types, b.On))
}

// operationPath splits a path whose last segment is the name of an operation. It
// says no for $versions, which is a route.
func operationPath(path string) (typ, id, name string, ok bool) {
	slash := strings.LastIndexByte(path, '/')
	last := path[slash+1:]
	if !strings.HasPrefix(last, "$") && !strings.HasPrefix(last, "%24") || slash == 0 && unescape(last) == "$versions" {
		return "", "", "", false
	}
	typ, id, _ = strings.Cut(strings.TrimPrefix(path[:slash], "/"), "/")
	return unescape(typ), unescape(id), unescape(last)[1:], !strings.Contains(id, "/")
}

// scopeOf returns the scope of a call on a type and an id.
func scopeOf(typ, id string) operation.Scope {
	switch {
	case typ == "":
		return operation.OnSystem
	case id == "":
		return operation.OnType
	}
	return operation.OnInstance
}

// operationAt returns the operation called name that may be called on typ and id,
// or nil. An operation can be for types that R4 does not have, when it names them.
func (r *router) operationAt(typ, id, name string) *operation.Operation {
	scope := scopeOf(typ, id)
	for i := range r.operations {
		op := &r.operations[i]
		if op.Name != name || op.Scope&scope == 0 {
			continue
		}
		if typ == "" || op.On(typ) && (op.Types != nil || spec.IsResource(typ)) {
			return op
		}
	}
	return nil
}

// matchOperation fills in req for the call of an operation.
// Errors: fhir.NotFound, fhir.UnknownType, fhir.NotAllowed, fhir.Invalid.
func (r *router) matchOperation(req *Request, method, typ, id, name string) error {
	op := r.operationAt(typ, id, name)
	if op == nil {
		return r.noOperation(typ, id, name)
	}
	if !slices.Contains(methodsOf(op), method) {
		return fhir.Errorf(fhir.NotAllowed, "%s is not offered here", safeMethod(method))
	}
	req.Interaction, req.Operation, req.operation = Operation, op.Name, op
	req.cancels = method == http.MethodDelete
	return req.place(typ, id, "")
}

// methodsOf returns the methods that op takes.
//
// See https://hl7.org/fhir/R4/operations.html#executing.
func methodsOf(op *operation.Operation) []string {
	methods := []string{http.MethodGet, http.MethodPost}
	if op.Changes {
		methods = methods[1:]
	}
	if op.Cancel != nil {
		methods = append(methods, http.MethodDelete)
	}
	return methods
}

// noOperation says why a call leads nowhere: the name, or the place.
func (r *router) noOperation(typ, id, name string) error {
	if typ != "" && !spec.IsResource(typ) {
		return fhir.Errorf(fhir.UnknownType, "no such resource type").With("%.100q is no resource type of FHIR R4", typ)
	}
	var places []string
	names := []string{"versions"}
	for i := range r.operations {
		op := &r.operations[i]
		names = append(names, op.Name)
		if op.Name == name {
			places = append(places, placesOf(op)...)
		}
	}
	if places != nil {
		return fhir.Errorf(fhir.NotFound, "this operation is not offered here").
			With("$%s is offered at %s", name, strings.Join(places, ", "))
	}
	return fhir.Errorf(fhir.NotFound, "no such operation").With("$%.100s is not offered%s", name, search.Nearest(name, names))
}

// placesOf lists where op can be called, for people.
func placesOf(op *operation.Operation) []string {
	types := op.Types
	if types == nil {
		types = []string{"[type]"}
	}
	var places []string
	if op.Scope&operation.OnSystem != 0 {
		places = append(places, "/$"+op.Name)
	}
	for _, t := range types {
		if op.Scope&operation.OnType != 0 {
			places = append(places, "/"+t+"/$"+op.Name)
		}
		if op.Scope&operation.OnInstance != 0 {
			places = append(places, "/"+t+"/[id]/$"+op.Name)
		}
	}
	return places
}

// operations writes what a CapabilityStatement says of the operations on a type,
// or of those on the whole system when typ is "".
func (a *API) operations(p *page, typ string) {
	first := true
	add := func(name, definition, documentation string) {
		if first {
			p.member("operation")
			p.buf = append(p.buf, '[')
		} else {
			p.buf = append(p.buf, ',')
		}
		first = false
		p.buf = append(p.buf, '{')
		p.text("name", name)
		p.text("definition", definition)
		if documentation != "" {
			p.text("documentation", documentation)
		}
		p.close()
	}
	if typ == "" {
		add("versions", versionsDefinition, "")
	}
	for i := range a.Operations {
		op := &a.Operations[i]
		if typ == "" && op.Scope&operation.OnSystem != 0 ||
			typ != "" && op.Scope&(operation.OnType|operation.OnInstance) != 0 && op.On(typ) {
			add(op.Name, op.URL, op.Documentation)
		}
	}
	if !first {
		p.buf = append(p.buf, ']')
	}
}
