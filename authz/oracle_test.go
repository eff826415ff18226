package authz_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir/search"
)

// viewer judges, by reading resources as plain JSON, what a caller may see. It has
// nothing of the server's own code but the constants.
type viewer struct {
	*world
	p       *authz.Principal
	primary string // the type that is asked about, for which act counts; "" for all
	act     string // "read", "search" or "view"; "" where neither is asked
	purpose string
}

func (w *world) viewer(p *authz.Principal, primary, act string) *viewer {
	v := &viewer{world: w, p: p, primary: primary, act: act, purpose: p.Purpose}
	if v.purpose == "" {
		v.purpose = "TREAT"
	}
	return v
}

// path follows member names and takes the first of every array.
func path(o any, names ...string) any {
	for _, name := range names {
		if list, ok := o.([]any); ok {
			if len(list) == 0 {
				return nil
			}
			o = list[0]
		}
		m, ok := o.(object)
		if !ok {
			return nil
		}
		o = m[name]
	}
	return o
}

func str(o any, names ...string) string {
	s, _ := path(o, names...).(string)
	return s
}

func list(o any, name string) []any {
	l, _ := path(o, name).([]any)
	return l
}

func typeOf(o object) string { return str(o, "resourceType") }

func refOf(o object) string { return typeOf(o) + "/" + str(o, "id") }

// subject returns the patient whom a resource is about, "" for none.
func subject(o object) string {
	if typeOf(o) == "Patient" {
		return refOf(o)
	}
	for _, name := range []string{"subject", "patient"} {
		if ref := str(o, name, "reference"); strings.HasPrefix(ref, "Patient/") {
			return ref
		}
	}
	return ""
}

// mentioned lists the patients to whom anything within a Bundle refers.
func mentioned(o object) (patients []string) {
	for _, e := range list(o, "entry") {
		if ref := subject(path(e, "resource").(object)); !slices.Contains(patients, ref) {
			patients = append(patients, ref)
		}
	}
	return patients
}

// concerns lists the patients of whom a resource tells.
func (w *world) concerns(o object) (patients []string) {
	switch typeOf(o) {
	case "Bundle":
		return mentioned(o)
	case "Binary":
		if ref := str(o, "securityContext", "reference"); strings.HasPrefix(ref, "Patient/") {
			return []string{ref}
		}
		return nil
	case "Provenance":
		for _, target := range list(o, "target") {
			to := w.all[str(target, "reference")]
			if typeOf(to) == "Practitioner" {
				continue
			}
			patients = append(patients, w.concerns(to)...)
		}
		return patients
	}
	if ref := subject(o); ref != "" {
		return []string{ref}
	}
	return nil
}

// inRecord reports whether a resource is in the record of a patient.
func (v *viewer) inRecord(o object, patient string) bool {
	switch typeOf(o) {
	case "Bundle":
		if str(o, "type") == "document" {
			return str(o, "entry", "resource", "subject", "reference") == patient
		}
		return slices.Equal(mentioned(o), []string{patient})
	case "Binary":
		ref := str(o, "securityContext", "reference")
		to := v.all[ref]
		return ref == patient || typeOf(to) == "DocumentReference" && subject(to) == patient && v.sees(to)
	case "Provenance":
		return slices.ContainsFunc(list(o, "target"), func(target any) bool { return str(target, "reference") == patient })
	}
	return inCompartment(o, patient)
}

// inCompartment reports whether a resource is in the compartment of a patient.
func inCompartment(o object, patient string) bool {
	if subject(o) == patient {
		return true
	}
	if typeOf(o) == "Appointment" {
		return slices.ContainsFunc(list(o, "participant"), func(one any) bool {
			part, ok := one.(object)
			return ok && str(part, "actor", "reference") == patient
		})
	}
	return typeOf(o) == "Observation" && str(o, "performer", "reference") == patient
}

// about reports whether a type can be in a patient's compartment at all.
func aboutPatients(typ string) bool { return typ != "Organization" && typ != "Practitioner" }

func (v *viewer) acts(typ string) []string {
	if v.act == "view" { // rows show what any of the three does
		return []string{"read", "search", "view"}
	}
	if v.act != "" && (v.primary == typ || v.primary == "") {
		return []string{v.act}
	}
	return []string{"read", "search"}
}

// sees reports whether the caller may see a resource.
func (v *viewer) sees(o object) bool {
	acts := v.acts(typeOf(o))
	role, blockedToo, _ := v.role(o, acts)
	return role && v.scoped(o, acts) && (blockedToo || !v.blocked(o)) && v.consented(o) && v.proxied(o)
}

// proxied reports whether the caller may see what stands for a Binary.
func (v *viewer) proxied(o object) bool {
	to := v.all[str(o, "securityContext", "reference")]
	return typeOf(o) != "Binary" || to == nil || v.sees(to)
}

// masked reports whether some rule shows the type only with a mask.
func (v *viewer) masked(o object) bool {
	_, _, mask := v.role(o, v.acts(typeOf(o)))
	return mask
}

// blocked reports whether a resource is blocked, or the record that it is in.
func (v *viewer) blocked(o object) bool {
	isBlocked := func(ref string) bool { return blocked(v.all[ref]) }
	if typeOf(o) == "Provenance" && slices.ContainsFunc(list(o, "target"), func(target any) bool { return isBlocked(str(target, "reference")) }) {
		return true
	}
	return blocked(o) || slices.ContainsFunc(v.concerns(o), isBlocked)
}

func blocked(o object) bool { return hasLabel(o, authz.LabelSystem, authz.Blocked) }

func hasLabel(o object, system, code string) bool {
	return slices.ContainsFunc(list(path(o, "meta"), "security"), func(l any) bool {
		return str(l, "system") == system && str(l, "code") == code
	})
}

var groupTypes = map[string][]string{
	"demographics": {"Patient", "RelatedPerson"},
	"clinical":     {"Observation", "Condition", "Encounter", "Composition", "DocumentReference", "Bundle", "Binary", "Provenance"},
}

// role reads the rules of the role. The second result says that they show what is
// blocked, the third that they mask the type.
func (v *viewer) role(o object, acts []string) (sees, blockedToo, mask bool) {
	typ := typeOf(o)
	for _, r := range v.rules {
		on := slices.ContainsFunc(r.types, func(name string) bool { return name == "*" || name == typ || slices.Contains(groupTypes[name], typ) })
		does := slices.ContainsFunc(acts, func(a string) bool { return slices.Contains(r.acts, a) })
		if !on || !does || !v.possible(typ, r.restriction) {
			continue
		}
		mask = mask || r.mask
		blockedToo = blockedToo || r.restriction == "all-and-blocked"
		sees = sees || v.restricted(o, r.restriction)
	}
	return sees, blockedToo, mask
}

// possible reports whether a restriction can hold for resources of a type at all, so
// that its rule counts for its mask.
func (v *viewer) possible(typ, restriction string) bool {
	switch {
	case restriction == "own-compartment":
		return aboutPatients(typ) && v.own() != ""
	case restriction == "wards":
		return aboutPatients(typ) && v.ward() != ""
	case strings.HasPrefix(restriction, "own-unit"), restriction == "own-jurisdiction":
		return v.p.Org != "" && typ != "Practitioner" && typ != "Bundle" && typ != "Binary"
	case restriction == "self":
		return v.p.User.ID != "" && (typ == v.p.User.Type)
	}
	return true
}

func (v *viewer) own() string {
	if v.p.User.Type == "Patient" {
		return v.p.User.String()
	}
	if v.p.User.ID == "" && v.p.Patient != "" {
		return "Patient/" + v.p.Patient
	}
	return ""
}

// ward returns the patient for whom the caller is responsible.
func (v *viewer) ward() string {
	if v.p.User.Type != "RelatedPerson" {
		return ""
	}
	ward := subject(v.all[v.p.User.String()])
	if v.p.Patient != "" && "Patient/"+v.p.Patient != ward {
		return ""
	}
	return ward
}

func (v *viewer) restricted(o object, restriction string) bool {
	switch restriction {
	case "all", "all-and-blocked":
		return true
	case "own-compartment":
		return v.inRecord(o, v.own())
	case "wards":
		return v.inRecord(o, v.ward())
	case "self":
		return refOf(o) == v.p.User.String()
	case "?category=http://c|lab":
		return str(o, "category", "coding", "code") == "lab"
	case "own-unit & ?status=final":
		return v.ofOrg(o, false) && str(o, "status") == "final"
	case "own-unit":
		return v.ofOrg(o, false)
	case "own-jurisdiction":
		return v.ofOrg(o, true)
	}
	panic(restriction)
}

// ofOrg reports whether a resource belongs to the caller's establishment, or to one
// of the same jurisdiction.
func (v *viewer) ofOrg(o object, wide bool) bool {
	own := ""
	for i := range nOrgs {
		if clues(i) == v.p.Org {
			own = fmt.Sprint("Organization/o", i)
		}
	}
	parent := str(v.all[own], "partOf", "reference")
	fits := func(ref string) bool {
		if ref == own {
			return !wide || parent == "" || v.sees(v.all[ref])
		}
		// An establishment that the caller may not see leads nowhere.
		return wide && parent != "" && ref != "" && (ref == parent || str(v.all[ref], "partOf", "reference") == parent) && v.sees(v.all[ref])
	}
	follow := func(ref string, names ...string) bool {
		to := v.all[ref]
		return to != nil && v.sees(to) && fits(str(to, names...))
	}
	switch typeOf(o) {
	case "Organization":
		ref := refOf(o)
		up := str(o, "partOf", "reference")
		return ref == own && (!wide || parent == "") || wide && parent != "" && (ref == parent || up == parent)
	case "Patient":
		return fits(str(o, "managingOrganization", "reference"))
	case "Encounter":
		return fits(str(o, "serviceProvider", "reference")) || follow(subject(o), "managingOrganization", "reference")
	}
	if typeOf(o) == "Bundle" || typeOf(o) == "Binary" { // they do not say where they belong
		return false
	}
	if typeOf(o) == "Provenance" {
		return slices.ContainsFunc(list(o, "target"), func(target any) bool {
			ref := str(target, "reference")
			return strings.HasPrefix(ref, "Patient/") && follow(ref, "managingOrganization", "reference")
		})
	}
	if follow(subject(o), "managingOrganization", "reference") {
		return true
	}
	return typeOf(o) != "RelatedPerson" && typeOf(o) != "Consent" && follow(str(o, "encounter", "reference"), "serviceProvider", "reference")
}

// scoped reads the scopes of the token.
func (v *viewer) scoped(o object, acts []string) bool {
	for _, text := range v.p.Scopes {
		head, query, narrowed := strings.Cut(text, "?")
		context, rest, _ := strings.Cut(head, "/")
		typ, perms, _ := strings.Cut(rest, ".")
		lets := slices.ContainsFunc(acts, func(a string) bool { return a != "view" && strings.Contains(perms, a[:1]) })
		if typ != "*" && typ != typeOf(o) || !lets {
			continue
		}
		if narrowed && !strings.HasSuffix(query, "%7C"+str(o, "category", "coding", "code")) {
			continue
		}
		if context == "patient" {
			if v.p.Patient == "" || aboutPatients(typeOf(o)) && !v.inRecord(o, "Patient/"+v.p.Patient) {
				continue
			}
		}
		return true
	}
	return false
}

// consented reads the consents of the patient whom a resource is about.
func (v *viewer) consented(o object) bool {
	patients := v.concerns(o)
	if !v.bound || len(patients) == 0 && !consentable(typeOf(o)) {
		return true
	}
	permitted := false
	for _, c := range v.all {
		if typeOf(c) != "Consent" || !slices.Contains(patients, subject(c)) || str(c, "status") != "active" || str(c, "scope", "coding", "code") == "treatment" {
			continue
		}
		rule := map[string]string{"OPTIN": "permit", "OPTOUT": "deny"}[str(c, "policyRule", "coding", "code")]
		top := c["provision"].(object)
		if is := str(top, "type"); is != "" {
			rule = is
		}
		switch v.provision(o, top, rule, true) {
		case "deny":
			return false
		case "permit":
			permitted = true
		}
	}
	return permitted || v.purpose != lacking
}

// consentable reports whether a type is one that consents are about: where a consent
// must permit, one that is about nobody is not shown.
func consentable(typ string) bool {
	return typ == "Bundle" || typ == "Binary" || typ == "Provenance"
}

// provision says what a provision of type rule comes to: the exceptions within it go
// first. What cannot be judged denies, and does not permit.
func (v *viewer) provision(o, p object, rule string, clear bool) string {
	met, understood := v.met(o, p, rule)
	if !met {
		return ""
	}
	clear = clear && understood
	verdict, excepted := "", false
	for _, in := range list(p, "provision") {
		inner := in.(object)
		is := str(inner, "type")
		switch v.provision(o, inner, is, clear) {
		case "deny":
			verdict = "deny"
		case "permit":
			if verdict == "" {
				verdict = "permit"
			}
		}
		ok, known := v.met(o, inner, is)
		excepted = excepted || ok && (known || is == "deny")
	}
	if verdict == "deny" || excepted {
		return verdict
	}
	if rule == "permit" && !clear {
		return verdict
	}
	return rule
}

// met reports whether the conditions of a provision hold, those aside that are not
// understood.
func (v *viewer) met(o, p object, rule string) (met, understood bool) {
	understood = p["dataPeriod"] == nil
	if strings.HasPrefix(str(p, "period", "start"), "2090") || strings.HasPrefix(str(p, "period", "end"), "2020") {
		return false, understood
	}
	if who := path(p, "actor", "reference"); who != nil && !v.is(who) {
		return false, understood
	}
	if code := str(p, "purpose", "code"); code != "" && code != v.purpose && !(v.purpose == "ETREAT" && code == "TREAT") {
		return false, understood
	}
	if class := str(p, "class", "code"); class != "" && class != typeOf(o) {
		return false, understood
	}
	if code := str(p, "code", "coding", "code"); code != "" && str(o, "code", "coding", "code") != code {
		return false, understood
	}
	label := path(p, "securityLabel")
	return label == nil || labelled(o, str(label, "system"), str(label, "code"), rule), understood
}

// is reports whether the caller is an actor.
func (v *viewer) is(who any) bool {
	unit := ""
	for i := range nOrgs {
		if clues(i) == v.p.Org {
			unit = fmt.Sprint("Organization/o", i)
		}
	}
	if ref := str(who, "reference"); ref != "" {
		return ref == v.p.User.String() || unit != "" && (ref == unit || ref == str(v.all[unit], "partOf", "reference"))
	}
	if str(who, "identifier", "system") == search.SystemRole {
		return slices.Contains(v.p.Roles, str(who, "identifier", "value"))
	}
	return v.p.Org != "" && str(who, "identifier", "value") == v.p.Org
}

// labelled reports whether a resource has a label, where confidentiality is a scale.
func labelled(o object, system, code, rule string) bool {
	scale := []string{"U", "L", "M", "N", "R", "V"}
	at := slices.Index(scale, code)
	if !strings.HasSuffix(system, "v3-Confidentiality") {
		return hasLabel(o, system, code)
	}
	has := -1
	for i, c := range scale {
		if hasLabel(o, system, c) {
			has = i
		}
	}
	if rule == "deny" {
		return has >= at
	}
	return has <= at
}
