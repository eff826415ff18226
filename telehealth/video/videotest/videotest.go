// Package videotest opens the page of a visit in a real browser, whose camera and
// microphone are played, for tests.
package videotest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Tab is the window of one person, in a Chromium of its own: so that the
// ways of two people to each other are those of two machines.
type Tab struct {
	t   testing.TB
	ctx context.Context
}

// patience is how long a page is waited for: machines are busy.
const patience = 100 * time.Second

// Start opens a window of somebody who reads Spanish. It skips the test loudly where there is no
// Chromium, unless AMATE_TEST_REQUIRE_BROWSER=1 says that there has to be one.
func Start(t testing.TB) *Tab {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		if os.Getenv("AMATE_TEST_REQUIRE_BROWSER") == "1" {
			t.Fatal("there is no Chromium on this machine")
		}
		t.Skip("SKIPPED, NO VISIT WAS TRIED IN A BROWSER: there is no Chromium on this machine")
	}
	// A picture is encoded without help of a graphics card: few frames are enough.
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.NoSandbox, chromedp.ExecPath("chromium"),
		chromedp.Flag("use-fake-device-for-media-stream", "fps=5"), chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"), chromedp.Flag("allow-loopback-in-peer-connection", true),
		chromedp.Flag("lang", "es-MX"), chromedp.Flag("accept-lang", "es-MX"), chromedp.WindowSize(420, 900))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, leave := chromedp.NewContext(ctx)
	t.Cleanup(leave)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(cancel)
	return &Tab{t, ctx}
}

// Do does something in a window.
func (p *Tab) Do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.fail(err)
	}
}

// Ask returns what an expression of JavaScript is in a window.
func Ask[T any](p *Tab, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.fail(fmt.Errorf("%s: %w", expression, err))
	}
	return v
}

// fail ends the test with what the page shows.
func (p *Tab) fail(err error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), 5*time.Second)
	defer cancel()
	page, _ := chromedp.Run(ctx, chromedp.OuterHTML("body")) // what there is of it
	p.t.Fatalf("%v\n%s", err, page)
}

// states tells how the connections of a page are.
const states = `JSON.stringify([...visit.peers].map(([seat, p]) => [seat, p.pc.connectionState, p.pc.iceConnectionState, p.pc.iceGatheringState, p.pc.signalingState, p.remotePage]))`

// Until waits until an expression of JavaScript is true.
func (p *Tab) Until(expression string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		ok, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			how, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](states)) // where there are any
			p.fail(fmt.Errorf("never: %s (%v), %s", expression, err, how))
		}
	}
}

// Open opens the link of somebody to a visit, and waits until their camera was found.
func (p *Tab) Open(link string) {
	p.t.Helper()
	p.Do(chromedp.Navigate(link), chromedp.WaitVisible("#join"))
	p.Until(`document.querySelector("#camera").length && document.querySelector("#check-trouble").hidden`)
}

// Enter opens the link of somebody to a visit, and goes in.
func (p *Tab) Enter(link string) {
	p.t.Helper()
	p.Open(link)
	p.Join()
}

// Join goes in. A window whose machine is busy may lose a click, or never say that there was one.
func (p *Tab) Join() {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		ctx, cancel := context.WithTimeout(p.ctx, patience/5)
		err := chromedp.Do(ctx, chromedp.Click("#join"))
		cancel()
		for wait := time.Now().Add(patience / 10); ; time.Sleep(50 * time.Millisecond) {
			if gone, _ := chromedp.Run(p.ctx, chromedp.Evaluate[bool](`document.body.dataset.step !== "check"`)); gone {
				return
			}
			if time.Now().After(wait) {
				break // the click was lost, whatever was said of it
			}
		}
		if time.Now().After(deadline) {
			p.fail(fmt.Errorf("the page is not left by the click: %v", err))
		}
	}
}

// Sees waits until sound and picture of somebody arrive, as the browser measures it:
// frames are shown, and getStats counts bits.
func (p *Tab) Sees(seat string) {
	p.t.Helper()
	tile := fmt.Sprintf(`document.querySelector('[data-seat="%s"]')`, seat)
	p.Until(tile + `?.dataset.connection === "connected" && ` + tile + `.querySelector("video").videoWidth > 0`)
	frames := tile + `.querySelector("video").getVideoPlaybackQuality().totalVideoFrames`
	p.Until(fmt.Sprintf(`%s > %d + 3`, frames, Ask[int](p, frames)))
	p.Until(fmt.Sprintf(`Number(document.querySelector('#measured [data-of="%s"] td:nth-child(2)')?.textContent) > 0`, seat))
	// Statistics are promised: what is looked at is what came of the question before.
	p.Until(fmt.Sprintf(`(visit.peers.get("%s").pc.getStats().then((all) => { window.statistics = [...all.values()]; }),
		["audio", "video"].every((kind) => window.statistics?.some((r) => r.type === "inbound-rtp" && r.kind === kind && r.bytesReceived > 0)))`, seat))
}

// Way returns how media of somebody travel, as the page tells.
func (p *Tab) Way(seat string) string {
	p.t.Helper()
	return Ask[string](p, fmt.Sprintf(`document.querySelector('#measured [data-of="%s"] td:nth-child(5)').textContent`, seat))
}

// unlabelled counts what a screen reader stumbles over.
const unlabelled = `[...document.querySelectorAll("button, input, select, textarea, video, summary, a")].filter((e) => e.checkVisibility()).filter((e) =>
	!(e.labels && e.labels.length) && !e.getAttribute("aria-label") && !e.textContent.trim()).length + (document.documentElement.lang ? 0 : 1) + (document.title ? 0 : 1)`

// Accessible reports what a screen reader stumbles over, and keeps a picture of the window
// in the folder that AMATE_TEST_PICTURES names, if any.
func (p *Tab) Accessible(where string) {
	p.t.Helper()
	if n := Ask[int](p, unlabelled); n != 0 {
		p.t.Errorf("%s: %d faults that a screen reader stumbles over", where, n)
	}
	if dir := os.Getenv("AMATE_TEST_PICTURES"); dir != "" {
		if picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100)); err == nil {
			os.WriteFile(dir+"/visit-"+where+".png", picture, 0o644)
		}
	}
}
