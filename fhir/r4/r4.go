package r4

import (
	"errors"
	"sync"

	"github.com/google/fhir/go/fhirversion"
	"github.com/google/fhir/go/jsonformat"
	bundle "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/bundle_and_contained_resource_go_proto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/validate"
)

// codec is made when it is first needed: it costs time and memory.
type codec struct {
	in  *jsonformat.Unmarshaller
	out *jsonformat.Marshaller
}

var theCodec = sync.OnceValues(func() (codec, error) {
	// The zone is that of dates without one, which keep their text all the same.
	in, err := jsonformat.NewUnmarshallerWithoutValidation("UTC", fhirversion.R4)
	if err != nil {
		return codec{}, err
	}
	in.MaxNestingDepth = 100 // as element.Limits has it; beyond that it would take quadratic time
	out, err := jsonformat.NewMarshaller(false, "", "", fhirversion.R4)
	return codec{in, out}, err
})

// Unmarshal reads a resource. It holds it to the base rules of R4 first, since the
// library beneath accepts some resources that break them, and changes them.
//
// Some legal resources cannot be held by the messages. Those that the library
// refuses, and those that it would change without a word, are refused:
//
//   - a null in an array of primitives, beside the extension of a missing value;
//   - Parameters.parameter.resource;
//   - an id or extension of Reference.reference;
//   - times to less than a microsecond;
//   - the extension by which the library itself marks a missing value;
//   - a leap second, a canonical with its version behind the bare host, base64 with line breaks.
//
// What is lost without harm is the order of members, and the number of digits in a
// fraction of a second: .1 becomes .100, and an offset of -00:00 becomes +00:00.
//
// Errors: *element.SyntaxError; fhir.Unprocessable for a resource that is invalid;
// fhir.NotSupported for one that the messages cannot hold.
func Unmarshal(json []byte) (proto.Message, error) {
	doc, err := element.Parse(json)
	if err != nil {
		return nil, err
	}
	if fault := validate.Fault(validate.Check(doc, 0, "")); fault != nil {
		return nil, fault
	}
	if where := unheld(doc); where != "" {
		return nil, fhir.Errorf(fhir.NotSupported, "the typed form cannot hold this resource: %s", where)
	}
	c, err := theCodec()
	if err != nil {
		return nil, err
	}
	m, err := c.in.Unmarshal(json)
	if err != nil {
		return nil, fhir.Errorf(fhir.NotSupported, "the typed form cannot hold this resource").With("%.500s", err.Error())
	}
	return Unwrap(m)
}

// UnmarshalAs is Unmarshal for a resource of a known type, say *patient.Patient.
// Errors: those of Unmarshal; fhir.Invalid for a resource of another type.
func UnmarshalAs[M proto.Message](json []byte) (M, error) {
	var none M
	m, err := Unmarshal(json)
	if err != nil {
		return none, err
	}
	typed, ok := m.(M)
	if !ok {
		return none, fhir.Errorf(fhir.Invalid, "the resource is a %s, not a %s", TypeName(m), TypeName(none))
	}
	return typed, nil
}

// Marshal writes a resource as compact JSON: resourceType first, then the elements
// in the order of their definitions. It holds what it wrote to the base rules of
// R4, so that a message which was filled in wrongly does not go further.
// Errors: fhir.Unprocessable; any other is a message that is no resource.
func Marshal(resource proto.Message) ([]byte, error) {
	c, err := theCodec()
	if err != nil {
		return nil, err
	}
	if resource == nil || !resource.ProtoReflect().IsValid() {
		return nil, errors.New("r4: no resource to marshal")
	}
	json, err := c.out.MarshalResource(resource)
	if err != nil {
		return nil, err
	}
	doc, err := element.Parse(json)
	if err != nil {
		return nil, err
	}
	if fault := validate.Fault(validate.Check(doc, 0, "")); fault != nil {
		return nil, fault
	}
	return inOrder(doc), nil
}

// TypeName returns the FHIR type of a message: "Patient". m may be a nil pointer.
func TypeName(m proto.Message) string { return string(m.ProtoReflect().Descriptor().Name()) }

// Unwrap returns the resource in a ContainedResource; any other message as it is.
// Errors: a ContainedResource with nothing in it.
func Unwrap(m proto.Message) (proto.Message, error) {
	wrapped, ok := m.(*bundle.ContainedResource)
	if !ok {
		return m, nil
	}
	r := wrapped.ProtoReflect()
	field := r.WhichOneof(r.Descriptor().Oneofs().Get(0))
	if field == nil {
		return nil, errors.New("r4: an empty ContainedResource")
	}
	return r.Get(field).Message().Interface(), nil
}

// Wrap returns a resource as Bundle.entry.resource takes it.
// Errors: a message that is no R4 resource.
func Wrap(resource proto.Message) (*bundle.ContainedResource, error) {
	if wrapped, ok := resource.(*bundle.ContainedResource); ok {
		return wrapped, nil
	}
	out := &bundle.ContainedResource{}
	r := out.ProtoReflect()
	name := resource.ProtoReflect().Descriptor().FullName()
	for i := range r.Descriptor().Fields().Len() {
		if f := r.Descriptor().Fields().Get(i); f.Message().FullName() == name {
			r.Set(f, protoreflect.ValueOfMessage(resource.ProtoReflect()))
			return out, nil
		}
	}
	return nil, errors.New("r4: " + string(name) + " is no R4 resource")
}
