package visit

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/telehealth/room"
)

// told is what the patient, or who is with them, said at the start.
type told struct {
	identity, curp        string
	place, language       string
	name, phone, relation string
	interpreter           string
}

func (t *told) nothing() bool { return *t == told{} }

// ways in which somebody's identity is checked.
var ways = []string{"curp", "document", "known"}

func readTold(call *operation.Call) (*told, error) {
	t := &told{}
	fields := []struct {
		name string
		of   *string
	}{
		{"identity", &t.identity}, {"curp", &t.curp}, {"place", &t.place}, {"language", &t.language}, {"interpreter", &t.interpreter},
		{"emergency-name", &t.name}, {"emergency-phone", &t.phone}, {"emergency-relationship", &t.relation},
	}
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
	}
	if err := understood(call, names...); err != nil {
		return nil, err
	}
	for _, f := range fields {
		text, err := call.In.Text(f.name)
		if err != nil {
			return nil, err
		}
		if len(text) > 500 {
			return nil, fhir.Errorf(fhir.Invalid, "the parameter %s has 500 bytes at most", f.name)
		}
		*f.of = text
	}
	if t.curp != "" && t.identity == "" {
		t.identity = "curp"
	}
	switch {
	case t.identity != "" && !slices.Contains(ways, t.identity):
		return nil, fhir.Errorf(fhir.Invalid, "the parameter identity is curp, document or known").With("%.50q", t.identity)
	case t.interpreter != "" && t.interpreter != "true" && t.interpreter != "false":
		return nil, fhir.Errorf(fhir.Invalid, "the parameter interpreter is true or false").With("%.50q", t.interpreter)
	case t.language != "" && !isLanguage(t.language):
		return nil, fhir.Errorf(fhir.Invalid, "the parameter language is a code of BCP 47, such as es-MX or nah").With("%.50q", t.language)
	}
	return t, nil
}

// helpOf returns what an Encounter tells of where the patient is, nil for nothing.
func helpOf(r *fhir.Resource) (*room.Help, error) {
	d, err := element.Parse(r.JSON)
	if err != nil {
		return nil, err
	}
	var h room.Help
	fields := map[string]*string{"place": &h.Place, "emergencyName": &h.Name, "emergencyPhone": &h.Phone, "emergencyRelationship": &h.Relationship}
	for e := range d.Items(0, "extension") {
		if d.TextAt(e, "url") != CallURL {
			continue
		}
		for p := range d.Items(e, "extension") {
			if of := fields[d.TextAt(p, "url")]; of != nil {
				*of = d.TextAt(p, "valueString")
			}
		}
	}
	if h == (room.Help{}) {
		return nil, nil
	}
	return &h, nil
}

// into adds what was told to an Encounter; what was told before and is not told again stays.
func (t *told) into(m members, call *operation.Call, at time.Time) error {
	parts := map[string]compose.Object{}
	had := struct {
		Extension []struct {
			URL       string
			Extension []compose.Object
		}
	}{}
	if err := json.Unmarshal(compose.JSON(m), &had); err != nil {
		return err
	}
	for _, e := range had.Extension {
		if e.URL == CallURL {
			for _, p := range e.Extension {
				if url, ok := p["url"].(string); ok {
					parts[url] = p
				}
			}
		}
	}
	put := func(url, typ string, value any) {
		if value != "" {
			parts[url] = compose.Object{"url": url, "value" + typ: value}
		}
	}
	if t.identity != "" {
		put("identity", "Code", t.identity)
		put("identityAt", "Instant", stamp(at))
		if call.Caller.User.ID != "" {
			put("identityBy", "Reference", compose.Reference(call.Caller.User))
		}
	}
	put("place", "String", t.place)
	put("language", "Code", t.language)
	if t.interpreter != "" {
		put("interpreter", "Boolean", t.interpreter == "true")
	}
	put("emergencyName", "String", t.name)
	put("emergencyPhone", "String", t.phone)
	put("emergencyRelationship", "String", t.relation)
	if len(parts) == 0 {
		return nil
	}
	var all []compose.Object
	for _, url := range []string{"identity", "identityAt", "identityBy", "place", "language", "interpreter", "emergencyName", "emergencyPhone", "emergencyRelationship"} {
		if p, ok := parts[url]; ok {
			all = append(all, p)
		}
	}
	return m.extend(CallURL, compose.Object{"extension": all})
}
