package birth

import (
	"encoding/json"

	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
)

// definition says what an operation is.
type definition struct {
	name, title, text string
	changes           bool
	in, out           []parameter
	columns           bool // it takes the columns of SINAC as well
}

// parameter is one of an operation.
type parameter struct {
	name, typ, text string
	min             int
	max             string // "" is 1
}

var folioParameter = parameter{name: "folio", typ: "string", min: 1, text: "Number of the certificate."}

// draftParameters are those that describe a birth.
var draftParameters = []parameter{
	{name: "mother", typ: "Patient", text: "The mother: a Patient, or valueReference to one. Who has a CURP is found by it; else a Patient is made."},
	{name: "newborn", typ: "Patient", text: "The newborn, as far as columns do not say it: name, gender, birthDate."},
	{name: "father", typ: "RelatedPerson", text: "The father, where he is named."},
	{name: "certifier", typ: "Reference", text: "The Practitioner who certifies; the caller, when left out."},
	{name: "certificate", typ: "base64Binary", max: "*", text: "X.509 certificates of the certifier (.cer) and of authorities above it."},
	{name: "acknowledge", typ: "string", max: "*", text: "Rule of a warning that the certifier knows of; true for all."},
}

var preparedParameters = []parameter{
	{name: "folio", typ: "string", text: "Folio that is reserved."},
	{name: "pending", typ: "id", text: "The same, under the name that amate sign looks for."},
	{name: "algorithm", typ: "code", text: "RS256 or ES256."},
	{name: "header", typ: "string", text: "Protected header of the JWS."},
	{name: "digest", typ: "base64Binary", text: "SHA-256 that the private key signs."},
	{name: "document", typ: "Bundle", text: "Document that is signed, before the signature; the document, valueReference, after it."},
	{name: "mother", typ: "Reference", text: "Patient of the mother."},
	{name: "expires", typ: "instant", text: "Until when it can be signed."},
	{name: "warnings", typ: "OperationOutcome", text: "Warnings that were acknowledged."},
	{name: "flag", typ: "code", max: "*", text: "preterm, low-birth-weight, very-low-birth-weight."},
}

var statusParameters = []parameter{
	{name: "folio", typ: "string", text: "Number of the certificate."}, {name: "state", typ: "code", text: "State of the certificate."},
	{name: "newborn", typ: "Reference", text: "Patient of the newborn."}, {name: "event", typ: "BackboneElement", max: "*", text: "Steps of its life."},
}

// definitions are the operations, from which OperationDefinitions and the operations follow.
var definitions = []definition{
	{name: "birth-certify", title: "Certify a birth", changes: true, columns: true, out: preparedParameters,
		text: "In two steps. Without signature, all that is said of the birth is checked, a folio is reserved, and what is to be signed is returned. With folio and signature, " +
			"the certificate, its signed document and all that is made from it are stored at once, or nothing. The private key never comes to the server.",
		in: append([]parameter{
			{name: "folio", typ: "string", text: "Of a draft that is prepared anew or signed, or brought along by an offline node from its own range."},
			{name: "signature", typ: "base64Binary", text: "What the private key made of the digest. With it, only folio (or pending) is given."},
		}, draftParameters...)},
	{name: "birth-replace", title: "Replace a certificate of birth", changes: true, columns: true, out: preparedParameters,
		text: "Prepares a certificate that stands for another one, which is wrong. It is signed by $birth-certify; in that moment the other one is withdrawn.",
		in: append([]parameter{
			{name: "replaces", typ: "string", min: 1, text: "Folio of the certificate that is replaced."},
			{name: "reason", typ: "string", min: 1, text: "Why."},
		}, draftParameters...)},
	{name: "birth-deliver", title: "Hand over a certificate of birth", changes: true, out: statusParameters,
		text: "Records that the certificate was handed over.",
		in:   []parameter{folioParameter, {name: "to", typ: "string", min: 1, text: "Name of whom it was handed over to."}}},
	{name: "birth-register", title: "Register a birth", changes: true, out: statusParameters,
		text: "Records that the civil registry made the acta de nacimiento.",
		in: []parameter{folioParameter, {name: "acta", typ: "string", min: 1, text: "Number of the acta."}, {name: "oficialia", typ: "string", min: 1, text: "Office of the civil registry."},
			{name: "date", typ: "date", min: 1, text: "Day of the acta."}, {name: "state", typ: "code", text: "Entity of INEGI, 2 digits."},
			{name: "name", typ: "HumanName", text: "Name under which the newborn was registered."}}},
	{name: "birth-assign-curp", title: "Join a newborn with its CURP", changes: true, out: statusParameters,
		text: "Gives the newborn the CURP that RENAPO assigned. Where another Patient has it already, all that was recorded of the newborn goes to that one.",
		in:   []parameter{folioParameter, {name: "curp", typ: "string", min: 1, text: "The CURP."}}},
	{name: "birth-void", title: "Withdraw a certificate of birth", changes: true, out: statusParameters,
		text: "Withdraws a certificate from which no acta was made yet. Nothing is erased.",
		in:   []parameter{folioParameter, {name: "reason", typ: "string", min: 1, text: "Why."}}},
	{name: "birth-verify", title: "Verify a certificate of birth",
		text: "Says whether a certificate is valid: its state, whether its document is unchanged, the signature and the seal.",
		in:   []parameter{{name: "folio", typ: "string", text: "Number of the certificate; or"}, {name: "token", typ: "string", text: "the token that stands on it."}},
		out: []parameter{{name: "valid", typ: "boolean", min: 1, text: "Whether it is."}, {name: "state", typ: "code", min: 1, text: "State of the certificate."},
			{name: "unchanged", typ: "boolean", text: "The document is the one that was certified."},
			{name: "signature", typ: "BackboneElement", text: "Checks of the signature."}, {name: "seal", typ: "BackboneElement", text: "Checks of the seal."}}},
	{name: "birth-find", title: "Find certificates of birth",
		text: "How far certificates have come: one by its folio or newborn, or those of the caller's establishment by days of birth.",
		in: []parameter{{name: "folio", typ: "string", text: "Number of the certificate."}, {name: "newborn", typ: "Reference", text: "Patient of the newborn."},
			{name: "from", typ: "date", text: "First day of birth."}, {name: "until", typ: "date", text: "Day after the last one."},
			{name: "status", typ: "code", text: "State of the certificates."}, {name: "after", typ: "string", text: "Folio after which the next page begins."}},
		out: append([]parameter{{name: "certificate", typ: "BackboneElement", max: "*", text: "One of several."}, {name: "count", typ: "unsignedInt", text: "How many of them."}}, statusParameters...)},
}

// Definitions returns the OperationDefinitions and the code system of the columns, by the
// names of their files: fhir/registry/profile ships them.
func Definitions() map[string][]byte {
	all := map[string][]byte{}
	put := func(typ, id string, v compose.Object) {
		v["resourceType"], v["id"], v["url"] = typ, id, base+typ+"/"+id
		v["version"], v["status"], v["experimental"], v["date"] = "0.1.0", "draft", false, "2026-11-22"
		v["publisher"], v["jurisdiction"] = "Amate", []compose.Object{compose.Concept("urn:iso:std:iso:3166", "MX", "Mexico")}
		out, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			panic(err) // made of strings
		}
		all[typ+"-"+id+".json"] = append(out, '\n')
	}
	for i := range definitions {
		put("OperationDefinition", definitions[i].name, definitions[i].resource())
	}
	var columns []compose.Object
	for c := range sinac.Column(sinac.Columns) {
		columns = append(columns, compose.Object{"code": c.String(), "display": c.Spanish()})
	}
	put("CodeSystem", "sinac", compose.Object{
		"name": "SINAC", "title": "Columnas del SINAC", "description": "Columns of the record of a birth as SINAC publishes it.",
		"content": "complete", "caseSensitive": true, "count": len(columns), "concept": columns,
	})
	return all
}

// resource returns the OperationDefinition.
//
// See https://hl7.org/fhir/R4/operationdefinition.html.
func (d *definition) resource() compose.Object {
	var all []compose.Object
	add := func(use string, list []parameter) {
		for _, p := range list {
			if p.max == "" {
				p.max = "1"
			}
			one := compose.Object{"name": p.name, "use": use, "min": p.min, "max": p.max, "documentation": p.text}
			if p.typ != "BackboneElement" {
				one["type"] = p.typ
			} else {
				one["part"] = []compose.Object{{"name": "state", "use": use, "min": 0, "max": "1", "type": "code", "documentation": "And other parts, as they apply."}}
			}
			all = append(all, one)
		}
	}
	add("in", d.in)
	if d.columns {
		for c := range sinac.Column(sinac.Columns) {
			add("in", []parameter{{name: c.String(), typ: "string", text: c.Spanish() + ", as SINAC codes it."}})
		}
	}
	add("out", d.out)
	return compose.Object{
		"name": nameOf(d.name), "title": d.title, "kind": "operation", "description": d.text, "affectsState": d.changes, "code": d.name,
		"system": true, "type": false, "instance": false, "parameter": all,
	}
}

// nameOf makes a name for programs of the name of an operation: "BirthCertify".
func nameOf(name string) string {
	out, up := "", true
	for _, r := range name {
		switch {
		case r == '-':
			up = true
		case up:
			out, up = out+string(r-'a'+'A'), false
		default:
			out += string(r)
		}
	}
	return out
}
