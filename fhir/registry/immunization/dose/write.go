package dose

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
)

type rawJSON = json.RawMessage

// immunization makes the resource of a posting, without what the schedule says of it.
//
// See https://hl7.org/fhir/R4/immunization.html.
func (s *Service) immunization(p *posting) object {
	v := object{
		"resourceType": "Immunization", "status": "completed", "vaccineCode": p.vaccine(), "patient": refer(p.patient.Ref),
		"occurrenceDateTime": p.when, "recorded": p.now.In(s.Zone).Format(time.RFC3339), "primarySource": !p.reported,
	}
	put := func(name string, value object) {
		if value != nil {
			v[name] = value
		}
	}
	if p.reported {
		v["reportOrigin"] = p.reportOrigin()
	}
	if p.encounter.ID != "" {
		v["encounter"] = refer(p.encounter)
	}
	if p.note != "" {
		v["note"] = []object{{"text": p.note, "time": p.now.UTC().Format(time.RFC3339)}}
	}
	if p.clues != "" {
		v["location"] = p.location()
	}
	if p.campaign != nil {
		v["extension"] = []any{object{"url": CampaignURL, "valueCodeableConcept": p.campaign}}
	}
	if p.program != nil {
		v["programEligibility"] = []object{p.program}
	}
	if p.notDone != "" {
		v["status"], v["statusReason"] = "not-done", concept(systemReason, p.notDone, "")
		if p.notDone == unsaid {
			v["statusReason"] = concept(systemNull, unsaid, "")
		}
		return v
	}
	put("manufacturer", p.maker)
	put("site", p.site)
	put("route", p.route)
	put("doseQuantity", p.quantity)
	if p.lot != "" {
		v["lotNumber"] = p.lot
	}
	if p.expiry != "" {
		v["expirationDate"] = p.expiry
	}
	if actor := p.actor(); actor != nil {
		v["performer"] = []object{{"function": concept("http://terminology.hl7.org/CodeSystem/v2-0443", "AP", "Administering Provider"), "actor": actor}}
	}
	if p.subpotent != "" {
		v["isSubpotent"], v["subpotentReason"] = true, []object{concept(systemSub, p.subpotent, "")}
	}
	if n, err := strconv.Atoi(p.number); err == nil && n > 0 {
		one := object{"doseNumberPositiveInt": n, "targetDisease": p.diseases()}
		if p.series != "" {
			one["series"] = p.series
		}
		v["protocolApplied"] = []object{one}
	}
	return v
}

// vaccine is the code of the product: CVX and what goes with it, then what was given
// besides.
func (p *posting) vaccine() object {
	var all []object
	have := map[coded]bool{}
	add := func(system, value, display string) {
		if key := (coded{system: code.System(system), code: value}); !have[key] {
			have[key] = true
			all = append(all, coding(system, value, display))
		}
	}
	for _, c := range code.Codings(p.cvx) {
		add(c.System, c.Code, c.Display)
	}
	for _, c := range p.coded {
		add(c.system, c.code, c.display)
	}
	v := object{"coding": all}
	if vaccine, ok := code.Lookup(p.cvx); ok {
		v["text"] = vaccine.Name
	}
	return v
}

func (p *posting) reportOrigin() object {
	v := concept(systemOrigin, p.origin, "")
	if p.said != "" {
		v["text"] = p.said
	}
	return v
}

func (p *posting) location() object {
	v := object{"identifier": object{"system": identity.SystemCLUES, "value": p.clues}}
	if p.place != nil {
		v["reference"] = p.place.Ref.Current().String()
		if d, err := element.Parse(p.place.JSON); err == nil && text(d, 0, "name") != "" {
			v["display"] = text(d, 0, "name")
		}
	}
	return v
}

// actor is who gave the dose, with their cédula where it is known; nil for nobody.
func (p *posting) actor() object {
	v := object{}
	if p.performer.ID != "" {
		v["reference"] = p.performer.Current().String()
	}
	cedula := p.cedula
	if p.doctor != nil {
		if d, err := element.Parse(p.doctor.JSON); err == nil {
			for id := range items(d, 0, "identifier") {
				if text(d, id, "system") == identity.SystemCedula && cedula == "" {
					cedula = text(d, id, "value")
				}
			}
			for n := range items(d, 0, "name") {
				if name := nameOf(d, n); name != "" {
					v["display"] = name
				}
				break
			}
		}
	}
	if cedula != "" {
		v["identifier"] = object{"system": identity.SystemCedula, "value": cedula}
	}
	if len(v) == 0 {
		return nil
	}
	return v
}

// nameOf writes a HumanName in one line.
func nameOf(d *element.Doc, n element.Node) string {
	if t := text(d, n, "text"); t != "" {
		return t
	}
	name := ""
	for g := range items(d, n, "given") {
		name += d.Text(g) + " "
	}
	return name + text(d, n, "family")
}

func (p *posting) diseases() []object {
	var all []object
	for _, c := range code.Diseases(p.cvx) {
		all = append(all, coding(c.System, c.Code, c.Display))
	}
	out := make([]object, len(all))
	for i := range all {
		out[i] = object{"coding": []object{all[i]}}
	}
	return out
}

// finish adds what was found of a dose: which dose it is, and what was passed over.
func (p *posting) finish(made object, j *judgement) {
	delete(made, "id")
	if applied := protocol(j); applied != nil && p.number == "" {
		made["protocolApplied"] = applied
	}
	for _, o := range p.used() {
		all, _ := made["extension"].([]any)
		made["extension"] = append(all, object{"url": OverrideURL, "extension": []object{
			{"url": "warning", "valueCode": o.rule}, {"url": "reason", "valueCodeableConcept": o.reason},
		}})
	}
}

// protocol says which dose of which series this one is, as found when it was recorded:
// antigens that agree stand together. Doses that do not count have none.
func protocol(j *judgement) []object {
	type key struct {
		series     string
		number, of int
	}
	var order []key
	diseases := map[key][]object{}
	for i := range j.evaluations {
		e := &j.evaluations[i]
		if e.Status != immunization.Valid || e.Number == 0 {
			continue
		}
		k := key{j.title[e.Group], e.Number, e.Of}
		if _, ok := diseases[k]; !ok {
			order = append(order, k)
			diseases[k] = nil
		}
		if a, ok := code.LookupAntigen(e.Antigen); ok {
			diseases[k] = append(diseases[k], concept(systemSNOMED, a.SNOMED, a.Title))
		}
	}
	var all []object
	for _, k := range order {
		one := object{"doseNumberPositiveInt": k.number}
		if k.series != "" {
			one["series"] = k.series
		}
		if k.of > 0 {
			one["seriesDosesPositiveInt"] = k.of
		}
		if diseases[k] != nil {
			one["targetDisease"] = diseases[k]
		}
		all = append(all, one)
	}
	return all
}
