package hl7

import (
	"strconv"
	"strings"
)

// Code is an error condition of HL7 table 0357.
type Code int

// The conditions. Those from 200 on are reasons to reject a message, the others are
// errors of its content.
const (
	Accepted           Code = 0
	SegmentSequence    Code = 100 // segments out of order, or a required one is missing
	RequiredField      Code = 101
	DataType           Code = 102
	TableValue         Code = 103 // not in the table
	UnsupportedMessage Code = 200 // type of message
	UnsupportedEvent   Code = 201
	UnsupportedProcess Code = 202 // MSH-11
	UnsupportedVersion Code = 203
	UnknownKey         Code = 204 // such as a patient who must be there
	DuplicateKey       Code = 205
	RecordLocked       Code = 206
	Internal           Code = 207
)

var codeTexts = map[Code]string{
	Accepted: "Message accepted", SegmentSequence: "Segment sequence error", RequiredField: "Required field missing",
	DataType: "Data type error", TableValue: "Table value not found", UnsupportedMessage: "Unsupported message type",
	UnsupportedEvent: "Unsupported event code", UnsupportedProcess: "Unsupported processing id", UnsupportedVersion: "Unsupported version id",
	UnknownKey: "Unknown key identifier", DuplicateKey: "Duplicate key identifier", RecordLocked: "Application record locked",
	Internal: "Application internal error",
}

// String returns the text that table 0357 has for c.
func (c Code) String() string { return codeTexts[c] }

// Reject reports whether a message with this fault is rejected: it was not meant for
// this system, or cannot be dealt with whatever it says.
func (c Code) Reject() bool {
	return c >= UnsupportedMessage && c != UnknownKey && c != DuplicateKey && c != Internal
}

// Error is a fault of a message, with its place.
type Error struct {
	Code       Code
	Segment    string // "PID"; "" when it is about no segment
	Sequence   int    // of segments of this name, from 1
	Field      int    // 0 for the whole segment
	Repetition int    // from 1; 0 for all
	Component  int    // from 1; 0 for the whole field
	Text       string // what is wrong; holds nothing of the message
	Quoted     string // what the message says there, for the sender alone: it may be of a patient

	Severity    Severity        // "" is an error
	Application ApplicationCode // 0 for none
}

// Severity is of table 0516.
type Severity string

// The severities. What is only a warning or information was written all the same.
const (
	Warning     Severity = "W"
	Information Severity = "I"
)

// ApplicationCode is a condition of user-defined table 0533, as immunization registries
// have it.
type ApplicationCode int

// The conditions.
const (
	IllogicalDate  ApplicationCode = 1
	InvalidDate    ApplicationCode = 2
	IllogicalValue ApplicationCode = 3
	InvalidValue   ApplicationCode = 4
	NotInTable     ApplicationCode = 5
	MissingData    ApplicationCode = 7
	Ignored        ApplicationCode = 8
)

var applicationTexts = map[ApplicationCode]string{
	IllogicalDate: "Illogical Date error", InvalidDate: "Invalid Date", IllogicalValue: "Illogical Value error", InvalidValue: "Invalid value",
	NotInTable: "Table value not found", MissingData: "Required data missing", Ignored: "Data was ignored",
}

// String returns the text that goes with c.
func (c ApplicationCode) String() string { return applicationTexts[c] }

// Error returns the text, which holds nothing of the message.
func (e *Error) Error() string {
	if at := e.Path(); at != "" {
		return at + ": " + e.Text
	}
	return e.Text
}

// Path returns the place: "PID-3(2).1".
func (e *Error) Path() string {
	if e.Segment == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString(e.Segment)
	if e.Sequence > 1 {
		b.WriteString("[" + strconv.Itoa(e.Sequence) + "]")
	}
	if e.Field > 0 {
		b.WriteString("-" + strconv.Itoa(e.Field))
		if e.Repetition > 1 {
			b.WriteString("(" + strconv.Itoa(e.Repetition) + ")")
		}
		if e.Component > 0 {
			b.WriteString("." + strconv.Itoa(e.Component))
		}
	}
	return b.String()
}

// ERL returns the place as data type ERL: PID^1^3^2^1.
func (e *Error) ERL() string {
	if e.Segment == "" {
		return ""
	}
	parts := []string{e.Segment, strconv.Itoa(max(e.Sequence, 1))}
	for _, n := range []int{e.Field, e.Repetition, e.Component} {
		if n == 0 {
			break
		}
		parts = append(parts, strconv.Itoa(n))
		if len(parts) == 3 && e.Repetition == 0 && e.Component > 0 {
			parts = append(parts, "1", strconv.Itoa(e.Component))
			break
		}
	}
	return strings.Join(parts, "^")
}
