package code

import (
	"encoding/json"
	"slices"
	"strings"
)

// canonical begins the URLs of what [Definitions] returns, but for code systems that
// others own.
const canonical = "https://github.com/amate-health/amate/fhir/"

type object map[string]any

// Definitions returns the tables as FHIR resources, by the names of their files: CVX and
// MVX as code systems, CVX with its names in Spanish, and a map between CVX and SNOMED CT
// and ATC in both directions, so that $translate, $lookup and $validate-code know them.
func Definitions() map[string][]byte {
	all := map[string][]byte{}
	for _, r := range []object{cvxSystem(), mvxSystem(), vaccineMap()} {
		out, err := json.MarshalIndent(r, "", " ")
		if err != nil {
			panic(err) // made of strings
		}
		all[r["resourceType"].(string)+"-"+r["id"].(string)+".json"] = append(out, '\n')
	}
	return all
}

func definition(typ, id, url, name, title, description string) object {
	return object{
		"resourceType": typ, "id": id, "url": url, "version": "0.1.0", "name": name, "title": title, "status": "active",
		"experimental": false, "date": "2026-11-22", "publisher": "Amate", "description": description,
	}
}

func cvxSystem() object {
	r := definition("CodeSystem", "cvx", SystemCVX, "CVX", "Vacunas (CVX)",
		"CDC's codes of vaccines that were administered (public domain), with CDC's short description as the designation in English. To have CDC's newest list, load it by the command terminology load: it takes the place of this one.")
	var concepts []object
	for _, v := range all().vaccines {
		inactive := v.Status == Inactive || v.Status == Never
		concepts = append(concepts, object{
			"code": v.CVX, "display": v.Name,
			"designation": []object{{"language": "en", "value": v.Display}},
			"property":    []object{{"code": "inactive", "valueBoolean": inactive}},
		})
	}
	r["language"], r["caseSensitive"], r["content"], r["count"], r["concept"] = "es", true, "complete", len(concepts), concepts
	r["property"] = []object{{"code": "inactive", "uri": "http://hl7.org/fhir/concept-properties#inactive", "type": "boolean"}}
	return r
}

func mvxSystem() object {
	r := definition("CodeSystem", "mvx", SystemMVX, "MVX", "Fabricantes de vacunas (MVX)",
		"Those of CDC's codes of vaccine manufacturers (public domain) whose vaccines are met in Mexico. Load CDC's whole list by the command terminology load: it takes the place of this one.")
	var concepts []object
	for _, m := range all().makers {
		concepts = append(concepts, object{"code": m.MVX, "display": m.Name})
	}
	r["caseSensitive"], r["content"], r["count"], r["concept"] = true, "fragment", len(concepts), concepts
	return r
}

// vaccineMap maps CVX to SNOMED CT and ATC and back. A product type is most often mapped
// to something wider: the list that it is mapped to says less.
//
// See https://hl7.org/fhir/R4/valueset-concept-map-equivalence.html.
func vaccineMap() object {
	r := definition("ConceptMap", "vacunas", canonical+"ConceptMap/vacunas", "Vacunas", "CVX, SNOMED CT y ATC de las vacunas",
		"How vaccines are coded in CVX, in the IPS terminology of SNOMED CT and in ATC.")
	r["copyright"] = "SNOMED CT codes are of the SNOMED International IPS Terminology (CC BY 4.0, SNOMED International)."
	r["group"] = []object{
		toOther(SystemSNOMED, func(v *Vaccine) string { return v.SNOMED }, all().snomed),
		toCVX(SystemSNOMED, func(v *Vaccine) string { return v.SNOMED }, all().snomed),
		toOther(SystemATC, func(v *Vaccine) string { return v.ATC }, all().atc),
		toCVX(SystemATC, func(v *Vaccine) string { return v.ATC }, all().atc),
	}
	return r
}

// toOther is the group from CVX to another list.
func toOther(system string, of func(*Vaccine) string, list map[string]mapped) object {
	var elements []object
	for i := range all().vaccines {
		v := &all().vaccines[i]
		to := of(v)
		if to == "" {
			continue
		}
		target := object{"code": to, "equivalence": "wider"}
		if list[to].cvx == v.CVX {
			target["equivalence"] = "equivalent"
		}
		if system == SystemSNOMED && list[to].display != "" {
			target["display"] = list[to].display
		}
		elements = append(elements, object{"code": v.CVX, "display": v.Name, "target": []object{target}})
	}
	return object{"source": SystemCVX, "target": system, "element": elements}
}

// toCVX is the group from another list to CVX: first the code that says as much, then
// those that say more.
func toCVX(system string, of func(*Vaccine) string, list map[string]mapped) object {
	var codes []string
	for c := range list {
		codes = append(codes, c)
	}
	slices.SortFunc(codes, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	var elements []object
	for _, c := range codes {
		var targets []object
		if same, ok := Lookup(list[c].cvx); ok && list[c].cvx != "" {
			targets = append(targets, object{"code": same.CVX, "display": same.Name, "equivalence": "equivalent"})
		}
		for i := range all().vaccines {
			if v := &all().vaccines[i]; of(v) == c && v.CVX != list[c].cvx {
				targets = append(targets, object{"code": v.CVX, "display": v.Name, "equivalence": "narrower", "comment": "One of the products that the code may be of."})
			}
		}
		if targets == nil {
			continue
		}
		e := object{"code": c, "target": targets}
		if system == SystemSNOMED {
			e["display"] = list[c].display
		}
		elements = append(elements, e)
	}
	return object{"source": system, "target": SystemCVX, "element": elements}
}
