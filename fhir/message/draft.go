package message

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Way says how a draft is written.
type Way uint8

// The ways.
const (
	Put    Way = 1 + iota // at an id that follows from the sender and its number for it
	Ensure                // where nothing has one of its identifiers, it is created; else it is only referred to
	Prefer                // like Put, unless something of the same patient, written by others, has one of its identifiers: that is referred to
	Merge                 // the one that has one of its identifiers takes what the message says, and keeps the rest; else it is created
)

// Identifier is a number with the system that gives it out.
type Identifier struct{ System, Value string }

// criterion returns id as a search value.
func (id Identifier) criterion() string { return searchText(id.System) + "|" + searchText(id.Value) }

// searchText escapes what parts search values.
//
// See https://hl7.org/fhir/R4/search.html#escaping.
func searchText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`, `$`, `\$`, `|`, `\|`).Replace(s)
}

// Draft is a resource as a message has it.
type Draft struct {
	Way         Way
	Type, ID    string       // ID: for Put; for the others, what stands for it within the message
	Identifiers []Identifier // all but Put: what it is found by, the best first
	Patient     string       // Prefer: Link of the patient
	JSON        []byte       // complete, with references to other drafts as their Link
	Clear       []string     // Merge: members that are to go
	Version     int64        // Put: the version that it takes the place of; 0 for whatever is there

	// Retire says that it was merged into another: it becomes inactive, and is not created.
	Retire string // the Link of the other

	// Known refuses the message where nothing has one of its identifiers.
	Known bool
}

// Link is how other drafts of the message refer to d.
func (d *Draft) Link() string {
	if d.Way == Put || d.Way == Prefer {
		return d.Type + "/" + d.ID
	}
	return "urn:uuid:" + d.ID
}

// idOf returns an id that follows from what is given, in the form of a UUID of version
// 8. Nothing of what is given can be read from it.
func idOf(parts ...string) string {
	sum := digestOf(parts...)
	return uuidOf(sum[:8], sum[8:16])
}

// idIn is idOf for one of several resources that are written together: the first half
// follows from what they have in common, so that their ids are neighbours in the indexes of a
// store, and 62 bits from what sets them apart.
func idIn(common [sha256.Size]byte, parts ...string) string {
	sum := digestOf(append([]string{string(common[:])}, parts...)...)
	return uuidOf(common[:8], sum[:8])
}

func digestOf(parts ...string) [sha256.Size]byte {
	b := append(make([]byte, 0, 256), "amate message"...)
	for _, p := range parts {
		b = append(append(b, 0), p...)
	}
	return sha256.Sum256(b)
}

// uuidOf writes two halves of 8 bytes as a UUID of version 8.
//
// See https://www.rfc-editor.org/rfc/rfc9562.html#section-5.8.
func uuidOf(high, low []byte) string {
	var sum [16]byte
	copy(sum[:8], high)
	copy(sum[8:], low)
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	var b [36]byte
	hex.Encode(b[:8], sum[:4])
	hex.Encode(b[9:13], sum[4:6])
	hex.Encode(b[14:18], sum[6:8])
	hex.Encode(b[19:23], sum[8:10])
	hex.Encode(b[24:], sum[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}
