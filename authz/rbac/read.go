package rbac

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// fault says what is wrong with a policy, and where.
func fault(file string, line int, format string, args ...any) error {
	where := file
	if line > 0 {
		where = fmt.Sprintf("%s, line %d", file, line)
	}
	return fmt.Errorf("policy: %s: %s", where, fmt.Sprintf(format, args...))
}

// rows calls f with the fields of every line of a file.
func rows(files fs.FS, name string, f func(line int, fields []string) error) error {
	in, err := files.Open(name)
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	defer in.Close()
	r := csv.NewReader(in)
	r.Comment, r.FieldsPerRecord, r.TrimLeadingSpace, r.LazyQuotes = '#', -1, true, true
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fault(name, 0, "%v", err)
		}
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		line, _ := r.FieldPos(0)
		if err := f(line, fields); err != nil {
			return err
		}
	}
}

func (p *Policy) readRoles(files fs.FS) error {
	err := rows(files, rolesFile, func(line int, f []string) error {
		if len(f) != 5 {
			return fault(rolesFile, line, "a role has 5 fields: name, en español, in English, purpose, bound or free")
		}
		if f[4] != "bound" && f[4] != "free" {
			return fault(rolesFile, line, "consents either bind a role or leave it free: bound or free, not %q", f[4])
		}
		if _, ok := p.roles[f[0]]; ok || !word(f[0]) {
			return fault(rolesFile, line, "%q is no new name of a role", f[0])
		}
		p.roles[f[0]] = len(p.Roles)
		p.Roles = append(p.Roles, Role{f[0], f[1], f[2], f[3], f[4] == "bound"})
		return nil
	})
	if _, ok := p.roles[Everyone]; err == nil && !ok {
		return fault(rolesFile, 0, "the role %s is missing", Everyone)
	}
	return err
}

// word reports whether s is fit to be the name of something in lists.
func word(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func (p *Policy) readGroups(files fs.FS) error {
	return rows(files, groupsFile, func(line int, f []string) error {
		if len(f) != 4 {
			return fault(groupsFile, line, "a group has 4 fields: name, en español, in English, types")
		}
		if p.groups[f[0]] != nil || !word(f[0]) {
			return fault(groupsFile, line, "%q is no new name of a group", f[0])
		}
		types := strings.Fields(f[3])
		for _, t := range types {
			if !spec.IsResource(t) {
				return fault(groupsFile, line, "%q is no resource type", t)
			}
		}
		p.groups[f[0]] = types
		p.Groups = append(p.Groups, Group{f[0], f[1], f[2], types})
		return nil
	})
}

func (p *Policy) readMasks(files fs.FS) error {
	text, err := fs.ReadFile(files, masksFile)
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&p.Masks); err != nil {
		return fault(masksFile, 0, "%v", err)
	}
	return nil
}

func (p *Policy) readRules(files fs.FS) error {
	return rows(files, rulesFile, func(line int, f []string) error {
		switch {
		case f[0] == "g" && len(f) == 3:
			return p.readInside(line, f[1], f[2])
		case f[0] != "p" || len(f) != 9:
			return fault(rulesFile, line, "a rule has 9 fields: p, role, establishment, types, acts, purposes, effect, of which, without what; or 3: g, role, role whose rules it has too")
		}
		r := Rule{
			Role: f[1], Org: f[2], Types: strings.Fields(f[3]), Acts: strings.Fields(f[4]), Purposes: strings.Fields(f[5]),
			Deny: f[6] == "deny", Restriction: f[7], Mask: f[8], Line: line,
		}
		if err := p.check(&r, f[6]); err != nil {
			return fault(rulesFile, line, "%v", err)
		}
		p.Rules = append(p.Rules, r)
		return nil
	})
}

func (p *Policy) readInside(line int, role, other string) error {
	for _, name := range []string{role, other} {
		if _, ok := p.roles[name]; !ok {
			return fault(rulesFile, line, "%q is no role of %s", name, rolesFile)
		}
	}
	p.inside[role] = append(p.inside[role], other)
	return nil
}

// acts that a rule can be for, beside operations. To view is to see resources in the rows
// of views and in exports alone, and not one by one.
var acts = []string{"create", "read", "update", "upsert", "delete", "search", "view"}

// check refuses a rule that names what is not there: it would silently never apply.
func (p *Policy) check(r *Rule, effect string) error {
	if _, ok := p.roles[r.Role]; !ok {
		return fmt.Errorf("%q is no role of %s", r.Role, rolesFile)
	}
	if effect != "allow" && effect != "deny" {
		return fmt.Errorf("the effect is allow or deny, not %q", effect)
	}
	if r.Org == "" || strings.ContainsAny(r.Org, " \t") || len(r.Types) == 0 || len(r.Acts) == 0 || len(r.Purposes) == 0 {
		return fmt.Errorf("a field is empty: * stands for all")
	}
	for _, t := range r.Types {
		if t != "*" && p.groups[t] == nil && !spec.IsResource(t) {
			return fmt.Errorf("%q is neither a group of %s nor a resource type", t, groupsFile)
		}
	}
	for _, a := range r.Acts {
		if a != "*" && !strings.HasPrefix(a, "$") && !slices.Contains(acts, a) {
			return fmt.Errorf("%q is none of %s, nor an operation, which begins with $", a, strings.Join(acts, " "))
		}
	}
	if _, ok := p.Masks[r.Mask]; r.Mask != "none" && !ok {
		return fmt.Errorf("%q is no mask of %s", r.Mask, masksFile)
	}
	return p.checkRestriction(r)
}

// checkRestriction tries a restriction on every type that the rule is for: those
// that it cannot hold for are simply not shown, but for one there must be.
func (p *Policy) checkRestriction(r *Rule) error {
	parts, err := ParseRestriction(r.Restriction)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if part.Params == nil {
			continue
		}
		var last error
		fits := false
		for _, t := range spec.Resources() {
			if !p.about(t, strings.Join(r.Types, " ")) {
				continue
			}
			if _, err := search.Parse(t, part.Params, search.Options{}); err != nil {
				last = err
			} else {
				fits = true
			}
		}
		if !fits {
			return fmt.Errorf("%s fits none of the types: %w", r.Restriction, last)
		}
	}
	return nil
}
