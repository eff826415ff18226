package schedule

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// PublishPath is where the free slots of public agendas are published, as SMART Scheduling
// Links has it (https://github.com/smart-on-fhir/smart-scheduling-links, 1.0.0-ballot): a
// manifest, and files of Location, Schedule and Slot that it names.
const PublishPath = "/scheduling/"

const (
	publishedFor = 21 * 24 * time.Hour // how far ahead slots are published
	publishEvery = time.Minute         // how old what is published may be
	mostPublic   = 2000                // agendas
	linkURL      = "http://fhir-registry.smarthealthit.org/StructureDefinition/booking-deep-link"
	phoneURL     = "http://fhir-registry.smarthealthit.org/StructureDefinition/booking-phone"
	capacityURL  = "http://fhir-registry.smarthealthit.org/StructureDefinition/slot-capacity"
)

// publication is what is published, as it was made.
type publication struct {
	at                         time.Time
	locations, schedules, slot []byte
}

// publisher serves what is published.
type publisher struct {
	*Service
	root string // URL of the server, without a slash at the end

	mu   sync.Mutex
	last *publication
}

// Publisher serves the free slots of public agendas to everybody. It implements
// http.Handler, for PublishPath and all below it. root is the public URL of the server.
func (s *Service) Publisher(root string) http.Handler { return &publisher{Service: s, root: root} }

// ServeHTTP implements http.Handler.
func (p *publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Access-Control-Allow-Origin", "*") // it is for everybody
	h.Set("Cache-Control", "public, max-age=60")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "it is only read", http.StatusMethodNotAllowed)
		return
	}
	now, err := p.current(r.Context())
	if err != nil {
		slog.ErrorContext(r.Context(), "publish free slots", "error", err.Error())
		h.Set("Cache-Control", "no-store")
		http.Error(w, "it cannot be read now", http.StatusServiceUnavailable)
		return
	}
	at := strings.LastIndex(r.URL.Path, PublishPath)
	switch name := r.URL.Path[at+len(PublishPath):]; name {
	case "$bulk-publish":
		h.Set("Content-Type", "application/json")
		w.Write(p.manifest(now))
	case "locations.ndjson", "schedules.ndjson", "slots.ndjson":
		h.Set("Content-Type", "application/fhir+ndjson")
		w.Write(map[string][]byte{"locations.ndjson": now.locations, "schedules.ndjson": now.schedules, "slots.ndjson": now.slot}[name])
	default:
		http.Error(w, "there is no such file", http.StatusNotFound)
	}
}

// manifest names the files.
func (p *publisher) manifest(now *publication) []byte {
	var out []compose.Object
	for _, f := range [][2]string{{"Location", "locations"}, {"Schedule", "schedules"}, {"Slot", "slots"}} {
		out = append(out, compose.Object{"type": f[0], "url": p.root + PublishPath + f[1] + ".ndjson"})
	}
	return compose.JSON(compose.Object{"transactionTime": now.at.UTC().Format(time.RFC3339), "request": p.root + PublishPath + "$bulk-publish", "output": out, "error": []string{}})
}

// current returns what is published, made anew where it is too old.
func (p *publisher) current(ctx context.Context) (*publication, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last != nil && p.Now().Sub(p.last.at) < publishEvery {
		return p.last, nil
	}
	now, err := p.publish(ctx)
	if err == nil {
		p.last = now
	}
	return now, err
}

// publish makes what is published of all public agendas: nothing of what is taken, nor
// by whom.
func (s *Service) publish(ctx context.Context) (*publication, error) {
	out := &publication{at: s.Now()}
	q, err := search.Parse("Schedule", []search.Param{{Name: "_count", Value: "200"}}, search.Options{})
	if err != nil {
		return nil, err
	}
	q.Restriction = search.Unrestricted // of these, those that say that they are public
	places := map[string]bool{}
	for n := 0; n < mostPublic; {
		found, err := s.Store.Search(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range found.Matches {
			a, err := ReadAgenda(&found.Matches[i])
			if err != nil || !a.Public || !a.Active {
				continue
			}
			n++
			if err := s.publishAgenda(ctx, out, a, places); err != nil {
				return nil, err
			}
		}
		if found.Next == "" {
			break
		}
		q.After = found.Next
	}
	return out, nil
}

// publishAgenda adds one agenda, its places and its free slots.
func (s *Service) publishAgenda(ctx context.Context, out *publication, a *Agenda, places map[string]bool) error {
	o := compose.Object{"resourceType": "Schedule", "id": a.Ref.ID}
	var actors []compose.Object
	for _, actor := range a.Actors {
		actors = append(actors, compose.Object{"reference": actor.Reference})
		if id, ok := strings.CutPrefix(actor.Reference, "Location/"); ok && !places[id] {
			places[id] = true
			if err := s.publishPlace(ctx, out, id); err != nil {
				return err
			}
		}
	}
	o["actor"] = actors
	if len(a.Types) > 0 {
		o["serviceType"] = a.Types
	}
	out.schedules = append(append(out.schedules, compose.JSON(o)...), '\n')
	free, err := s.freeOf(ctx, a, Span{out.at, out.at.Add(publishedFor)}, 0)
	if err != nil {
		return err
	}
	for _, f := range free {
		ext := []compose.Object{{"url": capacityURL, "valueInteger": f.Left}}
		if a.Link != "" {
			ext = append(ext, compose.Object{"url": linkURL, "valueUrl": a.Link})
		}
		if a.Phone != "" {
			ext = append(ext, compose.Object{"url": phoneURL, "valueString": a.Phone})
		}
		slot := slotOf(a, f.Span, "free")
		slot["id"] = digestOf(a.Ref.ID + f.Start.UTC().Format(holdLayout))[:32]
		slot["extension"] = ext
		out.slot = append(append(out.slot, compose.JSON(slot)...), '\n')
	}
	return nil
}

// publishPlace adds a Location: what it is called, where it is and how to call it.
func (s *Service) publishPlace(ctx context.Context, out *publication, id string) error {
	r, err := s.one(ctx, search.Unrestricted, fhir.Ref{Type: "Location", ID: id})
	if err != nil || r == nil {
		return err
	}
	d, err := element.Parse(r.JSON)
	if err != nil {
		return err
	}
	o := compose.Object{"resourceType": "Location", "id": id}
	for _, name := range []string{"name", "telecom", "address", "identifier", "position"} {
		if n := d.Get(0, name); n != element.None {
			o[name] = json.RawMessage(d.AppendCompact(nil, n))
		}
	}
	out.locations = append(append(out.locations, compose.JSON(o)...), '\n')
	return nil
}
