package visit

import (
	"context"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// contact is where a message reaches a patient.
type contact struct {
	channel string // "sms" or "email"
	value   string
	mobile  bool
}

// masked returns a contact so that who knows it recognises it.
func (c *contact) masked() string {
	if name, host, ok := strings.Cut(c.value, "@"); ok && name != "" {
		return string([]rune(name)[:1]) + "•••@" + host
	}
	return "•••• " + c.value[max(0, len(c.value)-4):]
}

// errContact is of a patient whom no message reaches.
var errContact = fhir.Errorf(fhir.Unprocessable, "the record holds no telephone number or e-mail address of the patient that was in it for long enough: "+
	"let the patient sign in, or a professional of the visit check who they are")

// contact returns where a code is sent to: a contact that the Patient has now and had
// already a while ago, so that nobody gets the code who put their own number into the
// record for it. channel is "sms" or "email", "" for what there is.
func (s *Service) contact(ctx context.Context, patient, channel string) (*contact, error) {
	ref := fhir.Ref{Type: "Patient", ID: patient}
	r, err := s.one(ctx, everything, ref)
	if err != nil {
		return nil, err
	}
	before, err := s.before(ctx, ref)
	if err != nil {
		return nil, err
	}
	if r == nil || before == nil {
		return nil, errContact
	}
	had, err := s.contacts(before)
	if err != nil {
		return nil, err
	}
	now, err := s.contacts(r)
	if err != nil {
		return nil, err
	}
	settled := slices.DeleteFunc(now, func(c contact) bool {
		return channel != "" && c.channel != channel || !slices.ContainsFunc(had, func(h contact) bool { return h.channel == c.channel && h.value == c.value })
	})
	for _, better := range []func(c contact) bool{
		func(c contact) bool { return c.channel == "sms" && c.mobile },
		func(c contact) bool { return c.channel == "sms" },
		func(contact) bool { return true },
	} {
		if i := slices.IndexFunc(settled, better); i >= 0 {
			return &settled[i], nil
		}
	}
	return nil, errContact
}

// before returns a resource as it stood when its contacts had to be in it, nil where it was
// not there or deleted.
func (s *Service) before(ctx context.Context, ref fhir.Ref) (*fhir.Resource, error) {
	at := s.Now().Add(-s.Settled)
	q := &search.History{Type: ref.Type, ID: ref.ID, Count: 50, Restriction: search.Unrestricted}
	for {
		page, err := s.Store.History(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Entries {
			if r := &page.Entries[i]; !r.Updated.After(at) {
				if r.Deleted() {
					return nil, nil
				}
				return r, nil
			}
		}
		if page.Next == "" {
			return nil, nil
		}
		q.After = page.Next
	}
}

// contacts reads the telephone numbers and addresses of a Patient that are in use.
func (s *Service) contacts(r *fhir.Resource) (all []contact, err error) {
	d, err := element.Parse(r.JSON)
	if err != nil {
		return nil, err
	}
	for n := range d.Items(0, "telecom") {
		c := contact{value: strings.TrimSpace(d.TextAt(n, "value")), mobile: d.TextAt(n, "use") == "mobile"}
		switch d.TextAt(n, "system") {
		case "phone", "sms":
			c.channel = "sms"
		case "email":
			c.channel = "email"
		}
		if to, ok := bound(d.TextAt(n, "period", "end"), true); ok && s.Now().After(to) || d.TextAt(n, "use") == "old" {
			continue
		}
		if c.channel != "" && len(c.value) >= 5 && len(c.value) <= 254 && !strings.ContainsAny(c.value, "\r\n") {
			all = append(all, c)
		}
	}
	return all, nil
}
