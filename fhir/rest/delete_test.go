package rest_test

import (
	"testing"
)

func TestDelete(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "1"))
	a := s.want(204, s.do("DELETE", "/Patient/p", ""))
	if a.body != "" || a.header.Get("ETag") != `W/"2"` {
		t.Errorf("%q %v", a.body, a.header)
	}
	s.want(204, s.do("DELETE", "/Patient/p", ""))
	s.want(204, s.do("DELETE", "/Patient/never", ""))
	s.want(400, s.do("DELETE", "/Patient", ""))
	if h := s.want(200, s.do("GET", "/Patient/p/_history", "")).bundle(t); len(h.Entry) != 2 {
		t.Errorf("deleting twice made %d versions", len(h.Entry))
	}
}

func TestConditionalDelete(t *testing.T) {
	s := serve(t)
	s.put(patient("a", "1"))
	s.put(patient("b", "2"))
	s.put(patient("c", "2"))
	s.want(204, s.do("DELETE", "/Patient?identifier=http://s|1", ""))
	s.want(410, s.do("GET", "/Patient/a", ""))
	s.want(204, s.do("DELETE", "/Patient?identifier=http://s|1", ""))
	s.want(412, s.do("DELETE", "/Patient?identifier=http://s|2", ""))
	s.want(200, s.do("GET", "/Patient/b", ""))

	many := serve(t, deleteMany)
	many.put(patient("b", "2"))
	many.put(patient("c", "2"))
	many.put(patient("d", "3"))
	a := many.want(200, many.do("DELETE", "/Patient?identifier=http://s|2", "", "Prefer", "return=OperationOutcome"))
	if !a.outcome(t).says("deleted 2 resources") {
		t.Errorf("got %s", a.body)
	}
	many.want(410, many.do("GET", "/Patient/b", ""))
	many.want(410, many.do("GET", "/Patient/c", ""))
	many.want(200, many.do("GET", "/Patient/d", ""))
}
