package people

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store/sqlite"
)

const secret = "correct horse battery"

type house struct {
	*Directory
	t     *testing.T
	clock atomic.Int64
}

func (h *house) now0() time.Time      { return time.UnixMicro(h.clock.Load()).UTC() }
func (h *house) pass(d time.Duration) { h.clock.Add(d.Microseconds()) }

// newState opens a store, in which entries are kept as they are in production.
func newState(t testing.TB, now func() time.Time) authz.State {
	t.Helper()
	s, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "amate.db"), sqlite.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t}
	h.clock.Store(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).UnixMicro())
	h.Directory = &Directory{State: newState(t, h.now0), Now: h.now0}
	return h
}

func (h *house) add(login string) *Account {
	h.t.Helper()
	a := &Account{Login: login, Roles: []string{"clinician"}, User: "Practitioner/1"}
	if err := h.Add(h.t.Context(), a, secret); err != nil {
		h.t.Fatal(err)
	}
	return a
}

func TestPassword(t *testing.T) {
	h := newHouse(t)
	a := h.add("Ana.López")
	for _, login := range []string{"Ana.López", "ana.lópez", " ANA.LÓPEZ ", "Ana.Lo\u0301pez"} {
		got, err := h.Password(t.Context(), login, secret)
		if err != nil || got.ID != a.ID {
			t.Errorf("%q: %v, %v", login, got, err)
		}
	}
	for _, c := range []struct{ login, password string }{
		{"Ana.López", ""}, {"Ana.López", secret + " "}, {"Ana.Lopez", secret}, {"", secret}, {strings.Repeat("x", 10_000), secret},
	} {
		if got, err := h.Password(t.Context(), c.login, c.password); !errors.Is(err, ErrWrong) || got != nil {
			t.Errorf("%.20q %q: %v, %v", c.login, c.password, got, err)
		}
	}
	if _, err := h.Change(t.Context(), a.ID, func(a *Account) error { a.Locked = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Password(t.Context(), "Ana.López", secret); !errors.Is(err, ErrWrong) {
		t.Errorf("a locked account: %v", err)
	}
	if strings.Contains(a.Password, secret) || !strings.HasPrefix(a.Password, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the password is kept as %s", a.Password)
	}
}

// TestNobodyCostsAsMuch holds that a login that does not exist takes the same work as one
// that does: the memory of argon2id is spent for both.
func TestNobodyCostsAsMuch(t *testing.T) {
	h := newHouse(t)
	h.add("ana")
	without := &Account{Login: "invited", Roles: []string{"nurse"}}
	if err := h.Add(t.Context(), without, ""); err != nil {
		t.Fatal(err)
	}
	for _, login := range []string{"ana", "nobody", "invited"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := h.Password(t.Context(), login, "a wrong password"); !errors.Is(err, ErrWrong) {
			t.Errorf("%s: %v", login, err)
		}
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent < memory<<10 {
			t.Errorf("%s: %d bytes, less than one hash takes", login, spent)
		}
	}
}

func TestBackOff(t *testing.T) {
	h := newHouse(t)
	h.add("ana")
	fail := func() error { _, err := h.Password(t.Context(), "ana", "wrong"); return err }
	for i := range freeTries {
		if err := fail(); !errors.Is(err, ErrWrong) {
			t.Fatalf("try %d: %v", i+1, err)
		}
	}
	for _, want := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
		var wait *WaitError
		if err := fail(); !errors.As(err, &wait) || !wait.Until.Equal(h.now().Add(want)) {
			t.Fatalf("it asks to wait until %v, want %v from now: %v", wait, want, err)
		}
		if _, err := h.Password(t.Context(), "ana", secret); !errors.As(err, &wait) {
			t.Errorf("the right password counts while others wait: %v", err)
		}
		h.pass(want)
		if err := fail(); !errors.Is(err, ErrWrong) {
			t.Fatalf("after the wait: %v", err)
		}
	}
	h.pass(longestWait)
	if _, err := h.Password(t.Context(), "ana", secret); err != nil {
		t.Fatalf("the right password: %v", err)
	}
	if err := fail(); !errors.Is(err, ErrWrong) {
		t.Errorf("having signed in, the first try in vain: %v", err)
	}
}

// TestManyAtOnce holds that tries made at once are counted as many as they are.
func TestManyAtOnce(t *testing.T) {
	h := newHouse(t)
	h.add("ana")
	var looked atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := h.Password(t.Context(), "ana", "wrong"); errors.Is(err, ErrWrong) {
				looked.Add(1)
			}
		})
	}
	all.Wait()
	if looked.Load() != freeTries {
		t.Errorf("%d tries were looked at, want %d", looked.Load(), freeTries)
	}
}

func TestCheckPassword(t *testing.T) {
	for _, bad := range []string{"", "short", "password1234", "contraseña123", "aaaaaaaaaaaaaaaa", "ana.lopez1234", "123456789012", "qwertyqwerty12", "abababababab", strings.Repeat("á", 257), "amate-salud-2026", "bad\xffutf-8-bytes-here"} {
		if CheckPassword(bad, "ana.lopez") == nil {
			t.Errorf("%.40q is taken", bad)
		}
	}
	for _, good := range []string{secret, "el perro come tortillas", "Ñandú-veloz-42-río", "zX8#kP2!vQ9m"} {
		if err := CheckPassword(good, "ana.lopez"); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	h := newHouse(t)
	h.add("ana")
	for name, a := range map[string]*Account{
		"a login that is taken":          {Login: "ANA"},
		"one that looks like it":         {Login: "ａｎａ"},
		"no login":                       {Login: ""},
		"a login with a space":           {Login: "a b"},
		"markup":                         {Login: "<b>x</b>"},
		"a role that is none":            {Login: "x1", Roles: []string{"Clinician, administrator"}},
		"a link to something else":       {Login: "x2", User: "Observation/1"},
		"a link that is no reference":    {Login: "x3", User: "Practitioner"},
		"a link to a version":            {Login: "x4", User: "Patient/1/_history/1"},
		"a patient in care, with a path": {Login: "x5", Patients: []string{"../1"}},
	} {
		if err := h.Add(t.Context(), a, secret); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestCodes(t *testing.T) {
	h := newHouse(t)
	a := h.add("ana")
	key, link, err := NewSecret("Amate", "ana")
	if err != nil || !strings.HasPrefix(link, "otpauth://totp/Amate:ana?") {
		t.Fatal(link, err)
	}
	if again, err := SecretURL("Amate", "ana", key); err != nil || !strings.Contains(again, "secret="+key) {
		t.Errorf("%q, %v", again, err)
	}
	at := func(d time.Duration) string {
		code, err := totp.GenerateCode(key, h.now().Add(d))
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	if err := h.ConfirmCode(t.Context(), a.ID, key, "000000"); !errors.Is(err, ErrWrong) {
		t.Fatalf("turned on with another code: %v", err)
	}
	if err := h.ConfirmCode(t.Context(), a.ID, key, at(0)); err != nil {
		t.Fatal(err)
	}
	check := func(name, code string, want error) {
		t.Helper()
		if err := h.Code(t.Context(), a.ID, code); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	check("the code that turned them on, again", at(0), ErrWrong)
	h.pass(time.Minute)
	check("the code now", at(0), nil)
	check("the same code again", at(0), ErrWrong)
	check("an earlier one, once a later was used", at(-30*time.Second), ErrWrong)
	h.pass(5 * time.Minute)
	check("of a clock that is slow", at(-30*time.Second), nil)
	check("of a clock that is slower", at(-90*time.Second), ErrWrong)
	h.pass(5 * time.Minute)
	check("with a space", at(0)[:3]+" "+at(0)[3:], nil)
	check("nothing", "", ErrWrong)
	for range freeTries {
		h.Code(t.Context(), a.ID, "000000")
	}
	h.pass(29 * time.Second)
	var wait *WaitError
	if err := h.Code(t.Context(), a.ID, at(0)); !errors.As(err, &wait) {
		t.Errorf("after many wrong codes: %v", err)
	}
}

func TestSessions(t *testing.T) {
	h := newHouse(t)
	a := h.add("ana")
	start := func(half bool) string {
		t.Helper()
		cookie, err := h.Start(t.Context(), a.ID, half, "pwd")
		if err != nil {
			t.Fatal(err)
		}
		return cookie
	}
	alive := func(cookie string) bool {
		_, got, err := h.Session(t.Context(), cookie)
		return err == nil && got.ID == a.ID
	}
	first, second, half := start(false), start(false), start(true)
	if first == second || !alive(first) || !alive(second) || !alive(half) || alive("") || alive("x") {
		t.Error("sessions are not what they are")
	}
	h.pass(halfLasts)
	if alive(half) || !alive(first) {
		t.Error("half a session lasts too long, or a whole one not long enough")
	}
	for range 10 {
		h.pass(45 * time.Minute)
		alive(first)
	}
	if !alive(first) || alive(second) {
		t.Error("a session that is used ends, or one that is idle goes on")
	}
	h.pass(45 * time.Minute)
	if alive(first) {
		t.Error("a session goes on for more than eight hours")
	}
	third, fourth := start(false), start(false)
	if err := h.SetPassword(t.Context(), a.ID, "another long password", false); err != nil {
		t.Fatal(err)
	}
	if alive(third) || alive(fourth) {
		t.Error("a session goes on after the password was changed")
	}
	fifth := start(false)
	if err := h.Remove(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	if alive(fifth) {
		t.Error("a session goes on after the account was removed")
	}
	h.add("ana") // the login is free again
}

func TestReset(t *testing.T) {
	h := newHouse(t)
	a := h.add("ana")
	link, err := h.Reset(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.UseReset(t.Context(), link, "short"); fhir.CodeOf(err) != fhir.Invalid {
		t.Errorf("a bad password: %v", err)
	}
	if _, err := h.UseReset(t.Context(), link+"x", "another long password"); fhir.CodeOf(err) != fhir.NotFound {
		t.Errorf("another link: %v", err)
	}
	if id, err := h.UseReset(t.Context(), link, "another long password"); err != nil || id != a.ID {
		t.Fatal(id, err)
	}
	if _, err := h.UseReset(t.Context(), link, "yet another password"); fhir.CodeOf(err) != fhir.NotFound {
		t.Errorf("the link again: %v", err)
	}
	if _, err := h.Password(t.Context(), "ana", "another long password"); err != nil {
		t.Errorf("the new password: %v", err)
	}
	late, err := h.Reset(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.pass(resetLasts)
	if _, err := h.UseReset(t.Context(), late, "yet another password"); fhir.CodeOf(err) != fhir.NotFound {
		t.Errorf("a link that is old: %v", err)
	}
}
