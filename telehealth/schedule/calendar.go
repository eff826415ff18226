package schedule

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// CalendarPath is where calendars are that others subscribe to.
const CalendarPath = "/calendar/"

// calendarMedia is the media type of iCalendar (RFC 5545).
const calendarMedia = "text/calendar"

const (
	linkKind = "calendar-link"
	linkFor  = 366 * 24 * time.Hour // how long a link is good
	calendar = 60 * 24 * time.Hour  // how far ahead a calendar tells
)

// calendarLink is the right to a calendar: whoever has its secret sees when an agenda is
// taken, and not by whom.
type calendarLink struct {
	Schedule  string `json:"schedule"`
	Principal string `json:"principal"`
}

// calendarLink answers Schedule/[id]/$calendar-link: a secret address at which a program
// reads when the agenda is taken. With revoke the links of the agenda end.
func (s *Service) calendarLink(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("revoke"); err != nil {
		return nil, err
	}
	a, err := s.agenda(ctx, call.Restriction, call.ID)
	if err != nil {
		return nil, err
	}
	revoke, err := call.In.Text("revoke")
	if err != nil {
		return nil, err
	}
	switch revoke {
	case "true":
		links, err := s.Store.Entries(ctx, linkKind, a.Ref.ID, "", 1000)
		if err != nil {
			return nil, err
		}
		for _, e := range links {
			if err := s.Store.Remove(ctx, linkKind, e.Key, 0); err != nil {
				return nil, err
			}
		}
		return &operation.Answer{JSON: compose.Parameters(compose.Part("revoked", "UnsignedInt", len(links)))}, nil
	case "", "false":
	default:
		return nil, fhir.Errorf(fhir.Invalid, "the parameter revoke is true or false").With("%.20q", revoke)
	}
	secret, digest := s.secret()
	value, err := json.Marshal(calendarLink{a.Ref.ID, call.Caller.Principal})
	if err != nil {
		return nil, err
	}
	expires := s.Now().Add(linkFor).UTC().Truncate(time.Second)
	if err := s.Store.Put(ctx, fhir.Entry{Kind: linkKind, Key: digest, Group: a.Ref.ID, Expires: expires, Value: value}); err != nil {
		return nil, err
	}
	root := strings.TrimSuffix(call.Base, "/fhir")
	return &operation.Answer{JSON: compose.Parameters(
		compose.Part("link", "Url", root+CalendarPath+secret+".ics"), compose.Part("expires", "Instant", expires.Format(time.RFC3339)))}, nil
}

// calendarOf answers Appointment/[id]/$calendar: one visit for the calendar of who has it.
func (s *Service) calendarOf(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only(); err != nil {
		return nil, err
	}
	r, err := s.one(ctx, call.Restriction, call.Ref())
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, fhir.Errorf(fhir.NotFound, "no such Appointment is shown to you")
	}
	k, err := readAppointment(r)
	if err != nil {
		return nil, err
	}
	if k.Start.IsZero() || k.End.IsZero() {
		return nil, fhir.Errorf(fhir.Unprocessable, "the Appointment has no time yet").At("Appointment.start")
	}
	status := "CONFIRMED"
	switch k.Status {
	case "cancelled", "noshow", "entered-in-error":
		status = "CANCELLED"
	case "proposed", "pending", "waitlist":
		status = "TENTATIVE"
	}
	var c ical
	c.begin()
	c.event(k.Ref.ID, k.Span, s.Now(), "Cita médica", status)
	return &operation.Answer{Media: calendarMedia, Raw: c.end()}, nil
}

// Calendars serves the calendars of links. It implements http.Handler, for CalendarPath and
// all below it.
func (s *Service) Calendars() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Robots-Tag", "noindex, nofollow, noarchive")
		h.Set("Cache-Control", "private, max-age=300")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "a calendar is only read", http.StatusMethodNotAllowed)
			return
		}
		at := strings.LastIndex(r.URL.Path, CalendarPath)
		secret, ok := strings.CutSuffix(r.URL.Path[at+len(CalendarPath):], ".ics")
		b, err := s.busy(r.Context(), secret)
		switch {
		case !ok || fhir.CodeOf(err) == fhir.NotFound || fhir.CodeOf(err) == fhir.Unprocessable:
			http.Error(w, "there is no such calendar, or not any more", http.StatusNotFound)
		case err != nil:
			http.Error(w, "the calendar cannot be read now", http.StatusServiceUnavailable)
		default:
			h.Set("Content-Type", calendarMedia+"; charset=utf-8")
			w.Write(b)
		}
	})
}

// busy returns when the agenda of a link is taken. Errors: fhir.NotFound.
func (s *Service) busy(ctx context.Context, secret string) ([]byte, error) {
	e, err := s.Store.Entry(ctx, linkKind, digestOf(secret))
	if err != nil {
		return nil, err
	}
	var link calendarLink
	if err := json.Unmarshal(e.Value, &link); err != nil {
		return nil, err
	}
	a, err := s.agenda(ctx, search.Unrestricted, link.Schedule)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	within := Span{now.Add(-24 * time.Hour), now.Add(calendar)}
	all, err := s.takenIn(ctx, a, within)
	if err != nil {
		return nil, err
	}
	others, err := s.others(ctx, a, within)
	if err != nil {
		return nil, err
	}
	var c ical
	c.begin()
	for _, t := range append(all, others...) {
		// Whose time it is cannot be told from its name: it is the same for one time.
		c.event(digestOf(link.Schedule + t.Start.String() + t.End.String())[:32], t.Span, now, "Ocupado", "CONFIRMED")
	}
	return c.end(), nil
}

// ical writes iCalendar (RFC 5545).
type ical struct{ bytes.Buffer }

const icalTime = "20060102T150405Z"

func (c *ical) begin() {
	c.line("BEGIN:VCALENDAR")
	c.line("VERSION:2.0")
	c.line("PRODID:-//Amate//Agenda//ES")
	c.line("METHOD:PUBLISH")
}

func (c *ical) event(id string, at Span, now time.Time, summary, status string) {
	c.line("BEGIN:VEVENT")
	c.line("UID:" + id + "@amate")
	c.line("DTSTAMP:" + now.UTC().Format(icalTime))
	c.line("DTSTART:" + at.Start.UTC().Format(icalTime))
	c.line("DTEND:" + at.End.UTC().Format(icalTime))
	c.line("SUMMARY:" + summary)
	c.line("STATUS:" + status)
	c.line("CLASS:PRIVATE")
	c.line("END:VEVENT")
}

func (c *ical) end() []byte {
	c.line("END:VCALENDAR")
	return c.Bytes()
}

// line writes a line, folded after 75 bytes where a character begins (3.1).
func (c *ical) line(s string) {
	for most := 75; len(s) > most; most = 74 {
		n := most
		for !utf8.RuneStart(s[n]) {
			n--
		}
		fmt.Fprintf(c, "%s\r\n ", s[:n])
		s = s[n:]
	}
	fmt.Fprintf(c, "%s\r\n", s)
}
