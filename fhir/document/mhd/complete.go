package mhd

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // Attachment.hash is a SHA-1 by its definition
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// document holds what a DocumentReference says to the document itself, and says what
// it left out. Of a document that is a Bundle no bytes are defined, so its size and
// hash are taken as they are.
//
// See https://hl7.org/fhir/R4/datatypes.html#Attachment.
func (s *submission) document(edit *element.Edit, e *entry) {
	attachment := get(s.d, e.resource, "content", "attachment")
	url := text(s.d, attachment, "url")
	if attachment == element.None || url == "" {
		return // it is noted already
	}
	doc := s.byURL[url]
	switch {
	case doc == nil:
		s.fault(e, "content[0].attachment.url", "mhd-document", "the document is not in the Bundle")
		return
	case doc.typ == "Bundle":
		if text(s.d, doc.resource, "type") != "document" {
			s.fault(doc, "type", "mhd-document", "a Bundle that is a document has the type document")
		}
		s.belongs(edit, doc, text(s.d, e.resource, "subject", "reference"))
		return
	case doc.typ != "Binary":
		s.fault(doc, "", "mhd-document", "a document is a Binary, or a Bundle of the type document")
		return
	}
	if a, b := kind(text(s.d, attachment, "contentType")), kind(text(s.d, doc.resource, "contentType")); a != b && a != "" {
		s.fault(e, "content[0].attachment.contentType", "mhd-contenttype", "the DocumentReference says another contentType than its document has")
	}
	if !has(s.d, doc.resource, "securityContext") && e.full != "" {
		edit.Append(doc.resource, `"securityContext":{"reference":`+string(element.Quote(nil, e.full))+`}`)
	}
	content, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text(s.d, doc.resource, "data")), ""))
	if err != nil {
		s.fault(doc, "data", "mhd-data", "the data are not base64")
		return
	}
	s.size(edit, e, attachment, len(content))
	s.hash(edit, e, attachment, content)
}

// belongs writes into a document whose patient it is here: within it, they have the
// identity that they had where it was made.
func (s *submission) belongs(edit *element.Edit, doc *entry, subject string) {
	if subject == "" || subject[0] == '#' {
		return
	}
	extension := `{"url":"` + OfPatient + `","valueReference":{"reference":` + string(element.Quote(nil, subject)) + `}}`
	meta := s.d.Get(doc.resource, "meta")
	switch {
	case meta == element.None:
		edit.Append(doc.resource, `"meta":{"extension":[`+extension+`]}`)
	case s.d.Get(meta, "extension") == element.None:
		edit.Append(meta, `"extension":[`+extension+`]`)
	default:
		edit.Append(s.d.Get(meta, "extension"), extension)
	}
}

func kind(contentType string) string {
	name, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(name))
}

func (s *submission) size(edit *element.Edit, e *entry, attachment element.Node, size int) {
	given := s.d.Get(attachment, "size")
	if given == element.None {
		edit.Append(attachment, `"size":`+strconv.Itoa(size))
	} else if string(s.d.Raw(given)) != strconv.Itoa(size) {
		s.fault(e, "content[0].attachment.size", "mhd-size", "the document has %d bytes, and not as many as its DocumentReference says", size)
	}
}

// hash compares the SHA-1. The examples of IHE have its hexadecimal digits in base64
// in place of its bytes, so that is taken as well.
func (s *submission) hash(edit *element.Edit, e *entry, attachment element.Node, content []byte) {
	sum := sha1.Sum(content) //nolint:gosec // see above
	if !has(s.d, attachment, "hash") {
		edit.Append(attachment, `"hash":"`+base64.StdEncoding.EncodeToString(sum[:])+`"`)
		return
	}
	given, err := base64.StdEncoding.DecodeString(text(s.d, attachment, "hash"))
	if err != nil || !bytes.Equal(given, sum[:]) && !strings.EqualFold(string(given), hex.EncodeToString(sum[:])) {
		s.fault(e, "content[0].attachment.hash", "mhd-hash", "the document has another SHA-1 than its DocumentReference says")
	}
}

// supersede adds to the transaction that what a document replaces is superseded, unless
// the submission says so itself. It must be about the same patient, and current.
//
// See https://profiles.ihe.net/ITI/MHD/ITI-65.html#23654121-replace-transform-signs-and-append-associations.
func (s *submission) supersede(edit *element.Edit, entries element.Node) {
	said := map[string]bool{}
	for _, e := range s.all {
		said[e.url] = said[e.url] || e.method == "PATCH" || e.method == "PUT"
	}
	for _, e := range s.refs {
		for relation := range items(s.d, s.d.Get(e.resource, "relatesTo")) {
			if text(s.d, relation, "code") != "replaces" {
				continue
			}
			ref, ok := fhir.ParseRef(text(s.d, relation, "target", "reference"))
			if !ok || ref.Type != "DocumentReference" {
				s.fault(e, "relatesTo", "mhd-replaces", "what is replaced is a DocumentReference of this server")
				continue
			}
			old := ref.Current().String()
			if said[old] {
				continue
			}
			said[old] = true
			edit.Append(entries, superseded(old, text(s.d, e.resource, "subject", "reference")))
		}
	}
}

// superseded is the entry that makes a DocumentReference superseded.
func superseded(old, subject string) string {
	patch := `[{"op":"test","path":"/status","value":"current"},`
	if ref, ok := fhir.ParseRef(subject); ok {
		patch += `{"op":"test","path":"/subject/reference","value":"` + ref.Current().String() + `"},`
	}
	patch += `{"op":"replace","path":"/status","value":"superseded"}]`
	return `{"resource":{"resourceType":"Binary","contentType":"application/json-patch+json","data":"` +
		base64.StdEncoding.EncodeToString([]byte(patch)) + `"},"request":{"method":"PATCH","url":"` + old + `"}}`
}
