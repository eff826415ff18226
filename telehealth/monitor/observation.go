package monitor

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
)

const (
	// idPrefix begins the ids of Observations that were taken in here.
	idPrefix = "rpm-"
	// readingSystem is the system of the identifier of a reading: the id that its device
	// gave it.
	readingSystem = canonical + "NamingSystem/reading"
	// tagSystem is the system of the tag late: the reading came so long after its time
	// that it calls nobody.
	tagSystem = canonical + "CodeSystem/monitoring"
	lateTag   = "late"
	// SentURL is the extension that holds a value as it was sent, where it was converted.
	SentURL = canonical + "StructureDefinition/measured-as"
)

// observationID names the Observation of a reading: the same one whenever it is sent.
func observationID(k *delivery, reading string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{k.patient.ID, k.device.ID, reading}, "\x00")))
	return idPrefix + hex.EncodeToString(sum[:16])
}

// observation returns the JSON of the Observation of a reading.
//
// See https://hl7.org/fhir/R4/observation-vitalsigns.html.
func (m *measured) observation(id string, k *delivery, reading string, performer fhir.Ref, issued string) []byte {
	b := append(make([]byte, 0, 1200), `{"resourceType":"Observation","id":"`...)
	b = append(append(b, id...), '"')
	if m.measure.Profile != "" || m.late {
		b = append(b, `,"meta":{`...)
		if m.measure.Profile != "" {
			b = append(append(append(b, `"profile":["`...), m.measure.Profile...), `"]`...)
		}
		if m.late {
			if m.measure.Profile != "" {
				b = append(b, ',')
			}
			b = append(b, `"tag":[{"system":"`+tagSystem+`","code":"`+lateTag+`","display":"Medición recibida tarde"}]`...)
		}
		b = append(b, '}')
	}
	b = append(b, `,"identifier":[{"system":"`+readingSystem+`","value":`...)
	b = element.Quote(b, reading)
	b = append(b, `}],"status":"final","category":[{"coding":[{"system":"`+category+`","code":"`...)
	b = append(append(b, m.measure.Category...), `"}]}],"code":`...)
	b = appendCode(b, m.measure)
	b = append(append(b, `,"subject":{"reference":"Patient/`...), k.patient.ID...)
	b = append(append(b, `"},"effectiveDateTime":"`...), m.written...)
	b = append(append(append(b, `","issued":"`...), issued...), '"')
	if performer.ID != "" {
		b = append(append(append(b, `,"performer":[{"reference":"`...), performer.String()...), `"}]`...)
	}
	if len(m.measure.Components) == 0 {
		b = appendValue(append(b, ','), &m.parts[0])
	}
	if k.device.ID != "" {
		b = append(append(append(b, `,"device":{"reference":"Device/`...), k.device.ID...), `"}`...)
	}
	if len(m.measure.Components) > 0 {
		b = append(b, `,"component":[`...)
		for i := range m.parts {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendCode(append(b, `{"code":`...), m.parts[i].measure)
			b = append(appendValue(append(b, ','), &m.parts[i]), '}')
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func appendCode(b []byte, m *Measure) []byte {
	b = append(append(b, `{"coding":[{"system":"`+loinc+`","code":"`...), m.Codes[0]...)
	b = append(append(append(b, `","display":"`...), m.Display...), `"}`...)
	if m.Beside != "" {
		b = append(append(b, `,{"system":"`+loinc+`","code":"`...), m.Beside...)
		b = append(append(append(b, `","display":"`...), m.BesideDisplay...), `"}`...)
	}
	return append(append(append(b, `],"text":"`...), m.Text...), `"}`...)
}

func appendValue(b []byte, p *part) []byte {
	b = append(b, `"valueQuantity":{`...)
	if p.sent.value != "" {
		b = append(append(b, `"extension":[{"url":"`+SentURL+`","valueQuantity":{"value":`...), trimmed(p.sent.value)...)
		b = append(b, `,"unit":`...)
		b = append(element.Quote(b, p.sent.unit), `}}],`...)
	}
	b = append(append(b, `"value":`...), trimmed(p.value)...)
	b = append(append(b, `,"unit":"`...), p.measure.Written...)
	b = append(append(b, `","system":"`+ucumURL+`","code":"`...), p.measure.Unit...)
	return append(b, `"}`...)
}

// trimmed returns a decimal without leading zeros, which JSON does not have.
func trimmed(v string) string {
	sign := ""
	if rest, ok := strings.CutPrefix(v, "-"); ok {
		sign, v = "-", rest
	}
	v = strings.TrimLeft(v, "0")
	if v == "" || v[0] == '.' {
		v = "0" + v
	}
	return sign + v
}

// same reports whether a stored Observation is of what a reading says.
func same(stored []byte, m *measured) bool {
	d, err := element.Parse(stored)
	if err != nil || d.TextAt(0, "effectiveDateTime") != m.written {
		return false
	}
	for i := range m.parts {
		at := element.Node(0)
		if len(m.measure.Components) > 0 {
			at = element.None
			for c := range d.Items(0, "component") {
				if codeIn(d, c) == m.parts[i].measure.Codes[0] {
					at = c
				}
			}
		} else if codeIn(d, 0) != m.measure.Codes[0] {
			return false
		}
		if at == element.None || d.TextAt(d.Get(at, "valueQuantity"), "value") != trimmed(m.parts[i].value) {
			return false
		}
	}
	return true
}

// codeIn returns the first code of LOINC of an Observation or component that is known.
func codeIn(d *element.Doc, n element.Node) string {
	for c := range d.Items(d.Get(n, "code"), "coding") {
		if code := d.TextAt(c, "code"); d.TextAt(c, "system") == loinc && (known.single[code] != nil || known.all[code] != nil) {
			return code
		}
	}
	return ""
}

func greater(a, b string) bool {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x > y
}

// Right passes Hold: nothing has it, since a reading that was deleted stays so.
const Right = "measurement"

// Hold keeps a reading that was deleted from coming back when its device sends it again.
func Hold() bundle.Hold {
	return bundle.Hold{Name: Right, Types: []string{"Observation"}, Check: func(before, after *fhir.Resource) error {
		if before == nil && after.Ref.Version > 1 && strings.HasPrefix(after.Ref.ID, idPrefix) {
			return errDeleted
		}
		return nil
	}}
}

var errDeleted = fhir.Errorf(fhir.Gone, "the measurement was deleted, and does not come back")
