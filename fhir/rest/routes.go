package rest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/spec"
)

// route is one line of the table of everything that is offered.
type route struct {
	method      string
	pattern     string // below the FHIR base
	interaction Interaction
}

// routes is the whole interface. /metadata says what stands here, and nothing else.
//
// See https://hl7.org/fhir/R4/http.html#summary.
var routes = []route{
	{http.MethodGet, "/metadata", Capabilities},
	{http.MethodGet, "/$versions", Versions},
	{http.MethodPost, "/$versions", Versions},
	{http.MethodPost, "/", Batch},
	{http.MethodGet, "/", SearchSystem},
	{http.MethodPost, "/_search", SearchSystem},
	{http.MethodGet, "/_history", HistorySystem},
	{http.MethodGet, "/{type}", SearchType},
	{http.MethodPost, "/{type}/_search", SearchType},
	{http.MethodPost, "/{type}", Create},
	{http.MethodPut, "/{type}", Update},
	{http.MethodPatch, "/{type}", Patch},
	{http.MethodDelete, "/{type}", Delete},
	{http.MethodGet, "/{type}/_history", HistoryType},
	{http.MethodGet, "/{type}/{id}", Read},
	{http.MethodPut, "/{type}/{id}", Update},
	{http.MethodPatch, "/{type}/{id}", Patch},
	{http.MethodDelete, "/{type}/{id}", Delete},
	{http.MethodGet, "/{type}/{id}/_history", HistoryInstance},
	{http.MethodGet, "/{type}/{id}/_history/{vid}", VRead},
	{http.MethodGet, "/{type}/{id}/{member}", SearchType}, // of a compartment; when member is *, SearchSystem
	{http.MethodPost, "/{type}/{id}/{member}/_search", SearchType},
}

// Routes lists what the interface offers, each as method and pattern: "GET
// /{type}/{id}". Operations come on top.
func Routes() []string {
	all := make([]string, len(routes))
	for i, line := range routes {
		all[i] = line.method + " " + line.pattern
	}
	return all
}

// router matches a method and a path against routes, for HTTP and for the
// entries of a batch alike.
type router struct {
	mux   *chi.Mux
	names map[string]Interaction // by method and pattern

	operations []operation.Operation
}

func newRouter(operations []operation.Operation) *router {
	r := &router{mux: chi.NewMux(), names: map[string]Interaction{}, operations: operations}
	serveNothing := func(http.ResponseWriter, *http.Request) {}
	for _, line := range routes {
		r.mux.MethodFunc(line.method, line.pattern, serveNothing)
		r.names[line.method+line.pattern] = line.interaction
	}
	return r
}

// match finds what method and path (below the base, still escaped) ask for, and
// fills in Interaction, Type, ID and Version of req. A HEAD is matched as its GET.
// Errors: fhir.NotFound, fhir.UnknownType, fhir.Invalid for an id or a version of
// the wrong form; fhir.NotAllowed, whose methods are those of allowed.
func (r *router) match(req *Request, method, path string) error {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	path, item := r.withoutItem(path)
	if typ, id, name, ok := operationPath(path); ok {
		req.Params = append(req.Params, item...)
		return r.matchOperation(req, method, typ, id, name)
	}
	var at chi.Context
	pattern := r.mux.Find(&at, method, path)
	typ := unescape(at.URLParam("type"))
	if pattern == "" || typ != "" && !spec.IsResource(typ) {
		switch {
		case len(r.allowed(path)) > 0:
			return fhir.Errorf(fhir.NotAllowed, "%s is not offered here", safeMethod(method))
		case typ != "":
			return fhir.Errorf(fhir.UnknownType, "no such resource type").With("%.100q is no resource type of FHIR R4", typ)
		}
		return fhir.Errorf(fhir.NotFound, "there is nothing under this path").With("the path is %.200q", path)
	}
	req.Interaction = r.names[method+pattern]
	err := req.place(typ, unescape(at.URLParam("id")), unescape(at.URLParam("vid")))
	if member := unescape(at.URLParam("member")); err == nil && member != "" {
		err = req.placeMember(member)
	}
	return err
}

// unescape decodes one segment of a path. A slash that it hid is then seen for
// what it is, a character that no id has.
func unescape(segment string) string {
	if s, err := url.PathUnescape(segment); err == nil {
		return s
	}
	return segment
}

// place sets the resource that a path names, and checks the form of its parts.
func (r *Request) place(typ, id, vid string) error {
	r.Type = typ
	if id == "" {
		return nil
	}
	if !fhir.ValidID(id) {
		return fhir.Errorf(fhir.Invalid, "the id in the URL must be 1 to 64 of the characters A-Z a-z 0-9 - .").With("the id is %.100q", id)
	}
	r.ID = id
	if vid == "" {
		return nil
	}
	v, err := strconv.ParseInt(vid, 10, 64)
	if err != nil || v < 1 {
		// Versions of other servers need not be numbers, so this is a version that does not exist.
		return fhir.Errorf(fhir.NotFound, "no such version").With("version %.100q", vid)
	}
	r.Version = v
	return nil
}

// allowed lists the methods that path takes, for the Allow header.
func (r *router) allowed(path string) (all []string) {
	path, _ = r.withoutItem(path)
	if typ, id, name, ok := operationPath(path); ok {
		if op := r.operationAt(typ, id, name); op != nil {
			all = methodsOf(op)
		}
		return withHead(all)
	}
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		var at chi.Context
		pattern := r.mux.Find(&at, m, path)
		if typ := unescape(at.URLParam("type")); pattern != "" && (typ == "" || spec.IsResource(typ)) {
			all = append(all, m)
		}
	}
	return withHead(all)
}

// withHead adds HEAD to methods where GET is among them.
func withHead(methods []string) []string {
	if slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	return methods
}

// safeMethod returns method if it is one that HTTP defines, so that a log does
// not take whatever a client sends.
func safeMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "this method"
}
