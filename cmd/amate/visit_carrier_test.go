package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/telehealth/video"
)

// What carries sound and picture follows from the flags, or it is said which is missing.
func TestCarrierFlags(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("0123456789abcdef0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	kit := visiting{LiveKitURL: "wss://lk", LiveKitKey: "api", LiveKitSecret: secret}
	with := func(c visiting, change func(*visiting)) visiting {
		change(&c)
		return c
	}
	for name, w := range map[string]struct {
		flags visiting
		want  string // of what is refused; "" for nothing
	}{
		"nothing":              {visiting{}, ""},
		"coturn":               {visiting{TURN: []string{"turn:h"}, TURNSecret: secret, TURNOnly: true}, ""},
		"coturn, no secret":    {visiting{TURN: []string{"turn:h"}}, "--turn-secret-file is needed"},
		"only through nothing": {visiting{TURNOnly: true}, "--turn-only needs --turn"},
		"LiveKit":              {kit, ""},
		"LiveKit, no key":      {with(kit, func(c *visiting) { c.LiveKitKey = "" }), "--livekit-key is needed"},
		"LiveKit with a page":  {with(kit, func(c *visiting) { c.LiveKitPage = "https://meet/custom" }), ""},
		"a page without TLS":   {with(kit, func(c *visiting) { c.LiveKitPage = "http://meet/custom" }), "--livekit-page"},
		"a page with a query":  {with(kit, func(c *visiting) { c.LiveKitPage = "https://meet/custom?x=1" }), "--livekit-page"},
		"Jitsi":                {visiting{JitsiURL: "https://j/", JitsiApp: "a", JitsiSecret: secret}, ""},
		"Jitsi, no app":        {visiting{JitsiURL: "https://j", JitsiSecret: secret}, "--jitsi-app is needed"},
		"both":                 {with(kit, func(c *visiting) { c.JitsiURL = "https://j" }), "want one of the two"},
	} {
		c, err := w.flags.carrier()
		if (err == nil) != (w.want == "") || err != nil && !strings.Contains(err.Error(), w.want) {
			t.Errorf("%s: %v, want %q", name, err, w.want)
		}
		if k, ok := c.(video.LiveKit); err == nil && w.flags.LiveKitURL != "" && (!ok || k.Page != w.flags.LiveKitPage || len(k.Secret) != 32) {
			t.Errorf("%s: %+v", name, c)
		}
	}
}
