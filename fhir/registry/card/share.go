package card

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/document/qr"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/card/health"
	"github.com/amate-health/amate/fhir/registry/card/link"
)

type operationRun = func(ctx context.Context, call *operation.Call) (*operation.Answer, error)

// What a link can share.
var contents = []string{"card", "summary"}

// share answers $health-link: it makes a link to what the caller may see of the Patient
// now, or replaces what a link that is for long leads to.
func (s *service) share(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := understood(call, []string{"content", "label", "expires", "passcode", "long", "direct", "link"}); err != nil {
		return nil, err
	}
	o, err := s.options(call)
	if err != nil {
		return nil, err
	}
	before, err := call.In.Text("link")
	if err != nil {
		return nil, err
	}
	files, err := s.files(ctx, call)
	if err != nil {
		return nil, err
	}
	if before != "" {
		l, err := s.Links.Replace(ctx, call.ID, before, files...)
		if err != nil {
			return nil, err
		}
		return answer(told(l)), nil
	}
	p, l, err := s.Links.Create(ctx, *o, files...)
	if err != nil {
		return nil, err
	}
	uri := p.String()
	code, err := qr.Encode(qr.M, qr.Segment{Text: uri})
	if err != nil {
		return nil, err
	}
	return answer(append([]object{part("link", "Uri", uri), {"name": "qr", "valueAttachment": object{"contentType": mediaSVG, "data": code.SVG()}}}, told(l)...)), nil
}

// options reads how a link is to be.
func (s *service) options(call *operation.Call) (*link.Options, error) {
	o := &link.Options{Owner: call.ID}
	var err error
	if o.Label, err = call.In.Text("label"); err != nil {
		return nil, err
	}
	if o.Passcode, err = call.In.Text("passcode"); err != nil {
		return nil, err
	}
	if o.Long, err = flag(call, "long"); err != nil {
		return nil, err
	}
	if o.Direct, err = flag(call, "direct"); err != nil {
		return nil, err
	}
	expires, err := call.In.Text("expires")
	if err != nil || expires == "" {
		return o, err
	}
	if o.Expires, err = time.Parse(time.RFC3339, expires); err != nil {
		day, bad := time.ParseInLocation(time.DateOnly, expires, s.Zone)
		if bad != nil {
			return nil, fhir.Errorf(fhir.Invalid, "the parameter expires is a date, or an instant with its time zone").With("expires=%.50q", expires)
		}
		o.Expires = day.AddDate(0, 0, 1)
	}
	return o, nil
}

// files makes what a link shares.
func (s *service) files(ctx context.Context, call *operation.Call) (files []link.File, err error) {
	var what []string
	for _, v := range call.In.All("content") {
		if !slices.Contains(contents, v.Text) {
			return nil, fhir.Errorf(fhir.Invalid, "the parameter content is %s", strings.Join(contents, " or ")).With("content=%.50q", v.Text)
		}
		what = append(what, v.Text)
	}
	if what == nil {
		what = []string{"card"}
	}
	r, err := s.read(ctx, call)
	if err != nil {
		return nil, err
	}
	if slices.Contains(what, "card") {
		any := &asked{}
		doses := slices.DeleteFunc(slices.Clone(r.doses), func(o dose) bool { return !any.wants(&o) })
		if len(doses) == 0 {
			return nil, fhir.Errorf(fhir.Unprocessable, "there is no vaccination for a card: share the summary (content=summary)")
		}
		jws, err := s.card(ctx, &r.person, doses, defaultClaims)
		if err != nil {
			return nil, err
		}
		raw, err := health.File(jws)
		if err != nil {
			return nil, err
		}
		files = append(files, link.File{Media: health.MediaType, Content: raw})
	}
	if slices.Contains(what, "summary") {
		if s.Summary == nil {
			return nil, fhir.Errorf(fhir.NotSupported, "summaries are not shared here")
		}
		alone := *call
		alone.In = operation.NewInputs(nil, nil)
		a, err := s.Summary(ctx, &alone)
		if err != nil {
			return nil, err
		}
		files = append(files, link.File{Media: "application/fhir+json", Content: a.JSON})
	}
	return files, nil
}

// told is what an owner is told of a link.
func told(l *link.Link) []object {
	parts := []object{part("id", "String", l.ID), part("created", "Instant", l.Created.Format(time.RFC3339))}
	if l.Label != "" {
		parts = append(parts, part("label", "String", l.Label))
	}
	if !l.Expires.IsZero() {
		parts = append(parts, part("expires", "Instant", l.Expires.Format(time.RFC3339)))
	}
	if l.Flags != "" {
		parts = append(parts, part("flag", "String", l.Flags))
	}
	if strings.Contains(l.Flags, "P") {
		parts = append(parts, part("attempts", "Integer", l.Left))
	}
	return append(parts, part("files", "Integer", l.Files))
}

// shared answers $health-links: the links that are not over. None can be made again from
// what it says.
func (s *service) shared(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := understood(call, nil); err != nil {
		return nil, err
	}
	if err := s.visible(ctx, call); err != nil {
		return nil, err
	}
	links, err := s.Links.List(ctx, call.ID)
	if err != nil {
		return nil, err
	}
	var parts []object
	for _, l := range links {
		parts = append(parts, object{"name": "link", "part": told(l)})
	}
	return answer(parts), nil
}

// visible refuses who may not see the Patient. Errors: fhir.NotFound.
func (s *service) visible(ctx context.Context, call *operation.Call) error {
	found, err := s.find(ctx, call, "Patient", call.ID)
	if err == nil && len(found) == 0 {
		err = fhir.Errorf(fhir.NotFound, "there is no such Patient, or you may not see them")
	}
	return err
}

// unshare answers $health-link-revoke.
func (s *service) unshare(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := understood(call, []string{"id", "link"}); err != nil {
		return nil, err
	}
	if err := s.visible(ctx, call); err != nil {
		return nil, err
	}
	which, err := call.In.Text("id")
	if err != nil {
		return nil, err
	}
	if which == "" {
		if which, err = call.In.Text("link"); err != nil {
			return nil, err
		}
	}
	if which == "" {
		return nil, fhir.Errorf(fhir.Invalid, "which link is to end: the parameter id, as $health-links gives it, or link is missing")
	}
	if err := s.Links.Revoke(ctx, call.ID, which); err != nil {
		return nil, err
	}
	return answer([]object{part("revoked", "Boolean", true)}), nil
}

// revoke answers $health-cards-revoke: all cards of the Patient that were issued are taken
// back.
func (s *service) revoke(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := understood(call, nil); err != nil {
		return nil, err
	}
	if err := s.visible(ctx, call); err != nil {
		return nil, err
	}
	n, err := s.Ledger.RevokeAll(ctx, call.ID)
	if err != nil {
		return nil, err
	}
	return answer([]object{part("revoked", "Integer", n)}), nil
}
