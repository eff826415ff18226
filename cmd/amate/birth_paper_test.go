package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/amate-health/amate/fhir/registry/birth/paper"
	"github.com/amate-health/amate/fhir/registry/key"
)

// qrIn prints a PDF at 150 dots an inch, and has zbarimg read its QR code.
func qrIn(t *testing.T, pdf string) string {
	t.Helper()
	for _, tool := range []string{"pdftoppm", "zbarimg"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED, NO PAPER WAS SCANNED: %s is not on this machine (Debian: poppler-utils, zbar-tools)", tool)
		}
	}
	picture := strings.TrimSuffix(pdf, ".pdf")
	if out, err := exec.Command("pdftoppm", "-r", "150", "-png", "-singlefile", pdf, picture).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	out, err := exec.Command("zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", picture+".png").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// print gets the paper of a certificate, and returns its file and what its code says.
func (m *maternity) print(who, folio string) (file, code string) {
	m.Helper()
	pdf := m.do(200, who, "GET", "$birth-print?folio="+folio+"&_format=application/pdf", "")
	file = filepath.Join(m.TempDir(), "paper.pdf")
	if err := os.WriteFile(file, []byte(pdf), 0o600); err != nil {
		m.Fatal(err)
	}
	return file, qrIn(m.T, file)
}

// public gets a page as anybody may.
func public(t *testing.T, url, accept string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(body)
}

// keysFile fetches the published keys into a file.
func (m *maternity) keysFile() string {
	m.Helper()
	status, h, body := public(m.T, issuerOf(m.base)+birthKeysPath, "*/*")
	if status != 200 || h.Get("Content-Type") != "application/jwk-set+json" || strings.Contains(body, `"d"`) {
		m.Fatalf("the keys: %d %v %s", status, h, body)
	}
	file := filepath.Join(m.TempDir(), "keys.json")
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		m.Fatal(err)
	}
	return file
}

// TestPaperLife is the life of a paper: printed, scanned, looked up by somebody without
// an account, checked without a connection, and void or replaced in the end.
func TestPaperLife(t *testing.T) {
	t.Parallel()
	eachMaternity(t, func(m *maternity) {
		c := m.certify("María", nil)
		folio, token := c.text("folio"), c.text("token")
		m.do(404, midwife, "GET", "$birth-print?folio=NADA-00001", "")
		m.do(400, midwife, "GET", "$birth-print", "")
		m.do(400, midwife, "GET", "$birth-print?folio="+folio+"&x=y", "")
		file, code := m.print(midwife, folio)
		address, claim, _ := strings.Cut(code, "#")
		if address != issuerOf(m.base)+"/verify/"+token || claim == "" {
			m.Fatalf("the code says %s", code)
		}
		m.looked(address, folio)
		m.offline(file, code, c)
		page := m.do(200, midwife, "GET", c.ref("composition")+"/$birth-print", "")
		for _, want := range []string{"<html lang=\"es-MX\">", "María García López", "Sin nombre asignado", folio, "3150 g", "Apgar", "Firma electrónica", "Sello del establecimiento", "Hospital hospital", "Certificado"} {
			if !strings.Contains(page, want) {
				m.Errorf("the paper lacks %q: %s", want, page)
			}
		}
		m.do(200, "system", "GET", c.ref("document")+"/$birth-print?_format=pdf", "")

		second := m.certify("Juana", nil)
		m.do(200, midwife, "POST", "$birth-void", params("folio", "String", folio, "reason", "String", "El peso estaba mal"))
		prepared := m.do(200, midwife, "POST", "$birth-replace", strings.Replace(m.claim(m.doctor, "Juana", map[string]string{"PESO": "3200"}), `"parameter":[`,
			`"parameter":[{"name":"replaces","valueString":"`+second.text("folio")+`"},{"name":"reason","valueString":"El peso estaba mal"},`, 1))
		third := parsed(m, m.do(200, midwife, "POST", "$birth-certify", m.signed(m.doctor, prepared)))
		m.withdrawn(folio, token, "cancelado", "void", "CANCELADO")
		m.withdrawn(second.text("folio"), second.text("token"), "reemplazado", "replaced", "REEMPLAZADO")
		if _, _, body := public(t, issuerOf(m.base)+"/verify/"+second.text("token"), "text/html"); strings.Contains(body, third.text("folio")) || strings.Contains(body, third.text("token")) {
			m.Errorf("the page of what was replaced tells of what replaced it: %s", body)
		}
		// Without a connection the old paper still looks good, and the check says so.
		status, said, _ := amate("birth", "verify", code, "--keys", m.keysFile())
		if status != exitDone || !strings.Contains(said, "cancelado o reemplazado (requiere conexión)") {
			m.Errorf("%d: %s", status, said)
		}
	})
}

// looked looks at the public page.
func (m *maternity) looked(address, folio string) {
	m.Helper()
	status, h, body := public(m.T, address, "text/html")
	for _, want := range []string{"Documento válido", folio, "Hospital hospital", hospital, "Mujer", "M G L"} {
		if !strings.Contains(body, want) {
			m.Errorf("%d: the page lacks %q: %s", status, want, body)
		}
	}
	for _, never := range []string{"María", "García", "3150", motherCURP("María")} {
		if strings.Contains(body, never) {
			m.Errorf("the page says %q: %s", never, body)
		}
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow, noarchive"} {
		if h.Get(name) != want {
			m.Errorf("%s is %q", name, h.Get(name))
		}
	}
	var got struct {
		Result, Kind string
		Facts        []struct{ Name, Value string }
	}
	if _, _, body := public(m.T, address, "application/json"); json.Unmarshal([]byte(body), &got) != nil || got.Result != "valid" || got.Kind != "birth-certificate" || len(got.Facts) < 6 {
		m.Errorf("as JSON: %s", body)
	}
	at := strings.LastIndexByte(address, '/') + 1
	for _, wrong := range []string{folio, address[at:len(address)-1] + "-", strings.Repeat("A", 22), "%2e%2e/fhir/Patient", address[at:] + "/x"} {
		if status, _, body := public(m.T, address[:at]+wrong, "text/html"); status != 404 || strings.Contains(body, folio) && wrong != folio {
			m.Errorf("%s: %d %s", wrong, status, body)
		}
	}
}

// offline checks a paper on a machine that has only the keys and whom it trusts.
func (m *maternity) offline(pdf, code string, c returned) {
	m.Helper()
	keys := m.keysFile()
	verify := func(args ...string) (int, string) {
		status, said, errs := amate(append([]string{"birth", "verify"}, args...)...)
		return status, said + errs
	}
	document := filepath.Join(m.TempDir(), "document.json")
	if err := os.WriteFile(document, []byte(m.do(200, "system", "GET", c.ref("document"), "")), 0o600); err != nil {
		m.Fatal(err)
	}
	tampered := filepath.Join(m.TempDir(), "tampered.json")
	text, _ := os.ReadFile(document)
	if err := os.WriteFile(tampered, []byte(strings.Replace(string(text), "3150", "3151", 1)), 0o600); err != nil {
		m.Fatal(err)
	}
	other := filepath.Join(m.TempDir(), "other.json")
	k, err := key.New(time.Now(), time.Now().Add(time.Hour), 16)
	if err != nil {
		m.Fatal(err)
	}
	set, err := key.Keys{k}.JSON()
	if err == nil {
		err = os.WriteFile(other, set, 0o600)
	}
	if err != nil {
		m.Fatal(err)
	}
	address, claim, _ := strings.Cut(code, "#")
	altered := code[:len(code)-2] + "AA"
	if altered == code {
		altered = code[:len(code)-2] + "BA"
	}
	for _, try := range []struct {
		args   []string
		status int
		want   []string
	}{
		{[]string{code, "--keys", keys}, exitDone, []string{"[bien] la firma del registro", "Folio: " + c.text("folio"), "Iniciales de la madre: MGL", "Sexo: Mujer", "No se comprobó"}},
		{[]string{code, "--keys", keys, "--language", "en"}, exitDone, []string{"[passed] the signature of the registry", "Initials of the mother: MGL", "Not checked"}},
		{[]string{claim, "--keys", keys}, exitDone, []string{"[bien]"}},
		{[]string{pdf, "--keys", keys}, exitDone, []string{"[bien]", "Folio: " + c.text("folio")}},
		{[]string{code}, exitFailed, []string{"sin comprobar", "--keys"}},
		{[]string{code, "--keys", other}, exitFailed, []string{"[MAL]", "no tiene esa llave"}},
		{[]string{altered, "--keys", keys}, exitFailed, []string{"[MAL]", "alterado"}},
		{[]string{document, "--trust", m.trust}, exitDone, []string{"JUAN PEREZ PEREZ", doctorCURP, "[bien]"}},
		{[]string{document}, exitFailed, []string{"sin comprobar"}},
		{[]string{tampered, "--trust", m.trust}, exitFailed, []string{"[MAL]"}},
		{[]string{document, code, "--trust", m.trust, "--keys", keys}, exitDone, []string{"son del mismo certificado"}},
		{[]string{tampered, code, "--trust", m.trust, "--keys", keys}, exitFailed, []string{"no son del mismo certificado"}},
		{[]string{address, "--keys", keys}, exitUsage, nil},
		{[]string{keys, "--keys", keys}, exitFailed, nil},
		{[]string{code, "--keys", document}, exitUsage, []string{"no set of keys"}},
	} {
		status, said := verify(try.args...)
		if status != try.status {
			m.Errorf("verify %.80q: %d, want %d\n%s", try.args, status, try.status, said)
		}
		for _, want := range try.want {
			if !strings.Contains(said, want) {
				m.Errorf("verify %.80q lacks %q:\n%s", try.args, want, said)
			}
		}
	}
}

// withdrawn looks at a certificate that does not count any more.
func (m *maternity) withdrawn(folio, token, word, result, mark string) {
	m.Helper()
	address := issuerOf(m.base) + "/verify/" + token
	if status, _, body := public(m.T, address, "text/html"); status != 200 || !strings.Contains(body, "Documento "+word) || !strings.Contains(body, folio) || strings.Contains(body, "Hospital") || strings.Contains(body, "Mujer") {
		m.Errorf("%d: %s", status, body)
	}
	if _, _, body := public(m.T, address, "application/json"); !strings.Contains(body, `"result":"`+result+`"`) {
		m.Error(body)
	}
	if _, code := m.print(midwife, folio); code != address {
		m.Errorf("the code of what is %s says %s", word, code)
	}
	if page := m.do(200, midwife, "GET", "$birth-print?folio="+folio, ""); !strings.Contains(page, mark) || !strings.Contains(page, "El peso estaba mal") {
		m.Errorf("the paper is not marked: %s", page)
	}
}

// TestPaperScopes holds who prints which paper, and who sees the report.
func TestPaperScopes(t *testing.T) {
	t.Parallel()
	eachMaternity(t, func(m *maternity) {
		c, other := m.certify("María", nil), m.certify("Otra", nil)
		folio := c.text("folio")
		for who, want := range map[string]int{
			midwife: 200, registrar: 200, "system": 200, stranger: 404, "patient Patient/other": 404, "patient " + other.ref("newborn"): 404, "patient " + c.ref("newborn"): 200,
			"analyst": 403, "nurse Practitioner/nurse": 403, "clinician Practitioner/nurse": 403, "auditor": 403, "administrator": 403, "statistician " + hospital: 403,
		} {
			m.do(want, who, "GET", "$birth-print?folio="+folio, "")
			m.do(want, who, "GET", c.ref("composition")+"/$birth-print", "")
			if status, body := m.call(m.who(who), "GET", c.ref("document")+"/$birth-print", ""); status == 200 && want != 200 || status != 200 && who == "system" {
				m.Errorf("the document, by %s: %d %.300s", who, status, body)
			}
		}
		for who, want := range map[string]int{
			"system": 200, "analyst": 200, "statistician " + hospital: 200, "statistician " + elsewhere: 200,
			midwife: 403, registrar: 403, "patient " + c.ref("newborn"): 403, "nurse Practitioner/nurse": 403, "auditor": 403,
		} {
			m.do(want, who, "GET", "$birth-report?year="+fmt.Sprint(m.born.Year()), "")
		}
		m.reported(folio)
		m.do(422, "system", "GET", m.draft()+"/$birth-print", "")
	})
}

// draft stores a document that is none of a birth, and returns where.
func (m *maternity) draft() string {
	m.Helper()
	m.put("Composition/note", `"status":"preliminary","type":{"coding":[{"system":"http://loinc.org","code":"68998-4"}]},"date":"2026-11-22","author":[{"reference":"Practitioner/dr"}],"title":"Nota","custodian":{"reference":"Organization/hospital"}`)
	return "Composition/note"
}

// reported looks at the report of two births.
func (m *maternity) reported(folio string) {
	m.Helper()
	at := "$birth-report?year=" + fmt.Sprint(m.born.Year())
	csv := m.do(200, "system", "GET", at+"&_format=text/csv", "")
	if !strings.Contains(csv, hospital+","+m.born.Format("2006-01")+",2,0,0,2,") || !strings.Contains(csv, "\nVITAMINA_A,0,2,0.000\n") || strings.Contains(csv, folio) {
		m.Errorf("the report: %s", csv)
	}
	if few := m.do(200, "analyst", "GET", at, ""); strings.Contains(few, hospital) || !strings.Contains(few, `"hidden","valueInteger":1`) {
		m.Errorf("an analyst sees two births: %s", few)
	}
	m.do(403, "analyst", "GET", at+"&_format=text/csv", "") // no file goes to those who see resources in part
	if away := m.do(200, "statistician "+elsewhere, "GET", at, ""); strings.Contains(away, hospital) {
		m.Errorf("a statistician sees another establishment: %s", away)
	}
	m.do(403, "statistician "+elsewhere, "GET", at+"&facility="+hospital, "")
	m.do(400, "system", "GET", "$birth-report?year=x", "")
	m.do(400, "system", "GET", at+"&facility=%25", "")
	m.do(400, "system", "GET", at+"&x=y", "")
	status, said, errs := amate(append([]string{"birth", "report", "--csv", "--year", fmt.Sprint(m.born.Year())}, m.where...)...)
	if status != exitDone || said != csv {
		m.Errorf("from the command line: %d %s %s", status, said, errs)
	}
	status, said, _ = amate(append([]string{"birth", "report", "--publish", "--year", fmt.Sprint(m.born.Year())}, m.where...)...)
	if status != exitDone || strings.Contains(said, hospital) || !strings.Contains(said, "1 lines of fewer than 11 births are left out") {
		m.Errorf("to be published: %d %s", status, said)
	}
}

// TestReportForAnalysts: of eleven births an analyst sees the figures, and who is in none
// of them; of the one that has no hour, nothing.
func TestReportForAnalysts(t *testing.T) {
	t.Parallel()
	m := newMaternity(t, []string{"--data", t.TempDir()})
	for i := range paper.Smallest {
		more := map[string]string{}
		if i == 0 {
			more["TALLA"] = "99"
		}
		m.certify(string(rune('A'+i))+"na", more)
	}
	at := "$birth-report?year=" + fmt.Sprint(m.born.Year())
	report := m.do(200, "analyst", "GET", at, "")
	for _, want := range []string{`"valueCode":"` + hospital + `"`, `"valueCode":"` + m.born.Format("2006-01") + `"`, `{"name":"births","valueDecimal":11}`, `"hidden","valueInteger":0`} {
		if !strings.Contains(report, want) {
			t.Errorf("an analyst does not see %s: %s", want, report)
		}
	}
	if !strings.Contains(report, `{"name":"column","valueCode":"TALLA"},{"name":"births","valueInteger":0}`) {
		t.Errorf("an analyst sees that of one child nobody knows the length: %s", report)
	}
	if all := m.do(200, "system", "GET", at+"&_format=text/csv", ""); !strings.Contains(all, "\nTALLA,1,11,0.091\n") {
		t.Errorf("the system sees %s", all)
	}
}

// TestPaperInBrowser opens the public page in a browser, with scripts and without, on a
// telephone and in both languages.
func TestPaperInBrowser(t *testing.T) {
	t.Parallel()
	m := newMaternity(t, []string{"--data", t.TempDir()})
	c := m.certify("María", map[string]string{"newborn": fmt.Sprintf(
		`{"resourceType":"Patient","gender":"female","birthDate":%q,"name":[{"family":"<script>document.title='x'</script>","given":["<img src=x onerror=alert(1)>"]}]}`, m.born.Format(time.DateOnly))})
	address := issuerOf(m.base) + "/verify/" + c.text("token")
	b := browser(t, "es-MX")
	noScripts := chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
	says := func(expression string) string {
		t.Helper()
		got, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](expression))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for _, name := range []string{"verify", "verify-no-scripts"} {
		if name == "verify-no-scripts" {
			b.do(noScripts)
		}
		b.do(chromedp.Navigate(address))
		if got := says(`document.querySelector("h1").textContent`); got != "Documento válido" {
			t.Errorf("%s: the page is headed %q", name, got)
		}
		if color := says(`getComputedStyle(document.querySelector(".result")).backgroundColor`); color == "rgba(0, 0, 0, 0)" {
			t.Errorf("%s: the style sheet is not applied: %q", name, color)
		}
		if title := says(`document.title`); !strings.HasPrefix(title, "Documento válido") {
			t.Errorf("%s: the title is %q", name, title)
		}
		if name == "verify" {
			b.accessible("verify")
		}
		b.do(chromedp.Navigate(says(`document.querySelector('a[hreflang="en"]').href`)))
		if got := says(`document.documentElement.lang + ": " + document.querySelector("h1").textContent`); got != "en: The document is valid" {
			t.Errorf("%s: in English, the page is headed %q", name, got)
		}
	}
}

// TestPaperMetrics: they count, and hold no token.
func TestPaperMetrics(t *testing.T) {
	t.Parallel()
	m := newMaternity(t, []string{"--data", t.TempDir()})
	c := m.certify("María", nil)
	address := issuerOf(m.base) + "/verify/" + c.text("token")
	public(t, address, "text/html")
	public(t, address+"x", "text/html")
	_, _, metrics := public(t, issuerOf(m.base)+"/metrics", "*/*")
	if !strings.Contains(metrics, `amate_verifications_total{outcome="valid"} 1`) || !strings.Contains(metrics, `amate_verifications_total{outcome="unknown"} 1`) || strings.Contains(metrics, c.text("token")) {
		t.Errorf("the metrics: %s", metrics)
	}
}
