package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/amate-health/amate/fhir/document/sign/signtest"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// The establishments of TestLife, and the CURP of those in it.
const (
	lifeClinic      = "DFSSA003966"
	lifeHospital    = "DFSSA003967"
	lifeDoctorCURP  = "PEPJ800101HDFRRN03"
	consultantCURP  = "ROAA820129MGRDLL03"
	lifePatientCURP = "HEGG560427MVZRRL04"
)

// lifeMark stands in whatever tells of the patient, and nowhere else.
const lifeMark = "QXZVWKJHPG"

// life is a server, those who work with it, and one patient.
type life struct {
	*ward
	p        *process
	data     string // folder of the server
	contents func() string
	signers  map[string]*signtest.Holder
	wires    *clinic // where the laboratory sends to
	copied   *lifeCopy
	at       map[string]string // what was written, by what the story calls it
	visit    time.Time
}

// newLife starts a server with two establishments, and gives everybody a token.
func newLife(t *testing.T, where []string, contents func() string) *life {
	w := &ward{T: t, where: where, tokens: map[string]string{}, root: signtest.NewCA(t, "AC de prueba"), trust: t.TempDir()}
	today := time.Now()
	l := &life{
		ward: w, data: where[1], contents: contents, at: map[string]string{},
		visit: time.Date(today.Year(), today.Month()-1, 5, 10, 0, 0, 0, time.FixedZone("", -6*60*60)),
		signers: map[string]*signtest.Holder{
			"doctor":     w.root.Issue(t, signtest.Subject{Name: "JUAN PEREZ PEREZ", CURP: lifeDoctorCURP, RFC: "PEPJ800101AB1", Key: signtest.RSA()}),
			"consultant": w.root.Issue(t, signtest.Subject{Name: "ALICIA RODRIGUEZ ALVAREZ", CURP: consultantCURP, RFC: "ROAA820129AB1"}),
		},
	}
	for name, data := range map[string][]byte{"ac.cer": w.root.Certificate.Raw, "ac.crl": w.root.List(t, today)} {
		if err := os.WriteFile(filepath.Join(w.trust, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	registerSender(t, where, "lab", "system/*.cruds", "facility: Organization/clinic\ntables: {assigners: {VISITAS: 'urn:x:visitas'}}\n")
	apps := map[string]credential{
		"clinic": l.app("clinic", "--role", "clinic-system", "--org", lifeClinic, "--scope", "system/*.cruds"),
		"video":  l.app("video", "--role", "telehealth-app", "--purpose", "COC", "--scope", "system/*.cruds"),
	}
	l.wires = &clinic{mllp: freePort(t), where: where}
	l.wires.process = startGuarded(t, append([]string{"--mllp-listen", l.wires.mllp, "--signature-trust", w.trust, "--need-consent", "COC", "--retention-every", "0"}, where...)...)
	l.p, l.base = l.wires.process, l.wires.base
	for name, app := range apps {
		token, answer := grantFor(t, l.p, app)
		if token == "" {
			t.Fatalf("%s gets no token: %v", name, answer)
		}
		l.tokens[name] = token
	}
	for name, args := range map[string]string{
		"directory": "--role administrator", "officer": "--role arco-officer", "auditor": "--role auditor", "researcher": "--role researcher",
		"nurse": "--role nurse --user Practitioner/nurse --org " + lifeClinic, "doctor": "--role clinician --user Practitioner/doctor --org " + lifeClinic,
		"consultant": "--role clinician --user Practitioner/consultant --org " + lifeHospital, "statistics": "--role statistician --org " + lifeClinic,
	} {
		l.token(name, strings.Fields(args)...)
	}
	l.places()
	return l
}

// app registers an app, and returns what it asks for tokens with.
func (l *life) app(name string, args ...string) credential {
	l.Helper()
	out := mustRun(l, l.where, append([]string{"client", "add", name}, args...)...)
	m := regexp.MustCompile(`client_secret  (\S+)`).FindStringSubmatch(out)
	if m == nil {
		l.Fatalf("it shows no secret: %s", out)
	}
	return credential{Client: name, Secret: m[1], Scope: "system/*.cruds"}
}

// token lets somebody in.
func (l *life) token(name string, args ...string) {
	l.Helper()
	l.tokens[name] = strings.TrimSpace(mustRun(l, l.where, append([]string{"token"}, args...)...))
}

// places puts the establishments and those who work there into the directory.
func (l *life) places() {
	l.Helper()
	org := func(id, clues, name string) {
		l.make("directory", "Organization/"+id, object{
			"identifier": list{object{"system": identity.SystemCLUES, "value": clues}}, "name": name, "address": list{object{"text": "Av. Juárez 1, Ciudad de México"}},
		})
	}
	org("clinic", lifeClinic, "Clínica Hidalgo")
	org("hospital", lifeHospital, "Hospital General")
	for id, who := range map[string]struct{ curp, given, family, cedula, at, code string }{
		"doctor":     {lifeDoctorCURP, "Juan", "Pérez Pérez", "1234567", "clinic", "doctor"},
		"nurse":      {nurseCURP, "Ana", "López Martínez", "2345678", "clinic", "nurse"},
		"consultant": {consultantCURP, "Alicia", "Rodríguez Álvarez", "3456789", "hospital", "doctor"},
	} {
		l.make("directory", "Practitioner/"+id, object{
			"identifier": list{object{"system": identity.SystemCURP, "value": who.curp}, object{"system": identity.SystemCedula, "value": who.cedula}},
			"name":       list{object{"family": who.family, "given": list{who.given}}},
		})
		l.make("directory", "PractitionerRole/"+id, object{
			"practitioner": ref("Practitioner/" + id), "organization": ref("Organization/" + who.at),
			"code": list{coded("http://terminology.hl7.org/CodeSystem/practitioner-role", who.code, "")},
		})
	}
}

// step is a part of the story. The story ends with the first that fails.
func (l *life) step(name string, f func()) {
	l.Helper()
	outer := l.T
	began := time.Now()
	ok := outer.Run(name, func(t *testing.T) {
		l.T = t
		defer func() { l.T = outer }()
		f()
	})
	if !ok {
		outer.FailNow()
	}
	outer.Logf("%s: %v", name, time.Since(began).Round(time.Millisecond))
}

type (
	object = map[string]any
	list   = []any
)

func ref(to string) object { return object{"reference": to} }

func coded(system, code, text string) object {
	c := object{"coding": list{object{"system": system, "code": code}}}
	if text != "" {
		c["text"] = text
	}
	return c
}

func quantity(value any, unit string) object {
	return object{"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
}

func jsonOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // it is made of maps
	}
	return string(text)
}

// make stores a resource as somebody: at "Type/id" if there is an id, else at a new one.
// It returns where.
func (l *life) make(who, at string, members object) string {
	l.Helper()
	typ, id, given := strings.Cut(at, "/")
	body := object{"resourceType": typ}
	for name, v := range members {
		body[name] = v
	}
	method := "POST"
	if given {
		method, body["id"] = "PUT", id
	}
	return typ + "/" + idOf(l.must(http.StatusCreated, who, method, at, jsonOf(body)))
}

// about is make for something that tells of the patient.
func (l *life) about(who, typ string, members object) string {
	l.Helper()
	members["subject"] = ref(l.at["patient"])
	return l.make(who, typ, members)
}

// read reads a resource as somebody.
func (l *life) read(who, at string) object {
	l.Helper()
	var r object
	if err := json.Unmarshal([]byte(l.must(http.StatusOK, who, "GET", at, "")), &r); err != nil {
		l.Fatal(err)
	}
	return r
}

// find returns where a search finds something, as somebody, sorted.
func (l *life) find(who, query string) []string {
	l.Helper()
	var set struct {
		Entry []struct {
			Resource struct{ ResourceType, ID string }
		}
	}
	if err := json.Unmarshal([]byte(l.must(http.StatusOK, who, "GET", query, "")), &set); err != nil {
		l.Fatal(err)
	}
	var all []string
	for _, e := range set.Entry {
		all = append(all, e.Resource.ResourceType+"/"+e.Resource.ID)
	}
	slices.Sort(all)
	return all
}

// says expects that a text holds all of these.
func (l *life) says(what, text string, all ...string) {
	l.Helper()
	for _, one := range all {
		if !strings.Contains(text, one) {
			l.Errorf("%s does not say %q: %.3000s", what, one, text)
		}
	}
}

// fed waits until nothing holds back what has been written: a change is told of once all
// transactions have ended that began before it, those of other databases included.
func (l *life) fed() {
	l.Helper()
	if len(l.where) < 4 { // SQLite has one writer
		return
	}
	conn, err := pgx.Connect(l.Context(), l.where[3])
	if err != nil {
		l.Fatal(err)
	}
	defer conn.Close(l.Context())
	var now uint64
	if err := conn.QueryRow(l.Context(), `SELECT pg_current_xact_id()::text::bigint`).Scan(&now); err != nil {
		l.Fatal(err)
	}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		var oldest uint64
		if err := conn.QueryRow(l.Context(), `SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint`).Scan(&oldest); err != nil || time.Now().After(end) {
			l.Fatalf("transactions from before %d go on: %d, %v", now, oldest, err)
		}
		if oldest > now {
			return
		}
	}
}

// lifeCopy is the copy that the software of the clinic keeps by $changes.
type lifeCopy struct {
	next string            // query of the next call
	have map[string]string // Type/id -> version
}

// sync brings the copy up to date, and returns what changed: "+Type/id" for what came,
// "~" for another version, "-" for what is to be dropped; sorted.
func (l *life) sync() []string {
	l.Helper()
	if l.copied == nil {
		l.copied = &lifeCopy{next: "$changes?patient=" + strings.TrimPrefix(l.at["patient"], "Patient/"), have: map[string]string{}}
	}
	l.fed()
	c, before := l.copied, map[string]string{}
	for name, version := range c.have {
		before[name] = version
	}
	for more := true; more; {
		var page struct {
			Meta  struct{ Tag []struct{ Code string } }
			Link  []struct{ Relation, URL string }
			Entry []struct {
				Resource *struct{ Meta struct{ VersionID string } }
				Request  struct{ Method, URL string }
			}
		}
		text := l.must(http.StatusOK, "clinic", "GET", c.next, "")
		if err := json.Unmarshal([]byte(text), &page); err != nil {
			l.Fatal(err)
		}
		for _, e := range page.Entry {
			if e.Request.Method == "DELETE" {
				delete(c.have, e.Request.URL)
			} else {
				c.have[e.Request.URL] = e.Resource.Meta.VersionID
			}
		}
		more = page.Meta.Tag[0].Code == "more"
		for _, link := range page.Link {
			if link.Relation == "next" {
				c.next = strings.TrimPrefix(link.URL, l.base+"/")
			}
		}
	}
	var changed []string
	for name, version := range c.have {
		if old, ok := before[name]; !ok {
			changed = append(changed, "+"+name)
		} else if old != version {
			changed = append(changed, "~"+name)
		}
	}
	for name := range before {
		if _, ok := c.have[name]; !ok {
			changed = append(changed, "-"+name)
		}
	}
	slices.Sort(changed)
	return changed
}

// synced expects that the copy changes so.
func (l *life) synced(want ...string) {
	l.Helper()
	slices.Sort(want)
	if got := l.sync(); !slices.Equal(got, want) {
		l.Errorf("the copy of the clinic changes by\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// types tells of what changed, each type once, as in "+Observation ~Patient".
func types(changed []string) string {
	var all []string
	for _, one := range changed {
		typ, _, _ := strings.Cut(one, "/")
		all = append(all, typ)
	}
	return fmt.Sprint(slices.Compact(all))
}
