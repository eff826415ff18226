package main

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/amate-health/amate/store/storetest"
)

// openWorld is a server that publishes, and those who ask it.
type openWorld struct {
	*testing.T
	where []string
	base  string // of the API
	root  string // of the pages
	admin *asker
}

// TestOpenData: datasets are published by those who may, of births that were loaded and of
// doses and visits that were written, and are there for everybody: what is small is not.
func TestOpenData(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]func(t *testing.T) []string{
		"sqlite":   func(*testing.T) []string { return nil },
		"postgres": func(t *testing.T) []string { return []string{"--database", storetest.EmptyPostgres(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &openWorld{T: t, where: append([]string{"--data", t.TempDir()}, more(t)...)}
			w.births()
			p := startGuarded(t, w.where...)
			w.base, w.root = p.base, p.root("")
			w.admin = w.as("administrator", "--purpose", "HSYSADMIN")
			w.records()
			w.scopes()
			w.published("nacimientos", "2024")
			w.published("vacunacion", "2024")
			w.published("telesalud", "2025")
			w.pages()
			w.births2024()
			w.coverage()
			w.visits()
			w.command()
			if name == "sqlite" {
				w.browser()
			}
		})
	}
}

func (w *openWorld) as(role string, more ...string) *asker {
	w.Helper()
	return &asker{t: w.T, base: w.base, token: strings.TrimSpace(mustRun(w.T, w.where, append([]string{"token", "--role", role}, more...)...))}
}

// births loads a file as SINAC publishes it: 480 births in two municipalities, and three
// in another.
func (w *openWorld) births() {
	var b strings.Builder
	b.WriteString("NACIOEXTRANJERO,ENTIDADNACIMIENTO,MUNICIPIONACIMIENTO,EDAD,ENTIDADRESIDENCIA,MUNICIPIORESIDENCIA,FECHANACIMIENTO,SEXO,PESO,RESOLUCIONEMBARAZO,FECHACERTIFICADO,NUMEROEMBARAZOS,EDADGESTACIONAL,TALLA,APGAR,PRODUCTOEMBARAZO,LUGARNACIMIENTO,CLUES,ENTIDADFEDERATIVAPARTO,MUNICIPIOPARTO\n")
	for i := range 483 {
		town := []string{"001", "039"}[i%2]
		if i >= 480 {
			town = "070"
		}
		day := fmt.Sprintf("%02d/%02d/2024", 1+i%25, 1+i%12)
		fmt.Fprintf(&b, "2,14,%s,%d,14,%s,%s,%d,%d,1,%s,1,39,50,9,1,01,JCSSA000014,14,039\n", town, 18+i%20, town, day, 1+i/7%2, 2600+i%9*150, day)
	}
	file := filepath.Join(w.TempDir(), "sinac.csv")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		w.Fatal(err)
	}
	if out := mustRun(w.T, w.where, "birth", "import", file); !strings.Contains(out, "483 added") {
		w.Fatal(out)
	}
}

// records writes 90 children of 2024, of whom those of odd numbers have a dose against
// measles and all have BCG, with 80 visits at a distance in each of two establishments and
// four in a third.
func (w *openWorld) records() {
	var entries []string
	put := func(ref, rest string) {
		typ, id, _ := strings.Cut(ref, "/")
		entries = append(entries, fmt.Sprintf(`{"resource":{"resourceType":%q,"id":%q,%s},"request":{"method":"PUT","url":%q}}`, typ, id, rest, ref))
	}
	for i := range 3 {
		put(fmt.Sprintf("Organization/od%d", i), `"name":"Unidad"`)
	}
	dose := func(id string, child int, cvx string) {
		put("Immunization/"+id, fmt.Sprintf(`"status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":%q}]},"patient":{"reference":"Patient/od%d"},"occurrenceDateTime":"2025-04-05"`, cvx, child))
	}
	for i := range 90 {
		gender, town := []string{"female", "male"}[i/2%2], []string{"14039", "14001"}[i%2]
		if i >= 87 {
			town = "14070"
		}
		put(fmt.Sprintf("Patient/od%d", i), fmt.Sprintf(`"gender":%q,"birthDate":"2024-%02d-11","address":[{"district":%q,"state":"14","country":"MX"}]`, gender, 1+i%12, town))
		dose(fmt.Sprintf("odb%d", i), i, "19")
		if i%2 == 1 {
			dose(fmt.Sprintf("odm%d", i), i, "03")
		}
	}
	for i := range 164 {
		at := min(i/80, 2)
		put(fmt.Sprintf("Encounter/ode%d", i), fmt.Sprintf(`"status":%q,"class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"VR"},"subject":{"reference":"Patient/od%d"},"serviceProvider":{"reference":"Organization/od%d"},"period":{"start":"2025-%02d-10T10:00:00-06:00","end":"2025-%02d-10T10:20:00-06:00"}`,
			[]string{"finished", "finished", "cancelled"}[i%3], i%90, at, 1+i%4, 1+i%4))
	}
	system := w.as("system")
	for len(entries) > 0 {
		n := min(len(entries), 120)
		if status, _, out := system.do("POST", "/", `{"resourceType":"Bundle","type":"transaction","entry":[`+strings.Join(entries[:n], ",")+`]}`); status != http.StatusOK {
			w.Fatalf("%d %.600s", status, out)
		}
		entries = entries[n:]
	}
}

func orderOf(family, period string) string {
	return fmt.Sprintf(`{"resourceType":"Parameters","parameter":[{"name":"family","valueString":%q},{"name":"period","valueString":%q}]}`, family, period)
}

// scopes: nobody publishes but an administrator, and not whatever they say.
func (w *openWorld) scopes() {
	for _, role := range []string{"clinician", "analyst", "researcher", "data-steward", "auditor", "vaccinator"} {
		for _, body := range []string{orderOf("nacimientos", "2024"), `{"resourceType":"Parameters","parameter":[{"name":"job","valueString":"open-data-auto"}]}`} {
			if status, _, out := w.as(role).do("POST", "/$publish-open-data", body); status != http.StatusForbidden {
				w.Errorf("a %s publishes: %d %s", role, status, out)
			}
		}
	}
	if status, _, _ := (&asker{t: w.T, base: w.base}).do("POST", "/$publish-open-data", orderOf("nacimientos", "2024")); status != http.StatusUnauthorized {
		w.Errorf("anybody publishes: %d", status)
	}
	for body, want := range map[string]int{
		orderOf("nobody", "2024"): 400, orderOf("nacimientos", "2024-01"): 400, orderOf("nacimientos", "2999"): 422, orderOf("../x", ""): 400,
		`{"resourceType":"Parameters","parameter":[{"name":"x","valueString":"y"}]}`:      400,
		`{"resourceType":"Parameters","parameter":[{"name":"job","valueString":"nope"}]}`: 404,
	} {
		if status, _, out := w.admin.do("POST", "/$publish-open-data", body); status != want {
			w.Errorf("%s: %d, want %d: %s", body, status, want, out)
		}
	}
}

// published orders a release, and waits for it.
func (w *openWorld) published(family, period string) {
	w.Helper()
	body := orderOf(family, period)
	eventually(w.T, family+" is published", func() bool {
		status, _, out := w.admin.do("POST", "/$publish-open-data", body)
		var answer returned
		if err := json.Unmarshal([]byte(out), &answer); err != nil || status != http.StatusOK {
			w.Fatalf("%s: %d %s", family, status, out)
		}
		if strings.Contains(out, `"error"`) {
			w.Fatalf("%s: %s", family, out)
		}
		body = fmt.Sprintf(`{"resourceType":"Parameters","parameter":[{"name":"job","valueString":%q}]}`, answer.text("job"))
		return strings.Contains(out, "number 1 is published")
	})
}

// get fetches a page as anybody.
func (w *openWorld) get(method, path string, header ...string) (int, http.Header, string) {
	w.Helper()
	req, err := http.NewRequest(method, w.root+"/", nil)
	if err != nil {
		w.Fatal(err)
	}
	req.URL.Opaque = path // as it is written
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	return res.StatusCode, res.Header, string(out)
}

// pages: everybody reads them and the files that the catalogue names, and nothing else.
func (w *openWorld) pages() {
	for _, path := range []string{"/datos/", "/datos/?lang=en", "/datos/metodologia/", "/datos/nacimientos/2024/nacimientos/?lang=en", "/datos/vacunacion/2024/cobertura/", "/datos/telesalud/2025/consultas/"} {
		status, h, out := w.get("GET", path)
		if status != http.StatusOK || !strings.Contains(out, "<main") || h.Get("Content-Security-Policy") == "" || h.Get("Set-Cookie") != "" {
			w.Errorf("%s: %d %v", path, status, h)
		}
		if again, _, body := w.get("GET", path, "If-None-Match", h.Get("ETag")); again != http.StatusNotModified || body != "" {
			w.Errorf("%s once more: %d", path, again)
		}
	}
	status, h, out := w.get("GET", "/datos/catalogo.jsonld")
	var c struct {
		Dataset []struct {
			Distribution []struct {
				URL struct {
					ID string `json:"@id"`
				} `json:"dcat:downloadURL"`
				Size struct {
					Value string `json:"@value"`
				} `json:"dcat:byteSize"`
				Checksum struct {
					Value struct {
						Value string `json:"@value"`
					} `json:"spdx:checksumValue"`
				} `json:"spdx:checksum"`
			} `json:"dcat:distribution"`
		} `json:"dcat:dataset"`
	}
	if err := json.Unmarshal([]byte(out), &c); err != nil || status != http.StatusOK || h.Get("Content-Type") != "application/ld+json" || len(c.Dataset) != 4 {
		w.Fatalf("%v %d %s", err, status, out)
	}
	for _, set := range c.Dataset {
		for _, f := range set.Distribution {
			status, h, out := w.get("GET", strings.TrimPrefix(f.URL.ID, w.root))
			sum := sha256.Sum256([]byte(out))
			if status != http.StatusOK || hex.EncodeToString(sum[:]) != f.Checksum.Value.Value || fmt.Sprint(len(out)) != f.Size.Value {
				w.Errorf("%s is not as the catalogue has it: %d, %d bytes", f.URL.ID, status, len(out))
			}
			if again, _, _ := w.get("GET", strings.TrimPrefix(f.URL.ID, w.root), "If-None-Match", h.Get("ETag")); again != http.StatusNotModified {
				w.Errorf("%s once more: %d", f.URL.ID, again)
			}
		}
	}
	for _, path := range []string{
		"/datos/archivos/../../amate.db", "/datos/archivos/%2e%2e/%2e%2e/amate.db", "/datos/archivos/nacimientos/2024-1/../../audit-key.pem", "/datos/archivos/nacimientos/2024-1/%2e%2e%2f%2e%2e%2faudit-key.pem",
		"/datos/archivos//etc/passwd", "/datos/archivos/nacimientos/2024-1/", "/datos/archivos/", "/datos/nacimientos/2023/nacimientos/", "/datos/x",
	} {
		if status, _, out := w.get("GET", path); status != http.StatusNotFound || len(out) > 200 {
			w.Errorf("%s: %d %.100s", path, status, out)
		}
	}
	if status, _, _ := w.get("POST", "/datos/"); status != http.StatusMethodNotAllowed {
		w.Errorf("POST: %d", status)
	}
}

// table fetches a table: cells by name of column, for the row that begins so.
func (w *openWorld) table(path string) func(begins ...string) map[string]string {
	w.Helper()
	_, _, out := w.get("GET", "/datos/archivos/"+path)
	all, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(all) < 2 {
		w.Fatalf("%s: %v %.200s", path, err, out)
	}
	return func(begins ...string) map[string]string {
		for _, row := range all[1:] {
			cells, same := map[string]string{}, true
			for i, name := range all[0] {
				cells[name] = row[i]
			}
			for i := 0; i < len(begins); i += 2 {
				same = same && cells[begins[i]] == begins[i+1]
			}
			if same {
				return cells
			}
		}
		return nil
	}
}

func (w *openWorld) expect(what string, got map[string]string, want ...string) {
	w.Helper()
	for i := 0; i < len(want); i += 2 {
		if got[want[i]] != want[i+1] {
			w.Errorf("%s: %s is %q, want %q: %v", what, want[i], got[want[i]], want[i+1], got)
		}
	}
}

func (w *openWorld) births2024() {
	at := w.table("nacimientos/2024-1/nacimientos/municipio-sexo.csv")
	w.expect("births", at("lugar", "total", "sexo", "total"), "casos", "483", "nota", "")
	w.expect("births of Guadalajara", at("lugar", "14039", "sexo", "total"), "lugar_nombre", "Guadalajara, Jalisco", "lugar_name", "Guadalajara, Jalisco")
	w.expect("births of three", at("lugar", "14070", "sexo", "total"), "casos", "", "nota", "S")
	w.expect("births of Jalisco", at("lugar", "14", "sexo", "total"), "lugar_nombre", "Jalisco", "casos", "483")
	w.expect("mothers", w.table("nacimientos/2024-1/nacimientos/entidad-edad-parto.csv")("lugar", "total", "edad_madre", "20-24", "parto", "total"), "edad_madre_nombre", "20 a 24 años", "edad_madre_name", "20 to 24 years")
}

func (w *openWorld) coverage() {
	at := w.table("vacunacion/2024-1/cobertura/municipio.csv")
	w.expect("children", at("lugar", "total"), "casos", "90", "bcg", "90", "bcg_tasa", "100.0", "sarampion", "45", "sarampion_tasa", "50.0", "polio", "0", "nota", "")
	w.expect("children of three", at("lugar", "14070"), "casos", "", "bcg", "", "sarampion", "")
}

func (w *openWorld) visits() {
	at := w.table("telesalud/2025-1/consultas/mes-estado.csv")
	w.expect("visits", at("mes_consulta", "total", "estado", "total"), "casos", "165", "minutos", "20", "nota", "") // 164, rounded to fives
	w.expect("visits of children", w.table("telesalud/2025-1/consultas/edad-estado.csv")("edad", "0-4", "estado", "total"), "casos", "165")
	if row := w.table("telesalud/2025-1/consultas/mes-estado.csv")("mes_consulta", "2025-04", "estado", "cancelled"); row == nil {
		w.Error("there is no row of visits that were cancelled in April")
	}
}

// command: the command line publishes nothing twice, is on record, and finds a file that
// was changed.
func (w *openWorld) command() {
	if out := mustRun(w.T, w.where, "opendata", "publish", "nacimientos", "--period", "2024"); !strings.Contains(out, "nothing changed since number 1") {
		w.Error(out)
	}
	if out := mustRun(w.T, w.where, "audit", "export"); strings.Count(out, "datasets published from the command line") != 1 {
		w.Error("that the command line published is not on record")
	}
	if out := mustRun(w.T, w.where, "opendata", "check"); !strings.Contains(out, "3 releases") || !strings.Contains(out, " 0 wrong") {
		w.Error(out)
	}
	files, err := filepath.Glob(filepath.Join(w.where[1], "opendata", "*", "*", "municipio-sexo.csv"))
	if err != nil || len(files) != 1 {
		w.Fatal(files, err)
	}
	if err := os.WriteFile(files[0], []byte("x"), 0o644); err != nil {
		w.Fatal(err)
	}
	status, out, _ := amate(append([]string{"opendata", "check"}, w.where...)...)
	if status == exitDone || !strings.Contains(out, "municipio-sexo.csv: it is not what was published") {
		w.Errorf("a changed file is not found: %d %s", status, out)
	}
}

// browser looks at the pages as people see them, on a telephone and on a wide screen.
func (w *openWorld) browser() {
	b := browser(w.T, "es-MX")
	for name, at := range map[string]struct {
		path string
		wide int64
	}{"datos-telefono": {"/datos/", 360}, "datos-nacimientos-telefono": {"/datos/nacimientos/2024/nacimientos/", 360}, "datos-births-wide": {"/datos/nacimientos/2024/nacimientos/?lang=en", 1280}, "datos-cobertura": {"/datos/vacunacion/2024/cobertura/", 1280}, "datos-visits-phone": {"/datos/telesalud/2025/consultas/?lang=en", 360}} {
		b.do(chromedp.EmulateViewport(at.wide, 900), chromedp.Navigate(w.root+at.path))
		b.accessible(name)
		over, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
		if err != nil || over > 0 {
			w.Errorf("%s: the page is %d px too wide (%v)", name, over, err)
		}
	}
}
