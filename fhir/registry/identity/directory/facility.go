package directory

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/identity/match"
)

// The systems of what is above a facility, and of its kinds; this project's own, since
// the DGIS has published no URIs.
const (
	SystemEntity       = identity.SystemINEGI                                                      // 2 digits
	SystemJurisdiction = "https://github.com/amate-health/amate/fhir/NamingSystem/jurisdiccion"    // entity-number: 20-01
	SystemInstitution  = "https://github.com/amate-health/amate/fhir/CodeSystem/clues-institucion" // SSA, IMB
	SystemTypology     = "https://github.com/amate-health/amate/fhir/CodeSystem/clues-tipologia"   // HG, UBR
	SystemKind         = "https://github.com/amate-health/amate/fhir/CodeSystem/clues-tipo"        // 1 to 4: what it offers
	SystemLevel        = "https://github.com/amate-health/amate/fhir/CodeSystem/clues-nivel"       // 1 to 3: level of care
	organizationType   = "http://terminology.hl7.org/CodeSystem/organization-type"
	roleCode           = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
)

// Skipped is a row that was left out.
type Skipped struct {
	Line int
	Why  string // says nothing of the row's content
}

// Facilities reads the catalogue of facilities and hands on what it makes of it, in
// transactions. It returns the rows that it left out, at most a thousand of them.
func Facilities(r io.Reader, yield func(Batch) error) ([]Skipped, error) {
	t, err := newTable(r, "CLUES")
	if err != nil {
		return nil, err
	}
	b := &batches{yield: yield}
	above := map[string]bool{}
	var skipped []Skipped
	for {
		more, err := t.next()
		if err != nil {
			return skipped, err
		}
		if !more {
			return skipped, b.flush(true)
		}
		if why := b.facility(t, above); why != "" {
			if len(skipped) < 1000 {
				skipped = append(skipped, Skipped{t.line(), why})
			}
			continue
		}
		if err := b.flush(false); err != nil {
			return skipped, err
		}
	}
}

// facility adds a row, and says why it does not.
func (b *batches) facility(t *table, above map[string]bool) string {
	clues := strings.ToUpper(t.get("CLUES"))
	for _, p := range identity.Check(identity.SystemCLUES, clues, noDay) {
		if !p.Warning {
			return fmt.Sprintf("character %d of the CLUES: %s", p.At, p.Text)
		}
	}
	name := t.get("NOMBRE DE LA UNIDAD", "NOMBRE COMERCIAL", "NOMBRE")
	if name == "" {
		return "it has no name"
	}
	parent := b.parents(t, clues, above)
	active := t.get("CLAVE ESTATUS DE OPERACION") == "1" || match.Fold(t.get("ESTATUS DE OPERACION", "ESTATUS")) == "EN OPERACION"
	institution := clues[2:5]
	org := resource{
		"identifier": list{identifier(identity.SystemCLUES, clues)}, "active": active, "name": name, "partOf": parent,
		"type": list{concept(organizationType, "prov", "Healthcare Provider"), concept(SystemInstitution, institution, t.get("NOMBRE DE LA INSTITUCION", "INSTITUCION"))},
	}
	place := resource{
		"identifier": list{identifier(identity.SystemCLUES, clues)}, "status": status(active), "name": name, "mode": "instance",
		"managingOrganization": to("Organization", identity.SystemCLUES, clues), "type": kinds(t),
	}
	if rfc := strings.ToUpper(t.get("RFC DEL ESTABLECIMIENTO")); rfc != "" && identity.Check(identity.SystemRFC, rfc, noDay) == nil {
		org["identifier"] = append(org["identifier"].(list), identifier(identity.SystemRFC, rfc))
	}
	if a := address(t); a != nil {
		org["address"], place["address"] = list{a}, a
	}
	if phone := match.Telephone(t.get("TELEFONO")); phone != "" {
		contact := list{resource{"system": "phone", "value": phone, "use": "work"}}
		org["telecom"], place["telecom"] = contact, contact
	}
	if lat, lon, ok := position(t); ok {
		place["position"] = resource{"latitude": lat, "longitude": lon}
	}
	b.put("Organization", identity.SystemCLUES, clues, org)
	b.put("Location", identity.SystemCLUES, clues, place)
	return ""
}

func status(active bool) string {
	if active {
		return "active"
	}
	return "inactive"
}

// parents adds the entity and the jurisdiction of a facility when they are met for the
// first time, and returns the reference to the lower of them.
func (b *batches) parents(t *table, clues string, above map[string]bool) resource {
	var state identity.Entity
	for _, e := range identity.Entities() {
		if e.CURP == clues[:2] {
			state = e
		}
	}
	if !above[state.INEGI] {
		above[state.INEGI] = true
		b.put("Organization", SystemEntity, state.INEGI, resource{
			"identifier": list{identifier(SystemEntity, state.INEGI)}, "active": true, "name": "Salud de " + state.Name,
			"type": list{concept(organizationType, "govt", "Government")},
		})
	}
	n, err := strconv.Atoi(t.get("CLAVE DE LA JURISDICCION"))
	if err != nil || n <= 0 {
		return to("Organization", SystemEntity, state.INEGI)
	}
	key := fmt.Sprintf("%s-%02d", state.INEGI, n)
	if !above[key] {
		above[key] = true
		name := t.get("NOMBRE DE LA JURISDICCION", "JURISDICCION")
		if name == "" {
			name = key
		}
		b.put("Organization", SystemJurisdiction, key, resource{
			"identifier": list{identifier(SystemJurisdiction, key)}, "active": true, "name": "Jurisdicción Sanitaria " + name,
			"type": list{concept(organizationType, "govt", "Government")}, "partOf": to("Organization", SystemEntity, state.INEGI),
		})
	}
	return to("Organization", SystemJurisdiction, key)
}

// kinds says what kind of a place it is, in the codes of the catalogue and of HL7.
func kinds(t *table) list {
	kind := match.Fold(t.get("NOMBRE TIPO ESTABLECIMIENTO", "TIPO ESTABLECIMIENTO"))
	var all list
	switch {
	case strings.Contains(kind, "HOSPITALIZACION"):
		all = append(all, concept(roleCode, "HOSP", "Hospital"))
	case strings.Contains(kind, "CONSULTA EXTERNA"):
		all = append(all, concept(roleCode, "OF", "Outpatient facility"))
	default:
		all = append(all, concept(roleCode, "SU", "Service unit"))
	}
	for _, c := range []struct {
		system     string
		code, name []string
	}{
		{SystemKind, []string{"CLAVE DEL TIPO ESTABLECIMIENTO", "CLAVE TIPO ESTABLECIMIENTO"}, []string{"NOMBRE TIPO ESTABLECIMIENTO"}},
		{SystemTypology, []string{"CLAVE DE TIPOLOGIA"}, []string{"NOMBRE DE TIPOLOGIA", "TIPOLOGIA"}},
		{SystemLevel, []string{"CLAVE NIVEL ATENCION"}, []string{"NIVEL ATENCION"}},
	} {
		if code := t.get(c.code...); code != "" {
			all = append(all, concept(c.system, code, t.get(c.name...)))
		}
	}
	return all
}

// address returns the address of a row, nil when it has none.
func address(t *table) resource {
	street := strings.TrimSpace(t.get("TIPO DE VIALIDAD") + " " + t.get("VIALIDAD"))
	if n := t.get("NUMERO EXTERIOR"); n != "" && street != "" {
		street += " " + n
	}
	var lines list
	for _, l := range []string{street, strings.TrimSpace(t.get("TIPO DE ASENTAMIENTO") + " " + t.get("ASENTAMIENTO"))} {
		if l != "" {
			lines = append(lines, l)
		}
	}
	a := resource{}
	if lines != nil {
		a["line"] = lines
	}
	for key, v := range map[string]string{
		"city": t.get("NOMBRE DE LA LOCALIDAD", "LOCALIDAD"), "district": t.get("NOMBRE DEL MUNICIPIO", "MUNICIPIO"),
		"state": t.get("NOMBRE DE LA ENTIDAD", "ENTIDAD"), "postalCode": t.get("CODIGO POSTAL"),
	} {
		if v != "" {
			a[key] = v
		}
	}
	if len(a) == 0 {
		return nil
	}
	a["use"], a["country"] = "work", "MX"
	return a
}

// position returns where a facility is, when the row says so and it is in Mexico.
func position(t *table) (lat, lon float64, ok bool) {
	lat, err := strconv.ParseFloat(strings.ReplaceAll(t.get("LATITUD"), ",", "."), 64)
	if err != nil {
		return 0, 0, false
	}
	if lon, err = strconv.ParseFloat(strings.ReplaceAll(t.get("LONGITUD"), ",", "."), 64); err != nil {
		return 0, 0, false
	}
	if lon > 0 {
		lon = -lon // Mexico lies west of Greenwich, which some rows leave unsaid
	}
	return lat, lon, lat >= 14 && lat <= 33 && lon >= -119 && lon <= -86
}
