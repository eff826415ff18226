package message

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/message/hl7"
)

var today = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func testSender() *Sender {
	s, err := ParseSender([]byte(`{"name":"lab","client":"lab","zone":"America/Mexico_City","tables":{"assigners":{"H1":"urn:h1"},
		"codes":{"L|HB":{"system":"http://loinc.org","code":"718-7"}},"sex":{"Z":"other"}}}`))
	if err != nil {
		panic(err)
	}
	return s
}

func mapText(t *testing.T, text string) ([]Draft, []*hl7.Error) {
	t.Helper()
	m, err := hl7.Parse(text, hl7.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return Map(m, testSender(), today)
}

const header = "MSH|^~\\&|LIS|H1|||20261120||ORU^R01|7|P|2.5\rPID|1||1^^^H1||P^J\rOBR|1||F1|BH^B^L|||20261120100000|||||||||||||||||||F\r"

// draftOf returns the only draft of a type, as text.
func draftOf(t *testing.T, drafts []Draft, typ string) string {
	t.Helper()
	out := ""
	for _, d := range drafts {
		if _, err := element.Parse(d.JSON); err != nil {
			t.Errorf("a %s is no JSON: %v %s", d.Type, err, d.JSON)
		}
		if d.Type == typ {
			if out != "" {
				t.Errorf("there is more than one %s", typ)
			}
			out = string(d.JSON)
		}
	}
	return out
}

func TestValues(t *testing.T) {
	for _, of := range []struct{ obx, want string }{
		{"NM|X^Y^L||13.50|mg/dL", `"valueQuantity":{"value":13.50,"unit":"mg/dL","system":"http://unitsofmeasure.org","code":"mg/dL"}`},
		{"NM|X^Y^L||+007.0|mg/dl", `"valueQuantity":{"value":7.0,"unit":"mg/dl","system":"http://unitsofmeasure.org","code":"mg/dL"}`},
		{"NM|X^Y^L||.5|raro", `"valueQuantity":{"value":0.5,"unit":"raro"}`},
		{"NM|X^Y^L||0|", `"valueQuantity":{"value":0}`},
		{"NM|X^Y^L||-3.|", `"valueQuantity":{"value":-3}`},
		{"NM|X^Y^L||<5|mg/dL", `"valueQuantity":{"value":5,"comparator":"<","unit"`},
		{"NM|X^Y^L||Negativo|", `"valueString":"Negativo"`},
		{"NM|X^Y^L||1.2.3|", `"valueString":"1.2.3"`},
		{"SN|X^Y^L||>^100|mg/dL", `"valueQuantity":{"value":100,"comparator":">","unit"`},
		{"SN|X^Y^L||^1^:^128|", `"valueRatio":{"numerator":{"value":1},"denominator":{"value":128}}`},
		{"SN|X^Y^L||^100^-^200|", `"valueRange":{"low":{"value":100},"high":{"value":200}}`},
		{"SN|X^Y^L||^2^+|", `"valueString":"2+"`},
		{"ST|X^Y^L||Muestra \\T\\ m\\E\\s|", `"valueString":"Muestra & m\\s"`},
		{"TX|X^Y^L||uno~dos|", `"valueString":"uno\ndos"`},
		{"CE|X^Y^L||A^Positivo^L|", `"valueCodeableConcept":{"coding":[{"system":"urn:amate:sender:lab:code:L","code":"A","display":"Positivo"}],"text":"Positivo"}`},
		{"CWE|X^Y^L||260373001^Detected^SCT|", `"valueCodeableConcept":{"coding":[{"system":"http://snomed.info/sct","code":"260373001","display":"Detected"}]`},
		{"DT|X^Y^L||20261120|", `"valueDateTime":"2026-11-20"`},
		{"TS|X^Y^L||202611201015|", `"valueDateTime":"2026-11-20T10:15:00-06:00"`},
		{"TS|X^Y^L||20200701101500.5-0500|", `"valueDateTime":"2020-07-01T10:15:00.5-05:00"`},
		{"TS|X^Y^L||20200701101500|", `"valueDateTime":"2020-07-01T10:15:00-05:00"`}, // there was a summer time then
		{"TM|X^Y^L||1015|", `"valueTime":"10:15:00"`},
		{"NM|HB^Hb^L||1|", `"code":{"coding":[{"system":"http://loinc.org","code":"718-7"},{"system":"urn:amate:sender:lab:code:L","code":"HB","display":"Hb"}],"text":"Hb"}`},
		{"NM|X^Y^L||1||3.5-5.0", `"referenceRange":[{"low":{"value":3.5},"high":{"value":5.0},"text":"3.5-5.0"}]`},
		{"NM|X^Y^L||1||<5", `"referenceRange":[{"high":{"value":5},"text":"<5"}]`},
		{"NM|X^Y^L||1|||HH", `"interpretation":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"HH"}]}]`},
		{"NM|X^Y^L||1|||raro", `"interpretation":[{"coding":[{"system":"urn:amate:sender:lab:code:flag","code":"raro"}]}]`},
		{"NM|X^Y^L||1||||||P", `"status":"preliminary"`},
		{"NM|X^Y^L||1||||||C", `"status":"corrected"`},
		{"NM|X^Y^L||||||||X", `"dataAbsentReason":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/data-absent-reason","code":"not-performed"}]}`},
	} {
		drafts, faults := mapText(t, header+"OBX|1|"+of.obx+"\r")
		if got := draftOf(t, drafts, "Observation"); !strings.Contains(got, of.want) || faults != nil {
			t.Errorf("%s: %s %v, want %s", of.obx, got, faults, of.want)
		}
	}
}

func TestFaults(t *testing.T) {
	pid := "PID|1||1^^^H1||P^J\r"
	for name, of := range map[string]struct {
		text string
		code hl7.Code
		at   string
	}{
		"no PID":            {"MSH|^~\\&|L|H|||1||ORU^R01|7|P|2.5\rOBR|1||F|X\r", hl7.SegmentSequence, "PID"},
		"no identifier":     {"MSH|^~\\&|L|H|||1||ORU^R01|7|P|2.5\rPID|1\r", hl7.RequiredField, "PID-3"},
		"a wrong CURP":      {"MSH|^~\\&|L|H|||1||ADT^A28|7|P|2.5\rPID|1||PEGJ850315HDFRMN09^^^CURP\r", hl7.DataType, "PID-3"},
		"the CURP of all":   {"MSH|^~\\&|L|H|||1||ADT^A28|7|P|2.5\rPID|1||XXXX999999XXXXXX99^^^CURP\r", hl7.RequiredField, "PID-3"},
		"no OBR":            {"MSH|^~\\&|L|H|||1||ORU^R01|7|P|2.5\r" + pid, hl7.SegmentSequence, "OBR"},
		"OBX before OBR":    {"MSH|^~\\&|L|H|||1||ORU^R01|7|P|2.5\r" + pid + "OBX|1|NM|X||1\r", hl7.SegmentSequence, "OBX"},
		"OBX without code":  {header + "OBX|1|NM|||1\r", hl7.RequiredField, "OBX-3"},
		"no time":           {header + "OBX|1|TS|X||20261399\r", hl7.DataType, "OBX-5"},
		"not base64":        {header + "OBX|1|ED|X||^AP^PDF^Base64^***\r", hl7.DataType, "OBX-5"},
		"an unknown sex":    {"MSH|^~\\&|L|H|||1||ADT^A28|7|P|2.5\rPID|1||1^^^H1||P^J||1980|Q\r", hl7.TableValue, "PID-8"},
		"no visit number":   {"MSH|^~\\&|L|H|||1||ADT^A01|7|P|2.5\r" + pid + "PV1|1|I\r", hl7.RequiredField, "PV1-19"},
		"no MRG":            {"MSH|^~\\&|L|H|||1||ADT^A40|7|P|2.5\r" + pid, hl7.SegmentSequence, "MRG"},
		"merged in itself":  {"MSH|^~\\&|L|H|||1||ADT^A40|7|P|2.5\r" + pid + "MRG|1^^^H1\r", hl7.DuplicateKey, "MRG-1"},
		"another type":      {"MSH|^~\\&|L|H|||1||MDM^T02|7|P|2.5\r" + pid, hl7.UnsupportedMessage, "MSH-9"},
		"another event":     {"MSH|^~\\&|L|H|||1||ADT^A99|7|P|2.5\r" + pid, hl7.UnsupportedEvent, "MSH-9"},
		"another version":   {"MSH|^~\\&|L|H|||1||ADT^A28|7|P|2.8\r" + pid, hl7.UnsupportedVersion, "MSH-12"},
		"another process":   {"MSH|^~\\&|L|H|||1||ADT^A28|7|X|2.5\r" + pid, hl7.UnsupportedProcess, "MSH-11"},
		"without a control": {"MSH|^~\\&|L|H|||1||ADT^A28||P|2.5\r" + pid, hl7.RequiredField, "MSH-10"},
	} {
		drafts, faults := mapText(t, of.text)
		if len(faults) == 0 || faults[0].Code != of.code || faults[0].Path() != of.at || drafts != nil {
			t.Errorf("%s: %v, want code %d at %s", name, faults, of.code, of.at)
		}
	}
}

// TestNumbers: what follows from the sender's own numbers stays, whatever the values are.
func TestNumbers(t *testing.T) {
	ids := func(text string) string {
		drafts, faults := mapText(t, text)
		if faults != nil {
			t.Fatal(faults)
		}
		var out []string
		for _, d := range drafts {
			if d.Way == Put {
				out = append(out, d.Link())
			}
		}
		return strings.Join(out, " ")
	}
	first := ids(header + "OBX|1|NM|A^A^L||1\rOBX|2|NM|B^B^L||2\r")
	if again := ids(strings.Replace(header, "|7|P", "|8|P", 1) + "OBX|1|NM|A^A^L||9||||||C\rOBX|2|NM|B^B^L||8\r"); again != first {
		t.Errorf("a correction goes to %s, not %s", again, first)
	}
	if other := ids(strings.Replace(header, "F1", "F2", 1) + "OBX|1|NM|A^A^L||1\rOBX|2|NM|B^B^L||2\r"); strings.Fields(other)[0] == strings.Fields(first)[0] {
		t.Error("two orders are one")
	}
	if n := len(strings.Fields(ids(header + "OBX|1|NM|A^A^L||1\rOBX|2|NM|A^A^L||2\r"))); n != 4 {
		t.Errorf("the same code twice makes %d resources, want order, report and two observations", n)
	}
	if n := len(strings.Fields(ids(header + "OBX|1|TX|A^A^L||uno\rOBX|2|TX|A^A^L||dos\r"))); n != 3 {
		t.Errorf("two lines of a text make %d resources, want order, report and one observation", n)
	}
	if n := len(strings.Fields(ids(header + header[strings.Index(header, "OBR"):] + header[strings.Index(header, "OBR"):]))); n != 6 {
		t.Errorf("three reports under one number make %d resources, want 6", n)
	}
}

func TestDocuments(t *testing.T) {
	drafts, faults := mapText(t, header+"OBX|1|ED|PDF^Informe^L||^AP^PDF^Base64^JVBERi0xLjQK||||||F\r")
	if faults != nil {
		t.Fatal(faults)
	}
	if b := draftOf(t, drafts, "Binary"); !strings.Contains(b, `"contentType":"application/pdf"`) || !strings.Contains(b, `"data":"JVBERi0xLjQK"`) || !strings.Contains(b, `"securityContext"`) {
		t.Errorf("the content is %s", b)
	}
	for _, typ := range []string{"DocumentReference", "DiagnosticReport"} {
		if d := draftOf(t, drafts, typ); !strings.Contains(d, `"url":"Binary/`) {
			t.Errorf("the %s is %s", typ, d)
		}
	}
	drafts, _ = mapText(t, header+"OBX|1|ED|H^H^L||^TEXT^HTML^A^<script>alert(1)</script>||||||F\r")
	if b := draftOf(t, drafts, "Binary"); !strings.Contains(b, `"contentType":"application/octet-stream"`) {
		t.Errorf("a page is kept as %s", b)
	}
}

func TestDemographics(t *testing.T) {
	drafts, faults := mapText(t, "MSH|^~\\&|L|H|||1||ADT^A31|7|P|2.5\rPID|1||9^^^H1~PEGJ850315HDFRMN04^^^CURP||PEREZ^JUAN^C^^DR^^L|GOMEZ|198503150000|M|||Av 1^Int 2^Puebla^PUE^72000^MEX^H||55^PRN^PH~^NET^Internet^a@b.mx|\"\"|||M||||||||||||20260101|N\r")
	if faults != nil {
		t.Fatal(faults)
	}
	d := drafts[0]
	if d.Way != Merge || d.Identifiers[0] != (Identifier{"urn:oid:2.16.840.1.113883.4.629", "PEGJ850315HDFRMN04"}) || d.Identifiers[1] != (Identifier{"urn:h1", "9"}) {
		t.Errorf("it is found by %v", d.Identifiers)
	}
	for _, want := range []string{
		`"name":[{"use":"official","family":"PEREZ GOMEZ","given":["JUAN","C"],"prefix":["DR"]}]`, `"birthDate":"1985-03-15"`, `"gender":"male"`, `"deceasedBoolean":false`,
		`"telecom":[{"system":"phone","value":"55","use":"home"},{"system":"email","value":"a@b.mx","use":"home"}]`,
		`{"use":"home","line":["Av 1","Int 2"],"city":"Puebla","state":"PUE","postalCode":"72000","country":"MEX"}`,
	} {
		if !strings.Contains(string(d.JSON), want) {
			t.Errorf("%s lacks %s", d.JSON, want)
		}
	}
}

func TestMerged(t *testing.T) {
	for name, of := range map[string]struct{ old, said, clear, want string }{
		"something new":     {`{"a":1}`, `{"b":2}`, "", `{"a":1,"b":2}`},
		"something else":    {`{"a":1,"_a":{"x":1},"c":3}`, `{"a":2}`, "", `{"a":2,"c":3}`},
		"the same":          {`{"a":1,"_a":{"x":1}}`, `{"a":1}`, "", `{"a":1,"_a":{"x":1}}`},
		"nothing any more":  {`{"a":1,"_a":{},"b":2}`, `{"b":2}`, "a", `{"b":2}`},
		"one more number":   {`{"identifier":[{"system":"s","value":"1","use":"old"}]}`, `{"identifier":[{"system":"s","value":"1"},{"system":"t","value":"1"}]}`, "", `{"identifier":[{"system":"s","value":"1","use":"old"},{"system":"t","value":"1"}]}`},
		"the same name":     {`{"name":[{"family":"P","_family":{"x":1},"given":["J"]}]}`, `{"name":[{"use":"usual","family":"P","given":["J"]}]}`, "", `{"name":[{"family":"P","_family":{"x":1},"given":["J"]}]}`},
		"another name":      {`{"name":[{"family":"P","given":["J"]}]}`, `{"name":[{"family":"P","given":["A"]}]}`, "", `{"name":[{"family":"P","given":["A"]}]}`},
		"the end of a stay": {`{"period":{"start":"2026"}}`, `{"period":{"end":"2027"}}`, "", `{"period":{"start":"2026","end":"2027"}}`},
		"a death":           {`{"deceasedBoolean":false}`, `{"deceasedDateTime":"2026"}`, "", `{"deceasedDateTime":"2026"}`},
	} {
		got, err := merged([]byte(of.old), []byte(of.said), strings.Fields(of.clear))
		if err != nil || string(got) != of.want {
			t.Errorf("%s: %s %v, want %s", name, got, err, of.want)
		}
	}
}

func TestAcknowledge(t *testing.T) {
	fault := []*hl7.Error{{Code: hl7.RequiredField, Segment: "PID", Sequence: 1, Field: 3, Text: "missing", Quoted: "a|b"}}
	for _, of := range []struct {
		version, accept, application string
		verdict                      Verdict
		want                         string // codes, joined
		err                          string
	}{
		{"2.5", "", "", Accept, "AA", ""},
		{"2.5", "", "", Fail, "AE", "ERR||PID^1^3|101^Required field missing^HL70357|E|||a\\F\\b|PID-3: missing\r"},
		{"2.3", "", "", Fail, "AE", "ERR|PID^1^3^101&Required field missing&HL70357\r"},
		{"2.5", "", "", Reject, "AR", "ERR||"},
		{"2.5", "AL", "NE", Accept, "CA", ""},
		{"2.5", "AL", "AL", Fail, "CA AE", "ERR||"},
		{"2.5", "NE", "ER", Accept, "", ""},
		{"2.5", "NE", "ER", Fail, "AE", "ERR||"},
		{"2.5", "ER", "NE", Reject, "CR", "ERR||"},
		{"2.5", "SU", "SU", Accept, "CA AA", ""},
	} {
		m, err := hl7.Parse(fmt.Sprintf("MSH|^~\\&|A|B|C|D|1||ADT^A08|x\\T\\y|P|%s|||%s|%s\r", of.version, of.accept, of.application), hl7.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		faults := fault
		if of.verdict == Accept {
			faults = nil
		}
		a := acknowledge(m, &said{verdict: of.verdict, faults: faults, kept: true}, today)
		var codes []string
		text := ""
		for _, b := range a.Messages() {
			sent, err := hl7.Parse(string(b), hl7.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if sent.Get("MSA-2") != "x&y" || sent.Get("MSH-5") != "A" || sent.Get("MSH-3") != "C" || sent.Get("MSH-9.1") != "ACK" {
				t.Errorf("the answer is %q", b)
			}
			codes, text = append(codes, sent.Get("MSA-1")), text+string(b)
		}
		if strings.Join(codes, " ") != of.want || !strings.Contains(text, of.err) {
			t.Errorf("%s %s %s %d: %v %q, want %s", of.version, of.accept, of.application, of.verdict, codes, text, of.want)
		}
	}
}

func TestSenderCheck(t *testing.T) {
	for text, want := range map[string]string{
		`{"name":"a","client":"c"}`: "", `{"name":"A","client":"c"}`: "name", `{"name":"a"}`: "client",
		`{"name":"a","client":"c","zone":"Mars"}`: "zone", `{"name":"a","client":"c","zone":"Local"}`: "zone", `{"name":"a","client":"c","networks":["x"]}`: "network",
		`{"name":"a","client":"c","certificates":["zz"]}`: "certificate", `{"name":"a","client":"c","other":1}`: "unknown field",
	} {
		_, err := ParseSender([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// FuzzMap looks for messages that break the Mapper, or make it write what is no JSON.
func FuzzMap(f *testing.F) {
	for _, s := range []string{
		header + "OBX|1|NM|A^A^L||1\r", header + "OBX|1|ED|A||^^^Base64^AAAA\rNTE|1||x\r", header + "SPM|1|A&B^C&D||BLD^x^y\rOBX|1|SN|A||^^^\r",
		"MSH|^~\\&|L|H|||1||ADT^A40|7|P|2.5\rPID|1||1^^^H1\rMRG|2^^^H1\r", "MSH|^~\\&|L|H|||1||ADT^A01|7|P|2.5\rPID|1||1^^^H1\rPV1|1|I|A^B^C||||D^E||||||||||||V\r",
		header + "OBX|1|ST|\"x\\X22\\||\\\"\x01\r",
	} {
		f.Add(s)
	}
	s := testSender()
	f.Fuzz(func(t *testing.T, text string) {
		m, err := hl7.Parse(text, hl7.Limits{})
		if err != nil {
			return
		}
		drafts, faults := Map(m, s, today)
		for _, d := range drafts {
			if _, err := element.Parse(d.JSON); err != nil && d.Retire == "" {
				t.Fatalf("%s: %v", d.JSON, err)
			}
		}
		a := acknowledge(m, &said{verdict: Fail, faults: faults, kept: true}, today)
		for _, b := range a.Messages() {
			if _, err := hl7.Parse(string(b), hl7.Limits{}); err != nil {
				t.Fatalf("%q: %v", b, err)
			}
		}
	})
}

// BenchmarkMap takes a result of five values apart and maps it.
func BenchmarkMap(b *testing.B) {
	text := header
	for i := range 5 {
		text += fmt.Sprintf("OBX|%d|NM|%d-1^Hemoglobina^LN||13.5|g/dL|12-16|N|||F|||20261120100000\r", i, i)
	}
	s := testSender()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		m, err := hl7.Parse(text, hl7.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		if drafts, faults := Map(m, s, today); len(drafts) != 8 || faults != nil {
			b.Fatal(len(drafts), faults)
		}
	}
}

// TestOrderIDs: what one order has is at neighbouring ids, of which no two are the same,
// and the same message has the same ones.
func TestOrderIDs(t *testing.T) {
	const obx = "OBX|1|NM|A^A^L||1||||||||||||||||I7^H1\rOBX|2|NM|A^A^L||2\rOBX|3|NM|B^B^L||3\r"
	all, _ := mapText(t, header+obx)
	again, _ := mapText(t, header+obx)
	other, _ := mapText(t, strings.Replace(header+obx, "|F1|", "|F2|", 1))
	seen := map[string]bool{}
	for i, d := range all {
		if d.ID != again[i].ID {
			t.Errorf("%s is at %s, and then at %s", d.Type, d.ID, again[i].ID)
		}
		if d.Way != Put {
			continue
		}
		if seen[d.ID] || seen[other[i].ID] {
			t.Errorf("two are at %s or %s", d.ID, other[i].ID)
		}
		seen[d.ID], seen[other[i].ID] = true, true
		if of := all[len(all)-1].ID; d.ID[:13] != of[:13] || other[i].ID[:13] == of[:13] {
			t.Errorf("%s and %s are of one order, %s is not", d.ID, of, other[i].ID)
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d ids", len(seen))
	}
	if first, second := string(all[2].JSON), string(all[3].JSON); !strings.Contains(first, `"identifier":[{"system":"urn:h1","value":"I7"}]`) || strings.Contains(second, `"identifier"`) {
		t.Errorf("the numbers of results: %s %s", first, second)
	}
}
