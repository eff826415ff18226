package smart

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/amate-health/amate/authz/pages"
	"github.com/amate-health/amate/authz/people"
	"github.com/amate-health/amate/authz/scope"
	"github.com/amate-health/amate/fhir"
)

// mostChoices is how many patients the picker shows.
const mostChoices = 20

// pick fills the page on which a patient is chosen.
type pick struct {
	App, Action, Find string
	Search            bool // by name; otherwise all there are to choose from are shown
	Looked            bool
	Query             []field
	Patients          []Patient
}

// field is a parameter of the request that a search form carries along.
type field struct{ Name, Value string }

// choose returns the patient that a request is about: the one of the launch, the only
// one there can be, or the one who was chosen. done says that a page was shown instead,
// on which to choose.
func (s *Server) choose(w http.ResponseWriter, r *http.Request, req *request, account *people.Account, chosen string) (p Patient, done bool, err error) {
	ctx := r.Context()
	if req.launch != nil {
		if req.launch.Patient == "" {
			return p, false, nil
		}
		p, err = s.patient(ctx, account, req.launch.Patient)
		if refused(err) {
			return p, true, s.noPatient(w, r, req)
		}
		return p, false, err
	}
	if !req.scopes.NeedsPatient() {
		return p, false, nil
	}
	own := account.Records()
	search := account.Ref().Type == "Practitioner"
	if chosen == "" && len(own) == 1 && !search {
		chosen = own[0]
	}
	if chosen != "" {
		p, err = s.patient(ctx, account, chosen)
		if !refused(err) {
			return p, false, err
		}
	}
	return p, true, s.pickPage(w, r, req, account, search)
}

// refused reports whether an error says that a record may not be seen, or is not there.
func refused(err error) bool {
	code := fhir.CodeOf(err)
	return code == fhir.NotFound || code == fhir.Gone || code == fhir.Forbidden
}

// pickPage shows the patients to choose from.
func (s *Server) pickPage(w http.ResponseWriter, r *http.Request, req *request, account *people.Account, search bool) error {
	ctx := r.Context()
	body := pick{App: appName(req), Action: s.url(req), Search: search, Find: strings.TrimSpace(r.URL.Query().Get("find"))}
	for _, name := range sortedNames(req.query) {
		body.Query = append(body.Query, field{name, req.query.Get(name)})
	}
	if search && body.Find != "" && s.Patients != nil {
		found, err := s.Patients.Find(s.asking(ctx, account, ""), body.Find, mostChoices)
		if err != nil && !refused(err) && fhir.CodeOf(err) != fhir.Invalid {
			return err
		}
		body.Patients, body.Looked = found, true
	}
	if !search {
		for _, id := range account.Records() {
			p, err := s.patient(ctx, account, id)
			if refused(err) {
				continue
			}
			if err != nil {
				return err
			}
			body.Patients = append(body.Patients, p)
		}
		if len(body.Patients) == 0 {
			return s.noPatient(w, r, req)
		}
	}
	page := s.newPage(w, r, "pick-title")
	page.Target, page.Body = target(req.redirect), body
	return page.Write(w, r, http.StatusOK, "pick")
}

// noPatient answers an app that needs a patient where there is none to choose.
func (s *Server) noPatient(w http.ResponseWriter, r *http.Request, req *request) error {
	return s.refuse(w, r, &refusal{req, oauthError{Code: "access_denied", Description: "the person may open no record"}})
}

// consent fills the page on which a person consents.
type consent struct {
	App, Host, Action, Login string
	Patient                  Patient
	Scopes                   []ask
}

// ask is one scope, in words.
type ask struct{ Value, Text string }

// consentPage shows what an app asks for, each of which can be left out.
func (s *Server) consentPage(w http.ResponseWriter, r *http.Request, req *request, account *people.Account, patient Patient) error {
	lang := pages.Language(r)
	body := consent{App: appName(req), Host: target(req.redirect), Action: s.url(req), Login: account.Login, Patient: patient}
	set := req.scopes
	if req.launch == nil || req.launch.Encounter == "" {
		set = set.Without("launch/encounter")
	}
	for _, other := range set.Others {
		body.Scopes = append(body.Scopes, ask{Value: other, Text: pages.Text(lang, "scope-"+other)})
	}
	for _, one := range set.Scopes {
		body.Scopes = append(body.Scopes, ask{Value: one.String(), Text: inWords(lang, one)})
	}
	page := s.newPage(w, r, "consent-title")
	page.Target, page.Body = target(req.redirect), body
	return page.Write(w, r, http.StatusOK, "consent")
}

// inWords says what a scope lets an app do.
func inWords(lang string, one scope.Scope) string {
	what := pages.Text(lang, "all-types")
	if one.Type != "*" {
		if what = pages.Text(lang, "type-"+one.Type); strings.HasPrefix(what, "type-") {
			what = one.Type
		}
	}
	if len(one.Params) > 0 {
		what += " (" + pages.Text(lang, "scope-narrowed") + ")"
	}
	var deeds []string
	for _, p := range one.Perms.String() {
		deeds = append(deeds, pages.Text(lang, string(p)))
	}
	return pages.Text(lang, "scope-"+one.Context.String(), what, strings.Join(deeds, ", "))
}

func appName(req *request) string {
	if req.client.Name != "" {
		return req.client.Name
	}
	return req.client.ID
}

func sortedNames(v url.Values) []string {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
