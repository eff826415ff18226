package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/rights"
)

// demand files a request of the patient's, and returns its Task.
func (l *life) demand(right string, parts ...string) string {
	l.Helper()
	return "Task/" + idOf(l.must(http.StatusCreated, "patient", "POST", l.at["patient"]+"/$arco-request", asks(append([]string{"right", codeValue(right)}, parts...)...)))
}

// decide lets the officer deal with a request.
func (l *life) decide(task, decision string, parts ...string) string {
	l.Helper()
	return l.must(http.StatusOK, "officer", "POST", task+"/$arco-resolve", asks(append([]string{"decision", codeValue(decision)}, parts...)...))
}

// accessGiven: the patient gets all that is kept, with everything in it.
func (l *life) accessGiven() {
	task := l.demand("acceso")
	l.must(http.StatusForbidden, "doctor", "POST", task+"/$arco-resolve", asks("decision", codeValue("grant")))
	l.decide(task, "grant")
	l.decide(task, "execute")
	raw := l.must(http.StatusOK, "patient", "GET", l.at["patient"]+"/$arco-package", "")
	z, err := zip.NewReader(bytes.NewReader([]byte(raw)), int64(len(raw)))
	if err != nil {
		l.Fatal(err)
	}
	files, names := map[string]string{}, []string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			l.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			l.Fatal(err)
		}
		files[f.Name], names = string(content), append(names, f.Name)
	}
	for _, one := range []string{"patient", "visit", "signed history", "hemoglobin", "referral", "answer", "scan", "discharge", "consent"} {
		l.says("the package", files["expediente.json"], "/"+l.at[one]+`"`)
	}
	l.says("who looked", files["accesos.ndjson"], "Practitioner/consultant")
	pdf := l.must(http.StatusOK, "patient", "GET", l.at["scanned"], "", "Accept", "application/pdf")
	if !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "adjuntos/") && files[name] == pdf }) {
		l.Errorf("the scan is not among %v", names)
	}
	if !strings.HasPrefix(files["expediente.pdf"], "%PDF-") || strings.Contains(files["expediente.json"], l.at["other"]) {
		l.Error("the package is not what it should be")
	}
}

// rectified: what is measured is corrected; a signed note is annotated, and stays as it is.
func (l *life) rectified() {
	before := l.must(http.StatusOK, "doctor", "GET", l.at["history"], "")
	value := func(at string) string { return `"valueReference":{"reference":"` + at + `"}` }
	task := l.demand("rectificacion", "target", value(l.at["history"]), "correction", textValue("No padece alergia a sulfas. "+lifeMark), "reason", textValue("Me confundieron"))
	l.decide(task, "grant")
	l.decide(task, "execute")
	if now := l.must(http.StatusOK, "doctor", "GET", l.at["history"], ""); now != before {
		l.Errorf("the signed history has changed: %s", now)
	}
	l.verifies(l.at["history"], "doctor")
	page := l.must(http.StatusOK, "doctor", "GET", l.at["history"]+"/$render", "", "Accept", "text/html")
	l.says("the page of the history", page, "Nota de rectificación", "Firma válida")

	patch := `"resource":{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Patient.birthDate"},{"name":"value","valueDate":"1956-04-28"}]}]}`
	task = l.demand("rectificacion", "target", value(l.at["patient"]), "patch", patch)
	l.decide(task, "grant")
	l.decide(task, "execute")
	if born := l.read("doctor", l.at["patient"])["birthDate"]; born != "1956-04-28" {
		l.Errorf("the patient was born on %v", born)
	}
	l.sync()
}

// ways are ways to the record, with what shows that something of it came.
func (l *life) ways() []string {
	patient, id := l.at["patient"], strings.TrimPrefix(l.at["patient"], "Patient/")
	return []string{
		patient, patient + "/_history", patient + "/_history/1", patient + "/$everything", patient + "/$summary", "Patient?_id=" + id, "Patient", "Patient/$everything",
		"Observation?patient=" + id, "Observation", l.at["hemoglobin"], l.at["hemoglobin"] + "/_history", patient + "/Observation", "Condition?code=J18.9", "_history",
		l.at["history"], l.at["history"] + "/_history", l.at["history"] + "/$document", l.at["history"] + "/$render", l.at["history"] + "/$verify-signature", l.at["signed history"], l.at["signed history"] + "/$render",
		"Composition?patient=" + id, "Encounter?_revinclude=Composition:encounter", l.at["visit"] + "/$everything", "Bundle", "Provenance?target=" + l.at["history"],
		"DocumentReference?patient=" + id, "DocumentReference/$docref?patient=" + id, l.at["scan"], l.at["scanned"], "List?patient=" + id, "Binary", l.at["discharge"] + "/$render?_format=pdf",
		"$changes?patient=" + id, "Task?patient=" + id, l.at["patient"] + "/$arco-package", "AuditEvent?patient=" + id,
	}
}

// cancelled: nobody but the officer sees anything of the record from then on.
func (l *life) cancelled() {
	before := map[string]bool{} // ways by which something was seen
	for _, way := range l.ways() {
		for _, who := range []string{"doctor", "patient"} {
			if status, got := l.call(who, "GET", way, ""); status == http.StatusOK && l.tells(got) {
				before[way] = true
			}
		}
	}
	for _, way := range l.ways() {
		if !before[way] {
			l.Errorf("before, nothing of the record is seen by %s", way)
		}
	}
	task := l.demand("cancelacion", "reason", textValue("Ya no quiero. "+lifeMark))
	l.sync()
	had := len(l.copied.have)
	l.decide(task, "grant")
	for _, way := range l.ways() {
		for _, who := range []string{"doctor", "nurse", "consultant", "clinic", "video", "patient", "system", "researcher", "statistics"} {
			if status, got := l.call(who, "GET", way, ""); status >= 500 || l.quotes(got) || l.tells(got) && !strings.HasPrefix(way, "AuditEvent") { // who looked is still told
				l.Errorf("%s sees what is blocked by %s: %d %.400s", who, way, status, got)
			}
		}
	}
	l.must(http.StatusNotFound, "doctor", "POST", l.at["visit"]+"/$draft-note?type=6.2", "")
	l.must(http.StatusNotFound, "patient", "GET", l.at["scanned"], "", "Accept", "application/pdf")
	if status, text := l.followed(); status != http.StatusNotFound {
		l.Errorf("what was shared of the record is still handed out: %d %.200s", status, text)
	}
	gone := l.sync()
	if len(l.copied.have) != 0 || len(gone) != had {
		l.Errorf("%d resources leave the copy of the clinic, which had %d; it keeps %v", len(gone), had, l.copied.have)
	}
	for _, way := range []string{l.at["patient"], l.at["history"], l.at["hemoglobin"], l.at["scan"]} {
		l.must(http.StatusOK, "officer", "GET", way, "")
	}
	l.late()
}

// late: what still comes of a blocked patient goes to their record, where nobody sees it,
// and does not make them known anew.
func (l *life) late() {
	l.Helper()
	visit := regexp.MustCompile(`PV1[^\r]*\r`)
	l.wires.dial(l).ask("AA", visit.ReplaceAllString(l.result("A3", "78", "F", "11.2"), ""))
	for query, want := range map[string]int{"Patient?identifier=" + identity.SystemCURP + "%7C" + lifePatientCURP: 1, "Observation?code=718-7": 2} {
		if found := l.find("clinic", query); len(found) != 0 {
			l.Errorf("the clinic finds %v by %s", found, query)
		}
		if found := l.find("officer", query); len(found) != want {
			l.Errorf("the officer finds %v by %s", found, query)
		}
	}
}

// tells reports whether a text holds something of the record.
func (l *life) tells(text string) bool {
	for _, one := range []string{
		`"reference":"` + l.at["patient"], `"reference":"` + l.at["history"], `"id":"` + strings.TrimPrefix(l.at["scanned"], "Binary/"), l.signers["doctor"].Certificate.Subject.CommonName,
	} {
		if strings.Contains(text, one) {
			return true
		}
	}
	return l.quotes(text) || strings.HasPrefix(text, "%PDF-")
}

// quotes reports whether a text holds what somebody wrote into the record.
func (l *life) quotes(text string) bool {
	return strings.Contains(text, lifeMark) || strings.Contains(text, "levofloxacino") || strings.Contains(text, "Tos de tres")
}

// keeper runs a command of retention some years from now.
func (l *life) keeper(years int, f func(k *keeper) error) {
	l.Helper()
	s := storage{Data: l.data}
	if len(l.where) > 2 {
		s.Database = l.where[3]
	}
	err := keeperOf(l.Context(), s, keeping{Years: rights.LeastYears}, slog.New(slog.DiscardHandler), true, func(k *keeper) error {
		k.now = func() time.Time { return time.Now().AddDate(years, 0, 0) }
		return f(k)
	})
	if err != nil {
		l.Fatal(err)
	}
}

// removed runs the retention some years from now, and returns how many records it removes.
func (l *life) removed(years int) (n int) {
	l.Helper()
	l.keeper(years, func(k *keeper) (err error) {
		n, err = k.run(l.Context())
		return err
	})
	return n
}

// held: while the law wants the record it stays, and as long as an authority does.
func (l *life) held() {
	l.says("the report", mustRun(l, l.where, "retention", "report"), "stays: kept for 5 years")
	if out := mustRun(l, l.where, "retention", "run"); !strings.Contains(out, "0 records removed") {
		l.Error(out)
	}
	hold := func(action string) string {
		return asks("action", codeValue(action), "authority", textValue("FGR"), "number", textValue("123/2026"), "reason", textValue("averiguación"))
	}
	l.must(http.StatusForbidden, "system", "POST", l.at["patient"]+"/$legal-hold", hold("set"))
	l.must(http.StatusOK, "officer", "POST", l.at["patient"]+"/$legal-hold", hold("set"))
	if n := l.removed(6); n != 0 {
		l.Fatalf("%d records are removed, which an authority wants kept", n)
	}
	var said bytes.Buffer
	l.keeper(6, func(k *keeper) error { return k.report(l.Context(), streams{out: &said, err: io.Discard}) })
	l.says("the report in six years", said.String(), "legal hold 123/2026 of FGR", "0 records to be removed, 1 stay")
	l.must(http.StatusOK, "officer", "GET", l.at["history"], "")
	l.must(http.StatusOK, "officer", "POST", l.at["patient"]+"/$legal-hold", hold("release"))
	if n := l.removed(4); n != 0 {
		l.Fatalf("%d records are removed after four years", n)
	}
}

// marks counts the places where the mark stands: in the database, and in files of data.
func (l *life) marks() (rows, files int) {
	l.Helper()
	mark := []byte(strings.ToLower(lifeMark))
	rows = strings.Count(strings.ToLower(l.contents()), string(mark))
	err := filepath.WalkDir(l.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), "amate.db") {
			return err
		}
		raw, err := os.ReadFile(path)
		files += bytes.Count(bytes.ToLower(raw), mark)
		return err
	})
	if err != nil {
		l.Fatal(err)
	}
	return rows, files
}

// aged does to what lies in the store what six years do: the file of the scan is old, and
// what was prepared for signatures, which is kept for half an hour, has expired.
func (l *life) aged() {
	l.Helper()
	long := time.Now().AddDate(-6, 0, 0)
	err := filepath.WalkDir(filepath.Join(l.data, "blobs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chtimes(path, long, long)
	})
	if err != nil {
		l.Fatal(err)
	}
	l.keeper(0, func(k *keeper) error {
		found, err := k.Entries(l.Context(), "document-signature", "", "", 100)
		if len(found) < 6 {
			l.Errorf("%d signatures were prepared", len(found))
		}
		for i := range found {
			err = errors.Join(err, k.Remove(l.Context(), "document-signature", found[i].Key, 0))
		}
		return err
	})
}

// purged: six years later nothing is left of it but its ids, and who did what.
func (l *life) purged() {
	if rows, files := l.marks(); rows < 20 || files != 1 {
		l.Fatalf("before, the mark stands in %d places of the database and %d of files", rows, files)
	}
	l.aged()
	if n := l.removed(6); n != 1 {
		l.Fatalf("%d records are removed", n)
	}
	if rows, files := l.marks(); rows != 0 || files != 0 {
		text := strings.ToLower(l.contents())
		at := max(0, strings.Index(text, strings.ToLower(lifeMark)))
		l.Errorf("the mark still stands in %d places of the database and %d of files: %q", rows, files, text[max(0, at-300):min(len(text), at+200)])
	}
	l.keeper(0, func(k *keeper) error {
		for _, kind := range []string{"card-paper", "card-link", "card-link-file"} {
			if left, err := k.Entries(l.Context(), kind, "", "", 10); err != nil || len(left) != 0 {
				l.Errorf("%d entries of kind %s are left: %v", len(left), kind, err)
			}
		}
		return nil
	})
	for before, text := range splits(l.contents(), lifePatientCURP) {
		if !strings.HasSuffix(before, "Patient?identifier="+identity.SystemCURP+"|") { // what was asked for is in the audit trail, which stays
			l.Errorf("the CURP still stands in the database: %q %q", before[max(0, len(before)-200):], text[:min(len(text), 100)])
		}
	}
	for _, one := range []string{"patient", "visit", "history", "signed history", "addendum", "hemoglobin", "answer", "scan", "scanned", "discharge", "consent", "due"} {
		l.must(http.StatusGone, "officer", "GET", l.at[one], "")
	}
	l.must(http.StatusOK, "doctor", "GET", l.at["other"], "")
	l.says("the certificate", mustRun(l, l.where, "retention", "certificates"), strings.TrimPrefix(l.at["patient"], "Patient/"), `"Composition":7`, `"Encounter":3`, "NOM-004-SSA3-2012")
}

// splits yields what stands before and after each place where a text has one.
func splits(text, one string) iter.Seq2[string, string] {
	return func(yield func(before, after string) bool) {
		for from := 0; ; from += len(one) {
			at := strings.Index(text[from:], one)
			if at < 0 || !yield(text[:from+at], text[from+at+len(one):]) {
				return
			}
			from += at
		}
	}
}

// told: the audit trail is whole, and tells all of it.
func (l *life) told() {
	l.says("audit verify", mustRun(l, l.where, "audit", "verify"), " 0 faults")
	var story strings.Builder
	next := "AuditEvent?_count=500&patient=" + l.at["patient"]
	for next != "" {
		page := l.must(http.StatusOK, "auditor", "GET", next, "")
		story.WriteString(page)
		_, url, more := strings.Cut(page, `"relation":"next","url":"`)
		if next = ""; more {
			url, _, _ = strings.Cut(url, `"`)
			next = strings.TrimPrefix(strings.ReplaceAll(url, `\u0026`, "&"), l.base+"/")
		}
	}
	l.says("the story", story.String(), "Practitioner/nurse", "Practitioner/doctor", "Practitioner/consultant", "$sign", "$summary", "$arco-request", "$arco-resolve", "$legal-hold", "$arco-package", "Record removed for good")
	if l.quotes(story.String()) {
		l.Error("the audit trail tells what was in the record")
	}
}
