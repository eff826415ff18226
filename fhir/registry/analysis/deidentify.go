package analysis

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// Deidentifier writes resources without who they are of. Many goroutines may use it.
type Deidentifier struct {
	base   string // own FHIR base URL: what an absolute reference to ourselves begins with
	oldest int    // the latest year of birth of those who are 90, which stands for all earlier ones

	keyed []byte    // state of an HMAC-SHA256 that has read the key of the release
	pool  sync.Pool // of *writing
}

// mostYears is the age at which people are no longer told apart.
const mostYears = 90

// New returns the Deidentifier of a release. key is secret, kept where other keys of the
// server are, and has 32 bytes or more; release is the name of what is given out together,
// such as "2026-11": within it a resource has one pseudonym, and none that another release
// gives it.
func New(key []byte, release string) *Deidentifier {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("amate release\x00" + release))
	derived := mac.Sum(nil)
	return (&Deidentifier{keyed: derived}).AsOf(time.Now())
}

// AsOf returns a Deidentifier of the same release that counts the ages of people on a day.
func (d *Deidentifier) AsOf(day time.Time) *Deidentifier {
	return &Deidentifier{base: d.base, keyed: d.keyed, oldest: day.Year() - mostYears}
}

// At returns a Deidentifier of the same release that takes absolute references to a FHIR
// base URL, without a slash at its end, for what they are: references to what is here.
func (d *Deidentifier) At(base string) *Deidentifier {
	return &Deidentifier{base: base, keyed: d.keyed, oldest: d.oldest}
}

// Hidden reports whether resources of a type are not shown at all.
func Hidden(typ string) bool { return rules.hidden[typ] || !spec.IsResource(typ) }

// Resource appends src, a resource, without who it is of. It may have passed the mask of a
// role before, and need not.
// Errors: fhir.Forbidden for a resource of a type that is Hidden; fhir.Invalid for what is
// no resource.
func (d *Deidentifier) Resource(dst, src []byte) ([]byte, error) {
	return d.Prepare(dst, src, nil)
}

// Prepare is Resource, with what was derived from the resource while its dates were known.
func (d *Deidentifier) Prepare(dst, src []byte, more Derived) ([]byte, error) {
	w, _ := d.pool.Get().(*writing)
	if w == nil {
		w = &writing{Deidentifier: d, mac: hmac.New(sha256.New, d.keyed)}
	}
	defer d.pool.Put(w)
	if err := w.doc.Parse(src, element.Limits{}); err != nil {
		return dst, err
	}
	name := w.doc.TextAt(0, "resourceType")
	if w.doc.Kind(0) != element.Object || name == "" {
		return dst, fhir.Errorf(fhir.Invalid, "a resource is an object that has a resourceType")
	}
	if Hidden(name) {
		return dst, fhir.Errorf(fhir.Forbidden, "nothing of such resources is shown without who they are of").With("%.60q", name)
	}
	w.root, w.contained = name+"/"+w.doc.TextAt(0, "id"), false
	out, _ := w.resource(dst, 0, more)
	return out, nil
}

// Pseudonym returns what stands for a resource in this release.
func (d *Deidentifier) Pseudonym(ref fhir.Ref) string {
	return pseudonym(d.sum(hmac.New(sha256.New, d.keyed), ref.Type, ref.ID))
}

// encoding32 writes hashes with letters that ids may have, and of one case, since columns
// are compared in either.
var encoding32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// pseudonym writes 160 of the 256 bits of a hash: two of a billion resources are the same
// once in 10^30 releases.
func pseudonym(sum [sha256.Size]byte) string { return encoding32.EncodeToString(sum[:20]) }

// sum hashes the parts of a name.
func (d *Deidentifier) sum(mac hash.Hash, parts ...string) (sum [sha256.Size]byte) {
	mac.Reset()
	for _, p := range parts {
		mac.Write([]byte(p))
		mac.Write([]byte{0})
	}
	mac.Sum(sum[:0])
	return sum
}

// writing is the work on one resource.
type writing struct {
	*Deidentifier
	doc  element.Doc
	mac  hash.Hash
	root string // Type/id of the resource that contains what is contained

	contained bool // what is written is within root
}

// resource appends the resource at n, and reports whether it may be shown.
func (w *writing) resource(dst []byte, n element.Node, more Derived) ([]byte, bool) {
	name := w.doc.TextAt(n, "resourceType")
	if w.doc.Kind(n) != element.Object || Hidden(name) {
		return dst, false
	}
	t := spec.TypeOf(name)
	dst = append(element.Quote(append(dst, `{"resourceType":`...), name), ',')
	dst, left := w.members(dst, n, t)
	if len(more) > 0 {
		if left {
			dst = append(dst, ',')
		}
		dst, left = more.append(append(dst, `"extension":`...)), true
	}
	if !left {
		dst = dst[:len(dst)-1]
	}
	return append(dst, '}'), true
}

// members appends the members of n, an object of type t, between commas, and reports
// whether any is left.
func (w *writing) members(dst []byte, n element.Node, t *spec.Type) ([]byte, bool) {
	plan := rules.plan(t)
	left := false
	for c := w.doc.First(n); c != element.None; c = w.doc.Next(n, c) {
		el := t.Element(w.doc.Name(c))
		if el == nil || plan[el.Index] == dropped {
			continue
		}
		mark := len(dst)
		if left {
			dst = append(dst, ',')
		}
		dst = append(element.Quote(dst, el.Name), ':')
		out, ok := w.values(dst, c, el, plan[el.Index], t, n)
		if dst = out; !ok {
			dst = dst[:mark]
			continue
		}
		left = true
	}
	return dst, left
}

// values appends the value of an element, or the items of its array, and reports whether
// anything is left.
func (w *writing) values(dst []byte, c element.Node, el *spec.Element, a act, t *spec.Type, parent element.Node) ([]byte, bool) {
	if w.doc.Kind(c) != element.Array {
		return w.value(dst, c, el, a, t, parent)
	}
	dst = append(dst, '[')
	left := false
	for n := w.doc.First(c); n != element.None; n = w.doc.Next(c, n) {
		mark := len(dst)
		if left {
			dst = append(dst, ',')
		}
		out, ok := w.value(dst, n, el, a, t, parent)
		if dst = out; !ok {
			dst = dst[:mark]
			continue
		}
		left = true
	}
	return append(dst, ']'), left
}

// value appends one value.
func (w *writing) value(dst []byte, n element.Node, el *spec.Element, a act, t *spec.Type, parent element.Node) ([]byte, bool) {
	switch kind := w.doc.Kind(n); {
	case a == child:
		return w.within(dst, n, t)
	case a == inside && kind == element.Object:
		if el.Type.Name == "Age" {
			if out, old := w.age(dst, n); old {
				return out, true
			}
		}
		out, ok := w.members(append(dst, '{'), n, el.Type)
		return append(out, '}'), ok
	case a == whole && (kind == element.Number || kind == element.True || kind == element.False):
		return append(dst, w.doc.Raw(n)...), true
	case a == inside || a == whole || kind != element.String:
		return dst, false
	}
	text, ok := w.text(w.doc.Bytes(n), a, t, el, parent)
	if !ok {
		return dst, false
	}
	return element.Quote(dst, text), true
}

// within appends a resource that stands in one of type t: it is contained, or the entry
// of a Bundle, which has an id of its own.
func (w *writing) within(dst []byte, n element.Node, t *spec.Type) ([]byte, bool) {
	root, contained := w.root, w.contained
	defer func() { w.root, w.contained = root, contained }()
	if w.contained = t.Name != "Bundle.entry"; !w.contained {
		w.root = w.doc.TextAt(n, "resourceType") + "/" + w.doc.TextAt(n, "id")
	}
	return w.resource(dst, n, nil)
}

// text returns what stands for the text of a primitive, and whether anything does.
func (w *writing) text(b []byte, a act, t *spec.Type, el *spec.Element, parent element.Node) (string, bool) {
	switch a {
	case named:
		if w.contained {
			return w.local(string(b)), true
		}
		return pseudonym(w.sum(w.mac, t.Name, string(b))), true
	case pointed:
		return w.reference(string(b))
	case coded:
		return string(b), len(b) <= longestCode && !bytes.ContainsAny(b, " \t\r\n") && !identifies(b)
	case spelled:
		return string(b), len(b) <= longestName && !identifies(b)
	case unit:
		return string(b), w.doc.TextAt(parent, "code") == string(b)
	case onlyYear, onlyMonth, onlyWeek:
		return cut(b, a, el.Type.Name == "instant")
	case birth:
		return w.bornIn(b)
	}
	return "", false
}

// What is longer is no code, and no name of a place.
const (
	longestCode = 200 // canonical URLs are codes too
	longestName = 120
)

// local returns the id of what is contained.
func (w *writing) local(id string) string {
	return pseudonym(w.sum(w.mac, "contained", w.root, id))
}

// reference returns what stands for a reference.
func (w *writing) reference(s string) (string, bool) {
	if id, ok := strings.CutPrefix(s, "#"); ok {
		if id == "" {
			return s, true
		}
		return "#" + w.local(id), true
	}
	if strings.HasPrefix(s, "urn:") {
		sum := w.sum(w.mac, "urn", strings.ToLower(s))
		h := hex.EncodeToString(sum[:16])
		return "urn:uuid:" + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], true
	}
	if w.base != "" {
		s = strings.TrimPrefix(s, w.base+"/")
	}
	if ref, ok := fhir.ParseRef(s); ok {
		return ref.Type + "/" + pseudonym(w.sum(w.mac, ref.Type, ref.ID)), true
	}
	return w.elsewhere(s)
}

// elsewhere returns what stands for a reference to what another server has.
func (w *writing) elsewhere(s string) (string, bool) {
	s, _, _ = strings.Cut(s, "/_history/")
	parts := strings.Split(s, "/")
	if len(parts) < 4 || !spec.IsResource(parts[len(parts)-2]) || !strings.Contains(s, "://") {
		return "", false
	}
	return parts[len(parts)-2] + "/" + pseudonym(w.sum(w.mac, "url", s)), true
}

// bornIn returns a year of birth.
func (w *writing) bornIn(b []byte) (string, bool) {
	text, ok := cut(b, onlyYear, false)
	if !ok {
		return "", false
	}
	if year, err := strconv.Atoi(text); err == nil && year < w.oldest {
		return strconv.Itoa(w.oldest), true
	}
	return text, true
}

// age appends an Age of 90 years or more as 90, and reports whether it was one.
func (w *writing) age(dst []byte, n element.Node) ([]byte, bool) {
	value, err := strconv.ParseFloat(w.doc.TextAt(n, "value"), 64)
	per := map[string]float64{"a": 1, "mo": 12, "wk": 52.18, "d": 365.25}[w.doc.TextAt(n, "code")]
	if per == 0 {
		per = 1
	}
	if err != nil || value/per < mostYears {
		return dst, false
	}
	return append(dst, `{"value":90,"comparator":">=","system":"http://unitsofmeasure.org","code":"a"}`...), true
}
