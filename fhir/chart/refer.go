package chart

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/spec"
)

// What resources refer to is found in their text, without parsing it. They are
// stored compact, and a quotation mark within a string is always escaped, so that
// what is looked for can only be a member of that name. So references that no search
// parameter knows are found as well.
var (
	referenceMember = []byte(`"reference":"`)
	urlMember       = []byte(`"url":"`)
)

// gather collects the resources of this server that others refer to.
type gather struct {
	base  string // of the server, with a slash at the end
	refs  []fhir.Ref
	seen  map[fhir.Ref]bool
	texts map[string]bool // as written; a record refers to the same few things again and again
}

func newGather(base string) *gather {
	return &gather{base: base + "/", seen: map[fhir.Ref]bool{}, texts: map[string]bool{}}
}

// from adds what the references in content lead to, and the Binary resources that its
// attachments are kept in.
//
// See https://hl7.org/fhir/R4/references.html#literal.
func (g *gather) from(content []byte) {
	each(content, referenceMember, func(text []byte) {
		if !g.texts[string(text)] {
			g.texts[string(text)] = true
			g.add(text, "")
		}
	})
	each(content, urlMember, func(text []byte) { g.add(text, "Binary") })
}

// each calls f with the text of every string that follows member.
func each(content, member []byte, f func(text []byte)) {
	for {
		at := bytes.Index(content, member)
		if at < 0 {
			return
		}
		content = content[at+len(member):]
		end := bytes.IndexByte(content, '"')
		if end < 0 {
			return
		}
		f(content[:end])
		content = content[end:]
	}
}

// add adds a reference, unless it leads elsewhere or, with only, to another type.
func (g *gather) add(text []byte, only string) {
	if len(text) < 3 || text[0] == '#' {
		return
	}
	s := string(text)
	if strings.IndexByte(s, '\\') >= 0 && json.Unmarshal([]byte(`"`+s+`"`), &s) != nil {
		return
	}
	ref, ok := fhir.ParseRef(strings.TrimPrefix(s, g.base))
	if !ok || only != "" && ref.Type != only {
		return
	}
	if ref = ref.Current(); !g.seen[ref] && spec.IsResource(ref.Type) {
		g.seen[ref] = true
		g.refs = append(g.refs, ref)
	}
}

// left returns what was gathered and is not dropped by f.
func (g *gather) left(drop func(fhir.Ref) bool) []fhir.Ref {
	var left []fhir.Ref
	for _, ref := range g.refs {
		if !drop(ref) {
			left = append(left, ref)
		}
	}
	return left
}
