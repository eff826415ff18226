package rest

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// page is a Bundle that is being written: stored resources go in as they are,
// without being parsed.
type page struct {
	buf  []byte
	form *Form
	n    int // entries so far
}

// newPage starts a Bundle of the given type; total < 0 leaves total out. size is
// about how many bytes its resources have.
func newPage(typ string, total int64, size int, form *Form) *page {
	p := &page{buf: make([]byte, 0, size+512), form: form}
	p.buf = append(p.buf, `{"resourceType":"Bundle","type":`...)
	p.buf = element.Quote(p.buf, typ)
	if total >= 0 {
		p.buf = append(p.buf, `,"total":`...)
		p.buf = strconv.AppendInt(p.buf, total, 10)
	}
	return p
}

// links writes Bundle.link; next is left out when it is "".
func (p *page) links(self, next string) {
	p.buf = append(p.buf, `,"link":[{"relation":"self","url":`...)
	p.buf = append(element.Quote(p.buf, self), '}')
	if next != "" {
		p.buf = append(p.buf, `,{"relation":"next","url":`...)
		p.buf = append(element.Quote(p.buf, next), '}')
	}
	p.buf = append(p.buf, ']')
}

// entry begins an entry.
func (p *page) entry() {
	if p.n == 0 {
		p.buf = append(p.buf, `,"entry":[{`...)
	} else {
		p.buf = append(p.buf, `,{`...)
	}
	p.n++
}

// member begins a member of the current object.
func (p *page) member(name string) {
	if p.buf[len(p.buf)-1] != '{' {
		p.buf = append(p.buf, ',')
	}
	p.buf = element.Quote(p.buf, name)
	p.buf = append(p.buf, ':')
}

// text writes a member whose value is a string.
func (p *page) text(name, value string) {
	p.member(name)
	p.buf = element.Quote(p.buf, value)
}

// resource writes a stored resource into the current entry.
func (p *page) resource(json []byte) (err error) {
	p.member("resource")
	if p.form.whole() {
		p.buf = append(p.buf, json...)
		return nil
	}
	p.buf, err = subset(p.buf, json, p.form)
	return err
}

// open begins an object in the current one; close ends it, or the entry.
func (p *page) open(name string) {
	p.member(name)
	p.buf = append(p.buf, '{')
}

func (p *page) close() { p.buf = append(p.buf, '}') }

// end finishes the Bundle.
func (p *page) end() []byte {
	if p.n > 0 {
		p.buf = append(p.buf, ']')
	}
	return append(p.buf, '}')
}

func (p *page) response() *Response { return &Response{Status: http.StatusOK, Body: p.end()} }

// queryURL writes the URL of a search or a history.
func (a *API) queryURL(path string, params []search.Param, form *Form) string {
	var b strings.Builder
	b.WriteString(a.base)
	b.WriteString(path)
	sep := byte('?')
	add := func(name, value string) {
		b.WriteByte(sep)
		sep = '&'
		b.WriteString(escape(name))
		b.WriteByte('=')
		b.WriteString(escape(value))
	}
	for _, p := range params {
		add(p.Name, p.Value)
	}
	if form.Summary != "" {
		add("_summary", form.Summary)
	}
	if form.Elements != nil {
		add("_elements", strings.Join(form.Elements, ","))
	}
	return b.String()
}

// escape is url.QueryEscape with the signs left readable that need no escape in
// a query and that FHIR uses much: : | , / $
func escape(s string) string {
	return readable.Replace(url.QueryEscape(s))
}

var readable = strings.NewReplacer("%3A", ":", "%2C", ",", "%2F", "/", "%24", "$")

// sizeOf adds up the bytes of resources and of what an entry puts around each.
func sizeOf(lists ...[]fhir.Resource) int {
	n := 0
	for _, list := range lists {
		for i := range list {
			n += len(list[i].JSON) + 256
		}
	}
	return n
}
