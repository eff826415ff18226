package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/registry/identity"
)

// referred: the clinic sends the patient on, and the colleague at the hospital, who finds
// all that was done, answers.
func (l *life) referred() {
	l.at["referral order"] = l.about("doctor", "ServiceRequest", object{
		"status": "active", "intent": "order", "code": object{"text": "Valoración por neumología"}, "encounter": ref(l.at["visit"]), "authoredOn": l.visit.Format(time.RFC3339),
		"requester": ref("Practitioner/doctor"), "performer": list{ref("Organization/hospital")},
	})
	l.at["referral"], l.at["signed referral"] = l.note("doctor", l.at["visit"], "6.4", map[string]string{"motivo-de-envio": "Anemia y neumonía que no mejora.", "establecimiento-receptor": "Hospital General"})
	l.says("the referral", l.must(http.StatusOK, "consultant", "GET", l.at["signed referral"], ""), "Clínica Hidalgo", "Hospital General", "Anemia y neumonía", "Amoxicilina")

	for _, one := range []string{"referral", "history", "evolution", "addendum"} {
		if found := l.find("consultant", "Composition?patient="+l.at["patient"]); !slices.Contains(found, l.at[one]) {
			l.Errorf("the consultant does not find the %s among %v", one, found)
		}
	}
	day := l.visit.AddDate(0, 0, 2)
	l.at["consultation"] = l.about("consultant", "Encounter", object{
		"status": "finished", "class": object{"system": labels + "v3-ActCode", "code": "AMB"}, "serviceProvider": ref("Organization/hospital"), "basedOn": list{ref(l.at["referral order"])},
		"period": object{"start": day.Format(time.RFC3339), "end": day.Add(time.Hour).Format(time.RFC3339)}, "participant": list{object{"individual": ref("Practitioner/consultant")}},
	})
	l.at["answer"], l.at["signed answer"] = l.note("consultant", l.at["consultation"], "interconsulta", map[string]string{"sugerencias": "Cambiar a levofloxacino."})
	l.verifies(l.at["answer"], "consultant")
	l.says("the answer", l.must(http.StatusOK, "doctor", "GET", l.at["answer"]+"/$render", "", "Accept", "text/html"), "Cambiar a levofloxacino", "Hospital General", "Rodríguez Álvarez", "Firma válida")
	if status, out := l.call("doctor", "POST", l.at["answer"]+"/$void", params("reason", "String", "No me parece")); status != http.StatusForbidden {
		l.Errorf("another draws the answer back: %d %s", status, out)
	}
	l.sync()
}

// scanned: the hospital provides a scanned document, and the clinic finds and fetches it
// (IHE MHD: ITI-65, ITI-67, ITI-68).
func (l *life) scanned() {
	pdf := append([]byte("%PDF-1.4\n% "+lifeMark+"\n"), noise(100_000)...) // large enough to lie beside the database
	got := l.must(http.StatusOK, "consultant", "POST", "", jsonOf(object{
		"resourceType": "Bundle", "type": "transaction", "meta": object{"profile": list{"https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.Minimal.ProvideBundle"}},
		"entry": list{
			object{"fullUrl": "urn:uuid:5eac3f2c-504a-47dd-b8b6-94691a0f4dd6", "request": object{"method": "POST", "url": "List"}, "resource": object{
				"resourceType": "List", "status": "current", "mode": "working", "date": l.visit.Format(time.RFC3339), "subject": ref(l.at["patient"]), "title": lifeMark,
				"code":      coded("https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes", "submissionset", ""),
				"extension": list{object{"url": "https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-sourceId", "valueIdentifier": object{"value": "urn:oid:1.2"}}},
				"entry":     list{object{"item": ref("urn:uuid:987f3197-b863-4c0d-9a0d-75b0ee08d761")}},
			}},
			object{"fullUrl": "urn:uuid:987f3197-b863-4c0d-9a0d-75b0ee08d761", "request": object{"method": "POST", "url": "DocumentReference"}, "resource": object{
				"resourceType": "DocumentReference", "status": "current", "subject": ref(l.at["patient"]), "masterIdentifier": object{"value": "urn:oid:1.2.3"}, "date": l.visit.Format(time.RFC3339),
				"type": coded(loinc, "18748-4", "Estudio de imagen"), "content": list{object{"attachment": object{"contentType": "application/pdf", "url": "urn:uuid:5c8ecb2a-8660-4e2c-960e-55998bcfff46"}}},
			}},
			object{"fullUrl": "urn:uuid:5c8ecb2a-8660-4e2c-960e-55998bcfff46", "request": object{"method": "POST", "url": "Binary"}, "resource": object{
				"resourceType": "Binary", "contentType": "application/pdf", "data": base64.StdEncoding.EncodeToString(pdf),
			}},
		},
	}))
	if !strings.Contains(got, "201") {
		l.Fatal(got)
	}
	for who, want := range map[string]int{"doctor": 1, "patient": 1, "stranger": 0} {
		found := l.find(who, "DocumentReference?status=current&patient="+l.at["patient"])
		if len(found) != want {
			l.Errorf("%s finds %v", who, found)
		}
		if len(found) > 0 {
			l.at["scan"] = found[0]
		}
	}
	content := l.read("doctor", l.at["scan"])["content"].(list)[0].(object)["attachment"].(object)
	l.at["scanned"] = strings.TrimPrefix(content["url"].(string), l.base+"/")
	if content["size"] != float64(len(pdf)) || content["hash"] == nil {
		l.Errorf("the attachment is %v", content)
	}
	for _, who := range []string{"doctor", "patient"} {
		if fetched := l.must(http.StatusOK, who, "GET", l.at["scanned"], "", "Accept", "application/pdf"); fetched != string(pdf) {
			l.Errorf("%s fetches %d bytes instead of %d", who, len(fetched), len(pdf))
		}
	}
	l.must(http.StatusNotFound, "stranger", "GET", l.at["scanned"], "", "Accept", "application/pdf")
	if found := l.find("doctor", "DocumentReference/$docref?patient="+strings.TrimPrefix(l.at["patient"], "Patient/")); !slices.Contains(found, l.at["scan"]) {
		l.Errorf("$docref finds %v", found)
	}
	l.sync()
}

// discharged: a stay in the hospital ends with a note, which is handed over on paper.
func (l *life) discharged() {
	day := l.visit.AddDate(0, 0, 4)
	l.at["stay"] = l.about("consultant", "Encounter", object{
		"status": "finished", "class": object{"system": labels + "v3-ActCode", "code": "IMP"}, "serviceProvider": ref("Organization/hospital"),
		"period":      object{"start": day.Format(time.RFC3339), "end": day.AddDate(0, 0, 5).Format(time.RFC3339)},
		"participant": list{object{"individual": ref("Practitioner/consultant")}}, "diagnosis": list{object{"condition": ref(l.at["pneumonia"])}},
		"hospitalization": object{"dischargeDisposition": coded(labels+"discharge-disposition", "home", "Mejoría")},
	})
	l.at["discharge"], l.at["signed discharge"] = l.note("consultant", l.at["stay"], "8.9", map[string]string{"vigilancia-ambulatoria": "Cita abierta a urgencias."})
	pdf := l.must(http.StatusOK, "patient", "GET", l.at["discharge"]+"/$render", "", "Accept", "application/pdf")
	if !strings.HasPrefix(pdf, "%PDF-") {
		l.Fatalf("%.30q is no PDF", pdf)
	}
	words := []string{"Nota de egreso", "Hospital General", "Hernández García", "Cita abierta a urgencias.", "Neumonía", "ALICIA RODRIGUEZ ALVAREZ", "3456789"}
	l.says("the page", l.must(http.StatusOK, "patient", "GET", l.at["discharge"]+"/$render", "", "Accept", "text/html"), words...)
	if _, err := exec.LookPath("pdftotext"); err != nil {
		l.Log("SKIPPED, THE PDF WAS NOT READ: there is no pdftotext on this machine")
	} else {
		cmd := exec.Command("pdftotext", "-layout", "-", "-")
		cmd.Stdin = strings.NewReader(pdf)
		text, err := cmd.Output()
		if err != nil {
			l.Fatal(err)
		}
		l.says("the PDF", string(text), words...)
	}
	l.sync()
}

// summarised: an app elsewhere gets the summary if the patient permits it, and not before.
func (l *life) summarised() {
	summary := l.at["patient"] + "/$summary"
	l.must(http.StatusForbidden, "video", "GET", summary, "") // it sees no record by itself
	l.must(http.StatusNotFound, "video", "GET", l.at["patient"], "")
	l.token("video", "--client", "video", "--patient", strings.TrimPrefix(l.at["patient"], "Patient/"), "--scope", "patient/*.rs")
	l.must(http.StatusNotFound, "video", "GET", summary, "")
	l.must(http.StatusNotFound, "video", "GET", l.at["patient"], "")
	consent := func(kind string) object {
		return object{
			"status": "active", "scope": coded(labels+"consentscope", "patient-privacy", ""), "category": list{coded(loinc, "59284-0", "")}, "patient": ref(l.at["patient"]),
			"policyRule": object{"text": "LGPDPPSO"}, "provision": object{"type": kind, "purpose": list{object{"system": labels + "v3-ActReason", "code": "COC"}}},
		}
	}
	l.at["consent"] = l.make("patient", "Consent", consent("permit"))
	got := l.must(http.StatusOK, "video", "GET", summary, "")
	l.says("the summary", got, `"type":"document"`, "60591-5", "Neumonía", "Amoxicilina", "Hernández García")
	l.must(http.StatusForbidden, "researcher", "GET", summary, "")
	l.must(http.StatusNotFound, "stranger", "GET", summary, "")
	refused := l.make("patient", "Consent", consent("deny"))
	l.must(http.StatusNotFound, "video", "GET", summary, "")
	l.must(http.StatusOK, "doctor", "GET", summary, "")
	if changed := l.sync(); !slices.Equal(changed, []string{"+" + l.at["consent"], "+" + refused}) && !slices.Equal(changed, []string{"+" + refused, "+" + l.at["consent"]}) {
		l.Errorf("of the consents came %v", changed)
	}
}

// copiedWhole: the copy of the clinic is what a search of it finds.
func (l *life) copiedWhole() {
	var have []string
	for name := range l.copied.have {
		have = append(have, name)
	}
	slices.Sort(have)
	found := l.find("doctor", l.at["patient"]+"/$everything?_count=500")
	found = slices.DeleteFunc(found, func(name string) bool { // who has to do with it is not of the record
		typ, _, _ := strings.Cut(name, "/")
		return slices.Contains([]string{"Practitioner", "PractitionerRole", "Organization"}, typ)
	})
	for _, name := range found {
		if l.copied.have[name] == "" {
			l.Errorf("%s is not in the copy", name)
		}
	}
	for _, one := range []string{"patient", "visit", "history", "signed history", "addendum", "order", "report", "hemoglobin", "referral", "consultation", "answer", "scan", "scanned", "stay", "discharge", "consent"} {
		if l.copied.have[l.at[one]] == "" {
			l.Errorf("the %s, %s, is not in the copy: %v", one, l.at[one], have)
		}
	}
	l.synced()
}

// counted: the visit is in the file that the clinic owes each month.
func (l *life) counted() {
	export := "$giis-export?guide=B015&faulty=omit&_format=text/plain&month=" + l.visit.Format("2006-01") + "&clues=" + lifeClinic
	file := l.must(http.StatusOK, "statistics", "GET", export, "")
	rows := strings.Split(strings.TrimSpace(file), "\n")
	if len(rows) != 2 {
		l.Fatalf("the file has %d lines: %s", len(rows)-1, l.must(http.StatusOK, "statistics", "GET", strings.Replace(export, "text/plain", "text/csv", 1), ""))
	}
	l.says("the row", rows[1], lifeClinic+"|", "|"+lifeDoctorCURP+"|", "|"+lifePatientCURP+"|", "|GLORIA", "|J189|", "|"+l.visit.Format("02/01/2006")+"|4|70.5|165|0|130|85|88|20|38.2|")
	l.must(http.StatusForbidden, "doctor", "GET", export, "")
	dir := l.TempDir()
	mustRun(l, l.where, "giis", "export", "--faulty", "omit", "--clues", lifeClinic, "--month", l.visit.Format("2006-01"), "--out", dir)
	written, err := os.ReadFile(filepath.Join(dir, "CEX-"+lifeClinic[:5]+"-"+l.visit.Format("0601")+".TXT"))
	if err != nil || !bytes.Equal(written, []byte(file)) {
		l.Errorf("the command makes %s, %v", written, err)
	}
}

// lookedAt: the patient reads the record, and who else did.
func (l *life) lookedAt() {
	l.says("the history", l.must(http.StatusOK, "patient", "GET", l.at["history"]+"/$render", "", "Accept", "text/html"), "Tos de tres días", "Firma válida")
	if all := l.find("patient", l.at["patient"]+"/$everything?_count=500"); !slices.Contains(all, l.at["discharge"]) || !slices.Contains(all, l.at["hemoglobin"]) {
		l.Errorf("of the record the patient sees %v", all)
	}
	if found := l.find("patient", "Patient"); !slices.Equal(found, []string{l.at["patient"]}) {
		l.Errorf("the patient sees the patients %v", found)
	}
	if both := l.find("doctor", "Patient?gender=female"); len(both) != 2 {
		l.Errorf("the doctor finds %v", both)
	}
	events := l.must(http.StatusOK, "patient", "GET", "AuditEvent?_count=500&patient="+l.at["patient"], "")
	l.says("who looked", events, "Practitioner/doctor", "Practitioner/nurse", "Practitioner/consultant", "video", "lab", "$summary")
	var page struct{ Entry []struct{ Resource recorded } }
	if err := json.Unmarshal([]byte(events), &page); err != nil {
		l.Fatal(err)
	}
	for i := range page.Entry {
		if things, _ := page.Entry[i].Resource.of(); slices.Contains(things, l.at["other"]) {
			l.Errorf("the patient sees that somebody looked at another: %v", things)
		}
	}
	l.must(http.StatusForbidden, "auditor", "GET", l.at["history"], "")
	if found := l.find("clinic", "Patient?identifier="+identity.SystemCURP+"%7C"+lifePatientCURP); !slices.Equal(found, []string{l.at["patient"]}) {
		l.Errorf("there is one patient, and found are %v", found)
	}
}
