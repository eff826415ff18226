package r4

import (
	"time"

	"github.com/google/fhir/go/jsonformat"
	d "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/amate-health/amate/fhir"
)

// The functions below make the elements that domain code fills messages with. Each
// returns nil for the zero value of what it is given, since FHIR has no empty
// elements: a field that is set to nil is not written.

// String returns a string element.
func String(s string) *d.String {
	if s == "" {
		return nil
	}
	return &d.String{Value: s}
}

// URI returns a uri element.
func URI(s string) *d.Uri {
	if s == "" {
		return nil
	}
	return &d.Uri{Value: s}
}

// Code returns a code element that is bound to no enumeration.
func Code(s string) *d.Code {
	if s == "" {
		return nil
	}
	return &d.Code{Value: s}
}

// Canonical returns a canonical element.
func Canonical(s string) *d.Canonical {
	if s == "" {
		return nil
	}
	return &d.Canonical{Value: s}
}

// Decimal returns a decimal element. text is the number as it is to be written, so
// that its precision is kept: "1.50".
func Decimal(text string) *d.Decimal {
	if text == "" {
		return nil
	}
	return &d.Decimal{Value: text}
}

// Coding returns a Coding; display may be empty.
func Coding(system, code, display string) *d.Coding {
	if code == "" {
		return nil
	}
	return &d.Coding{System: URI(system), Code: Code(code), Display: String(display)}
}

// Concept returns a CodeableConcept of the codings that are not nil.
func Concept(text string, codings ...*d.Coding) *d.CodeableConcept {
	c := &d.CodeableConcept{Text: String(text)}
	for _, one := range codings {
		if one != nil {
			c.Coding = append(c.Coding, one)
		}
	}
	if c.Text == nil && c.Coding == nil {
		return nil
	}
	return c
}

// Identifier returns an Identifier.
func Identifier(system, value string) *d.Identifier {
	if value == "" {
		return nil
	}
	return &d.Identifier{System: URI(system), Value: String(value)}
}

// Quantity returns a Quantity in a UCUM unit; value is as for Decimal.
func Quantity(value, unit, code string) *d.Quantity {
	if value == "" {
		return nil
	}
	q := &d.Quantity{Value: Decimal(value), Unit: String(unit), Code: Code(code)}
	if code != "" {
		q.System = URI("http://unitsofmeasure.org")
	}
	return q
}

// Reference returns a Reference to a resource of this server, or to a version of
// it when ref has one.
func Reference(ref fhir.Ref) *d.Reference {
	if ref.ID == "" {
		return nil
	}
	return ReferenceURI(ref.String())
}

// ReferenceURI returns a Reference by its text, such as "urn:uuid:..." or "#id".
func ReferenceURI(text string) *d.Reference {
	if text == "" {
		return nil
	}
	return &d.Reference{Reference: &d.Reference_Uri{Uri: String(text)}}
}

// ReferenceText returns the text of a Reference, as Reference.reference has it;
// "" for one that is logical only. Resources that were read hold it in other fields
// than those made here.
func ReferenceText(r *d.Reference) string {
	if r == nil {
		return ""
	}
	plain := proto.Clone(r).(*d.Reference)
	if err := jsonformat.DenormalizeReference(plain); err != nil {
		return "" // never for a Reference of R4
	}
	return plain.GetUri().GetValue()
}

// Date returns a date to the day.
func Date(year int, month time.Month, day int) *d.Date {
	at := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	return &d.Date{ValueUs: at.UnixMicro(), Timezone: "UTC", Precision: d.Date_DAY}
}

// DateTime returns a dateTime to the second, in the offset of t; nil for the zero time.
func DateTime(t time.Time) *d.DateTime {
	if t.IsZero() {
		return nil
	}
	return &d.DateTime{ValueUs: t.Truncate(time.Second).UnixMicro(), Timezone: offset(t), Precision: d.DateTime_SECOND}
}

// Instant returns an instant to the millisecond, in the offset of t; nil for the zero time.
func Instant(t time.Time) *d.Instant {
	if t.IsZero() {
		return nil
	}
	return &d.Instant{ValueUs: t.Truncate(time.Millisecond).UnixMicro(), Timezone: offset(t), Precision: d.Instant_MILLISECOND}
}

// offset returns the offset of t as the messages hold it: "Z" or "-06:00".
func offset(t time.Time) string { return t.Format("Z07:00") }
