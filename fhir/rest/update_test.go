package rest_test

import (
	"strings"
	"testing"
)

func TestUpdate(t *testing.T) {
	s := serve(t)
	a := s.want(201, s.do("PUT", "/Patient/p", patient("p", "1")))
	if got, want := a.header.Get("Location"), s.url+"/Patient/p/_history/1"; got != want {
		t.Errorf("Location %s, want %s", got, want)
	}
	a = s.want(200, s.do("PUT", "/Patient/p", patient("p", "2")))
	if a.header.Get("ETag") != `W/"2"` || !strings.Contains(a.body, `"versionId":"2"`) || a.header.Get("Location") != "" {
		t.Errorf("%v %s", a.header, a.body)
	}
	a = s.want(200, s.do("PUT", "/Patient/p", patient("p", "2")))
	if a.header.Get("ETag") != `W/"2"` {
		t.Errorf("an update that changes nothing made version %s", a.header.Get("ETag"))
	}
	s.want(204, s.do("DELETE", "/Patient/p", ""))
	a = s.want(201, s.do("PUT", "/Patient/p", patient("p", "3")))
	if a.header.Get("ETag") != `W/"4"` {
		t.Errorf("after a deletion: %s", a.header.Get("ETag"))
	}
}

func TestIfMatch(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1"))
	patch := []string{"Content-Type", "application/json-patch+json"}
	add := `[{"op":"add","path":"/active","value":true}]`
	a := s.want(412, s.do("PUT", "/Patient/p", patient("p", "2"), "If-Match", `W/"2"`))
	if a.outcome(t).Issue[0].Code != "conflict" {
		t.Errorf("got %s", a.body)
	}
	s.want(412, s.do("PATCH", "/Patient/p", add, append(patch, "If-Match", `W/"7"`)...))
	s.want(412, s.do("DELETE", "/Patient/p", "", "If-Match", `W/"7"`))
	s.want(412, s.do("PUT", "/Patient/new", patient("new", "2"), "If-Match", `W/"1"`))
	s.want(400, s.do("PUT", "/Patient/p", patient("p", "2"), "If-Match", "2"))
	s.want(400, s.do("DELETE", "/Patient/p", "", "If-Match", `W/"x"`))
	if got := s.do("GET", "/Patient/p", ""); got.header.Get("ETag") != `W/"1"` {
		t.Fatalf("something was written: %s", got.body)
	}
	s.want(404, s.do("GET", "/Patient/new", ""))
	s.want(200, s.do("PUT", "/Patient/p", patient("p", "2"), "If-Match", `W/"1"`))
	s.want(200, s.do("PATCH", "/Patient/p", add, append(patch, "If-Match", `"2"`)...))
	s.want(204, s.do("DELETE", "/Patient/p", "", "If-Match", `W/"3"`))

	s.want(412, s.do("PUT", "/Patient/q", patient("q", "1"), "If-None-Match", "*", "If-Match", `W/"1"`))
	s.want(201, s.do("PUT", "/Patient/q", patient("q", "1"), "If-None-Match", "*"))
	s.want(412, s.do("PUT", "/Patient/q", patient("q", "2"), "If-None-Match", "*"))
	s.want(400, s.do("PUT", "/Patient/q", patient("q", "2"), "If-None-Match", `W/"1"`))
}

func TestConditionalUpdate(t *testing.T) {
	s := serve(t)
	a := s.want(201, s.do("PUT", "/Patient?identifier=http://s|1", patient("", "1")))
	id := a.id(t)
	a = s.want(200, s.do("PUT", "/Patient?identifier=http://s|1", patient("", "1", `"active":true`)))
	if a.id(t) != id || !strings.Contains(a.body, `"active":true`) {
		t.Errorf("got %s", a.body)
	}
	s.want(200, s.do("PUT", "/Patient?identifier=http://s|1", patient(id, "1")))
	s.want(400, s.do("PUT", "/Patient?identifier=http://s|1", patient("other", "1")))
	a = s.want(201, s.do("PUT", "/Patient?identifier=http://s|2", patient("chosen", "2")))
	if a.id(t) != "chosen" {
		t.Errorf("no match, but an id in the body: %s", a.body)
	}
	s.put(patient("x", "3"))
	s.put(patient("y", "3"))
	s.want(412, s.do("PUT", "/Patient?identifier=http://s|3", patient("", "3")))
	s.want(400, s.do("PUT", "/Patient", patient("", "3")))
}
