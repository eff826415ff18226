package terminology

import (
	"encoding/base64"
	"errors"

	"github.com/klauspost/compress/zstd"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// Item is one resource made ready: one of System, ValueSet and Map is set.
type Item struct {
	Header   *Header
	System   *System
	ValueSet *ValueSet
	Map      *Map
}

// PartsURL is the extension of a CodeSystem whose concepts are kept elsewhere, since
// they are too many for one resource: each names a Binary that holds a piece of
// them, a CodeSystem with content=fragment, compressed by Zstandard.
const PartsURL = "https://amate.health/fhir/StructureDefinition/codesystem-part"

// PartType is the content type of such a Binary.
const PartType = "application/zstd"

// maxPart bounds what one part may hold, unpacked.
const maxPart = 64 << 20

// Read makes a CodeSystem, ValueSet or ConceptMap ready. part returns the stored
// Binary with an id, for a code system that is kept in parts; it may be nil.
// Errors: *fhir.Error when the resource is at fault.
func Read(json []byte, part func(id string) ([]byte, error)) (*Item, error) {
	d, err := element.Parse(json)
	if err != nil {
		var syntax *element.SyntaxError
		if errors.As(err, &syntax) {
			return nil, syntax.Fault()
		}
		return nil, err
	}
	return readItem(d, 0, part)
}

func readItem(d *element.Doc, root element.Node, part func(string) ([]byte, error)) (*Item, error) {
	head, err := readHeader(d, root)
	if err != nil {
		return nil, err
	}
	switch head.Kind {
	case CodeSystemKind:
		s, err := newSystem(d, root, partsOf(d, root, part))
		if err != nil {
			return nil, err
		}
		return &Item{Header: &s.Header, System: s}, nil
	case ValueSetKind:
		v, err := ReadValueSet(d, root)
		if err != nil {
			return nil, err
		}
		return &Item{Header: &v.Header, ValueSet: v}, nil
	default:
		m, err := readMap(d, root)
		if err != nil {
			return nil, err
		}
		return &Item{Header: &m.Header, Map: m}, nil
	}
}

// partsOf returns what adds the parts of a code system that is kept in parts, or nil.
func partsOf(d *element.Doc, root element.Node, part func(string) ([]byte, error)) func(*builder) error {
	var ids []string
	each(d, d.Get(root, "extension"), func(n element.Node) {
		if string(optional(d, d.Get(n, "url"))) != PartsURL {
			return
		}
		ref, ok := fhir.ParseRef(string(optional(d, d.Get(d.Get(n, "valueReference"), "reference"))))
		if ok && ref.Type == "Binary" {
			ids = append(ids, ref.ID)
		}
	})
	if len(ids) == 0 || part == nil {
		return nil
	}
	return func(b *builder) error {
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPart))
		if err != nil {
			return err
		}
		defer z.Close()
		var outer, inner element.Doc
		var text []byte
		for _, id := range ids {
			binary, err := part(id)
			if err != nil {
				return err
			}
			if text, err = unpack(z, &outer, binary, text[:0]); err != nil {
				return fhir.Errorf(fhir.Unprocessable, "a part of the code system cannot be read").With("Binary/%s: %v", id, err)
			}
			if err := inner.Parse(text, element.Limits{}); err != nil {
				return err
			}
			if err := b.concepts(&inner, inner.Get(0, "concept"), -1); err != nil {
				return err
			}
		}
		return nil
	}
}

// unpack returns what is in a Binary resource.
func unpack(z *zstd.Decoder, d *element.Doc, binary, dst []byte) ([]byte, error) {
	if err := d.Parse(binary, element.Limits{}); err != nil {
		return nil, err
	}
	packed, err := base64.StdEncoding.AppendDecode(nil, optional(d, d.Get(0, "data")))
	if err != nil {
		return nil, err
	}
	return z.DecodeAll(packed, dst)
}
