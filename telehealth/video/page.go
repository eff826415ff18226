package video

import (
	"cmp"
	"embed"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed html
var html embed.FS

// policy lets the pages use what is theirs, and nothing from elsewhere: the socket and
// the parts of the page come from this server, and sound and picture need no permission
// of it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; media-src 'self' blob: mediastream:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"

// Pace is how fast a page looks after sound and picture.
type Pace struct {
	Measure time.Duration // between measurements; 0 for two seconds
	Tell    int           // one of so many measurements is told the server; 0 for five
	Weak    int           // after so many bad ones in a row less is sent; 0 for three
	Lost    time.Duration // until the person is told that a connection does not come back; 0 for eight seconds
	Part    time.Duration // how long a connection is kept to who left, and may come back; 0 for 20 seconds
}

func (p Pace) usual() Pace {
	return Pace{
		Measure: cmp.Or(p.Measure, 2*time.Second), Tell: cmp.Or(p.Tell, 5), Weak: cmp.Or(p.Weak, 3),
		Lost: cmp.Or(p.Lost, 8*time.Second), Part: cmp.Or(p.Part, 20*time.Second),
	}
}

// script is p as the page reads it, in milliseconds.
func (p Pace) script() []byte {
	return fmt.Appendf(nil, "const PACE = { measure: %d, tell: %d, weak: %d, lost: %d, part: %d };\n",
		p.Measure.Milliseconds(), p.Tell, p.Weak, p.Lost.Milliseconds(), p.Part.Milliseconds())
}

// servePage answers the page and its parts. The room and the token follow the page's
// address after a #, so that they are sent to nobody and are in no log.
func (s *Service) servePage(w http.ResponseWriter, r *http.Request, name string) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Permissions-Policy", "camera=(self), microphone=(self), display-capture=(), geolocation=()")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex, nofollow, noarchive")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if name == "" {
		name = "visit.html"
	}
	b, err := html.ReadFile(path.Join("html", path.Base(name)))
	if name == "pace.js" {
		b, err = s.Pace.script(), nil
	}
	if err != nil || strings.Contains(name, "/") {
		http.Error(w, "there is no such page", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "a page is only read", http.StatusMethodNotAllowed)
		return
	}
	h.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.Write(b)
}
