package rest_test

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
)

func TestHistory(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1"))
	s.put(patient("p", "2"))
	s.put(observation("o", "Patient/p"))
	s.want(204, s.do("DELETE", "/Patient/p", ""))
	created := s.want(201, s.do("POST", "/Patient", patient("", "3"))).id(t)

	h := s.want(200, s.do("GET", "/Patient/p/_history", "")).bundle(t)
	if h.Type != "history" || len(h.Entry) != 3 {
		t.Fatalf("%s with %d entries", h.Type, len(h.Entry))
	}
	type row struct {
		method, url, status, etag string
		content                   bool
	}
	want := []row{
		{"DELETE", "Patient/p", "204", `W/"3"`, false},
		{"PUT", "Patient/p", "200", `W/"2"`, true},
		{"PUT", "Patient/p", "201", `W/"1"`, true},
	}
	for i, e := range h.Entry {
		got := row{e.Request.Method, e.Request.URL, e.Response.Status, e.Response.Etag, e.Resource != nil}
		if got != want[i] || e.FullURL != s.url+"/Patient/p" {
			t.Errorf("entry %d: %+v %s, want %+v", i, got, e.FullURL, want[i])
		}
		if _, err := time.Parse(fhir.InstantLayout, e.Response.LastModified); err != nil {
			t.Errorf("entry %d: %v", i, err)
		}
	}
	if h.link("self") != s.url+"/Patient/p/_history" || h.link("next") != "" {
		t.Errorf("links %v", h.Link)
	}
	ofType := s.want(200, s.do("GET", "/Patient/_history", "")).bundle(t)
	if len(ofType.Entry) != 4 || ofType.Entry[0].Request.Method != "POST" || ofType.Entry[0].Request.URL != "Patient" ||
		ofType.Entry[0].FullURL != s.url+"/Patient/"+created {
		t.Errorf("type: %+v", ofType.Entry)
	}
	if all := s.want(200, s.do("GET", "/_history", "")).bundle(t); len(all.Entry) != 5 {
		t.Errorf("system: %d entries", len(all.Entry))
	}
	s.want(404, s.do("GET", "/Patient/never/_history", ""))
}

func TestHistoryPages(t *testing.T) {
	s := serve(t)
	for i := range 7 {
		s.put(patient("p", strconv.Itoa(i)))
	}
	var etags []string
	next, pages := s.url+"/Patient/p/_history?_count=3", 0
	for next != "" {
		b := s.want(200, s.do("GET", next, "")).bundle(t)
		for _, e := range b.Entry {
			etags = append(etags, e.Response.Etag)
		}
		if pages++; pages == 1 {
			s.put(patient("p", "new while paging"))
		}
		next = b.link("next")
	}
	if want := []string{`W/"7"`, `W/"6"`, `W/"5"`, `W/"4"`, `W/"3"`, `W/"2"`, `W/"1"`}; !slices.Equal(etags, want) || pages != 3 {
		t.Errorf("%d pages: %v", pages, etags)
	}
}

func TestHistorySince(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1"))
	s.put(patient("p", "2"))
	second := s.do("GET", "/Patient/p/_history/2", "").body
	_, at, _ := strings.Cut(second, `"lastUpdated":"`)
	at = at[:24]
	s.put(patient("p", "3"))
	b := s.want(200, s.do("GET", "/Patient/p/_history?_since="+url.QueryEscape(at), "")).bundle(t)
	if len(b.Entry) != 2 {
		t.Errorf("since version 2: %d entries", len(b.Entry))
	}
	if b := s.want(200, s.do("GET", "/Patient/_history?_since=2999-01-01T00:00:00%2B01:00", "")).bundle(t); len(b.Entry) != 0 {
		t.Errorf("since the far future: %d entries", len(b.Entry))
	}
	if b := s.want(200, s.do("GET", "/Patient/p/_history?_at="+url.QueryEscape(at), "")).bundle(t); len(b.Entry) != 2 {
		t.Errorf("current at or after version 2: %d entries", len(b.Entry))
	}
	if b := s.want(200, s.do("GET", "/Patient/_history?_count=0", "")).bundle(t); len(b.Entry) != 0 {
		t.Errorf("none asked for: %d entries", len(b.Entry))
	}
	for _, bad := range []string{"_count=-1", "_count=x", "_count=1.5", "_since=yesterday", "_at=2026-13-01", "name=x", "_cursor=AAAA", "_sort=_id"} {
		a := s.want(400, s.do("GET", "/Patient/_history?"+bad, ""))
		a.outcome(t)
	}
}
