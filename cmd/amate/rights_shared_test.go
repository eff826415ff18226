package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// tiedShared expects that what is about others as well is shown to somebody without who is
// hidden from them.
func (s *rightsScene) tiedShared(who string) {
	s.Helper()
	for at := range sharedWays {
		typ, id, _ := strings.Cut(at, "/")
		for _, path := range []string{at, at + "/_history/1", at + "/_history", typ + "?_id=" + id, typ + "/_history?_count=100", "?_type=" + typ + "&_id=" + id} {
			got := s.must(200, who, "GET", path, "")
			if strings.Contains(got, rightsMark) || strings.Contains(got, "Patient/p\"") || strings.Contains(got, "Observation/op0") || !strings.Contains(got, "Otra") || !strings.Contains(got, "SUBSETTED") {
				s.Errorf("%s: %.600s", path, got)
			}
		}
		full := s.must(200, "officer", "GET", at, "")
		if !strings.Contains(full, rightsMark) || strings.Contains(full, "SUBSETTED") {
			s.Errorf("the officer sees of %s: %.400s", at, full)
		}
		part, refused := s.must(200, who, "GET", at, ""), 409 // what is not seen would be lost
		if who == "clinic" && typ == "Group" {
			refused = 403
		}
		s.must(refused, who, "PUT", at, part)
		s.must(refused, who, "PUT", at, tiedJSON(at, sharedWays[at]))
	}
	for path, want := range map[string]string{
		"Group?member=Patient/p": `"total":0`, "Group?member=Patient/q&_id=s-members": `"total":1`, "CareTeam?participant=Patient/p": `"total":0`,
		"Group?member=Patient/p,Patient/q&_id=s-members": `"total":1`, "Observation?focus=Patient/p": `"total":0`, "Patient/p/Group?_id=s-members": `"total":0`,
	} {
		if got := s.must(200, who, "GET", path+"&_summary=count", ""); !strings.Contains(got, want) {
			s.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	for of, want := range map[string]bool{"p": false, "q": true} { // what names somebody is not told by their record either
		if got := s.must(200, who, "GET", "$changes?_count=500&patient="+of, ""); strings.Contains(got, "Group/s-members") != want || strings.Contains(got, "Observation/s-focus") != want {
			s.Errorf("the changes of the record of %s: %.2000s", of, got)
		}
	}
	if got := s.must(200, "officer", "GET", "Group?member=Patient/p&_summary=count", ""); !strings.Contains(got, `"total":2`) {
		s.Errorf("the officer finds %s", got)
	}
}

// refusing is a Consent by which Patient/p refuses: everything, or what more says.
func refusing(more string) string {
	return `{"resourceType":"Consent","id":"refusal","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
		"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"Patient/p"},"dateTime":"2026-01-01","policyRule":{"text":"x"},"provision":{"type":"deny"` + more + `}}`
}

// sharedRefused expects that what is about others as well is shown without who refuses by
// consent, to those whom consents bind, while nobody's record is blocked.
func (s *rightsScene) sharedRefused() {
	s.Helper()
	a := &asker{t: s.T, base: s.p.base, token: s.tokens["clinic"]}
	copied := s.copyOf("clinic")
	_, h, whole := a.do("GET", "/Group/s-members", "")
	s.must(201, "system", "PUT", "Consent/refusal", refusing(""))
	s.tiedShared("clinic")
	s.copiesWithout(copied, "a consent refuses")
	if status, now, out := a.do("GET", "/Group/s-members", "", "If-None-Match", h.Get("ETag")); status != 200 || out == whole || now.Get("ETag") != "" || now.Get("Last-Modified") != "" {
		s.Errorf("who has the whole Group is told nothing new: %d %v", status, now)
	}
	if got := s.must(200, "officer", "GET", "Group/s-members", ""); !strings.Contains(got, rightsMark) {
		s.Errorf("whom consents do not bind sees %s", got)
	}
	all := a.lines(a.exported(a.ordered("/Group/s-members/$export")))
	if all["Patient/q"] == "" || all["Patient/p"] != "" || all["Observation/op0"] != "" || strings.Contains(fmt.Sprint(all), rightsMark) || !strings.Contains(all["Group/s-members"], "Patient/q") {
		s.Errorf("the export of a Group of which one refuses: %d resources, %s", len(all), all["Group/s-members"])
	}
	if status, _, _ := a.do("GET", "/Group/s-members/$export?patient=Patient/p", "", "Prefer", "respond-async"); status != 404 && status != 400 {
		s.Errorf("of who refuses: %d", status)
	}
	s.exportedByType()
	const labels = `,"securityLabel":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]`
	for name, tt := range map[string]struct {
		more   string
		hidden bool
	}{
		"that their identity is shown": {`,"class":[{"system":"http://hl7.org/fhir/resource-types","code":"Patient"}]`, true},
		"that Groups name them":        {`,"class":[{"system":"http://hl7.org/fhir/resource-types","code":"Group"}]`, true},
		"what is restricted":           {labels, false},
		"another role":                 {`,"actor":[{"role":{"coding":[{"code":"IRCP"}]},"reference":{"identifier":{"system":"https://github.com/amate-health/amate/fhir/CodeSystem/rol","value":"vaccinator"}}}]`, false},
	} {
		s.must(200, "system", "PUT", "Consent/refusal", refusing(tt.more))
		got, found := s.must(200, "clinic", "GET", "Group/s-members", ""), s.must(200, "clinic", "GET", "Group?member=Patient/p&_id=s-members", "")
		if strings.Contains(got, rightsMark) == tt.hidden || tt.hidden && strings.Contains(found, `"fullUrl"`) {
			s.Errorf("a consent refuses %s: %s\n%s", name, got, found)
		}
	}
	s.must(200, "system", "PUT", "Consent/refusal", refusing(labels))
	at := "Group/s-members"
	restricted := strings.Replace(tiedJSON(at, sharedWays[at]), `"type"`, `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},"type"`, 1)
	s.must(200, "system", "PUT", at, restricted)
	if got := s.must(200, "clinic", "GET", at, ""); strings.Contains(got, rightsMark) || !strings.Contains(got, "Otra") {
		s.Errorf("a restricted Group, of which a consent refuses what is: %s", got)
	}
	s.must(200, "system", "PUT", at, tiedJSON(at, sharedWays[at]))
	s.must(204, "system", "DELETE", "Consent/refusal", "")
	if _, back, out := a.do("GET", "/Group/s-members", "", "If-None-Match", h.Get("ETag")); !strings.Contains(out, rightsMark) || back.Get("ETag") == "" {
		s.Errorf("refused no more, the Group still lacks the member: %s", out)
	}
}

// exportedByType: who exports a Group needs the scopes of what is exported, and none for
// the Group, which they then do not see.
func (s *rightsScene) exportedByType() {
	s.Helper()
	for scope, want := range map[string]int{
		"system/Patient.rs system/Observation.rs": 202, "system/Patient.read": 202, "system/Group.rs?_id=panel system/Patient.rs": 404, "system/Patient.c": 403,
	} {
		status, token, errs := amate(append([]string{"token", "--role", "clinic-system", "--scope", scope}, s.where...)...)
		if status != exitDone {
			s.Fatal(errs)
		}
		a := &asker{t: s.T, base: s.p.base, token: strings.TrimSpace(token)}
		got, h, out := a.do("GET", "/Group/s-members/$export", "", "Prefer", "respond-async")
		if got != want {
			s.Errorf("with %s: %d %s", scope, got, out)
		}
		if got != 202 {
			continue
		}
		all := a.lines(a.exported(strings.TrimPrefix(h.Get("Content-Location"), a.base)))
		if all["Patient/q"] == "" || all["Patient/p"] != "" || all["Group/s-members"] != "" || (all["Observation/oq0"] != "") != strings.Contains(scope, "Observation") {
			s.Errorf("with %s: %v", scope, all)
		}
		for path, want := range map[string]int{"/Group/s-members": 403, "/Group/s-members/$export?_type=Group": 403, "/Group/nobody/$export": 404} {
			if status, _, out := a.do("GET", path, "", "Prefer", "respond-async"); status != want {
				s.Errorf("with %s: %s: %d %s", scope, path, status, out)
			}
		}
	}
}

// keptCopy is a copy of all Groups, by one who asks for what has changed.
type keptCopy struct {
	who, next string
	group     string // Group/s-members as it is held
}

// copyOf begins a copy.
func (s *rightsScene) copyOf(who string) *keptCopy {
	s.Helper()
	c := &keptCopy{who: who, next: "$changes?_type=Group"}
	for range 3 {
		s.poll(c)
	}
	if !strings.Contains(c.group, rightsMark) {
		s.Errorf("%s begins with %s", who, c.group)
	}
	return c
}

func (s *rightsScene) poll(c *keptCopy) {
	s.Helper()
	var b struct {
		Link  []struct{ Relation, URL string }
		Entry []struct {
			Request  struct{ Method, URL string }
			Resource json.RawMessage
		}
	}
	if err := jsonUnmarshal(s.must(200, c.who, "GET", c.next, ""), &b); err != nil {
		s.Fatal(err)
	}
	for _, e := range b.Entry {
		if e.Request.URL == "Group/s-members" {
			c.group = string(e.Resource)
		}
	}
	for _, l := range b.Link {
		if l.Relation == "next" {
			c.next = strings.TrimPrefix(l.URL, s.p.base+"/")
		}
	}
}

// copiesWithout expects that who keeps a copy of a Group is told that somebody is not to be
// in it any more, and nothing else when it is written anew.
func (s *rightsScene) copiesWithout(c *keptCopy, since string) {
	s.Helper()
	for _, when := range []string{"at once", "once it is written anew"} {
		s.poll(c)
		if strings.Contains(c.group, rightsMark) || !strings.Contains(c.group, "Otra") {
			s.Errorf("since %s, the copy of %s has, %s: %s", since, c.who, when, c.group)
		}
		at := "Group/s-members"
		s.must(200, "officer", "PUT", at, tiedJSON(at, sharedWays[at]+`,"name":"`+since+`"`))
	}
}
