package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// tiedWays are resources that name no patient as their subject and are of Patient/p
// through something else, by the element in which they refer to it, as JSON without type
// and id. Each has the mark in a text.
var tiedWays = map[string]string{
	"Observation/t-encounter":           `"status":"final","code":{"text":"M"},"encounter":{"reference":"Encounter/ep"}`,
	"Observation/t-derived":             `"status":"final","code":{"text":"M"},"derivedFrom":[{"reference":"Observation/t-encounter"}]`,
	"Observation/t-member":              `"status":"final","code":{"text":"M"},"hasMember":[{"reference":"Observation/op0"}]`,
	"Task/t-focus":                      `"status":"requested","intent":"order","description":"M","focus":{"reference":"Observation/t-derived"}`,
	"Task/t-input":                      `"status":"requested","intent":"order","input":[{"type":{"text":"M"},"valueReference":{"reference":"Patient/p"}}]`,
	"CareTeam/t-participant":            `"name":"M","participant":[{"member":{"reference":"Patient/p","display":"M"}}]`,
	"DetectedIssue/t-implicated":        `"status":"final","detail":"M","implicated":[{"reference":"Observation/op1"}]`,
	"DocumentReference/t-context":       `"status":"current","description":"M","content":[{"attachment":{"title":"M"}}],"context":{"encounter":[{"reference":"Encounter/ep"}]}`,
	"DocumentReference/t-content":       `"status":"current","description":"M","content":[{"attachment":{"url":"Binary/t-binary"}}]`,
	"Composition/t-encounter":           `"status":"preliminary","type":{"text":"M"},"date":"2016-05-01","author":[{"reference":"Practitioner/d"}],"title":"M","encounter":{"reference":"Encounter/ep"}`,
	"DiagnosticReport/t-encounter":      `"status":"final","code":{"text":"M"},"encounter":{"reference":"Encounter/ep"}`,
	"DiagnosticReport/t-result":         `"status":"final","code":{"text":"M"},"result":[{"reference":"Observation/op2"}]`,
	"Communication/t-about":             `"status":"completed","payload":[{"contentString":"M"}],"about":[{"reference":"Observation/op0"}]`,
	"Communication/t-based":             `"status":"completed","payload":[{"contentString":"M"}],"basedOn":[{"reference":"Task/t-focus"}]`,
	"Media/t-encounter":                 `"status":"completed","content":{"title":"M"},"encounter":{"reference":"Encounter/ep"}`,
	"QuestionnaireResponse/t-encounter": `"status":"completed","item":[{"linkId":"1","text":"M"}],"encounter":{"reference":"Encounter/ep"}`,
	"QuestionnaireResponse/t-based":     `"status":"completed","item":[{"linkId":"1","text":"M"}],"partOf":[{"reference":"Observation/op0"}]`,
	"MedicationDispense/t-authorizing":  `"status":"completed","medicationCodeableConcept":{"text":"M"},"authorizingPrescription":[{"reference":"MedicationRequest/mp"}]`,
	"List/t-entry":                      `"status":"current","mode":"working","title":"M","entry":[{"item":{"reference":"Observation/op0","display":"M"}}]`,
	"MessageHeader/t-focus":             `"eventCoding":{"system":"urn:e","code":"x","display":"M"},"source":{"endpoint":"urn:x"},"focus":[{"reference":"Encounter/ep"}]`,
	"Appointment/t-reason":              `"status":"booked","description":"M","reasonReference":[{"reference":"Condition/cp0"}],"participant":[{"actor":{"reference":"Practitioner/d"},"status":"accepted"}]`,
	"Provenance/t-target":               `"recorded":"2016-05-01T00:00:00Z","target":[{"reference":"Observation/t-encounter"}],"agent":[{"who":{"reference":"Practitioner/d"}}],"reason":[{"text":"M"}]`,
	"Linkage/t-item":                    `"item":[{"type":"source","resource":{"reference":"Encounter/ep","display":"M"}}]`,
	"SupplyDelivery/t-based":            `"status":"completed","suppliedItem":{"itemCodeableConcept":{"text":"M"}},"partOf":[{"reference":"SupplyDelivery/sp"}]`,
	"PaymentNotice/t-request":           `"status":"active","request":{"reference":"Encounter/ep","display":"M"},"payment":{"display":"M"},"recipient":{"display":"M"},"amount":{"value":1,"currency":"MXN"},"created":"2016-05-01"`,
	"DocumentManifest/t-content":        `"status":"current","description":"M","content":[{"reference":"DocumentReference/t-context"}]`,
	"RequestGroup/t-encounter":          `"status":"active","intent":"plan","encounter":{"reference":"Encounter/ep"},"note":[{"text":"M"}]`,
	"MolecularSequence/t-observed":      `"coordinateSystem":0,"observedSeq":"M","specimen":{"reference":"Specimen/spp"}`,
	"Specimen/t-parent":                 `"note":[{"text":"M"}],"parent":[{"reference":"Specimen/spp"}]`,
	"GuidanceResponse/t-encounter":      `"moduleUri":"urn:x","status":"success","encounter":{"reference":"Encounter/ep"},"note":[{"text":"M"}]`,
	"Basic/t-nothing-but-an-extension":  `"code":{"text":"M"},"extension":[{"url":"urn:x","valueReference":{"reference":"Encounter/ep"}}]`,
}

// mark puts the mark, and type and id, into a resource of tiedWays.
func tiedJSON(at, rest string) string {
	typ, id, _ := strings.Cut(at, "/")
	return fmt.Sprintf(`{"resourceType":%q,"id":%q,%s}`, typ, id, strings.ReplaceAll(rest, `"M"`, `"`+rightsMark+`"`))
}

// sharedWays are about Patient/p and Patient/q.
var sharedWays = map[string]string{
	"CareTeam/s-participants": `"participant":[{"member":{"reference":"Patient/p","display":"M"}},{"member":{"reference":"Patient/q","display":"Otra"}}]`,
	"List/s-entries":          `"status":"current","mode":"working","entry":[{"item":{"reference":"Observation/op0","display":"M"}},{"item":{"reference":"Observation/oq0","display":"Otra"}}]`,
	"Group/s-members":         `"type":"person","actual":true,"member":[{"entity":{"reference":"Patient/p","display":"M"}},{"entity":{"reference":"Patient/q","display":"Otra"}}]`,
	"Observation/s-focus":     `"status":"final","code":{"text":"Otra"},"subject":{"reference":"Patient/q","display":"Otra"},"focus":[{"reference":"Patient/p","display":"M"}]`,
	"Communication/s-about":   `"status":"completed","about":[{"reference":"Observation/op0","display":"M"},{"reference":"Observation/oq0","display":"Otra"}]`,
}

// TestRightsTied: what is of a patient through something else goes with the patient, in
// every way there is to look at it, and what is about others stays, without them.
func TestRightsTied(t *testing.T) {
	t.Parallel()
	eachRightsEngine(t, func(t *testing.T, where []string, contents func() string) {
		s := newRightsScene(t, where)
		s.fill()
		s.tie()
		s.loosen()
		s.worded(true)
		before := s.copied("")
		for at := range tiedWays {
			if tiedWays[at] != "" && !before[at] {
				t.Errorf("before, $changes lacks %s", at)
			}
		}
		s.sharedRefused()
		copied := s.copyOf("system")
		task := s.file("patient", "right", codeValue("cancelacion"))
		s.resolve(200, task, "grant")
		s.tiedHidden()
		s.claimed()
		s.tiedShared("system")
		s.worded(false)
		s.copiesWithout(copied, "the record is blocked")
		s.reserved()
		s.must(200, "officer", "POST", "Patient/p/$arco-unblock", asks("reason", textValue("Volvió")))
		for at, rest := range tiedWays {
			if rest != "" {
				s.must(200, "system", "GET", at, "")
			}
		}
		if got := s.must(200, "system", "GET", "Group/s-members", ""); !strings.Contains(got, rightsMark) {
			t.Errorf("unblocked, the Group still lacks the member: %s", got)
		}
		s.worded(true)
		if s.poll(copied); !strings.Contains(copied.group, rightsMark) {
			t.Errorf("unblocked, the copy of the Group still lacks the member: %s", copied.group)
		}
		s.resolve(200, s.file("patient", "right", codeValue("cancelacion")), "grant")
		s.tiedPurged(where, contents)
	})
}

// looseBinaries do not say whose they are; a removal of Patient/p takes them along, or
// leaves them, by what refers to them.
var looseBinaries = map[string]bool{
	"l-attached": true, "l-earlier": true, "l-deleted": true,
	"l-shared": false, "l-shared-once": false, "l-listed": false, "l-nobodys": false, "l-other": false,
}

// loosen writes them.
func (s *rightsScene) loosen() {
	s.Helper()
	put := func(status int, at, rest string) { s.Helper(); s.must(status, "system", "PUT", at, tiedJSON(at, rest)) }
	for id := range looseBinaries {
		context := ""
		if id == "l-other" {
			context = `"securityContext":{"reference":"Patient/q"},`
		}
		put(201, "Binary/"+id, context+`"contentType":"text/plain","data":"aG9sYQ=="`)
	}
	document := func(patient string, binaries ...string) string {
		text := `"status":"current","subject":{"reference":"Patient/` + patient + `"},"content":[`
		for i, b := range binaries {
			if i > 0 {
				text += ","
			}
			text += `{"attachment":{"url":"` + b + `"}}`
		}
		return text + `]`
	}
	put(201, "DocumentReference/l-p", document("p", "Binary/l-earlier", "Binary/l-deleted"))
	put(200, "DocumentReference/l-p", document("p", s.p.base+"/Binary/l-attached", "Binary/l-shared", "Binary/l-shared-once", "Binary/l-listed", "Binary/l-other"))
	s.must(204, "system", "DELETE", "Binary/l-deleted", "")
	put(201, "Communication/l-q", `"status":"completed","subject":{"reference":"Patient/q"},"payload":[{"contentAttachment":{"url":"Binary/l-shared"}}]`)
	put(201, "DocumentReference/l-q", document("q", "Binary/l-shared-once"))
	put(200, "DocumentReference/l-q", document("q", "http://elsewhere.example/x"))
	put(201, "List/l-q", `"status":"current","mode":"working","subject":{"reference":"Patient/q"},"entry":[{"item":{"reference":"Binary/l-listed"}}]`)
}

// claimed expects that what nothing but the blocked record refers to is hidden with it, soon,
// and nothing else is.
func (s *rightsScene) claimed() {
	s.Helper()
	for _, who := range []string{"system", "clinician"} {
		for id, goes := range looseBinaries {
			if goes {
				eventually(s.T, who+" does not see Binary/"+id, func() bool { status, _ := s.do(who, "GET", "Binary/"+id, ""); return status == 404 || status == 410 })
				if status, _ := s.do(who, "GET", "Binary/"+id+"/_history/1", ""); status == 200 {
					s.Errorf("%s sees version 1 of Binary/%s", who, id)
				}
			}
		}
		for id, goes := range looseBinaries {
			if !goes {
				s.must(200, who, "GET", "Binary/"+id, "")
			}
		}
	}
	if got := s.must(200, "officer", "GET", "Binary/l-attached?_format=json", ""); !strings.Contains(got, `"Patient/p"`) || !strings.Contains(got, "aG9sYQ==") {
		s.Errorf("the officer sees %s", got)
	}
}

// tie writes what is of Patient/p through something else.
func (s *rightsScene) tie() {
	s.Helper()
	for _, json := range []string{
		`{"resourceType":"Binary","id":"t-binary","contentType":"text/plain","securityContext":{"reference":"Patient/p"},"data":"aG9sYQ=="}`,
		`{"resourceType":"MedicationRequest","id":"mp","status":"active","intent":"order","medicationCodeableConcept":{"text":"x"},"subject":{"reference":"Patient/p"}}`,
		`{"resourceType":"Condition","id":"cp0","subject":{"reference":"Patient/p"}}`,
		`{"resourceType":"Specimen","id":"spp","subject":{"reference":"Patient/p"}}`,
		`{"resourceType":"SupplyDelivery","id":"sp","patient":{"reference":"Patient/p"}}`,
	} {
		typ := strings.Split(json, `"`)[3]
		s.must(http.StatusCreated, "system", "PUT", typ+"/"+strings.Split(json, `"`)[7], json)
	}
	for _, all := range []map[string]string{tiedWays, sharedWays} { // in any order
		for at, rest := range all {
			if rest != "" {
				s.must(http.StatusCreated, "system", "PUT", at, tiedJSON(at, rest))
				s.must(http.StatusOK, "system", "PUT", at, tiedJSON(at, rest+`,"language":"es"`)) // an earlier version each
			}
		}
	}
}

// copied returns what the current state of a copy by $changes has, by reference.
func (s *rightsScene) copied(params string) map[string]bool {
	s.Helper()
	have := map[string]bool{}
	path := "$changes?_count=500" + params
	for range 50 {
		got := s.must(200, "system", "GET", path, "")
		var b struct {
			Link  []struct{ Relation, URL string }
			Meta  struct{ Tag []struct{ Code string } }
			Entry []struct {
				Request  struct{ Method, URL string }
				Resource struct{ ResourceType, ID string }
			}
		}
		if err := jsonUnmarshal(got, &b); err != nil {
			s.Fatal(err)
		}
		for _, e := range b.Entry {
			have[e.Request.URL] = e.Request.Method != "DELETE"
		}
		for _, l := range b.Link {
			if l.Relation == "next" {
				path = strings.TrimPrefix(l.URL, s.p.base+"/")
			}
		}
		if slices.ContainsFunc(b.Meta.Tag, func(tag struct{ Code string }) bool { return tag.Code == "caught-up" }) {
			return have
		}
	}
	s.Fatal("a copy never catches up")
	return nil
}

// tiedHidden expects that nobody sees what is tied to a blocked record, in any way.
func (s *rightsScene) tiedHidden() {
	s.Helper()
	have := s.copied("")
	for at, rest := range tiedWays {
		if rest == "" {
			continue
		}
		if have[at] {
			s.Errorf("$changes shows %s", at)
		}
		typ, id, _ := strings.Cut(at, "/")
		for _, who := range []string{"system", "clinician"} {
			if status, _ := s.do(who, "GET", typ+"?_summary=count", ""); status == 403 {
				continue
			}
			for _, path := range []string{at, at + "/_history/1", at + "/_history"} {
				if status, got := s.do(who, "GET", path, ""); strings.Contains(got, rightsMark) || status == 200 && !strings.Contains(got, `"total":0`) {
					s.Errorf("%s sees %s: %d %.300s", who, path, status, got)
				}
			}
			for _, path := range []string{typ + "?_id=" + id, typ + "?_count=100", typ + "/_history?_count=100", "?_type=" + typ + "&_id=" + id} {
				if got := s.must(200, who, "GET", path, ""); strings.Contains(got, rightsMark) || strings.Contains(got, id+`"`) && strings.Contains(got, `"fullUrl"`) && strings.Contains(got, at) {
					s.Errorf("%s sees %s by %s: %.300s", who, at, path, got)
				}
			}
			if got := s.must(200, who, "GET", typ+"?_id="+id+"&_summary=count", ""); !strings.Contains(got, `"total":0`) {
				s.Errorf("%s counts %s: %s", who, at, got)
			}
		}
		s.must(200, "officer", "GET", at, "")
	}
	for _, path := range []string{
		"Practitioner?_id=d&_revinclude=Provenance:agent&_revinclude=Composition:author&_revinclude=Appointment:actor", "Patient/q/$everything?_count=200", "Patient/$everything?_count=500",
		"_history?_count=500", "?_type=Observation,Task,List,Group,CareTeam,DocumentReference&_count=500", "DocumentReference?status=current&_include=DocumentReference:encounter",
		"Task?_include=Task:focus&_include:iterate=Observation:derived-from", "Patient/q/$summary",
	} {
		if status, got := s.do("clinician", "GET", path, ""); strings.Contains(got, rightsMark) || status >= 500 {
			at := strings.Index(got, rightsMark)
			s.Errorf("%s: %d %.400s", path, status, got[max(0, at-200):])
		}
	}
}

// reserved expects that nobody makes a second record with the CURP of a blocked one, and
// that the trail does not keep which it was.
func (s *rightsScene) reserved() {
	s.Helper()
	second := `{"resourceType":"Patient","id":"second","identifier":[{"system":"urn:oid:2.16.840.1.113883.4.629","value":"ID` + rightsMark + `"}],"name":[{"family":"Segunda"}]}`
	for _, who := range []string{"system", "clinician"} {
		for _, do := range [][2]string{{"POST", "Patient"}, {"PUT", "Patient/second"}} {
			status, got := s.do(who, do[0], do[1], second)
			if status < 400 || status >= 500 || strings.Contains(got, rightsMark) || strings.Contains(got, "Patient/p") {
				s.Errorf("%s: %s %s: %d %s", who, do[0], do[1], status, got)
			}
			if who == "system" && (status != 409 || !strings.Contains(got, ruleReserved)) {
				s.Errorf("%s %s: %d %s", do[0], do[1], status, got)
			}
		}
	}
	s.must(404, "system", "GET", "Patient/second", "")
	s.must(201, "system", "PUT", "Patient/third", strings.NewReplacer("second", "third", rightsMark, "OTHER").Replace(second))
	s.must(200, "system", "GET", "Patient?identifier=urn:oid:2.16.840.1.113883.4.629%7CID"+rightsMark, "")
	s.must(200, "system", "GET", "Observation?patient.identifier=ID"+rightsMark, "")
}

// tiedPurged expects that a removal leaves nothing of it.
func (s *rightsScene) tiedPurged(where []string, contents func() string) {
	s.Helper()
	if !strings.Contains(contents(), rightsMark) {
		s.Fatal("the mark is not found before the removal either")
	}
	status, out, errs := amate(append([]string{"retention", "run"}, where...)...)
	if status != exitDone || !strings.Contains(out, "1 records removed") {
		s.Fatalf("%d %s%s", status, out, errs)
	}
	if text := contents(); strings.Contains(text, rightsMark) {
		at := strings.Index(text, rightsMark)
		s.Errorf("the mark is still there: %q", text[max(0, at-300):min(len(text), at+100)])
	}
	for at, rest := range tiedWays {
		if rest != "" {
			s.must(410, "officer", "GET", at, "")
		}
	}
	for id, goes := range looseBinaries {
		status, _ := s.do("officer", "GET", "Binary/"+id, "")
		if goes && status != 410 || !goes && status != 200 {
			s.Errorf("after the removal, Binary/%s: %d", id, status)
		}
		if status, got := s.do("officer", "GET", "Binary/"+id+"/_history/1", ""); goes && status == 200 {
			s.Errorf("after the removal, version 1 of Binary/%s: %d %.200s", id, status, got)
		}
	}
	for at := range sharedWays {
		for _, path := range []string{at, at + "/_history/1", at + "/_history"} {
			if got := s.must(200, "officer", "GET", path, ""); strings.Contains(got, "Patient/p\"") || strings.Contains(got, "Observation/op0") || !strings.Contains(got, "Otra") {
				s.Errorf("after the removal, %s: %.400s", path, got)
			}
		}
	}
}
