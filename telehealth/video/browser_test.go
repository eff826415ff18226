package video_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/amate-health/amate/telehealth/room"
	"github.com/amate-health/amate/telehealth/video"
	"github.com/amate-health/amate/telehealth/video/videotest"
)

// link is the address of somebody's seat.
func link(server *httptest.Server, seat string) string {
	return server.URL + video.Path + "#" + theRoom + "/t-" + seat
}

// Two people meet, one is lost and comes back, the server goes away and comes back, and
// the visit is ended.
func TestVisitInBrowsers(t *testing.T) {
	t.Parallel() // it waits for most of its time
	g := newGate()
	service, server := site(t, g, nil)
	doc, pat := videotest.Start(t), videotest.Start(t)
	doc.Enter(link(server, "doc"))
	pat.Enter(link(server, "pat"))
	pat.Until(`document.body.dataset.step === "wait"`)
	pat.Accessible("waiting")
	doc.Do(chromedp.WaitVisible(`[data-does="admit"]`))
	doc.Accessible("door")
	if hash := videotest.Ask[string](pat, "location.hash"); hash != "#"+theRoom {
		t.Errorf("the address still holds a token that was spent: %q", hash)
	}
	doc.Do(chromedp.Click(`[data-does="admit"]`))
	doc.Sees("pat")
	pat.Sees("doc")
	doc.Accessible("visit")
	if way := doc.Way("pat"); way != "directa" {
		t.Errorf("media travel %q", way)
	}

	// What is written arrives, as text.
	pat.Do(chromedp.Click("#chat summary"), chromedp.SendKeys("#words", "<b>¿Me oye?</b>"), chromedp.Click("#say button"))
	doc.Until(`document.querySelector("#said li")?.textContent.endsWith("<b>¿Me oye?</b>")`)

	// Without a picture the sound goes on.
	pat.Do(chromedp.Click("#picture"))
	g.happened(t, "pat", room.AudioOnly)
	doc.Until(`document.querySelector('[data-seat="pat"] figcaption').textContent.includes("🎤")`)
	pat.Do(chromedp.Click("#picture"))
	g.happened(t, "pat", room.WithVideo)

	weak(doc, pat)

	// The patient's page is lost, and loaded again.
	pat.Do(chromedp.Reload(), chromedp.WaitVisible("#join"))
	doc.Until(`!visit.people.has("pat")`)
	pat.Join()
	pat.Sees("doc")
	doc.Sees("pat")
	g.happened(t, "pat", room.Dropped)

	// The server goes away in the middle of it. What is seen is seen on, and both are back
	// when another one is there.
	again := comeBack(t, service, server, g)
	for _, b := range []*videotest.Tab{doc, pat} {
		b.Until(`document.body.dataset.socket === "lost"`)
	}
	again()
	for _, b := range []*videotest.Tab{doc, pat} {
		b.Until(`document.body.dataset.socket === "open" && visit.people.size === 1`)
	}
	doc.Sees("pat")
	pat.Sees("doc")

	doc.Do(chromedp.Evaluate[chromedp.Void](`window.confirm = () => true`), chromedp.Click("#end"))
	for _, b := range []*videotest.Tab{doc, pat} {
		b.Until(`document.body.dataset.over === "ended"`)
		b.Accessible("over")
	}
	g.happened(t, "doc", room.Ended)
	g.happened(t, "doc", room.Measured)

	// A link that was used says so.
	pat.Do(chromedp.Navigate("about:blank"), chromedp.Navigate(link(server, "pat")), chromedp.WaitVisible("#join"))
	pat.Join()
	pat.Until(`document.body.dataset.over === "token"`)
}

// weak loses most of what travels to a patient: their page gives up its picture by itself,
// after a smaller one was of no help, and the sound goes on.
func weak(doc, pat *videotest.Tab) {
	pat.Do(chromedp.Evaluate[chromedp.Void](`PACE.weak = 2; window.lost = 0; window.stats = RTCPeerConnection.prototype.getStats;
RTCPeerConnection.prototype.getStats = async function () {
  window.lost += 500;
  return new Map([...await stats.call(this)].map(([id, r]) => [id, r.type === "inbound-rtp" ? { ...r, packetsLost: (r.packetsLost || 0) + lost } : r]));
}; window.smaller = 0; for (const p of visit.peers.values()) { const limit = p.limit; p.limit = (rate, by) => { window.smaller = Math.max(smaller, by); return limit.call(p, rate, by); }; }`))
	pat.Until(`self.audioOnly && window.smaller === 2 && document.querySelector("#notice").textContent.includes("La conexión es débil")`)
	doc.Until(`document.querySelector('[data-seat="pat"] figcaption').textContent.includes("🎤")`)
	sound := `[...(await visit.peers.get("pat").pc.getStats()).values()].filter((r) => r.type === "inbound-rtp" && r.kind === "audio").reduce((n, r) => n + r.packetsReceived, 0)`
	doc.Do(chromedp.Evaluate[chromedp.Void](`window.heardAt = 0; window.hearing = setInterval(async () => { const n = ` + sound + `; window.heardAt ||= n; window.heardSince = n - heardAt; }, 100)`))
	doc.Until(`window.heardSince > 20`)
	doc.Do(chromedp.Evaluate[chromedp.Void](`clearInterval(window.hearing)`))
	// They may turn it on again, when the line is better.
	pat.Do(chromedp.Evaluate[chromedp.Void](`RTCPeerConnection.prototype.getStats = window.stats; PACE.weak = 30`), chromedp.Click("#picture"))
	doc.Sees("pat")
}

// comeBack takes a server away, and returns what brings another one to its address.
func comeBack(t *testing.T, service *video.Service, server *httptest.Server, g room.Gate) func() {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := service.Close(ctx); err != nil {
		t.Fatal(err)
	}
	return func() { server.Config.Handler.(*changing).set(video.New(video.Config{Gate: g})) }
}

// Two people meet whose network allows nothing but a TURN server; and when that is down
// they are told.
func TestVisitThroughTURN(t *testing.T) {
	t.Parallel()
	turn, stop := coturn(t)
	g := newGate()
	_, server := site(t, g, func(c *video.Config) {
		c.Carrier = video.Direct{TURN: []string{turn}, Secret: []byte("secret-of-turn"), RelayOnly: true}
	})
	g.Admit(t.Context(), theRoom, "doc", "pat")
	doc, pat := videotest.Start(t), videotest.Start(t)
	doc.Enter(link(server, "doc"))
	pat.Enter(link(server, "pat"))
	doc.Sees("pat")
	pat.Sees("doc")
	if way := doc.Way("pat"); way != "por servidor TURN" {
		t.Errorf("media travel %q", way)
	}
	if e := g.happened(t, "doc", room.Measured); !e.Quality.Relayed || e.Quality.Received == 0 {
		t.Errorf("measured is %+v", e.Quality)
	}
	stop()
	for _, b := range []*videotest.Tab{doc, pat} {
		b.Until(`!document.querySelector("#trouble").hidden`)
		b.Accessible("trouble")
	}
}

// Where a Jitsi server carries sound and picture, the page still is the waiting room, has what
// is written, and ends the visit; the call is in a window of its own.
func TestVisitElsewhere(t *testing.T) {
	t.Parallel()
	g := newGate()
	_, server := site(t, g, func(c *video.Config) {
		c.Carrier = video.Jitsi{URL: "https://meet.example", App: "amate", Domain: "*", Secret: []byte("0123456789abcdef0123456789abcdef")}
	})
	doc, pat := videotest.Start(t), videotest.Start(t)
	doc.Enter(link(server, "doc"))
	pat.Enter(link(server, "pat"))
	pat.Until(`document.body.dataset.step === "wait"`)
	doc.Do(chromedp.WaitVisible(`[data-does="admit"]`))
	doc.Accessible("elsewhere")
	doc.Do(chromedp.Click(`[data-does="admit"]`))
	for _, b := range []*videotest.Tab{doc, pat} {
		b.Do(chromedp.WaitVisible("#elsewhere-link"))
		if way := videotest.Ask[string](b, `document.querySelector("#elsewhere-link").href`); !strings.HasPrefix(way, "https://meet.example/"+theRoom+"?jwt=ey") {
			t.Errorf("the call is at %s", way)
		}
		if shown := videotest.Ask[int](b, `[...document.querySelectorAll("#people, #mute, #picture, #quality")].filter((e) => e.checkVisibility()).length + self.stream.getTracks().filter((t) => t.readyState === "live").length`); shown != 0 {
			t.Error("the page has a camera of its own")
		}
	}
	pat.Do(chromedp.Click("#chat summary"), chromedp.SendKeys("#words", "No oigo nada"), chromedp.Click("#say button"))
	doc.Until(`document.querySelector("#said li")?.textContent.endsWith("No oigo nada")`)
	doc.Do(chromedp.Evaluate[chromedp.Void](`window.confirm = () => true`), chromedp.Click("#end"))
	for _, b := range []*videotest.Tab{doc, pat} {
		b.Until(`document.body.dataset.over === "ended"`)
	}
}

// coturn starts a TURN server, and returns its URL and what stops it.
func coturn(t *testing.T) (url string, stop func()) {
	t.Helper()
	if _, err := exec.LookPath("turnserver"); err != nil {
		if os.Getenv("AMATE_TEST_REQUIRE_BROWSER") == "1" {
			t.Fatal("there is no coturn on this machine")
		}
		t.Skip("SKIPPED, NO VISIT WENT THROUGH A TURN SERVER: there is no coturn on this machine")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	var log bytes.Buffer
	cmd := exec.Command("turnserver", "-n", "--no-cli", "--no-tls", "--no-dtls", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1",
		fmt.Sprintf("--listening-port=%d", port), "--allow-loopback-peers", "--use-auth-secret", "--static-auth-secret=secret-of-turn",
		"--realm=amate.test", "--log-file=stdout", "--pidfile=", "--userdb="+t.TempDir()+"/turn.sqlite", "--fingerprint")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	t.Cleanup(stop)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
			return fmt.Sprintf("turn:127.0.0.1:%d?transport=udp", port), stop
		}
		if time.Now().After(deadline) {
			stop()
			t.Fatalf("coturn did not start:\n%s", strings.TrimSpace(log.String()))
		}
	}
}
