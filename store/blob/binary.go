package blob

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
)

// keptAt is the URL of the extension by which a stored Binary says where its data are.
// No client sends it, and none is shown it.
const keptAt = "https://github.com/amate-health/amate/fhir/StructureDefinition/kept-at"

var keptMember = []byte(`"_data":{"extension":[{"url":"` + keptAt + `","valueString":"`)

// Keeper takes the data of Binaries out of them as they are written, and puts them in
// again as they are read.
//
// See https://hl7.org/fhir/R4/binary.html.
type Keeper struct {
	Blobs  *Store
	Claim  func(ctx context.Context, folder string) error // makes sure that the database has its blobs in the folder of that name; asked before it is used
	Stay   func(contentType string) bool                  // whose data stay in the resource, however large; nil for none
	Inline int                                            // data of up to so many bytes stay in the resource
	Limit  int64                                          // bytes of the content of one Binary
	Answer int64                                          // bytes of content that are put into the resources of one answer
}

// upload is content that has come in by itself, in the context of its write.
type upload struct{ ref Ref }

type uploadKey struct{}

// Receive keeps what r yields. It returns the member of a Binary that stands for its
// data, and a context under which such a Binary may be written. What is small becomes
// the data themselves.
// Errors: those of Put.
func (k *Keeper) Receive(ctx context.Context, r io.Reader, contentType string) (context.Context, []byte, error) {
	head := make([]byte, k.Inline+1)
	n, err := io.ReadFull(r, head)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF) && n <= k.Inline && ended(r):
		data := base64.StdEncoding.EncodeToString(head[:n])
		if n == 0 {
			return ctx, nil, fhir.Errorf(fhir.Invalid, "there is no content in the body")
		}
		return fhir.Lean(ctx), []byte(`"data":"` + data + `"`), nil
	case err != nil:
		return ctx, nil, err
	}
	r = io.MultiReader(bytes.NewReader(head), r)
	if err := k.Claim(ctx, k.Blobs.Name()); err != nil {
		return ctx, nil, err
	}
	ref, err := k.Blobs.Put(ctx, r, k.Limit, contentType)
	if err != nil {
		return ctx, nil, err
	}
	return fhir.Lean(context.WithValue(ctx, uploadKey{}, &upload{ref})), kept(&ref), nil
}

// ended reports whether r is at its end, and was not cut off.
func ended(r io.Reader) bool {
	n, err := r.Read(make([]byte, 1))
	return n == 0 && err == io.EOF
}

// kept is the member of a Binary whose data are at ref.
func kept(ref *Ref) []byte { return slices.Concat(keptMember, []byte(ref.String()), []byte(`"}]}`)) }

// Batch returns b with the data of its Binaries taken out where they are large. It
// refuses content that is not what it is declared to be, and Binaries that say by
// themselves where their data are.
func (k *Keeper) Batch(ctx context.Context, b *bundle.Batch) *bundle.Batch {
	if !slices.ContainsFunc(b.Changes, func(c bundle.Change) bool { return c.Ref.Type == "Binary" && c.Op != bundle.Delete }) {
		return b
	}
	out := *b
	out.Changes = slices.Clone(b.Changes)
	for i := range out.Changes {
		c := &out.Changes[i]
		if c.Ref.Type != "Binary" || c.Op == bundle.Delete {
			continue
		}
		build := c.Build
		c.Build = func(env *bundle.Env, at fhir.Ref, current *fhir.Resource) (*bundle.Content, error) {
			if current != nil {
				whole := *current
				left := k.Answer
				if err := k.fill(ctx, &whole, &left); err != nil {
					return nil, err
				}
				current = &whole
			}
			content, err := build(env, at, current)
			if err != nil {
				return nil, err
			}
			return k.takeOut(ctx, content)
		}
	}
	return &out
}

// takeOut returns c with its data kept elsewhere; c itself where they may stay.
func (k *Keeper) takeOut(ctx context.Context, c *bundle.Content) (*bundle.Content, error) {
	doc, err := element.Parse(c.Body.JSON)
	if err != nil {
		return nil, err
	}
	if subsetted(doc) {
		return nil, fhir.Errorf(fhir.Unprocessable, "a Binary that was shown without its data is not written back").At("Binary.meta.tag")
	}
	if names(doc, doc.Get(0, "_data")) {
		up, _ := ctx.Value(uploadKey{}).(*upload)
		if up == nil || !bytes.Contains(c.Body.JSON, kept(&up.ref)) {
			return nil, fhir.Errorf(fhir.Unprocessable, "where the data of a Binary are kept is for the server to say").At("Binary.data")
		}
		out := *c
		out.Blobs = [][]byte{up.ref.SHA256[:]}
		return &out, nil
	}
	n := doc.Get(0, "data")
	if n == element.None || doc.Kind(n) != element.String {
		return c, nil
	}
	content, err := decode(doc.Bytes(n))
	if err != nil {
		return nil, fhir.Errorf(fhir.Unprocessable, "the data are not base64").At("Binary.data")
	}
	contentType := ""
	if at := doc.Get(0, "contentType"); at != element.None {
		contentType = doc.Text(at)
	}
	if err := checkBytes(content, contentType); err != nil {
		return nil, err
	}
	if len(content) <= k.Inline || doc.Get(0, "_data") != element.None || k.Stay != nil && k.Stay(contentType) {
		return c, nil
	}
	if err := k.Claim(ctx, k.Blobs.Name()); err != nil {
		return nil, err
	}
	ref, err := k.Blobs.Put(ctx, bytes.NewReader(content), k.Limit, contentType)
	if err != nil {
		return nil, err
	}
	out := &bundle.Content{Index: c.Index, Blobs: [][]byte{ref.SHA256[:]}}
	out.Body = replaced(&c.Body, doc, n, kept(&ref))
	return out, nil
}

// names reports whether anything within n, which may be None, is our extension, however
// it is written.
func names(doc *element.Doc, n element.Node) bool {
	if n == element.None {
		return false
	}
	switch doc.Kind(n) {
	case element.String:
		return doc.Text(n) == keptAt
	case element.Object, element.Array:
		for c := doc.First(n); c != element.None; c = doc.Next(n, c) {
			if names(doc, c) {
				return true
			}
		}
	}
	return false
}

// decode undoes base64, in which FHIR allows white space.
func decode(text []byte) ([]byte, error) {
	if bytes.ContainsAny(text, " \t\r\n") {
		text = []byte(strings.Join(strings.Fields(string(text)), ""))
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(out, text)
	return out[:n], err
}

// replaced returns a body in which a member takes the place of the data.
func replaced(b *bundle.Body, doc *element.Doc, data element.Node, member []byte) bundle.Body {
	start, end := doc.Span(data)
	start -= len(`"data":`) // what is stored is compact
	out := bundle.Body{JSON: slices.Concat(b.JSON[:start], member, b.JSON[end:]), VersionAt: b.VersionAt, UpdatedAt: b.UpdatedAt}
	shift := len(out.JSON) - len(b.JSON)
	if out.VersionAt > start {
		out.VersionAt += shift
	}
	if out.UpdatedAt > start {
		out.UpdatedAt += shift
	}
	return out
}

// at returns where the data of a stored Binary are, and the span of the member that
// says so; ok is false for one that has them itself.
func at(json []byte) (ref Ref, start, end int, ok bool) {
	start = bytes.Index(json, keptMember)
	if start < 0 {
		return ref, 0, 0, false
	}
	doc, err := element.Parse(json)
	if err != nil {
		return ref, 0, 0, false
	}
	n := doc.Get(0, "_data")
	if n == element.None {
		return ref, 0, 0, false
	}
	from, end := doc.Span(n)
	if from != start+len(`"_data":`) { // it stands elsewhere, as somebody's text
		return ref, 0, 0, false
	}
	text, _, _ := bytes.Cut(json[start+len(keptMember):], []byte(`"`))
	ref, ok = parseRef(string(text))
	return ref, start, end, ok
}

// Fill is FillAll of one resource.
func (k *Keeper) Fill(ctx context.Context, r *fhir.Resource) error {
	if r.Ref.Type != "Binary" {
		return nil
	}
	one, left := []fhir.Resource{*r}, k.Answer
	err := k.FillAll(ctx, one, &left)
	*r = one[0]
	return err
}

// FillAll puts the data into the Binaries among rs. Those beyond what an answer may have
// go without, and carry a tag that says so.
//
// See https://hl7.org/fhir/R4/search.html#summary.
func (k *Keeper) FillAll(ctx context.Context, rs []fhir.Resource, left *int64) error {
	if fhir.IsLean(ctx) {
		return nil
	}
	for i := range rs {
		r := &rs[i]
		if r.Ref.Type != "Binary" {
			continue
		}
		if err := k.fill(ctx, r, left); errors.Is(err, errTooMuch) {
			r.JSON = without(r.JSON)
		} else if err != nil {
			return err
		}
	}
	return nil
}

var errTooMuch = fhir.Errorf(fhir.TooLarge, "the content is too large to be changed as a part of a resource: send it anew, by itself")

func (k *Keeper) fill(ctx context.Context, r *fhir.Resource, left *int64) error {
	ref, start, end, ok := at(r.JSON)
	if !ok {
		return nil
	}
	if *left -= ref.Size; *left < 0 {
		*left += ref.Size
		return errTooMuch
	}
	f, err := k.get(ctx, &ref)
	if err != nil {
		return err
	}
	defer f.Close()
	var out bytes.Buffer
	out.Grow(len(r.JSON) + base64.StdEncoding.EncodedLen(int(ref.Size)) + 16)
	out.Write(r.JSON[:start])
	out.WriteString(`"data":"`)
	encode := base64.NewEncoder(base64.StdEncoding, &out)
	if _, err = io.Copy(encode, f); err == nil {
		err = encode.Close()
	}
	out.WriteByte('"')
	out.Write(r.JSON[end:])
	r.JSON = out.Bytes()
	return err
}

// get opens what is at ref. A file that is not there can be one of another folder.
func (k *Keeper) get(ctx context.Context, ref *Ref) (*os.File, error) {
	f, err := k.Blobs.Get(ref)
	if err != nil {
		if wrong := k.Claim(ctx, k.Blobs.Name()); wrong != nil {
			return nil, wrong
		}
	}
	return f, err
}

// The tag of a resource that is shown in part.
const (
	tagSystem = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
	tagCode   = "SUBSETTED"
	tag       = `{"system":"` + tagSystem + `","code":"` + tagCode + `"}`
)

// without returns a stored Binary without its data, tagged.
func without(json []byte) []byte {
	doc, err := element.Parse(json)
	if err != nil {
		return json
	}
	e := doc.Edit(0)
	e.Drop(doc.Get(0, "_data"))
	meta := doc.Get(0, "meta")
	if tags := doc.Get(meta, "tag"); tags != element.None {
		e.Append(tags, tag)
	} else {
		e.Append(meta, `"tag":[`+tag+`]`)
	}
	return e.AppendTo(nil)
}

func subsetted(doc *element.Doc) bool {
	tags := doc.Get(doc.Get(0, "meta"), "tag")
	if tags == element.None || doc.Kind(tags) != element.Array {
		return false
	}
	for n := doc.First(tags); n != element.None; n = doc.Next(tags, n) {
		system, code := doc.Get(n, "system"), doc.Get(n, "code")
		if system != element.None && code != element.None && doc.Text(system) == tagSystem && doc.Text(code) == tagCode {
			return true
		}
	}
	return false
}

// Content is what a Binary holds.
type Content struct {
	ContentType string
	Context     string // securityContext.reference
	io.ReadSeekCloser
}

// Open returns the content of a stored Binary that was read under fhir.Lean.
func (k *Keeper) Open(ctx context.Context, r *fhir.Resource) (*Content, error) {
	doc, err := element.Parse(r.JSON)
	if err != nil {
		return nil, err
	}
	c := &Content{}
	if n := doc.Get(0, "contentType"); n != element.None {
		c.ContentType = doc.Text(n)
	}
	if n := doc.Get(doc.Get(0, "securityContext"), "reference"); n != element.None {
		c.Context = doc.Text(n)
	}
	if ref, _, _, ok := at(r.JSON); ok {
		f, err := k.get(ctx, &ref)
		c.ReadSeekCloser = f
		return c, err
	}
	var content []byte
	if n := doc.Get(0, "data"); n != element.None && doc.Kind(n) == element.String {
		if content, err = decode(doc.Bytes(n)); err != nil {
			return nil, err
		}
	}
	c.ReadSeekCloser = memory{bytes.NewReader(content)}
	return c, nil
}

// memory is content that needs no closing.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }
