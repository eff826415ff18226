package card

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/card/health"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
)

const (
	ddccBase = "http://smart.who.int/ddcc/StructureDefinition/"
	loinc    = "http://loinc.org"
)

// ddcc answers $ddcc: the core data set of WHO for the certificate of a vaccination
// (DDCC:VS) as a document, signed like a health card. It is of one vaccination: the one
// that is asked for, or else the last.
//
// See https://smart.who.int/ddcc/ and https://www.who.int/publications/i/item/WHO-2019-nCoV-Digital_certificates-vaccination-2021.1.
func (s *service) ddcc(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := understood(call, []string{"immunization"}); err != nil {
		return nil, err
	}
	wanted, err := call.In.Text("immunization")
	if err != nil {
		return nil, err
	}
	r, err := s.read(ctx, call)
	if err != nil {
		return nil, err
	}
	var o *dose
	for i := range r.doses {
		if one := &r.doses[i]; wanted == "" || one.ref.ID == wanted || one.ref.String() == wanted {
			o = one
		}
	}
	switch {
	case o == nil && wanted != "":
		return nil, fhir.Errorf(fhir.NotFound, "there is no such vaccination of this Patient that was given").With("immunization=%.100s", wanted)
	case o == nil:
		return nil, fhir.Errorf(fhir.Unprocessable, "there is no vaccination of this Patient")
	}
	if err := certifiable(&r.person, o); err != nil {
		return nil, err
	}
	now := s.Now().UTC().Truncate(time.Second)
	document := s.document(&r.person, o, now)
	jws, err := s.Ledger.sign(ctx, call.ID, "ddcc "+o.ref.ID+" "+digest(o.doc), &health.Card{Types: types, Bundle: encode(document)}, []dose{*o})
	if err != nil {
		return nil, err
	}
	document["signature"] = object{
		"type": []object{{"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.5", "display": "Verification Signature"}},
		"when": now.Format(fhir.InstantLayout), "who": object{"reference": "urn:uuid:" + s.uuid("organization", "")},
		"sigFormat": "application/jose", "data": base64.StdEncoding.EncodeToString([]byte(jws)),
	}
	return &operation.Answer{JSON: encode(document)}, nil
}

// certifiable says what the core data set demands and the record lacks.
func certifiable(p *person, o *dose) error {
	for _, one := range []struct{ value, path string }{
		{p.text, "Patient.name"}, {o.day, "Immunization.occurrenceDateTime"}, {o.code, "Immunization.vaccineCode.coding.code"},
		{o.lot, "Immunization.lotNumber"}, {o.number, "Immunization.protocolApplied.doseNumberPositiveInt"},
	} {
		if one.value == "" {
			return fhir.Errorf(fhir.Unprocessable, "a certificate of WHO needs %s, which the record does not have", one.path).At(one.path)
		}
	}
	if n, err := strconv.Atoi(o.number); err != nil || n < 1 {
		return fhir.Errorf(fhir.Unprocessable, "a certificate of WHO needs the number of the dose, from 1").At("Immunization.protocolApplied.doseNumberPositiveInt")
	}
	return nil
}

// uuid is always the same for the same thing of this registry.
func (s *service) uuid(what, of string) string {
	raw, _ := base64.RawURLEncoding.DecodeString(s.Ledger.code("ddcc", what, of) + s.Ledger.code("ddcc2", what, of))
	raw = slices.Clone(raw[:16])
	raw[6], raw[8] = raw[6]&0x0f|0x80, raw[8]&0x3f|0x80 // version 8, of our own making
	const hex = "0123456789abcdef"
	out := make([]byte, 0, 36)
	for i, b := range raw {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out = append(out, '-')
		}
		out = append(out, hex[b>>4], hex[b&15])
	}
	return string(out)
}

// document is the certificate without its signature.
func (s *service) document(p *person, o *dose, now time.Time) object {
	id := s.uuid("certificate", o.ref.ID+digest(o.doc))
	patient, organization, vaccination := "urn:uuid:"+s.uuid("patient", p.ref.ID), "urn:uuid:"+s.uuid("organization", ""), "urn:uuid:"+s.uuid("immunization", o.ref.ID)
	authority := cmp.Or(s.Authority, "Autoridad de salud")
	identifier := object{"system": "urn:ietf:rfc:3986", "value": "urn:uuid:" + id}
	composition := object{
		"resourceType": "Composition", "identifier": identifier, "status": "final", "title": "International Certificate of Vaccination or Prophylaxis",
		"type":    object{"coding": []object{{"system": loinc, "code": "82593-5", "display": "Immunization summary report"}}},
		"subject": object{"reference": patient}, "date": now.Format(time.RFC3339), "author": []object{{"reference": organization}},
		"attester": []object{{"mode": "official", "party": object{"reference": organization}}},
		"section": []object{{
			"title": "Vaccination", "code": object{"coding": []object{{"system": loinc, "code": "11369-6", "display": "History of Immunization note"}}},
			"focus": object{"reference": vaccination}, "entry": []object{{"reference": vaccination}},
		}},
	}
	full := func(url string, r object) object { return object{"fullUrl": url, "resource": r} }
	return object{
		"resourceType": "Bundle", "identifier": identifier, "type": "document", "timestamp": now.Format(fhir.InstantLayout),
		"entry": []object{
			full("urn:uuid:"+s.uuid("composition", o.ref.ID), composition), full(patient, certified(p)),
			full(organization, object{"resourceType": "Organization", "name": authority}), full(vaccination, s.vaccination(o, patient, organization)),
		},
	}
}

func certified(p *person) object {
	out := object{"resourceType": "Patient", "name": []object{{"use": "official", "text": p.text}}}
	if p.born != "" {
		out["birthDate"] = p.born
	}
	if p.gender != "" {
		out["gender"] = p.gender
	}
	if p.curp != "" {
		out["identifier"] = []object{{"system": identity.SystemCURP, "value": p.curp}}
	}
	return out
}

// vaccination is the Immunization of a certificate.
func (s *service) vaccination(o *dose, patient, organization string) object {
	number, _ := strconv.Atoi(o.number)
	protocol := object{"authority": object{"reference": organization}, "doseNumberPositiveInt": number}
	if n, err := strconv.Atoi(o.of); err == nil && n > 0 {
		protocol["seriesDosesPositiveInt"] = n
	}
	var diseases []object
	for _, d := range o.diseases {
		diseases = append(diseases, object{"coding": []object{written(d)}})
	}
	if diseases != nil {
		protocol["targetDisease"] = diseases
	}
	codings := []object{{"system": o.system, "code": o.code}}
	if o.system == code.SystemCVX {
		codings = nil
		for _, c := range code.Codings(o.code) {
			codings = append(codings, written(c))
		}
		if codings == nil {
			codings = []object{{"system": o.system, "code": o.code}}
		}
	}
	out := object{
		"resourceType": "Immunization", "status": "completed", "vaccineCode": object{"coding": codings, "text": o.name}, "patient": object{"reference": patient},
		"occurrenceDateTime": o.day, "lotNumber": o.lot, "location": object{"display": cmp.Or(o.place, o.clues, "—")}, "protocolApplied": []object{protocol},
		"extension": []object{{"url": ddccBase + "DDCCCountryOfEvent", "valueCode": s.Country}},
	}
	if o.maker != "" {
		out["manufacturer"] = object{"display": o.maker}
	}
	if o.cedula != "" {
		out["performer"] = []object{{"actor": object{"identifier": object{"system": identity.SystemCedula, "value": o.cedula}}}}
	}
	return out
}

func written(c code.Coding) object {
	out := object{"system": c.System, "code": c.Code}
	if c.Display != "" {
		out["display"] = c.Display
	}
	return out
}
