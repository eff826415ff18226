package rbac

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/search"
)

// Language is one that a policy is shown in.
type Language uint8

// The languages.
const (
	Spanish Language = iota
	English
)

// words are the terms of the rules, for people.
var words = map[string][2]string{
	"create": {"crear", "create"}, "read": {"leer", "read"}, "update": {"modificar", "change"},
	"upsert": {"crear con identificador propio", "create at an id of their own"}, "delete": {"borrar", "delete"}, "search": {"buscar", "search"},
	"view": {"ver en vistas y exportaciones", "see in views and exports"},
	"$*":   {"todas las operaciones", "all operations"}, "*": {"todo", "everything"},

	"TREAT": {"atención médica", "treatment"}, "ETREAT": {"urgencias", "emergency treatment"}, "BTG": {"acceso de emergencia", "break-glass"},
	"COC": {"coordinación de la atención", "coordination of care"}, "HOPERAT": {"operación institucional", "operations"}, "PUBHLTH": {"salud pública", "public health"},
	"HRESCH": {"investigación", "research"}, "PATRQT": {"petición del paciente", "request of the patient"}, "FAMRQT": {"petición de la familia", "request of the family"},
	"HSYSADMIN": {"administración del sistema", "system administration"}, "HPAYMT": {"pago", "payment"},

	All: {"de todas las personas, salvo lo bloqueado", "of everyone, save what is blocked"}, AllAndBlocked: {"de todas las personas, también lo bloqueado", "of everyone, and what is blocked"},
	OwnCompartment: {"del paciente en contexto", "of the patient in context"}, Wards: {"de sus hijos o pupilos", "of those in their care"},
	OwnUnit: {"de su establecimiento", "of their establishment"}, OwnJurisdiction: {"de su jurisdicción", "of their jurisdiction"},
	OwnState: {"de su estado", "of their state"}, Self: {"propios", "their own"}, Own: {"que hizo quien llama", "made by the caller"},
	"none": {"", ""}, "deny": {"PROHIBIDO", "FORBIDDEN"},
}

var headings = [2][]string{
	{"quién", "puede", "qué", "de quién", "para qué", "sin"},
	{"who", "may", "what", "of whom", "for what", "without"},
}

// Table returns the rules as rows of text, the headings first, for people who have
// to judge them: one row for each rule, in the order of the policy.
func (p *Policy) Table(in Language) [][]string {
	table := [][]string{headings[in]}
	for i := range p.Rules {
		r := &p.Rules[i]
		who := p.roleText(r.Role, in)
		for _, role := range slices.Sorted(maps.Keys(p.inside)) {
			if slices.Contains(p.inside[role], r.Role) {
				who += "; " + p.roleText(role, in)
			}
		}
		if r.Org != "*" {
			who += fmt.Sprintf(" (CLUES %s)", r.Org)
		}
		does := each(r.Acts, func(a string) string { return term(a, in) })
		if r.Deny {
			does = term("deny", in) + ": " + does
		}
		about := each(r.Types, func(t string) string { return p.typeText(t, in) })
		purposes := each(r.Purposes, func(s string) string { return term(s, in) })
		table = append(table, []string{who, does, about, restrictionText(r.Restriction, in), purposes, p.maskText(r.Mask, in)})
	}
	return table
}

// Markdown returns the table as a README shows it.
func (p *Policy) Markdown(in Language) string {
	var b strings.Builder
	for i, row := range p.Table(in) {
		b.WriteString("|")
		for _, cell := range row {
			b.WriteString(" " + strings.ReplaceAll(cell, "|", `\|`) + " |")
		}
		b.WriteByte('\n')
		if i == 0 {
			b.WriteString("|" + strings.Repeat("---|", len(row)) + "\n")
		}
	}
	return b.String()
}

func each(list []string, f func(string) string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = f(s)
	}
	return strings.Join(out, ", ")
}

// term returns the word for s, which stands for itself when there is none.
func term(s string, in Language) string {
	if w, ok := words[s]; ok {
		return w[in]
	}
	return s
}

func (p *Policy) roleText(name string, in Language) string {
	r, _ := p.Role(name)
	return [2]string{r.Spanish, r.English}[in]
}

func (p *Policy) typeText(name string, in Language) string {
	for _, g := range p.Groups {
		if g.Name == name {
			return [2]string{g.Spanish, g.English}[in]
		}
	}
	return term(name, in)
}

func (p *Policy) maskText(name string, in Language) string {
	m := p.Masks[name]
	return [2]string{m.Spanish, m.English}[in]
}

func restrictionText(text string, in Language) string {
	parts, err := ParseRestriction(text)
	if err != nil {
		return text
	}
	var all []string
	for _, part := range parts {
		if part.Params != nil {
			all = append(all, [2]string{"los que cumplen ", "those with "}[in]+paramsText(part.Params))
			continue
		}
		all = append(all, term(part.Name, in))
	}
	return strings.Join(all, [2]string{" y ", " and "}[in])
}

func paramsText(params []search.Param) string {
	var all []string
	for _, p := range params {
		all = append(all, p.Name+"="+p.Value)
	}
	return strings.Join(all, "&")
}
