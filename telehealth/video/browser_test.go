package video_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/amate-health/amate/telehealth/room"
	"github.com/amate-health/amate/telehealth/video"
)

// tab is a page of a Chromium of its own, whose camera and microphone are played.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func browser(t *testing.T, server *httptest.Server, flags ...string) *tab {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		if os.Getenv("AMATE_TEST_REQUIRE_BROWSER") == "1" {
			t.Fatal("there is no Chromium on this machine")
		}
		t.Skip("SKIPPED, NO VISIT WAS TRIED IN A BROWSER: there is no Chromium on this machine")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.NoSandbox, chromedp.ExecPath("chromium"),
		chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"), chromedp.Flag("allow-loopback-in-peer-connection", true),
		chromedp.Flag("lang", "es-MX"), chromedp.Flag("accept-lang", "es-MX"), chromedp.WindowSize(420, 900))
	for _, f := range flags {
		options = append(options, chromedp.Flag(f, true))
	}
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, leave := chromedp.NewContext(ctx)
	t.Cleanup(leave)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(cancel)
	return &tab{t, ctx}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.fail(err)
	}
}

// fail ends the test with what the page shows.
func (b *tab) fail(err error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), 5*time.Second)
	defer cancel()
	page, _ := chromedp.Run(ctx, chromedp.OuterHTML("body"))
	b.t.Fatalf("%v\n%s", err, page)
}

// until waits until an expression of JavaScript is true.
func (b *tab) until(expression string) {
	b.t.Helper()
	for deadline := time.Now().Add(100 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			b.fail(fmt.Errorf("never: %s (%v), %s", expression, err, b.states()))
		}
	}
}

// open opens the page of a visit, and enters it.
func (b *tab) open(server *httptest.Server, seat string) {
	b.t.Helper()
	b.do(chromedp.Navigate(server.URL+video.Path+"#"+theRoom+"/t-"+seat), chromedp.WaitVisible("#join"))
	b.until(`document.querySelector("#camera").length && document.querySelector("#check-trouble").hidden`)
	b.do(chromedp.Click("#join"))
}

// sees waits until sound and picture of somebody arrive, as the browser measures it:
// frames are shown, and getStats counts bits.
func (b *tab) sees(seat string) {
	b.t.Helper()
	tile := fmt.Sprintf(`document.querySelector('[data-seat="%s"]')`, seat)
	b.until(tile + `?.dataset.connection === "connected" && ` + tile + `.querySelector("video").videoWidth > 0`)
	shown, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](tile+`.querySelector("video").getVideoPlaybackQuality().totalVideoFrames`))
	if err != nil {
		b.fail(err)
	}
	b.until(fmt.Sprintf(`%s.querySelector("video").getVideoPlaybackQuality().totalVideoFrames > %d + 10`, tile, shown))
	b.until(fmt.Sprintf(`Number(document.querySelector('#measured [data-of="%s"] td:nth-child(2)')?.textContent) > 0`, seat))
	b.until(fmt.Sprintf(`(async () => [...(await visit.peers.get("%s").pc.getStats()).values()].some((r) => r.type === "inbound-rtp" && r.kind === "audio" && r.bytesReceived > 0))()`, seat))
}

// way returns how media of somebody travel, as the page tells.
func (b *tab) way(seat string) string {
	b.t.Helper()
	s, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector('#measured [data-of="%s"] td:nth-child(5)').textContent`, seat)))
	if err != nil {
		b.fail(err)
	}
	return s
}

// unlabelled counts what a screen reader stumbles over.
const unlabelled = `[...document.querySelectorAll("button, input, select, textarea, video, summary, a")].filter((e) => e.checkVisibility()).filter((e) =>
	!(e.labels && e.labels.length) && !e.getAttribute("aria-label") && !e.textContent.trim()).length + (document.documentElement.lang ? 0 : 1) + (document.title ? 0 : 1)`

func (b *tab) accessible(where string) {
	b.t.Helper()
	n, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](unlabelled))
	if err != nil || n != 0 {
		b.t.Errorf("%s: %d faults that a screen reader stumbles over (%v)", where, n, err)
	}
	if dir := os.Getenv("AMATE_TEST_PICTURES"); dir != "" {
		if picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100)); err == nil {
			os.WriteFile(dir+"/visit-"+where+".png", picture, 0o644)
		}
	}
}

// Two people meet, one is lost and comes back, the server goes away and comes back, and
// the visit is ended.
func TestVisitInBrowsers(t *testing.T) {
	g := newGate()
	service, server := site(t, g, nil)
	doc, pat := browser(t, server), browser(t, server)
	doc.open(server, "doc")
	pat.open(server, "pat")
	pat.until(`document.body.dataset.step === "wait"`)
	pat.accessible("waiting")
	doc.do(chromedp.WaitVisible(`[data-does="admit"]`))
	doc.accessible("door")
	if hash, err := chromedp.Run(pat.ctx, chromedp.Evaluate[string]("location.hash")); err != nil || hash != "#"+theRoom {
		t.Errorf("the address still holds a token that was spent: %q %v", hash, err)
	}
	doc.do(chromedp.Click(`[data-does="admit"]`))
	doc.sees("pat")
	pat.sees("doc")
	doc.accessible("visit")
	if way := doc.way("pat"); way != "directa" {
		t.Errorf("media travel %q", way)
	}

	// What is written arrives, as text.
	pat.do(chromedp.Click("#chat summary"), chromedp.SendKeys("#words", "<b>¿Me oye?</b>"), chromedp.Click("#say button"))
	doc.until(`document.querySelector("#said li")?.textContent.endsWith("<b>¿Me oye?</b>")`)

	// Without a picture the sound goes on.
	pat.do(chromedp.Click("#picture"))
	g.happened(t, "pat", room.AudioOnly)
	doc.until(`document.querySelector('[data-seat="pat"] figcaption').textContent.includes("🎤")`)
	pat.do(chromedp.Click("#picture"))
	g.happened(t, "pat", room.WithVideo)

	// The patient's page is lost, and loaded again.
	pat.do(chromedp.Reload(), chromedp.WaitVisible("#join"))
	doc.until(`!visit.people.has("pat")`)
	pat.do(chromedp.Click("#join"))
	pat.sees("doc")
	doc.sees("pat")
	g.happened(t, "pat", room.Dropped)

	// The server goes away in the middle of it. What is seen is seen on, and both are back
	// when another one is there.
	again := comeBack(t, service, server, g)
	for _, b := range []*tab{doc, pat} {
		b.until(`document.body.dataset.socket === "lost"`)
	}
	again()
	for _, b := range []*tab{doc, pat} {
		b.until(`document.body.dataset.socket === "open" && visit.people.size === 1`)
	}
	doc.sees("pat")
	pat.sees("doc")

	doc.do(chromedp.Evaluate[chromedp.Void](`window.confirm = () => true`), chromedp.Click("#end"))
	for _, b := range []*tab{doc, pat} {
		b.until(`document.body.dataset.over === "ended"`)
		b.accessible("over")
	}
	g.happened(t, "doc", room.Ended)
	g.happened(t, "doc", room.Measured)

	// A link that was used says so.
	pat.do(chromedp.Navigate("about:blank"), chromedp.Navigate(server.URL+video.Path+"#"+theRoom+"/t-pat"), chromedp.WaitVisible("#join"), chromedp.Click("#join"))
	pat.until(`document.body.dataset.over === "token"`)
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
	turn, stop := coturn(t)
	g := newGate()
	_, server := site(t, g, func(c *video.Config) {
		c.Carrier = video.Direct{TURN: []string{turn}, Secret: []byte("secret-of-turn"), RelayOnly: true}
	})
	g.Admit(t.Context(), theRoom, "doc", "pat")
	doc, pat := browser(t, server), browser(t, server)
	doc.open(server, "doc")
	pat.open(server, "pat")
	doc.sees("pat")
	pat.sees("doc")
	if way := doc.way("pat"); way != "por servidor TURN" {
		t.Errorf("media travel %q", way)
	}
	if e := g.happened(t, "doc", room.Measured); !e.Quality.Relayed || e.Quality.Received == 0 {
		t.Errorf("measured is %+v", e.Quality)
	}
	stop()
	for _, b := range []*tab{doc, pat} {
		b.until(`!document.querySelector("#trouble").hidden`)
		b.accessible("trouble")
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

// states returns how the page's connections are.
func (b *tab) states() string {
	s, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`JSON.stringify([...visit.peers].map(([seat, p]) => [seat, p.pc.connectionState, p.pc.iceConnectionState, p.pc.iceGatheringState, p.pc.signalingState, p.remotePage]))`))
	return s
}
