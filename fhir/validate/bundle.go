package validate

import (
	"net/url"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/spec"
)

// bundleIndex finds the entries of a Bundle by what references call them.
type bundleIndex struct {
	at      *place
	kind    string // Bundle.type
	entries []*bundleEntry
	byURL   map[string][]*bundleEntry
	byPlace map[*place]*bundleEntry
	anchors map[string]bool // ids of elements and narratives in all entries; nil until needed
}

// bundleEntry is an entry that has a resource or a fullUrl.
type bundleEntry struct {
	at       *place // the entry
	resource *place // nil when it has none
	fullURL  string
	position int
}

func (x *inspection) indexBundle(s *subject) *bundleIndex {
	b := &bundleIndex{at: s.place, kind: s.text("type"), byURL: map[string][]*bundleEntry{}, byPlace: map[*place]*bundleEntry{}}
	for i, p := range s.all("entry") {
		e := &bundleEntry{at: p, resource: p.get("resource"), fullURL: p.text("fullUrl"), position: i}
		b.entries = append(b.entries, e)
		b.byPlace[p] = e
		if e.resource == nil {
			continue
		}
		if e.fullURL != "" {
			b.byURL[e.fullURL] = append(b.byURL[e.fullURL], e)
		}
	}
	return b
}

// anchor reports whether an element somewhere in the bundle has this id. The
// narratives of a bundle may be shown together, and link to one another; tools that
// write them call the narrative of an entry Type_id.
func (b *bundleIndex) anchor(id string) bool {
	if b == nil {
		return false
	}
	if b.anchors == nil {
		b.anchors = map[string]bool{}
		for _, e := range b.entries {
			if e.resource != nil {
				elementIDs(e.resource, b.anchors)
				if t := e.resource.item.Type; t != nil {
					b.anchors[t.Name+"_"+e.resource.id()] = true
				}
			}
		}
	}
	return b.anchors[id]
}

// entryAt returns the entry whose place is p.
func (b *bundleIndex) entryAt(p *place) *bundleEntry { return b.byPlace[p] }

// find returns the entries that a literal reference in entry from leads to.
//
// See https://hl7.org/fhir/R4/bundle.html#references.
func (b *bundleIndex) find(from *bundleEntry, ref string) []*bundleEntry {
	ref, _, _ = strings.Cut(ref, "#")
	plain, version, versioned := strings.Cut(ref, "/_history/")
	key := plain
	if !absolute(plain) {
		if from == nil || from.fullURL == "" {
			return nil
		}
		base, ok := restBase(from.fullURL)
		if !ok {
			return nil
		}
		key = base + plain
	}
	found := b.byURL[key]
	if !versioned {
		return found
	}
	var out []*bundleEntry
	for _, e := range found {
		if e.resource.get("meta").text("versionId") == version {
			out = append(out, e)
		}
	}
	return out
}

// restBase returns the part of a RESTful URL that comes before Type/id, with its slash.
func restBase(full string) (base string, ok bool) {
	if !strings.HasPrefix(full, "http://") && !strings.HasPrefix(full, "https://") {
		return "", false
	}
	full, _, _ = strings.Cut(full, "/_history/")
	parts := strings.Split(full, "/")
	if len(parts) < 5 || !spec.IsResource(parts[len(parts)-2]) || !fhir.ValidID(parts[len(parts)-1]) {
		return "", false
	}
	return strings.Join(parts[:len(parts)-2], "/") + "/", true
}

// bundleRules checks what R4 says in words about bundles.
//
// See https://hl7.org/fhir/R4/bundle.html.
func (x *inspection) bundleRules(s *subject) {
	b := s.bundle
	x.bundleLinks(s)
	for _, e := range b.entries {
		x.fullURL(b, e)
	}
	switch b.kind {
	case "searchset":
		x.searchset(s)
	case "document":
		x.document(s)
	case "message":
		x.message(s)
	}
}

// bundleLinks holds the relations that a client follows to be unambiguous.
func (x *inspection) bundleLinks(s *subject) {
	seen := map[string]bool{}
	for _, l := range s.all("link") {
		relation := l.text("relation")
		switch relation {
		case "self", "first", "last", "next", "prev", "previous":
			if seen[relation] {
				x.fail("bundle-link", "a bundle has one link of this relation at most", relation, l)
			}
			seen[relation] = true
		}
	}
}

// fullURL checks that an entry has an identity, which agrees with the resource.
//
// See https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.fullUrl.
func (x *inspection) fullURL(b *bundleIndex, e *bundleEntry) {
	if e.resource == nil || e.resource.item.Type == nil {
		return
	}
	switch {
	case e.fullURL == "":
		switch b.kind {
		case "transaction", "batch", "transaction-response", "batch-response":
		default:
			x.fail("bundle-fullurl", "each entry of such a bundle has a fullUrl", "", e.at)
		}
		return
	case !absolute(e.fullURL):
		x.fail("bundle-fullurl-absolute", "a fullUrl is an absolute URL", quote([]byte(e.fullURL)), e.at)
		return
	}
	if _, ok := restBase(e.fullURL); !ok {
		return
	}
	parts := strings.Split(e.fullURL, "/")
	typ, id := parts[len(parts)-2], parts[len(parts)-1]
	switch own := e.resource.id(); {
	case own == "" && b.kind != "transaction" && b.kind != "batch":
		x.fail("bundle-fullurl-id", "the fullUrl is that of a server, but the resource has no id", quote([]byte(e.fullURL)), e.at)
	case own != "" && own != id || typ != e.resource.item.Type.Name:
		x.fail("bundle-fullurl-id", "the fullUrl is not that of the resource", quote([]byte(e.fullURL)), e.at)
	}
}

// searchset checks that matches have ids, and are of the type that was searched for.
//
// See https://hl7.org/fhir/R4/bundle.html#searchset.
func (x *inspection) searchset(s *subject) {
	typ := ""
	for _, l := range s.all("link") {
		if l.text("relation") == "self" {
			typ = searched(l.text("url"))
		}
	}
	for _, e := range s.bundle.entries {
		if e.resource == nil || e.resource.item.Type == nil {
			continue
		}
		name, mode := e.resource.item.Type.Name, e.at.get("search").text("mode")
		if e.resource.id() == "" && name != "OperationOutcome" {
			x.fail("bundle-search-id", "what a search finds has an id", "", e.resource)
		}
		if typ != "" && name != typ && name != "OperationOutcome" && (mode == "" || mode == "match") {
			x.fail("bundle-search-type", "a match is of the type that was searched for", name+" instead of "+typ, e.resource)
		}
	}
}

// searched returns the resource type that a search URL is about; "" when it cannot be told.
func searched(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	path := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/_search")
	if name := path[strings.LastIndexByte(path, '/')+1:]; spec.IsResource(name) {
		return name
	}
	return ""
}

// message checks that what the header is about is there.
//
// See https://hl7.org/fhir/R4/messaging.html.
func (x *inspection) message(s *subject) {
	if len(s.bundle.entries) == 0 {
		return
	}
	first := s.bundle.entries[0]
	if first.resource == nil || first.resource.item.Type == nil || first.resource.item.Type.Name != "MessageHeader" {
		return // bdl-12
	}
	for _, f := range first.resource.all("focus") {
		x.present(s, first, f)
	}
}
