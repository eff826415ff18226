package visit

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/search"
)

// everything is what the service itself reads: never what is shown to a caller.
var everything = search.Unrestricted

// stamp writes an instant.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// create returns the change that writes v at an id.
func create(m bundle.Maker, v compose.Object, id string) (bundle.Change, error) {
	typ := v["resourceType"].(string)
	v["id"] = id
	source, err := bundle.Parse(compose.JSON(v))
	if err != nil {
		return bundle.Change{}, err
	}
	return m.Update(source, fhir.Ref{Type: typ, ID: id}, false)
}

// members are those of a resource, each as it was.
type members map[string]json.RawMessage

func (m members) set(name string, v any) { m[name] = compose.JSON(v) }

// extend puts an extension in place of those with its URL; with nil it only takes them out.
func (m members) extend(url string, all ...compose.Object) error {
	var had, list []json.RawMessage
	if raw, ok := m["extension"]; ok {
		if err := json.Unmarshal(raw, &had); err != nil {
			return err
		}
	}
	for _, raw := range had {
		var is struct{ URL string }
		if err := json.Unmarshal(raw, &is); err != nil {
			return err
		}
		if is.URL != url {
			list = append(list, raw)
		}
	}
	for _, one := range all {
		one["url"] = url
		list = append(list, compose.JSON(one))
	}
	if len(list) == 0 {
		delete(m, "extension")
		return nil
	}
	m.set("extension", list)
	return nil
}

// edited returns the change that f makes to a resource as it is now. A resource that is
// not there any more is left alone.
func (s *Service) edited(ctx context.Context, v *visit, ref fhir.Ref, f func(m members) error) error {
	r, err := s.one(ctx, everything, ref)
	if err != nil || r == nil {
		return err
	}
	m := members{}
	if err := json.Unmarshal(r.JSON, &m); err != nil {
		return err
	}
	if err := f(m); err != nil {
		return err
	}
	source, err := bundle.Parse(compose.JSON(m))
	if err != nil {
		return err
	}
	c, err := s.Maker(v.Base).Update(source, ref, false)
	c.IfMatch = r.Ref.Version
	v.changes = append(v.changes, c)
	return err
}

// appointment is what is read of an Appointment.
type appointment struct {
	ref        fhir.Ref
	doc        *element.Doc
	status     string
	start, end time.Time
	patient    string
	others     []fhir.Ref // who takes part beside the patient
}

// shortest is how long a visit lasts whose Appointment does not say so.
const shortest = 30 * time.Minute

// readAppointment reads an Appointment. Errors: fhir.Unprocessable for one that cannot be a
// visit.
func readAppointment(r *fhir.Resource) (*appointment, error) {
	d, err := element.Parse(r.JSON)
	if err != nil {
		return nil, err
	}
	a := &appointment{ref: r.Ref, doc: d, status: d.TextAt(0, "status")}
	a.start, err = time.Parse(time.RFC3339, d.TextAt(0, "start"))
	if err != nil {
		return nil, fhir.Errorf(fhir.Unprocessable, "the Appointment has no start").At("Appointment.start")
	}
	if a.end, err = time.Parse(time.RFC3339, d.TextAt(0, "end")); err != nil || !a.end.After(a.start) {
		a.end = a.start.Add(shortest)
	}
	for p := range d.Items(0, "participant") {
		ref, ok := fhir.ParseRef(d.TextAt(p, "actor", "reference"))
		switch {
		case !ok || d.TextAt(p, "status") == "declined":
		case ref.Type != "Patient":
			a.others = append(a.others, ref.Current())
		case a.patient != "" && a.patient != ref.ID:
			return nil, fhir.Errorf(fhir.Unprocessable, "the Appointment is for several Patients: a visit is for one").At("Appointment.participant")
		default:
			a.patient = ref.ID
		}
	}
	if a.patient == "" {
		return nil, fhir.Errorf(fhir.Unprocessable, "the Appointment names no Patient who takes part").At("Appointment.participant")
	}
	return a, nil
}

// person is what is shown of somebody.
type person struct{ name, language string }

// usual is the language of who states none.
const usual = "es-MX"

// person reads the name of somebody, and the language that they like. A professional is
// shown with their licence (cédula).
func (s *Service) person(ctx context.Context, ref fhir.Ref) (*person, *element.Doc, error) {
	r, err := s.one(ctx, everything, ref)
	if err != nil {
		return nil, nil, err
	}
	if r == nil {
		return nil, nil, fhir.Errorf(fhir.Unprocessable, "who takes part is not known here").With("%s", ref)
	}
	d, err := element.Parse(r.JSON)
	if err != nil {
		return nil, nil, err
	}
	p := &person{language: usual}
	for n := range d.Items(0, "name") {
		p.name = d.TextAt(n, "text")
		if p.name == "" {
			var words []string
			for _, part := range []string{"prefix", "given"} {
				for w := range d.Items(n, part) {
					words = append(words, d.Text(w))
				}
			}
			p.name = strings.TrimSpace(strings.Join(append(words, d.TextAt(n, "family")), " "))
		}
		if d.TextAt(n, "use") != "old" && p.name != "" {
			break
		}
	}
	for c := range d.Items(0, "communication") {
		for k := range d.Items(d.Get(c, "language"), "coding") {
			if code := d.TextAt(k, "code"); code != "" && (d.TextAt(c, "preferred") == "true" || p.language == usual) {
				p.language = code
			}
		}
	}
	if ref.Type == "Practitioner" {
		for i := range d.Items(0, "identifier") {
			if d.TextAt(i, "system") == identity.SystemCedula {
				p.name += " · céd. prof. " + d.TextAt(i, "value")
				break
			}
		}
	}
	return p, d, nil
}
