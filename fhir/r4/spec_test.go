package r4

import (
	"maps"
	"slices"
	"strings"
	"testing"

	annotations "github.com/google/fhir/go/proto/google/fhir/proto/annotations_go_proto"
	bundle "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/bundle_and_contained_resource_go_proto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/amate-health/amate/fhir/spec"
)

// exceptions are the places where the protocol buffers differ from the table, with
// the reason why the table is right, or why the two cannot be compared.
var exceptions = map[string]string{
	"Reference.reference": "is a oneof of typed ids there, so it has no field of its own",
	"Extension.valueMeta": "is in extensibility.html and in the StructureDefinition of 4.0.1, but was left out there",
	"Questionnaire.item.type": "the code question is notSelectable in item-type: it groups others and must not be used, " +
		"but it has an enumeration value there",
}

// TestTableAgreesWithProtocolBuffers walks every resource and datatype that Google
// generated from R4 and compares each field with the element of the table: name,
// type, repetition, required flag, reference targets and bound codes.
func TestTableAgreesWithProtocolBuffers(t *testing.T) {
	w := &walk{T: t, seen: map[string]bool{}, used: map[string]bool{}}
	resources := (&bundle.ContainedResource{}).ProtoReflect().Descriptor().Fields()
	if own := slices.DeleteFunc(slices.Clone(spec.Resources()), spec.Added); resources.Len() != len(own) {
		t.Errorf("%d resource types, the table has %d", resources.Len(), len(own))
	}
	for i := range resources.Len() {
		m := resources.Get(i).Message()
		w.message(m, spec.TypeOf(string(m.Name())))
	}
	if w.fields < 4000 {
		t.Errorf("only %d fields were compared", w.fields)
	}
	for name := range exceptions {
		if !w.used[name] {
			t.Errorf("the exception %s is not needed", name)
		}
	}
	t.Logf("%d fields of %d types, %d enumerations", w.fields, len(w.seen), w.enums)
}

type walk struct {
	*testing.T
	seen   map[string]bool // types done
	used   map[string]bool // exceptions met
	fields int
	enums  int
}

// differ reports a difference at name unless it is a known exception.
func (w *walk) differ(name, format string, args ...any) {
	w.Helper()
	if exceptions[name] != "" {
		w.used[name] = true
		return
	}
	w.Errorf(name+": "+format, args...)
}

// message compares the fields of m with the elements of typ, in both directions.
func (w *walk) message(m protoreflect.MessageDescriptor, typ *spec.Type) {
	if typ == nil {
		w.Errorf("the table has no type for %s", m.FullName())
		return
	}
	if w.seen[typ.Name] {
		return
	}
	w.seen[typ.Name] = true
	known := map[string]bool{}
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		if f.ContainingOneof() != nil || typ.Kind == spec.Primitive && f.Message() == nil {
			continue // Reference.reference in its typed forms; the value of a primitive
		}
		name := f.JSONName()
		if f.Message() == nil || !extension[bool](f.Message(), annotations.E_IsChoiceType) {
			known[name] = true
			w.field(typ, name, f, f)
			continue
		}
		for j := range f.Message().Fields().Len() {
			one := f.Message().Fields().Get(j)
			property := name + strings.ToUpper(one.JSONName()[:1]) + one.JSONName()[1:]
			known[property] = true
			w.field(typ, property, f, one)
		}
	}
	for _, e := range typ.Elements {
		if !known[e.Name] {
			w.differ(typ.Name+"."+e.Name, "no field")
		}
	}
}

// field compares one JSON property of typ. The field outer tells how often it
// occurs; inner what it holds, which is another field only for a choice.
func (w *walk) field(typ *spec.Type, property string, outer, inner protoreflect.FieldDescriptor) {
	name := typ.Name + "." + property
	e := typ.Element([]byte(property))
	if e == nil {
		w.differ(name, "no element")
		return
	}
	w.fields++
	if outer.IsList() != e.Many {
		w.differ(name, "repeated is %v", outer.IsList())
	}
	required := extension[annotations.Requirement](outer, annotations.E_ValidationRequirement) == annotations.Requirement_REQUIRED_BY_FHIR
	if required != (e.Min > 0) {
		w.differ(name, "required is %v", required)
	}
	w.targets(name, e, inner)
	m := inner.Message()
	if e.Resource {
		if m.Name() != "Any" && m.Name() != "ContainedResource" {
			w.differ(name, "no resource but %s", m.Name())
		}
		return
	}
	w.content(name, e, m)
}

// targets compares what a Reference may point to.
func (w *walk) targets(name string, e *spec.Element, f protoreflect.FieldDescriptor) {
	if e.Type == nil || e.Type.Name != "Reference" {
		return // the protocol buffers say nothing about the targets of a canonical
	}
	valid := slices.Clone(extension[[]string](f, annotations.E_ValidReferenceType))
	slices.Sort(valid)
	if slices.Contains(valid, "Resource") {
		valid = nil
	}
	if !slices.Equal(valid, e.Targets) {
		w.differ(name, "points to %v, in the table to %v", valid, e.Targets)
	}
}

// content compares the type of an element, and the codes it is bound to.
func (w *walk) content(name string, e *spec.Element, m protoreflect.MessageDescriptor) {
	url := extension[string](m, annotations.E_FhirStructureDefinitionUrl)
	if base := extension[[]string](m, annotations.E_FhirProfileBase); url == "" && len(base) > 0 {
		url = base[0] // a code bound to an enumeration of its own
	}
	kind := url[strings.LastIndexByte(url, '/')+1:]
	switch {
	case e.Type.Kind == spec.Backbone:
		if kind != "" {
			w.differ(name, "is %s", kind)
		}
	case kind == "SimpleQuantity":
		if !e.Simple {
			w.differ(name, "is a SimpleQuantity")
		}
		return
	case kind != e.Type.Name || e.Simple:
		w.differ(name, "is %s, in the table %s", kind, e.Type.Name)
		return
	}
	w.codes(name, e, m)
	w.message(m, e.Type)
}

// codes compares a required binding with the enumeration of the protocol buffers.
func (w *walk) codes(name string, e *spec.Element, m protoreflect.MessageDescriptor) {
	if e.Type.Name != "code" {
		return // the protocol buffers bind no Coding and no CodeableConcept
	}
	value := m.Fields().ByName("value")
	if value == nil || value.Enum() == nil {
		if e.Binding != nil {
			w.differ(name, "has no enumeration, in the table %s", e.Binding.URL)
		}
		return
	}
	if e.Binding == nil {
		w.differ(name, "is bound to %s", value.Enum().FullName())
		return
	}
	w.enums++
	if url := extension[string](m, annotations.E_FhirValuesetUrl); url != e.Binding.URL {
		w.differ(name, "is bound to %s, in the table to %s", url, e.Binding.URL)
	}
	codes := map[string]struct{}{}
	for i := range value.Enum().Values().Len() {
		if v := value.Enum().Values().Get(i); v.Number() != 0 {
			codes[code(v)] = struct{}{}
		}
	}
	table := maps.Clone(e.Binding.Codes)
	maps.DeleteFunc(table, func(code string, _ struct{}) bool { return spec.Added(code) })
	if !maps.Equal(codes, table) {
		w.differ(name, "allows %v, in the table %v", slices.Sorted(maps.Keys(codes)), slices.Sorted(maps.Keys(e.Binding.Codes)))
	}
}

// code returns the FHIR code of an enumeration value.
func code(v protoreflect.EnumValueDescriptor) string {
	if original := extension[string](v, annotations.E_FhirOriginalCode); original != "" {
		return original
	}
	return strings.ReplaceAll(strings.ToLower(string(v.Name())), "_", "-")
}

// extension returns an annotation of d, or the zero value.
func extension[V any](d protoreflect.Descriptor, x protoreflect.ExtensionType) V {
	v, _ := proto.GetExtension(d.Options(), x).(V)
	return v
}
