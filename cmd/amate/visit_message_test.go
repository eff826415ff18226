package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/telehealth/visit"
)

// TestMessageGateway: where codes of patients may be sent to, and that what goes wrong says
// nothing of them, nor of the key in the address.
func TestMessageGateway(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("of the gateway\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for url, ok := range map[string]bool{
		"https://sms.example/send": true, "http://127.0.0.1:9/x": true, "http://[::1]:9/x": true, "http://10.0.0.7/x": true, "http://gateway:8080/x": true,
		"http://sms.example/send": false, "http://8.8.8.8/x": false, "ftp://gateway/x": false, "file:///etc/passwd": false, "sms.example": false,
	} {
		if _, err := (&visiting{MessageURL: url, MessageSecret: secret}).gateway(); (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
	}
	asked := ""
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.String() }))
	defer elsewhere.Close()
	moved := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	deliver := func() error {
		g, err := (&visiting{MessageURL: moved.URL + "/?key=K3Y", MessageSecret: secret}).gateway()
		if err != nil {
			t.Fatal(err)
		}
		return g.deliver(t.Context(), visit.Message{Channel: "sms", To: "+522281234567", Text: "1234 5678"})
	}
	if err := deliver(); err == nil || asked != "" {
		t.Errorf("a gateway that sends elsewhere: %v, asked there: %q", err, asked)
	}
	moved.Close()
	err := deliver()
	if err == nil {
		t.Fatal("delivered to nobody")
	}
	for _, told := range []string{"K3Y", "2281234567", "1234"} {
		if strings.Contains(err.Error(), told) {
			t.Errorf("the error tells %q: %v", told, err)
		}
	}
}
