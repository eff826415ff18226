package main

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/document"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/document/sign/signtest"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/store/storetest"
)

const (
	doctorCURP = "PEPJ800101HDFRRN09"
	nurseCURP  = "LOMA850202MDFPRN05"
)

// ward is a server with access control, with two patients, two who write, and an
// authority that gives them certificates.
type ward struct {
	*testing.T
	base   string
	where  []string // flags of the database
	tokens map[string]string
	root   *signtest.CA
	doctor *signtest.Holder
	nurse  *signtest.Holder
	trust  string // folder
}

// eachWard runs f on both engines.
func eachWard(t *testing.T, f func(w *ward)) {
	for name, where := range map[string]func(t *testing.T) []string{
		"sqlite": func(t *testing.T) []string { return []string{"--data", t.TempDir()} },
		"postgres": func(t *testing.T) []string {
			return []string{"--data", t.TempDir(), "--database", storetest.EmptyPostgres(t)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(newWard(t, where(t)))
		})
	}
}

func newWard(t *testing.T, where []string) *ward {
	w := &ward{T: t, where: where, tokens: map[string]string{}, root: signtest.NewCA(t, "AC de prueba"), trust: t.TempDir()}
	w.doctor = w.root.Issue(t, signtest.Subject{Name: "JUAN PEREZ PEREZ", CURP: doctorCURP, RFC: "PEPJ800101AB1", Key: signtest.RSA()})
	w.nurse = w.root.Issue(t, signtest.Subject{Name: "ANA LOPEZ MARTINEZ", CURP: nurseCURP, RFC: "LOMA850202AB1"})
	for name, data := range map[string][]byte{"ac.cer": w.root.Certificate.Raw, "ac.crl": w.root.List(t, time.Now())} {
		if err := os.WriteFile(filepath.Join(w.trust, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.base = startGuarded(t, append([]string{"--signature-trust", w.trust, "--delete-many"}, where...)...).base
	for _, id := range []string{"p1", "p2"} {
		w.put("Patient/"+id, `"name":[{"family":"García"}],"gender":"female"`)
	}
	for id, curp := range map[string]string{"dr": doctorCURP, "nurse": nurseCURP, "nobody": ""} {
		w.put("Practitioner/"+id, fmt.Sprintf(`"identifier":[{"system":%q,"value":%q}],"name":[{"family":%q}]`, identity.SystemCURP, curp+map[bool]string{true: "X"}[curp == ""], id))
	}
	w.put("Organization/clinic", `"name":"Clínica"`)
	w.put("PractitionerRole/role", `"practitioner":{"reference":"Practitioner/dr"},"organization":{"reference":"Organization/clinic"}`)
	w.put("Encounter/e1", `"status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p1"},"serviceProvider":{"reference":"Organization/clinic"}`)
	w.put("Observation/o1", `"status":"final","code":{"text":"Peso"},"subject":{"reference":"Patient/p1"},"performer":[{"reference":"Practitioner/nurse"},{"reference":"Practitioner/gone"}],"valueQuantity":{"value":70.50,"unit":"kg"}`)
	w.put("Composition/n1", note("p1", "Practitioner/dr", ""))
	return w
}

// note is a note of evolution, of a type that has no rules beside.
func note(patient, author, more string) string {
	return fmt.Sprintf(`"status":"preliminary","type":{"coding":[{"system":"http://loinc.org","code":"51855-5"}]},"subject":{"reference":"Patient/%s"},"encounter":{"reference":"Encounter/e1"},`+
		`"date":"2026-11-22","author":[{"reference":%q}],"title":"Nota","section":[{"title":"Signos","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">Peso 70.50 kg & más</div>"},`+
		`"entry":[{"reference":"Observation/o1"}]}]%s`, patient, author, more)
}

// as returns the token of who: a role, with the Practitioner or Patient who uses it.
func (w *ward) as(who string) string {
	if w.tokens[who] == "" {
		role, user, _ := strings.Cut(who, " ")
		args := append([]string{"token", "--role", role}, w.where...)
		if strings.HasPrefix(user, "Patient/") {
			args = append(args, "--patient", strings.TrimPrefix(user, "Patient/"))
		} else if org, ok := strings.CutPrefix(user, "@"); ok { // a system of an establishment
			args = append(args, "--org", org)
		} else if user != "" {
			args = append(args, "--user", user)
		}
		status, out, errs := amate(args...)
		if status != exitDone {
			w.Fatal(errs)
		}
		w.tokens[who] = strings.TrimSpace(out)
	}
	return w.tokens[who]
}

const (
	doctor = "clinician Practitioner/dr"
	nurse  = "nurse Practitioner/nurse"
)

// call sends a request, and returns the status and the body.
func (w *ward) call(who, method, path, body string, headers ...string) (int, string) {
	w.Helper()
	req, err := http.NewRequest(method, w.base+"/"+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.as(who))
	if body != "" {
		req.Header.Set("Content-Type", "application/fhir+json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// must is call where the status has to be want.
func (w *ward) must(want int, who, method, path, body string, headers ...string) string {
	w.Helper()
	status, text := w.call(who, method, path, body, headers...)
	if status != want {
		w.Fatalf("%s %s by %s: %d, want %d\n%.1500s", method, path, who, status, want, text)
	}
	return text
}

func (w *ward) put(at, members string) {
	w.Helper()
	typ, id, _ := strings.Cut(at, "/")
	status, text := w.call("system", "PUT", at, fmt.Sprintf(`{"resourceType":%q,"id":%q,%s}`, typ, id, members))
	if status != http.StatusCreated && status != http.StatusOK {
		w.Fatalf("PUT %s: %d %s", at, status, text)
	}
}

// returned is a Parameters.
type returned struct {
	Parameter []struct {
		Name      string
		Boolean   bool   `json:"valueBoolean"`
		Code      string `json:"valueCode"`
		Text      string `json:"valueString"`
		ID        string `json:"valueId"`
		Binary    []byte `json:"valueBase64Binary"`
		Reference struct{ Reference string }
		Ref       struct{ Reference string } `json:"valueReference"`
		Resource  json.RawMessage
		Part      []struct {
			Name string
			Code string `json:"valueCode"`
			Text string `json:"valueString"`
			Part []struct {
				Name string
				Code string `json:"valueCode"`
			}
		}
	}
}

func parsed(t testing.TB, text string) (a returned) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err, text)
	}
	return a
}

// ref returns the reference called name.
func (a *returned) ref(name string) string {
	for _, p := range a.Parameter {
		if p.Name == name {
			return p.Ref.Reference
		}
	}
	return ""
}

func (a *returned) code(name string) string {
	for _, p := range a.Parameter {
		if p.Name == name {
			return p.Code
		}
	}
	return ""
}

func params(pairs ...string) string {
	var parts []string
	for i := 0; i+2 < len(pairs); i += 3 {
		parts = append(parts, fmt.Sprintf(`{"name":%q,"value%s":%q}`, pairs[i], pairs[i+1], pairs[i+2]))
	}
	return `{"resourceType":"Parameters","parameter":[` + strings.Join(parts, ",") + `]}`
}

func cerOf(h *signtest.Holder) string {
	return base64.StdEncoding.EncodeToString(h.Certificate.Raw)
}

// prepare prepares a signature.
func (w *ward) prepare(want int, who string, h *signtest.Holder, id string, more ...string) string {
	w.Helper()
	return w.must(want, who, "POST", "Composition/"+id+"/$prepare-signature", params(append([]string{"certificate", "Base64Binary", cerOf(h)}, more...)...))
}

// signature is what a private key makes of what was prepared.
func (w *ward) signature(h *signtest.Holder, prepared string) (pending, signature string) {
	w.Helper()
	var digest []byte
	for _, p := range parsed(w, prepared).Parameter {
		switch p.Name {
		case "pending":
			pending = p.ID
		case "digest":
			digest = p.Binary
		}
	}
	raw, err := h.Key.Sign(nil, digest, crypto.SHA256)
	if err != nil {
		w.Fatal(err)
	}
	return pending, base64.StdEncoding.EncodeToString(raw)
}

// sign prepares and signs, and returns what was made.
func (w *ward) sign(who string, h *signtest.Holder, id string, more ...string) returned {
	w.Helper()
	pending, signature := w.signature(h, w.prepare(200, who, h, id, more...))
	return parsed(w, w.must(200, who, "POST", "Composition/"+id+"/$sign", params("pending", "Id", pending, "signature", "Base64Binary", signature)))
}

// TestSignedDocument is the life of a document, as its author, a witness, a verifier
// elsewhere and who draws it back meet it.
func TestSignedDocument(t *testing.T) {
	t.Parallel()
	eachWard(t, func(w *ward) {
		draft := w.must(200, doctor, "GET", "Composition/n1/$document", "")
		for _, one := range []string{`"type":"document"`, "/Composition/n1", "/Patient/p1", "/Practitioner/dr", "/Encounter/e1", "/Observation/o1", "/Organization/clinic", "/Practitioner/nurse", "70.50", "urn:uuid:"} {
			if !strings.Contains(draft, one) {
				w.Errorf("the document of the draft lacks %s:\n%s", one, draft)
			}
		}
		prepared := w.prepare(200, doctor, w.doctor, "n1")
		if !strings.Contains(prepared, `"name":"absent","valueReference":{"reference":"Practitioner/gone"}`) {
			w.Errorf("it does not say what is not in the document: %s", prepared)
		}
		made := w.signOnDesk(prepared)
		n1 := w.must(200, doctor, "GET", "Composition/n1", "")
		b := w.must(200, doctor, "GET", made.ref("document"), "")
		for _, one := range []string{`"status":"final"`, `"mode":"legal"`, document.TagSystem} {
			if !strings.Contains(n1, one) {
				w.Errorf("the signed Composition lacks %s: %s", one, n1)
			}
		}
		if doc := w.must(200, doctor, "GET", "Composition/n1/$document", ""); doc != b {
			w.Errorf("$document is not the signed document:\n%s\n%s", doc, b)
		}
		if found := w.must(200, doctor, "GET", "Provenance?target=Composition/n1", ""); !strings.Contains(found, made.ref("provenance")) || !strings.Contains(found, `"signature":[`) {
			w.Errorf("the Provenance is not found: %s", found)
		}
		for _, at := range []string{"Composition/n1", made.ref("document")} {
			v := w.must(200, doctor, "GET", at+"/$verify-signature", "")
			if a := parsed(w, v); a.code("status") != "passed" || a.code("document") != "signed" || !strings.Contains(v, doctorCURP) || !strings.Contains(v, "La firma es válida.") {
				w.Errorf("%s: %s", at, v)
			}
		}
		w.elsewhere(b)
		w.witnessed(made.ref("document"))
		w.addended()
		w.voided(made.ref("document"), b)
	})
}

// signOnDesk signs with the command, by the files of an e.firma, and sends it twice.
func (w *ward) signOnDesk(prepared string) returned {
	w.Helper()
	dir := w.TempDir()
	for name, data := range map[string][]byte{
		"f.cer": w.doctor.Certificate.Raw, "f.key": w.doctor.EncryptedKey(w), "password": []byte(signtest.Password + "\n"), "prepared.json": []byte(prepared),
		"other.json": []byte(strings.Replace(prepared, "70.50", "71.50", 1)), "wrong": []byte("x"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			w.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	args := []string{"sign", "--cert", at("f.cer"), "--key", at("f.key"), "--password-file", at("password")}
	if status, out, errs := amate(append(args, at("other.json"))...); status == exitDone || out != "" || !strings.Contains(errs, "not the document") {
		w.Errorf("another document than is shown: %d %s%s", status, out, errs)
	}
	if status, out, errs := amate("sign", "--cert", at("f.cer"), "--key", at("f.key"), "--password-file", at("wrong"), at("prepared.json")); status == exitDone || out != "" || !strings.Contains(errs, "password") {
		w.Errorf("with the wrong password: %d %s%s", status, out, errs)
	}
	if status, out, _ := amate("sign", "--cert", at("f.cer"), "--certificates"); status != exitDone || !strings.Contains(out, cerOf(w.doctor)) {
		w.Errorf("the certificates are %s", out)
	}
	status, out, errs := amate(append(args, "--document", at("document.json"), at("prepared.json"))...)
	if status != exitDone {
		w.Fatal(errs)
	}
	first := w.must(200, doctor, "POST", "Composition/n1/$sign", out)
	if again := w.must(200, doctor, "POST", "Composition/n1/$sign", out); again != first { // the answer may have been lost
		w.Errorf("sent twice: %s, then %s", first, again)
	}
	return parsed(w, first)
}

// elsewhere verifies the file of a document, as it is, written anew, and changed.
func (w *ward) elsewhere(b string) {
	w.Helper()
	var v any
	if err := json.Unmarshal([]byte(b), &v); err != nil {
		w.Fatal(err)
	}
	anew, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		w.Fatal(err)
	}
	verify := func(text string, args ...string) (int, string) {
		file := filepath.Join(w.TempDir(), "d.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			w.Fatal(err)
		}
		status, out, _ := amate(append([]string{"verify", file}, args...)...)
		return status, out
	}
	for name, c := range map[string]struct {
		text   string
		status int
		says   string
	}{
		"as it is":      {b, exitDone, "La firma es válida."},
		"written anew":  {string(anew), exitDone, "La firma es válida."},
		"one digit":     {strings.Replace(b, "70.50,", "70.51,", 1), exitFailed, "alterado"},
		"another name":  {strings.Replace(b, "García", "Garcia", 1), exitFailed, "alterado"},
		"who signs":     {strings.Replace(b, `"who":{"reference":"Practitioner/dr"}`, `"who":{"reference":"Practitioner/nurse"}`, 1), exitFailed, "otra persona"},
		"the capacity":  {strings.Replace(b, `"code":"`+sign.Author+`"`, `"code":"`+sign.Witness+`"`, 1), exitFailed, "otra calidad"},
		"not signed":    {`{"resourceType":"Bundle","type":"document"}`, exitFailed, ""},
		"no document":   {`{"resourceType":"Patient"}`, exitFailed, ""},
		"another place": {strings.Replace(b, `"resourceType":"Bundle","id":"`, `"resourceType":"Bundle","id":"x`, 1), exitDone, "válida"},
	} {
		if status, out := verify(c.text, "--trust", w.trust); status != c.status || !strings.Contains(out, c.says) {
			w.Errorf("%s: %d %s", name, status, out)
		}
		if name == "as it is" || name == "one digit" {
			v := parsed(w, w.must(200, doctor, "POST", "Bundle/$verify-signature", c.text))
			if want := map[bool]string{true: "passed", false: "failed"}[c.status == exitDone]; v.code("status") != want {
				w.Errorf("%s, sent to the server: %+v", name, v)
			}
		}
	}
	if status, out := verify(b); status != exitFailed || !strings.Contains(out, "No hay autoridades") {
		w.Errorf("without trust: %d %s", status, out)
	}
	if status, out := verify(b, "--language", "en", "--trust", w.trust); status != exitDone || !strings.Contains(out, "The signature is valid.") {
		w.Errorf("in English: %d %s", status, out)
	}
}

// witnessed adds the signature of a witness.
func (w *ward) witnessed(b string) {
	w.Helper()
	w.prepare(409, doctor, w.doctor, "n1")
	w.prepare(422, nurse, w.nurse, "n1", "type", "Code", sign.CoAuthor)
	w.prepare(403, doctor, w.nurse, "n1", "type", "Code", sign.Witness, "who", "String", "Practitioner/nurse")
	w.sign(nurse, w.nurse, "n1", "type", "Code", sign.Witness)
	v := w.must(200, doctor, "GET", b+"/$verify-signature?language=en", "")
	if a := parsed(w, v); a.code("status") != "passed" || strings.Count(v, "The signature is valid.") != 2 || !strings.Contains(v, nurseCURP) {
		w.Errorf("with a witness: %s", v)
	}
}

// addended adds a document to the first one.
func (w *ward) addended() {
	w.Helper()
	relates := func(to string) string {
		return `,"relatesTo":[{"code":"appends","targetReference":{"reference":"Composition/` + to + `"}}]`
	}
	w.put("Composition/n2", note("p1", "PractitionerRole/role", relates("n1")))
	w.put("Composition/n3", note("p1", "Practitioner/dr", relates("n2")))
	w.put("Composition/n4", note("p2", "Practitioner/dr", relates("n1")))
	w.put("Composition/n5", note("p1", "Practitioner/dr", relates("none")))
	for id, says := range map[string]string{"n3": "not signed", "n4": "somebody else", "n5": "no such document"} {
		if out := w.prepare(422, doctor, w.doctor, id); !strings.Contains(out, says) {
			w.Errorf("%s: %s", id, out)
		}
	}
	w.sign(doctor, w.doctor, "n2")
	if v := parsed(w, w.must(200, doctor, "GET", "Composition/n1/$verify-signature", "")); v.ref("later") != "Composition/n2" || v.code("status") != "passed" {
		w.Errorf("the first does not tell of its addendum: %+v", v)
	}
}

// voided draws the first document back.
func (w *ward) voided(b, before string) {
	w.Helper()
	void := func(want int, who, id string, more ...string) string {
		return w.must(want, who, "POST", "Composition/"+id+"/$void", params(more...))
	}
	reason := []string{"reason", "String", "Se escribió en el expediente de otra paciente"}
	void(400, doctor, "n1")
	void(400, doctor, "n1", "reason", "String", " ")
	void(403, nurse, "n1", reason...)
	void(409, doctor, "n3", reason...)
	void(404, doctor, "none", reason...)
	made := parsed(w, void(200, doctor, "n1", reason...))
	if c := w.must(200, doctor, "GET", "Composition/n1", ""); !strings.Contains(c, `"status":"entered-in-error"`) {
		w.Error(c)
	}
	if p := w.must(200, doctor, "GET", made.ref("provenance"), ""); !strings.Contains(p, "NULLIFY") || !strings.Contains(p, "de otra paciente") || !strings.Contains(p, `"Practitioner/dr"`) {
		w.Error(p)
	}
	if now := w.must(200, doctor, "GET", b, ""); now != before {
		w.Error("the Bundle changed")
	}
	if v := parsed(w, w.must(200, doctor, "GET", "Composition/n1/$verify-signature", "")); v.code("document") != "voided" || v.code("status") != "passed" {
		w.Errorf("%+v", v)
	}
	void(409, doctor, "n1", reason...)
	w.prepare(409, nurse, w.nurse, "n1", "type", "Code", sign.Witness)
	if status, out := w.call(doctor, "PUT", "Composition/n1", strings.Replace(w.must(200, doctor, "GET", "Composition/n1", ""), "entered-in-error", "final", 1)); status != 409 {
		w.Errorf("revived: %d %s", status, out)
	}
}

// TestSignatureRefused holds whose signature of what is not taken, and that nothing is
// stored then.
func TestSignatureRefused(t *testing.T) {
	t.Parallel()
	eachWard(t, func(w *ward) {
		now := time.Now()
		issue := func(s signtest.Subject) *signtest.Holder {
			if s.CURP == "" {
				s.CURP = doctorCURP
			}
			return w.root.Issue(w, s)
		}
		for name, c := range map[string]struct {
			holder *signtest.Holder
			says   string
		}{
			"another's":             {w.nurse, "another than"},
			"expired":               {issue(signtest.Subject{From: now.Add(-48 * time.Hour), To: now.Add(-time.Hour)}), "expired"},
			"not yet valid":         {issue(signtest.Subject{From: now.Add(time.Hour)}), "not valid yet"},
			"of unknown authority":  {signtest.NewCA(w, "AC de prueba").Issue(w, signtest.Subject{CURP: doctorCURP}), "not issued"},
			"weak":                  {issue(signtest.Subject{Key: signtest.WeakRSA()}), "weak"},
			"no one's, by the CURP": {issue(signtest.Subject{CURP: "X"}), "another than"},
		} {
			if out := w.prepare(422, doctor, c.holder, "n1"); !strings.Contains(out, c.says) {
				w.Errorf("a certificate that is %s: %s", name, out)
			}
		}
		for name, body := range map[string]string{
			"none": params(), "no base64": params("certificate", "Base64Binary", "!"), "no certificate": params("certificate", "Base64Binary", "AAAA"),
			"unknown parameter": params("certificate", "Base64Binary", cerOf(w.doctor), "key", "String", "x"),
		} {
			if status, out := w.call(doctor, "POST", "Composition/n1/$prepare-signature", body); status != 400 {
				w.Errorf("%s: %d %s", name, status, out)
			}
		}
		w.prepare(403, nurse, w.doctor, "n1") // the doctor's certificate in the hands of a nurse
		w.prepare(422, nurse, w.nurse, "n1", "who", "String", "Practitioner/nurse")
		w.prepare(404, doctor, w.doctor, "none")
		w.put("Composition/lost", strings.Replace(note("p1", "Practitioner/dr", ""), "Observation/o1", "Observation/gone", 1))
		if out := w.prepare(422, doctor, w.doctor, "lost"); !strings.Contains(out, "Composition.section[0].entry[0]") {
			w.Errorf("a reference that leads nowhere: %s", out)
		}
		w.must(422, doctor, "GET", "Composition/lost/$document", "")
		w.put("Composition/nom", strings.Replace(note("p1", "Practitioner/dr", ""), "51855-5", "11506-3", 1))
		if out := w.prepare(422, doctor, w.doctor, "nom"); !strings.Contains(out, "nom-004-") {
			w.Errorf("a note of evolution without what the norm asks for: %s", out)
		}

		pending, signature := w.signature(w.doctor, w.prepare(200, doctor, w.doctor, "n1"))
		_, other := w.signature(w.nurse, w.prepare(200, doctor, w.doctor, "n1"))
		w.put("Composition/n9", note("p1", "Practitioner/dr", ""))
		send := func(want int, who, id, pending, signature string) {
			w.Helper()
			w.must(want, who, "POST", "Composition/"+id+"/$sign", params("pending", "Id", pending, "signature", "Base64Binary", signature))
		}
		send(422, doctor, "n1", pending, other)
		send(422, doctor, "n1", pending, "AAAA")
		send(400, doctor, "n1", pending, "!")
		send(404, doctor, "n1", "none", signature)
		send(404, doctor, "n9", pending, signature)
		send(404, "clinician Practitioner/nobody", "n1", pending, signature)
		w.put("Composition/n1", strings.Replace(note("p1", "Practitioner/dr", ""), "Nota", "Otra nota", 1))
		send(409, doctor, "n1", pending, signature)
		if out := w.must(200, doctor, "GET", "Bundle?_summary=count", ""); !strings.Contains(out, `"total":0`) {
			w.Errorf("something was stored: %s", out)
		}
		if v := parsed(w, w.must(200, doctor, "GET", "Composition/n1/$verify-signature", "")); v.code("document") != "unsigned" || v.code("status") != "failed" {
			w.Errorf("%+v", v)
		}
		// Prepared anew, it is signed.
		pending, signature = w.signature(w.doctor, w.prepare(200, doctor, w.doctor, "n1"))
		send(200, doctor, "n1", pending, signature)
	})
}

// TestDocumentScopes holds who may do what with documents.
func TestDocumentScopes(t *testing.T) {
	t.Parallel()
	eachWard(t, func(w *ward) {
		w.put("Composition/n2", note("p2", "Practitioner/dr", ""))
		w.sign(doctor, w.doctor, "n2")
		w.put("Organization/own", fmt.Sprintf(`"identifier":[{"system":%q,"value":"DFSSA003966"}],"name":"Propia"`, identity.SystemCLUES))
		w.put("Composition/n3", note("p2", "Practitioner/dr", `,"custodian":{"reference":"Organization/own"}`))
		w.sign(doctor, w.doctor, "n3")
		prepare := params("certificate", "Base64Binary", cerOf(w.doctor))
		for _, c := range []struct {
			who, method, path, body string
			want                    int
		}{
			{doctor, "GET", "Composition/n1/$document", "", 200},
			{nurse, "GET", "Composition/n1/$document", "", 200},
			{"system", "GET", "Composition/n1/$document", "", 200},
			{"patient Patient/p1", "GET", "Composition/n1/$document", "", 200},
			{"patient Patient/p2", "GET", "Composition/n1/$document", "", 404},
			{"patient Patient/p2", "GET", "Composition/n2/$document", "", 200},
			{"patient Patient/p1", "GET", "Composition/n2/$verify-signature", "", 404},
			{"patient Patient/p2", "GET", "Composition/n2/$verify-signature", "", 200},
			{"auditor", "GET", "Composition/n2/$verify-signature", "", 404},
			{"auditor", "GET", "Composition/n1/$document", "", 403},
			{"analyst", "GET", "Composition/n1/$document", "", 403},
			{"vaccinator", "POST", "Composition/n1/$prepare-signature", prepare, 403},
			{"patient Patient/p1", "POST", "Composition/n1/$prepare-signature", prepare, 403},
			{"patient Patient/p1", "POST", "Composition/n1/$sign", params(), 403},
			{"patient Patient/p2", "POST", "Composition/n2/$void", params("reason", "String", "x"), 403},
			{"analyst", "POST", "Composition/n2/$void", params("reason", "String", "x"), 403},
			{"civil-registrar", "POST", "Composition/n2/$void", params("reason", "String", "x"), 403},
			{"telehealth-app", "POST", "Composition/n2/$void", params("reason", "String", "x"), 403}, // who does it is not known
			{"clinician", "POST", "Composition/n2/$void", params("reason", "String", "x"), 403},
			{"clinician @DFSSA009999", "POST", "Composition/n3/$void", params("reason", "String", "x"), 403},
			{"system @DFSSA009999", "POST", "Composition/n3/$void", params("reason", "String", "x"), 403},
			{"system @DFSSA003966", "POST", "Composition/n3/$void", params("reason", "String", "x"), 200},
			{"system", "POST", "Composition/n1/$prepare-signature", prepare, 200}, // the certificate says who it is
			{doctor, "GET", "Composition/n1/$prepare-signature", "", 405},
		} {
			if status, out := w.call(c.who, c.method, c.path, c.body); status != c.want {
				w.Errorf("%s %s by %s: %d, want %d\n%.600s", c.method, c.path, c.who, status, c.want, out)
			}
		}
		made := w.must(201, doctor, "POST", "Composition/n1/$document", params("persist", "Boolean", "true")[:0]+`{"resourceType":"Parameters","parameter":[{"name":"persist","valueBoolean":true}]}`)
		if !strings.Contains(made, `"versionId":"1"`) || strings.Contains(made, document.TagSystem) {
			w.Errorf("what is kept is %s", made)
		}
		// A patient who refuses is refused to them in every form.
		w.put("Consent/c", `"status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},`+
			`"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"Patient/p2"},"policyRule":{"text":"x"},"provision":{"type":"deny"}`)
		for _, path := range []string{"Composition/n2/$document", "Composition/n2/$verify-signature"} {
			if status, out := w.call(doctor, "GET", path, ""); status != 404 {
				w.Errorf("%s of who refuses: %d %.300s", path, status, out)
			}
		}
		w.must(404, doctor, "POST", "Composition/n2/$void", params("reason", "String", "x"))
		w.prepare(404, doctor, w.doctor, "n2")
	})
}

// TestNothingIsSignedWithoutTrust holds what a server says that trusts nobody.
func TestNothingIsSignedWithoutTrust(t *testing.T) {
	t.Parallel()
	where := []string{"--data", t.TempDir()}
	w := &ward{T: t, where: where, tokens: map[string]string{}, root: signtest.NewCA(t, "AC")}
	w.base = startGuarded(t, where...).base
	w.doctor = w.root.Issue(t, signtest.Subject{CURP: doctorCURP})
	w.put("Patient/p1", `"gender":"female"`)
	w.put("Practitioner/dr", fmt.Sprintf(`"identifier":[{"system":%q,"value":%q}]`, identity.SystemCURP, doctorCURP))
	w.put("Composition/n1", `"status":"preliminary","type":{"text":"x"},"subject":{"reference":"Patient/p1"},"date":"2026-11-22","author":[{"reference":"Practitioner/dr"}],"title":"Nota"`)
	if out := w.prepare(422, doctor, w.doctor, "n1"); !strings.Contains(out, "--signature-trust") {
		t.Error(out)
	}
	signed := bytes.Clone([]byte(`{"resourceType":"Bundle","type":"document","timestamp":"2026-11-22T00:00:00Z"}`))
	jws, err := w.doctor.Signer().Sign(mustCanonical(t, signed), time.Now(), sign.Author)
	if err != nil {
		t.Fatal(err)
	}
	body := strings.TrimSuffix(string(signed), "}") + `,"signature":{"type":[{"system":"` + sign.PurposeSystem + `","code":"` + sign.Author + `"}],"when":"2026-11-22T00:00:00Z","data":"` + base64.StdEncoding.EncodeToString([]byte(jws)) + `"}}`
	if v := w.must(200, doctor, "POST", "Bundle/$verify-signature", body); !strings.Contains(v, "nobody-trusted") {
		t.Error(v)
	}
	bad := t.TempDir()
	for name, dir := range map[string]string{"an empty folder": t.TempDir(), "a folder of other things": bad} {
		if err := os.WriteFile(filepath.Join(bad, "x.cer"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, _, errs := amate("serve", "--data", t.TempDir(), "--signature-trust", dir); status != exitUsage || !strings.Contains(errs, "--signature-trust") {
			t.Errorf("%s: %d %s", name, status, errs)
		}
	}
}

func mustCanonical(t *testing.T, json []byte) []byte {
	t.Helper()
	out, err := sign.Document(json)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
