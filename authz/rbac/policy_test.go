package rbac

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir/spec"
)

func TestDefaultPolicy(t *testing.T) {
	p := Default()
	tests := []struct {
		role, typ, act, purpose, want string
	}{
		{"clinician", "Observation", "read", "TREAT", "all"},
		{"clinician", "Observation", "create", "TREAT", "all"},
		{"clinician", "Observation", "delete", "TREAT", ""},
		{"clinician", "Observation", "upsert", "TREAT", ""},
		{"clinician", "Observation", "read", "HRESCH", ""},
		{"clinician", "Appointment", "create", "TREAT", "all"}, // as a nurse
		{"clinician", "ValueSet", "read", "TREAT", "all"},      // as everyone
		{"nurse", "MedicationRequest", "create", "TREAT", ""},
		{"nurse", "MedicationRequest", "read", "TREAT", "all"},
		{"vaccinator", "Condition", "read", "TREAT", ""},
		{"vaccinator", "Immunization", "create", "TREAT", "all"},
		{"analyst", "Patient", "search", "PUBHLTH", ""}, // one by one nobody is shown to them
		{"analyst", "Patient", "read", "HRESCH", ""},
		{"analyst", "Patient", "view", "PUBHLTH", "all/de-identified"},
		{"analyst", "Task", "view", "PUBHLTH", ""},
		{"analyst", "Patient", "$export", "PUBHLTH", ""},
		{"analyst", "MeasureReport", "search", "PUBHLTH", "all/de-identified"},
		{"researcher", "Patient", "search", "HRESCH", "all/de-identified"},
		{"researcher", "Patient", "search", "PUBHLTH", ""},
		{"researcher", "Task", "read", "HRESCH", ""},
		{"data-steward", "Patient", "view", "PUBHLTH", "all"},
		{"data-steward", "Patient", "view", "HRESCH", ""},
		{"data-steward", "Patient", "read", "PUBHLTH", ""},
		{"clinician", "Patient", "view", "TREAT", ""},
		{"analyst", "Patient", "create", "PUBHLTH", ""},
		{"analyst", "Patient", "read", "TREAT", ""},
		{"auditor", "AuditEvent", "search", "HOPERAT", "all"},
		{"auditor", "Patient", "read", "HOPERAT", ""},
		{"administrator", "Patient", "read", "HSYSADMIN", ""},
		{"administrator", "Organization", "upsert", "HSYSADMIN", "all"},
		{"patient", "Observation", "read", "PATRQT", "own-compartment"},
		{"patient", "Observation", "update", "PATRQT", ""},
		{"patient", "Patient", "$everything", "PATRQT", "own-compartment"},
		{"guardian", "Observation", "read", "FAMRQT", "wards"},
		{"system", "Observation", "upsert", "HOPERAT", "all"},
		{"system", "AuditEvent", "read", "HOPERAT", "all"},
		{"system", "AuditEvent", "update", "HOPERAT", ""}, // nobody does
		{"arco-officer", "Observation", "read", "HOPERAT", "all-and-blocked"},
		{"telehealth-app", "Slot", "update", "TREAT", "all"},
		{"civil-registrar", "Composition", "read", "HOPERAT", "?type=http://loinc.org|71230-7 ?type=http://loinc.org|68998-4"},
		{"birth-certifier", "Observation", "create", "TREAT", "own-unit"},
		{"nobody", "Patient", "read", "TREAT", ""},
		{"nobody", "ValueSet", "$expand", "TREAT", "all"},
	}
	for _, tt := range tests {
		grants, err := p.Grants([]string{tt.role}, "DFSSA003966", tt.typ, tt.act, tt.purpose)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, g := range grants {
			text := g.Restriction
			if g.Mask != "" {
				text += "/" + g.Mask
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s %s %s for %s: %q, want %q", tt.role, tt.act, tt.typ, tt.purpose, got, tt.want)
		}
	}
	if !p.Bound([]string{"clinician"}) || p.Bound([]string{"clinician", "system"}) || p.Purpose([]string{"analyst"}) != "PUBHLTH" {
		t.Error("what the roles are like is wrong")
	}
}

// with returns the default policy with other lines in one file.
func with(file, text string) fs.FS {
	files := fstest.MapFS{}
	for _, name := range Files() {
		data, err := fs.ReadFile(Embedded(), name)
		if err != nil {
			panic(err)
		}
		if name == file {
			data = []byte(text)
		}
		files[name] = &fstest.MapFile{Data: data}
	}
	return files
}

func TestLoadRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ file, text, want string }{
		"an unknown role":        {rulesFile, "p, doctor, *, *, read, *, allow, all, none", "line 1"},
		"an unknown type":        {rulesFile, "\np, nurse, *, Patients, read, *, allow, all, none", "line 2"},
		"an unknown act":         {rulesFile, "p, nurse, *, Patient, look, *, allow, all, none", "look"},
		"an unknown effect":      {rulesFile, "p, nurse, *, Patient, read, *, maybe, all, none", "maybe"},
		"an unknown restriction": {rulesFile, "p, nurse, *, Patient, read, *, allow, mine, none", "mine"},
		"an unknown mask":        {rulesFile, "p, nurse, *, Patient, read, *, allow, all, half", "half"},
		"a search that is none":  {rulesFile, "p, nurse, *, Patient, read, *, allow, ?nothing=1, none", "nothing"},
		"an empty field":         {rulesFile, "p, nurse, , Patient, read, *, allow, all, none", "empty"},
		"too few fields":         {rulesFile, "p, nurse, *, Patient", "9 fields"},
		"an unknown inner role":  {rulesFile, "g, nurse, doctor", "doctor"},
		"a type in a group":      {groupsFile, "x, x, x, Patients", "Patients"},
		"no role for everyone":   {rolesFile, "nurse, a, b, TREAT, bound", "everyone"},
		"a role twice":           {rolesFile, "nurse, a, b, TREAT, bound\nnurse, a, b, TREAT, bound", "line 2"},
		"neither bound nor free": {rolesFile, "nurse, a, b, TREAT, perhaps", "perhaps"},
		"a mask of no form":      {masksFile, `{"x":{"types":1}}`, masksFile},
		"a model of no form":     {modelFile, "nothing", modelFile},
		"a matcher of no form":   {modelFile, strings.Replace(modelText(), "within(r.org, p.org)", "unknown(r.org)", 1), modelFile},
	} {
		if _, err := Load(with(tt.file, tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Load(fstest.MapFS{}); err == nil {
		t.Error("a policy without files was read")
	}
}

func modelText() string {
	text, err := fs.ReadFile(Embedded(), modelFile)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestOrganisations(t *testing.T) {
	p, err := Load(with(rulesFile, `
p, nurse, DF, Patient, read, *, allow, all, none
p, nurse, MCIMB, Patient, search, *, allow, all, none
p, nurse, DFSSA003966, Patient, create, *, allow, all, none
p, nurse, jurisdiction-7, Patient, update, *, allow, all, none`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		org, act string
		want     bool
	}{
		{"DFSSA003966", "read", true}, {"DFIMS000001", "read", true}, {"MCIMB005225", "read", false}, {"", "read", false},
		{"MCIMB005225", "search", true}, {"MCSSA005225", "search", false},
		{"DFSSA003966", "create", true}, {"DFSSA003967", "create", false},
		{"MCIMB005225 jurisdiction-7", "update", true}, {"MCIMB005225 jurisdiction-8", "update", false},
	} {
		for _, org := range []string{tt.org, p.Areas(tt.org)} {
			grants, err := p.Grants([]string{"nurse"}, org, "Patient", tt.act, "TREAT")
			if err != nil || (len(grants) > 0) != tt.want {
				t.Errorf("%s of %q: %v %v", tt.act, org, grants, err)
			}
		}
	}
}

// TestAreas: establishments that no rule tells apart are one to the policy.
func TestAreas(t *testing.T) {
	if areas := Default().Areas("DFSSA003966 jurisdiction-7"); areas != "" {
		t.Errorf("no rule asks for an establishment, and this one is %q", areas)
	}
}

// TestRulesByThemselves: what casbin finds is what a plain reading of the rules says.
func TestRulesByThemselves(t *testing.T) {
	p := Default()
	inside := func(role, rule string) bool {
		return role == rule || slices.Contains(p.inside[role], rule)
	}
	rapid.Check(t, func(t *rapid.T) {
		role := rapid.SampledFrom(p.Roles).Draw(t, "role").Name
		typ := rapid.SampledFrom(spec.Resources()).Draw(t, "type")
		act := rapid.SampledFrom([]string{"create", "read", "update", "upsert", "delete", "search", "$everything", "$validate"}).Draw(t, "act")
		purpose := rapid.SampledFrom([]string{"TREAT", "BTG", "HOPERAT", "PUBHLTH", "PATRQT", ""}).Draw(t, "purpose")
		var want []string
		denied := false
		for _, r := range p.Rules {
			on := slices.ContainsFunc(r.Types, func(name string) bool { return name == "*" || name == typ || slices.Contains(p.groups[name], typ) })
			does := slices.ContainsFunc(r.Acts, func(a string) bool { return a == act || a == "$*" && act[0] == '$' })
			why := slices.Contains(r.Purposes, "*") || slices.Contains(r.Purposes, purpose)
			if (inside(role, r.Role) || r.Role == Everyone) && on && does && why {
				denied = denied || r.Deny
				want = append(want, r.Restriction+"/"+strings.TrimPrefix(r.Mask, "none"))
			}
		}
		if denied {
			want = nil
		}
		grants, err := p.Grants([]string{role}, "DFSSA003966", typ, act, purpose)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, g := range grants {
			got = append(got, g.Restriction+"/"+g.Mask)
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(slices.Compact(want), got) {
			t.Fatalf("%s %s %s for %q: %q, want %q", role, act, typ, purpose, got, want)
		}
	})
}

// TestTable: every rule is shown, and every term of it is said in words.
func TestTable(t *testing.T) {
	p := Default()
	for _, in := range []Language{Spanish, English} {
		table := p.Table(in)
		if len(table) != len(p.Rules)+1 {
			t.Errorf("%d rows for %d rules", len(table), len(p.Rules))
		}
		for i, row := range table {
			if len(row) != len(headings[in]) || slices.Contains(row[:5], "") {
				t.Errorf("row %d has an empty field: %q", i, row)
			}
		}
	}
	for _, r := range p.Rules {
		for _, s := range slices.Concat(r.Acts, r.Purposes) {
			if _, ok := words[s]; !ok && !strings.HasPrefix(s, "$") {
				t.Errorf("there is no word for %s", s)
			}
		}
	}
	if text := p.Markdown(English); !strings.Contains(text, fmt.Sprintf("| %s |", p.Roles[1].English)) || !strings.Contains(text, `loinc.org\|71230-7`) {
		t.Error(text)
	}
}

// TestPolicyIsPublished: POLICY.md shows the policy that is in force by default.
func TestPolicyIsPublished(t *testing.T) {
	text, err := os.ReadFile("POLICY.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []Language{English, Spanish} {
		if want := Default().Markdown(in); !strings.Contains(string(text), want) {
			t.Errorf("POLICY.md does not have this table (amate policy show --default --markdown prints it):\n%s", want)
		}
	}
}

func BenchmarkGrants(b *testing.B) {
	p := Default()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Grants([]string{"clinician"}, "DFSSA003966", "Observation", "read", "TREAT"); err != nil {
			b.Fatal(err)
		}
	}
}
