package smart

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/amate-health/amate/authz/token"
)

// holding returns a token for a role with scopes.
func (h *house) holding(role, scopes string) string {
	h.t.Helper()
	raw, err := h.Minter.Access(&token.Claims{Claims: jwt.Claims{Subject: "someone"}, Client: "console", Roles: []string{role}, Scope: scopes}, time.Minute)
	if err != nil {
		h.t.Fatal(err)
	}
	return raw
}

func TestAdministration(t *testing.T) {
	h := newHouse(t)
	chief := h.holding("administrator", "user/*.cruds")
	call := func(method, path, body string) map[string]any { return h.withBearer(method, path, chief, body) }
	made := call(http.MethodPost, "/oauth/admin/accounts", `{"login":"pedro","roles":["nurse"],"org":"DFSSA000001","fhirUser":"Practitioner/p9"}`)
	id, _ := made["id"].(string)
	if made["status"] != http.StatusCreated || id == "" || !strings.Contains(made["reset"].(string), "/account/reset?secret=") {
		t.Fatalf("a new account: %v", made)
	}
	for name, body := range map[string]string{
		"a login that is taken": `{"login":"Ana","roles":[]}`, "no login": `{"roles":["nurse"]}`, "a misspelt member": `{"login":"x1","rolls":["nurse"]}`,
		"a password": `{"login":"x2","password":"correct horse battery"}`, "no JSON": `login=x`, "a role that is none": `{"login":"x3","roles":["<b>"]}`,
	} {
		if got := call(http.MethodPost, "/oauth/admin/accounts", body); got["error"] == nil || got["id"] != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	all, _ := call(http.MethodGet, "/oauth/admin/accounts", "")["accounts"].([]any)
	if len(all) != 3 {
		t.Errorf("there are %v", all)
	}
	if got := call(http.MethodGet, "/oauth/admin/clients", ""); len(got["clients"].([]any)) != 1 {
		t.Errorf("there are %v", got)
	}

	b := h.browser()
	b.signIn("ana")
	held := h.exchangeCode(b.code(h.ask()))
	a, err := h.People.Find(t.Context(), "ana")
	if err != nil {
		t.Fatal(err)
	}
	at := "/oauth/admin/accounts/" + a.ID
	if got := call(http.MethodPatch, at, `{"locked":true}`); got["locked"] != true || got["fhirUser"] != "Patient/p1" {
		t.Errorf("locked, it is %v", got)
	}
	if got := b.get("/account"); got.status != http.StatusSeeOther || h.good(held.AccessToken) {
		t.Errorf("what a locked account holds goes on: %d", got.status)
	}
	if got := call(http.MethodGet, at, ""); got["locked"] != true || strings.Contains(got["login"].(string), "argon2") {
		t.Errorf("it is %v", got)
	}
	if got := call(http.MethodPost, at+"/reset", ""); !strings.Contains(got["reset"].(string), "secret=") {
		t.Errorf("a reset gives %v", got)
	}
	for _, path := range []string{"/oauth/admin/accounts/nobody", "/oauth/admin/accounts/nobody/reset"} {
		method := http.MethodGet
		if strings.HasSuffix(path, "reset") {
			method = http.MethodPost
		}
		if got := call(method, path, ""); got["status"] != http.StatusNotFound {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// TestAdministrationIsForAdministrators holds that nobody else gets in, by any path.
func TestAdministrationIsForAdministrators(t *testing.T) {
	h := newHouse(t)
	a, err := h.People.Find(t.Context(), "ana")
	if err != nil {
		t.Fatal(err)
	}
	paths := [][2]string{
		{http.MethodGet, "/oauth/admin/accounts"}, {http.MethodPost, "/oauth/admin/accounts"}, {http.MethodGet, "/oauth/admin/accounts/" + a.ID},
		{http.MethodPatch, "/oauth/admin/accounts/" + a.ID}, {http.MethodDelete, "/oauth/admin/accounts/" + a.ID},
		{http.MethodPost, "/oauth/admin/accounts/" + a.ID + "/reset"}, {http.MethodGet, "/oauth/admin/clients"},
	}
	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"nobody":                          {"", http.StatusUnauthorized},
		"a token of nobody's":             {"x.y.z", http.StatusUnauthorized},
		"a system":                        {h.holding("system", "system/*.cruds"), http.StatusForbidden},
		"a clinician":                     {h.holding("clinician", "user/*.cruds"), http.StatusForbidden},
		"an administrator who only reads": {h.holding("administrator", "user/*.rs"), http.StatusForbidden},
		"an app for one patient":          {h.holding("administrator", "patient/*.cruds"), http.StatusForbidden},
		"an administrator's other app":    {h.holding("administrator", "openid user/Patient.cruds"), http.StatusForbidden},
	} {
		for _, p := range paths {
			if got := h.withBearer(p[0], p[1], c.token, `{"locked":true}`); got["status"] != c.want {
				t.Errorf("%s, %s %s: %v", name, p[0], p[1], got)
			}
		}
	}
	if a, err = h.People.Get(t.Context(), a.ID); err != nil || a.Locked {
		t.Errorf("the account is %+v, %v", a, err)
	}
}
