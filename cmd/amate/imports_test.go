package main

import (
	"fmt"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/amate-health/amate"

// imports says which packages of this project each package may import. A package
// that is not here may not exist: add it, and think where it belongs.
//
// The order of things is fhir <- authz, store, telehealth <- cmd. store, authz and
// telehealth never know one another.
var imports = map[string]string{
	"cmd/amate": "fhir/registry/analysis fhir/table fhir/bulk fhir/bulk/ingest authz authz/audit authz/client authz/label authz/limit authz/people authz/rbac authz/scope authz/smart authz/token fhir fhir/bundle fhir/chart fhir/compose fhir/document fhir/document/mhd fhir/document/sign fhir/document/summary fhir/element fhir/feed fhir/fhirpath fhir/fhirpath/lab fhir/guide fhir/message fhir/message/hl7 fhir/message/mllp fhir/operation fhir/profile fhir/registry/birth fhir/registry/birth/paper fhir/registry/birth/sinac fhir/registry/card fhir/registry/card/health fhir/registry/card/link fhir/registry/demo fhir/registry/identity fhir/registry/identity/check fhir/registry/identity/directory fhir/registry/identity/match fhir/registry/identity/match/trial fhir/registry/identity/merge fhir/registry/identity/pix fhir/registry/identity/renapo fhir/registry/identity/mpi fhir/registry/immunization/code fhir/registry/key fhir/registry/opendata fhir/registry/prescription fhir/registry/referral fhir/registry/profile fhir/registry/record fhir/registry/record/giis fhir/registry/rights fhir/rest fhir/search fhir/spec fhir/subscription fhir/terminology fhir/terminology/service fhir/terminology/source fhir/ucum fhir/validate migrations store store/analytics store/blob store/job store/parameter store/postgres store/reindex store/sqlite telehealth/monitor fhir/view telehealth/portal telehealth/room telehealth/schedule telehealth/video telehealth/visit fhir/registry/immunization/dose fhir/registry/immunization fhir/registry/immunization/schedule fhir/registry/immunization/schedule/cdsi fhir/registry/immunization/schedule/mexico fhir/registry/immunization/vector fhir/registry/immunization/recommend fhir/registry/immunization/campaign fhir/registry/immunization/exchange fhir/zone",

	"cmd/conformance": "",

	"authz":        "authz/rbac authz/scope fhir fhir/element fhir/operation fhir/rest fhir/search fhir/spec",
	"authz/smart":  "authz authz/client authz/pages authz/people authz/scope authz/token fhir",
	"authz/pages":  "",
	"authz/audit":  "authz fhir fhir/bundle fhir/element fhir/rest fhir/search",
	"authz/limit":  "authz fhir fhir/rest fhir/search",
	"authz/client": "authz authz/token fhir",
	"authz/people": "authz fhir",
	"authz/label":  "fhir fhir/bundle fhir/element fhir/search",
	"authz/rbac":   "fhir/search fhir/spec",
	"authz/scope":  "fhir fhir/search fhir/spec",
	"authz/token":  "authz fhir",

	"fhir":                               "",
	"fhir/spec":                          "",
	"fhir/spec/gen":                      "fhir/spec/published",
	"fhir/r4":                            "fhir fhir/element fhir/spec fhir/validate",
	"fhir/element":                       "fhir",
	"fhir/fhirpath":                      "fhir fhir/element fhir/spec fhir/ucum",
	"fhir/fhirpath/lab":                  "fhir fhir/element fhir/fhirpath fhir/operation fhir/spec fhir/xml",
	"fhir/ucum":                          "",
	"fhir/zone":                          "",
	"fhir/ucum/gen":                      "",
	"fhir/spec/published":                "",
	"fhir/terminology":                   "fhir fhir/element fhir/ucum",
	"fhir/terminology/gen":               "fhir/spec/published",
	"fhir/terminology/source":            "fhir/element fhir/terminology",
	"fhir/terminology/service":           "fhir fhir/element fhir/operation fhir/search fhir/terminology",
	"fhir/search":                        "fhir fhir/element fhir/fhirpath fhir/spec fhir/ucum",
	"fhir/validate":                      "fhir fhir/element fhir/fhirpath fhir/operation fhir/profile fhir/search fhir/spec",
	"fhir/guide":                         "",
	"fhir/profile":                       "fhir/element fhir/spec",
	"fhir/profile/gen":                   "",
	"fhir/table":                         "fhir fhir/element",
	"fhir/view":                          "fhir fhir/bulk fhir/compose fhir/element fhir/fhirpath fhir/operation fhir/search fhir/spec fhir/table",
	"fhir/compose":                       "fhir",
	"fhir/patch":                         "fhir fhir/element fhir/fhirpath fhir/spec",
	"fhir/bundle":                        "fhir fhir/element fhir/patch fhir/search fhir/spec fhir/validate",
	"fhir/operation":                     "fhir fhir/element fhir/search",
	"fhir/chart":                         "fhir fhir/element fhir/operation fhir/search fhir/spec",
	"fhir/feed":                          "fhir fhir/element fhir/operation fhir/search fhir/spec",
	"fhir/bulk":                          "fhir fhir/bundle fhir/compose fhir/element fhir/operation fhir/search fhir/spec fhir/table",
	"fhir/bulk/ingest":                   "fhir fhir/bulk fhir/compose fhir/element fhir/operation fhir/spec",
	"fhir/subscription":                  "fhir fhir/bundle fhir/compose fhir/element fhir/fhirpath fhir/operation fhir/search fhir/spec",
	"fhir/rest":                          "fhir fhir/bundle fhir/element fhir/fhirpath fhir/operation fhir/search fhir/spec fhir/xml",
	"fhir/xml":                           "fhir fhir/element fhir/spec",
	"fhir/document/page":                 "fhir/document/qr",
	"fhir/document":                      "fhir fhir/bundle fhir/compose fhir/document/sign fhir/element fhir/operation fhir/search fhir/spec",
	"fhir/document/mhd":                  "fhir fhir/element fhir/operation fhir/search",
	"fhir/document/sign":                 "fhir fhir/element",
	"fhir/document/sign/signtest":        "fhir/document/sign",
	"fhir/document/summary":              "fhir fhir/document/sign fhir/element fhir/operation fhir/search fhir/terminology fhir/validate",
	"fhir/registry/birth":                "fhir fhir/bundle fhir/compose fhir/document fhir/document/sign fhir/element fhir/operation fhir/registry/birth/sinac fhir/registry/identity fhir/search",
	"fhir/registry/birth/paper":          "fhir fhir/document/page fhir/document/sign fhir/element fhir/operation fhir/registry/birth fhir/registry/birth/sinac fhir/registry/identity fhir/registry/key fhir/search",
	"fhir/registry/birth/sinac":          "",
	"fhir/registry/identity":             "",
	"fhir/registry/identity/directory":   "fhir/registry/identity fhir/registry/identity/match",
	"fhir/registry/identity/match":       "fhir/element fhir/registry/identity",
	"fhir/registry/identity/check":       "fhir fhir/bundle fhir/element fhir/registry/identity",
	"fhir/registry/identity/members":     "fhir/element",
	"fhir/registry/identity/merge":       "fhir fhir/bundle fhir/element fhir/operation fhir/registry/identity fhir/registry/identity/members fhir/search fhir/spec",
	"fhir/registry/identity/pix":         "fhir fhir/element fhir/operation fhir/registry/identity fhir/search",
	"fhir/registry/identity/renapo":      "fhir fhir/bundle fhir/element fhir/operation fhir/registry/identity fhir/registry/identity/check fhir/registry/identity/members fhir/registry/identity/merge fhir/search",
	"fhir/registry/identity/match/trial": "fhir/registry/identity/match",
	"fhir/registry/identity/mpi":         "fhir fhir/bundle fhir/element fhir/operation fhir/registry/identity/match fhir/search",
	"fhir/registry/profile":              "fhir/guide fhir/operation",
	"fhir/registry/record":               "fhir fhir/document/page fhir/element fhir/operation fhir/registry/identity fhir/registry/profile fhir/search fhir/spec",
	"fhir/registry/record/giis":          "fhir fhir/element fhir/operation fhir/registry/identity fhir/search",
	"fhir/registry/demo":                 "fhir/registry/birth/sinac fhir/registry/identity",
	"fhir/registry/analysis":             "fhir fhir/element fhir/registry/identity fhir/registry/immunization/code fhir/spec",
	"fhir/registry/rights":               "fhir fhir/bundle fhir/document/page fhir/document/summary fhir/element fhir/operation fhir/search fhir/spec",
	"fhir/samples":                       "",

	"fhir/registry/immunization":                 "fhir/registry/immunization/schedule",
	"fhir/registry/immunization/schedule":        "",
	"fhir/registry/immunization/schedule/cdsi":   "fhir/registry/immunization/schedule",
	"fhir/registry/immunization/schedule/mexico": "fhir/registry/immunization/schedule",
	"fhir/registry/immunization/vector":          "fhir/registry/immunization fhir/registry/immunization/schedule",
	"fhir/registry/immunization/code":            "",
	"fhir/registry/immunization/history":         "fhir fhir/element fhir/registry/immunization fhir/registry/immunization/code fhir/registry/immunization/schedule",
	"fhir/registry/immunization/plan":            "fhir/registry/immunization fhir/registry/immunization/schedule",
	"fhir/registry/immunization/campaign":        "fhir fhir/bundle fhir/compose fhir/document/page fhir/element fhir/operation fhir/registry/identity fhir/registry/immunization fhir/registry/immunization/code fhir/registry/immunization/plan fhir/registry/immunization/recommend fhir/registry/immunization/schedule fhir/search",
	"fhir/registry/immunization/recommend":       "fhir fhir/bundle fhir/element fhir/operation fhir/registry/immunization fhir/registry/immunization/code fhir/registry/immunization/history fhir/registry/immunization/schedule fhir/search",
	"fhir/registry/immunization/exchange":        "fhir fhir/compose fhir/element fhir/message fhir/message/hl7 fhir/registry/identity fhir/registry/immunization/code fhir/registry/immunization/dose fhir/rest fhir/search",
	"fhir/registry/immunization/dose":            "fhir fhir/bundle fhir/element fhir/operation fhir/registry/identity fhir/registry/immunization fhir/registry/immunization/code fhir/registry/immunization/history fhir/registry/immunization/schedule fhir/search fhir/spec",
	"fhir/registry/card":                         "fhir fhir/document/page fhir/document/qr fhir/element fhir/operation fhir/registry/card/health fhir/registry/card/link fhir/registry/identity fhir/registry/immunization fhir/registry/immunization/code fhir/registry/immunization/history fhir/registry/immunization/schedule fhir/registry/key fhir/search",
	"fhir/registry/card/health":                  "fhir/registry/key",
	"fhir/registry/card/link":                    "fhir",
	"fhir/registry/key":                          "fhir",
	"fhir/registry/opendata":                     "fhir fhir/registry/identity fhir/table",
	"fhir/registry/referral":                     "fhir fhir/bundle fhir/compose fhir/element fhir/operation fhir/registry/identity fhir/registry/record fhir/search",
	"fhir/registry/prescription":                 "fhir fhir/bundle fhir/compose fhir/document fhir/document/page fhir/document/sign fhir/element fhir/operation fhir/registry/identity fhir/registry/key fhir/search fhir/ucum",
	"fhir/document/qr":                           "",

	"fhir/message":      "fhir fhir/element fhir/message/hl7 fhir/operation fhir/registry/identity fhir/rest fhir/search fhir/zone",
	"fhir/message/hl7":  "",
	"fhir/message/mllp": "",

	"store":           "fhir fhir/bundle fhir/element fhir/search store/index store/query",
	"store/index":     "fhir fhir/search fhir/spec",
	"store/query":     "fhir fhir/search fhir/spec store/index",
	"store/postgres":  "fhir fhir/bundle fhir/search migrations store store/index store/query",
	"store/sqlite":    "fhir fhir/bundle fhir/search migrations store store/index store/query",
	"store/job":       "fhir",
	"store/blob":      "fhir fhir/bundle fhir/element",
	"store/analytics": "fhir fhir/element fhir/table",
	"store/reindex":   "fhir fhir/search fhir/spec store store/job",
	"store/parameter": "fhir fhir/bundle fhir/element fhir/search fhir/spec store store/job store/reindex",
	"store/storetest": "fhir fhir/bundle fhir/element fhir/search fhir/spec migrations store",

	"store/storetest/naive": "", // it is to know nothing of what it checks

	"migrations": "",

	"telehealth/portal":          "fhir",
	"telehealth/room":            "",
	"telehealth/monitor":         "fhir fhir/bundle fhir/compose fhir/element fhir/operation fhir/search fhir/ucum",
	"telehealth/schedule":        "fhir fhir/bundle fhir/compose fhir/element fhir/operation fhir/search fhir/zone",
	"telehealth/video":           "fhir telehealth/room",
	"telehealth/video/videotest": "", // a kit for tests
	"telehealth/visit":           "fhir fhir/bundle fhir/compose fhir/element fhir/operation fhir/registry/identity fhir/search telehealth/room",
}

// testImports says what the tests of a package may import beyond that.
var testImports = map[string]string{
	"fhir/document/sign":                         "fhir/document/sign/signtest",
	"fhir/registry/birth/paper":                  "fhir/document/sign/signtest",
	"fhir/registry/card/health":                  "fhir/samples",
	"fhir/registry/card":                         "fhir/bundle fhir/registry/immunization/schedule/mexico store/sqlite",
	"fhir/terminology/service":                   "fhir/validate",
	"cmd/amate":                                  "fhir/samples store/storetest store/storetest/naive fhir/document/sign/signtest telehealth/video/videotest",
	"authz/label":                                "fhir/spec",
	"authz":                                      "fhir/bulk fhir/bulk/ingest telehealth/schedule telehealth/visit fhir/bundle fhir/chart fhir/document fhir/document/mhd fhir/document/summary fhir/feed fhir/registry/birth fhir/registry/birth/paper fhir/registry/birth/sinac fhir/registry/card fhir/registry/card/link fhir/registry/prescription fhir/registry/referral fhir/registry/identity/match fhir/registry/identity/merge fhir/registry/identity/mpi fhir/registry/identity/pix fhir/registry/identity/renapo fhir/registry/immunization fhir/registry/immunization/campaign fhir/registry/immunization/dose fhir/registry/immunization/recommend fhir/registry/immunization/schedule fhir/registry/key fhir/registry/record fhir/registry/record/giis fhir/registry/rights fhir/subscription store store/postgres store/sqlite store/storetest telehealth/monitor fhir/view",
	"authz/audit":                                "store/postgres store/sqlite store/storetest",
	"authz/smart":                                "store/sqlite",
	"authz/people":                               "store/sqlite",
	"authz/token":                                "store/sqlite",
	"fhir/subscription":                          "authz fhir/rest store store/postgres store/sqlite store/storetest",             // under real rights
	"fhir/feed":                                  "authz fhir/bundle fhir/rest store store/postgres store/sqlite store/storetest", // under real rights
	"fhir/fhirpath":                              "fhir/xml fhir/samples",                                                         // the input of public cases
	"fhir/fhirpath/lab":                          "fhir/search fhir/samples",
	"fhir/registry/demo":                         "fhir fhir/element fhir/validate fhir/samples",
	"fhir/registry/identity/merge":               "store/sqlite",
	"fhir/registry/immunization/dose":            "store/postgres store/sqlite store/storetest",
	"fhir/registry/immunization/campaign":        "fhir/registry/immunization/history fhir/registry/immunization/schedule/mexico",
	"fhir/registry/immunization/recommend":       "fhir/registry/immunization/schedule/cdsi fhir/registry/immunization/schedule/mexico fhir/samples fhir/validate",
	"fhir/registry/immunization":                 "fhir/registry/immunization/schedule/cdsi fhir/registry/immunization/schedule/mexico fhir/registry/immunization/vector fhir/samples",
	"fhir/registry/immunization/schedule/cdsi":   "fhir/samples",
	"fhir/registry/immunization/schedule/mexico": "fhir/registry/immunization fhir/registry/immunization/vector",
	"fhir/registry/identity/renapo":              "store/sqlite",
	"fhir/registry/analysis":                     "fhir/registry/demo fhir/samples fhir/table fhir/view store/analytics store/storetest", // what its queries answer
	"fhir/registry/rights":                       "store/sqlite",                                                                         // what is decided is written, and found again
	"fhir/registry/profile":                      "fhir/element fhir/guide fhir/profile fhir/registry/demo fhir/registry/immunization/code fhir/validate",
	"fhir/registry/record":                       "fhir/guide fhir/profile fhir/registry/demo fhir/rest fhir/validate store/sqlite store/postgres store/storetest",
	"fhir/validate":                              "fhir/xml fhir/samples",
	"fhir/rest":                                  "fhir/chart fhir/validate store/postgres store/sqlite store/storetest", // behaviour is tested on real engines
	"migrations":                                 "store/storetest",
	"telehealth/video":                           "store/postgres store/sqlite store/storetest telehealth/video/videotest",
	"telehealth/monitor":                         "fhir/registry/profile fhir/profile fhir/validate store/postgres store/sqlite store/storetest",
	"telehealth/schedule":                        "store/postgres store/sqlite store/storetest",
	"telehealth/visit":                           "store/postgres store/sqlite store/storetest",
	"store/postgres":                             "fhir/element fhir/spec store/storetest",
	"store/sqlite":                               "store/storetest",
	"store/analytics":                            "migrations store/storetest",
	"store/job":                                  "store/postgres store/sqlite store/storetest",
	"store/parameter":                            "store/postgres store/sqlite store/storetest",
	"fhir/element":                               "fhir/samples",
	"fhir/r4":                                    "fhir/samples",
	"fhir/search":                                "fhir/samples",
	"fhir/xml":                                   "fhir/samples",
	"fhir/ucum":                                  "fhir/samples",
	"fhir/patch":                                 "fhir/samples",
	"fhir/bundle":                                "fhir/samples",
	"fhir/view":                                  "fhir/samples fhir/table",
}

// outside says who may import packages that reach out of the process or bring
// much with them. A path covers what is below it; other packages are free.
var outside = map[string]string{
	"net":                                 "cmd/amate fhir/message/mllp fhir/rest fhir/subscription authz",
	"net/http":                            "cmd/amate fhir/message fhir/rest fhir/bulk fhir/subscription authz authz/token authz/pages authz/smart telehealth/portal telehealth/schedule fhir/view telehealth/video",
	"net/url":                             "*", // it only takes text apart
	"net/netip":                           "*", // likewise
	"net/http/httptest":                   "*", // tests
	"database/sql":                        "",  // each engine has a driver of its own
	"os/exec":                             "cmd/conformance store/analytics store/storetest telehealth/video/videotest",
	"github.com/google/fhir":              "fhir/r4 fhir/spec/gen",
	"github.com/golang/protobuf":          "fhir/r4 fhir/spec/gen",
	"google.golang.org/protobuf":          "fhir/r4 fhir/spec/gen",
	"github.com/jackc/pgx":                "store/postgres store/analytics store/storetest migrations",
	"golang.org/x/sys":                    "store/analytics", // priorities of threads
	"zombiezen.com/go/sqlite":             "store/sqlite store/analytics store/storetest migrations",
	"modernc.org/sqlite":                  "store/sqlite",
	"github.com/go-chi/chi":               "cmd/amate fhir/rest",
	"github.com/prometheus/client_golang": "cmd/amate",
	"github.com/alecthomas":               "cmd/amate",
	"go.yaml.in/yaml/v3":                  "cmd/amate",
	"github.com/casbin":                   "authz/rbac",
	"github.com/go-jose":                  "authz/token authz/client authz/smart cmd/amate telehealth/video",
	"github.com/coder/websocket":          "telehealth/video fhir/subscription cmd/amate",
	"github.com/youmark/pkcs8":            "fhir/document/sign fhir/document/sign/signtest",
	"github.com/go-webauthn":              "authz/people",
}

// outsideTests says which tests may import more of these.
var outsideTests = map[string]string{
	"net":                        "store/postgres store/analytics telehealth/video",
	"net/http":                   "fhir/feed", // clients that lose their connections
	"github.com/go-chi/chi":      "fhir/feed fhir/subscription",
	"github.com/jackc/pgx":       "cmd/amate authz/audit", // what a read is compared with; where faults are planted
	"zombiezen.com/go/sqlite":    "authz/audit",
	"os/exec":                    "cmd/amate fhir/document/page fhir/document/qr fhir/registry/birth/paper fhir/registry/card/health fhir/registry/opendata fhir/spec/gen fhir/bulk fhir/table store/analytics telehealth/video",
	"go.yaml.in/yaml/v3":         "fhir/fhirpath", // public cases are written in it
	"github.com/google/fhir":     "fhir/spec/gen",
	"google.golang.org/protobuf": "fhir/spec/gen",
	"github.com/chromedp":        "cmd/amate telehealth/video",
	"github.com/go-jose":         "fhir/document/sign fhir/registry/card/health fhir/registry/card/link", // what signatures are compared with
}

func TestImports(t *testing.T) {
	for _, v := range violations(t, os.DirFS(repository(t))) {
		t.Error(v)
	}
}

// TestImportsNoticesFaults plants faults, each of which must be found.
func TestImportsNoticesFaults(t *testing.T) {
	faults := map[string]struct{ file, imported string }{
		"a package not in the table":        {"fhir/util/util.go", "strings"},
		"store knows authz":                 {"store/query/x.go", module + "/authz"},
		"authz knows store":                 {"authz/x.go", module + "/store"},
		"fhir knows store":                  {"fhir/search/x.go", module + "/store/index"},
		"a package below cmd":               {"cmd/other/main.go", "fmt"},
		"google/fhir on the path":           {"fhir/validate/x.go", "github.com/google/fhir/go/jsonformat"},
		"google/fhir in a test":             {"fhir/validate/x_test.go", "github.com/google/fhir/go/jsonformat"},
		"a socket in a pure package":        {"fhir/bundle/x.go", "net/http"},
		"a socket in a sub-package of net":  {"fhir/bundle/x.go", "net/http/cookiejar"},
		"pgx outside the engine":            {"store/query/x.go", "github.com/jackc/pgx/v5"},
		"Prometheus outside cmd":            {"fhir/rest/x.go", "github.com/prometheus/client_golang/prometheus"},
		"the router where nothing mounts":   {"store/x.go", "github.com/go-chi/chi/v5"},
		"a test kit in the program":         {"cmd/amate/x.go", module + "/store/storetest"},
		"a file for another system":         {"fhir/bundle/x_windows.go", "net/http"},
		"a package of ours that is nowhere": {"fhir/bundle/x.go", module + "/fhir/nowhere"},
	}
	for name, fault := range faults {
		tree := fstest.MapFS{}
		for pkg := range imports {
			tree[pkg+"/ok.go"] = &fstest.MapFile{Data: []byte("package p\n")}
		}
		if v := violations(t, tree); len(v) != 0 {
			t.Fatalf("without a fault: %v", v)
		}
		tree[fault.file] = &fstest.MapFile{Data: fmt.Appendf(nil, "package p\n\nimport _ %q\n", fault.imported)}
		if v := violations(t, tree); len(v) != 1 {
			t.Errorf("%s (%s imports %s): found %v", name, fault.file, fault.imported, v)
		}
	}
}

// repository returns the root of this repository.
func repository(t testing.TB) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return root
}

// violations reads the sources of a tree and returns what breaks the tables above.
// It reads them itself, since the cache of test results would not notice that what
// a child process reads has changed.
func violations(t *testing.T, tree fs.FS) []string {
	t.Helper()
	found := map[string]bool{}
	packages := map[string]bool{}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if d.IsDir() {
			if name != "." && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(base) != ".go" {
			return nil
		}
		imported, built, err := importsOf(tree, name)
		if err != nil || !built {
			return err
		}
		pkg := path.Dir(name)
		packages[pkg] = true
		if _, ok := imports[pkg]; !ok {
			found[pkg+": a package that the table does not have"] = true
			return nil
		}
		for _, p := range imported {
			if !mayImport(pkg, p, strings.HasSuffix(base, "_test.go")) {
				found[name+" imports "+p] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if packages["cmd/amate"] { // a whole tree
		for pkg := range imports {
			if !packages[pkg] {
				found[pkg+": the table has it, and it is not there"] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// importsOf returns what a file imports, and whether it is ever built.
func importsOf(tree fs.FS, name string) (paths []string, built bool, err error) {
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, false, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return nil, false, err
	}
	for _, group := range file.Comments {
		for _, c := range group.List {
			if !constraint.IsGoBuild(c.Text) || c.Pos() > file.Package {
				continue
			}
			expr, err := constraint.Parse(c.Text)
			if err != nil {
				return nil, false, err
			}
			if !expr.Eval(func(tag string) bool { return tag != "never" && tag != "ignore" }) {
				return nil, false, nil
			}
		}
	}
	for _, spec := range file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, false, err
		}
		paths = append(paths, p)
	}
	return paths, true, nil
}

// mayImport reports whether a file of pkg may import p.
func mayImport(pkg, p string, test bool) bool {
	if own, ok := strings.CutPrefix(p, module+"/"); ok {
		return own == pkg && test || lists(imports[pkg], own) || test && lists(testImports[pkg], own)
	}
	for rule := p; rule != "."; rule = path.Dir(rule) {
		if who, ok := outside[rule]; ok {
			return who == "*" || lists(who, pkg) || test && lists(outsideTests[rule], pkg)
		}
	}
	return true
}

func lists(names, name string) bool { return slices.Contains(strings.Fields(names), name) }
