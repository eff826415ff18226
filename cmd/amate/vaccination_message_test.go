package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/store/storetest"
)

// vxu is a message about doses of a child of the sender VAC.
func vxu(control, patient string, segments ...string) string {
	return "MSH|^~\\&|VAC|DFSSA000001|AMATE|SSA|20261120101500-0600||VXU^V04^VXU_V04|" + control + "|P|2.5.1|||NE|AL|||||Z22^CDCPHINVS\r" +
		"PID|1||" + patient + "^^^H1^MR||GARCÍA^EVA^^^^^L|LUNA^ANA^^^^^M|20260301|F\r" +
		"NK1|1|LUNA^ANA|MTH^Madre^HL70063||^PRN^PH^^^55^55551234\r" + strings.Join(segments, "\r") + "\r"
}

// shotOf is a dose: its number, CVX code, day, source, lot, status and action.
func shotOf(number, cvx, day, source, lot, expiry, end string) string {
	return fmt.Sprintf("ORC|RE||%s^H1\rRXA|0|1|%s||%s^vacuna^CVX|0.5|mL^mL^UCUM||%s^x^NIP001||||||%s|%s|SKB^GlaxoSmithKline^MVX|%s", number, day, cvx, source, lot, expiry, end)
}

const wasGiven = "||CP|A"

// TestVaccinationMessages: doses told of over a socket, with access control, on both
// engines.
func TestVaccinationMessages(t *testing.T) {
	t.Parallel()
	for engine, where := range map[string]func(t *testing.T) []string{
		"sqlite": func(t *testing.T) []string { return []string{"--data", t.TempDir()} },
		"postgres": func(t *testing.T) []string {
			return []string{"--data", t.TempDir(), "--database", storetest.Postgres(t)}
		},
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			at := where(t)
			registerSender(t, at, "vac", everyScope, "tables: {assigners: {H1: 'urn:h1'}}\n")
			registerSender(t, at, "blind", "system/Patient.rs", "tables: {assigners: {H1: 'urn:h1'}}\n")
			c := startClinic(t, at)
			s := vaccinationScene{t, c, c.dial(t), c.token(t, "system")}
			s.told()
			s.refused()
			s.asked()
		})
	}
}

type vaccinationScene struct {
	*testing.T
	c     *clinic
	l     *wire
	token string
}

// ask sends a message and returns its acknowledgment, which has a code and holds texts.
func (s vaccinationScene) ask(code, message string, want ...string) string {
	s.Helper()
	answer := s.l.ask(code, message)
	for _, w := range want {
		if !strings.Contains(answer, w) {
			s.Errorf("the answer lacks %q: %q", w, answer)
		}
	}
	return answer
}

// doses returns the doses of a patient, each as CVX, status and lot.
func (s vaccinationScene) doses(patient string) string {
	s.Helper()
	var all []string
	for _, r := range s.c.found(s.T, s.token, "Immunization?patient.identifier=urn:h1|"+patient+"&_sort=date") {
		code := r["vaccineCode"].(map[string]any)["coding"].([]any)[0].(map[string]any)["code"]
		all = append(all, fmt.Sprint(code, " ", r["status"], " ", r["lotNumber"], " ", r["primarySource"]))
	}
	return strings.Join(all, "; ")
}

func (s vaccinationScene) is(patient, want string) {
	s.Helper()
	if got := s.doses(patient); got != want {
		s.Errorf("%s has %q, want %q", patient, got, want)
	}
}

// told: doses that are new, told again, told by another source, changed and taken back.
func (s vaccinationScene) told() {
	first := vxu("1", "N1", shotOf("D1", "08", "20260302", "00", "HB-1", "20271231", wasGiven)+"\rRXR|IM^Intramuscular^HL70162|LT^Muslo^HL70163",
		shotOf("D2", "19", "20260302", "01", "", "", wasGiven)+"\rOBX|1|CE|64994-7^x^LN|1|V01^No^HL70064||||||F")
	answer := s.ask("AA", first, "|Z23^CDCPHINVS")
	s.is("N1", "08 completed HB-1 true; 19 completed <nil> false")
	if again := s.ask("AA", first); again != answer {
		s.Errorf("the same again: %q after %q", again, answer)
	}
	s.ask("AA", vxu("2", "N1", shotOf("D1", "08", "20260302", "00", "HB-1", "20271231", wasGiven)+"\rRXR|IM^Intramuscular^HL70162|LT^Muslo^HL70163"))
	s.ask("AA", vxu("3", "N1", shotOf("OTHER", "45", "20260302", "01", "", "", wasGiven)), "dose-known")
	s.is("N1", "08 completed HB-1 true; 19 completed <nil> false")
	s.ask("AA", vxu("4", "N1", shotOf("D1", "08", "20260302", "00", "HB-2", "20271231", "||CP|U")))
	s.is("N1", "08 completed HB-2 true; 19 completed <nil> false")
	s.ask("AA", vxu("5", "N1", shotOf("D3", "08", "20260310", "00", "HB-3", "20260309", wasGiven)), "ERR||RXA^1^16", "|W|", "lot-expired")
	s.ask("AA", vxu("5b", "N1", shotOf("D3", "08", "20260310", "00", "HB-3", "20270309", "||CP|U")), "ERR||RXA^1^5", "|W|1^Illogical Date error^HL70533", "too-soon")
	s.ask("AA", vxu("6", "N1", shotOf("D3", "08", "20260310", "00", "HB-3", "20260309", "||CP|D")))
	s.ask("AE", vxu("7", "N1", shotOf("D9", "08", "20260310", "00", "HB-3", "20270309", "||CP|D")), "204^", "dose-unknown")
	s.ask("AA", vxu("8", "N1", "ORC|RE||9999^H1\rRXA|0|1|20260501||20^DTaP^CVX|999"+strings.Repeat("|", 12)+"01^Religión^NIP002||RE|A"))
	s.is("N1", "08 completed HB-2 true; 19 completed <nil> false; 08 entered-in-error HB-3 true; 20 not-done <nil> true")
	s.ask("AA", vxu("9", "N1", "ORC|RE||9999^H1\rRXA|0|1|20260501||998^no^CVX|999"+strings.Repeat("|", 14)+"NA|A\rOBX|1|CE|59784-9^x^LN|1|38907003^Varicela^SCT||||||F|||20260420"))
	if got := len(s.c.found(s.T, s.token, "Observation?code=59784-9")); got != 1 {
		s.Errorf("%d observations of an illness had", got)
	}
}

// refused: what is impossible or cannot be understood is kept, and written once it can be.
func (s vaccinationScene) refused() {
	for control, of := range map[string][]string{
		"r1": {shotOf("E1", "08", "20260228", "00", "L", "20271231", wasGiven), "RXA^1^3", "dose-before-birth"},
		"r2": {shotOf("E2", "08", "20990101", "00", "L", "20991231", wasGiven), "RXA^1^3", "dose-future"},
		"r3": {shotOf("E3", "VAC9", "20260401", "00", "L", "20271231", wasGiven), "RXA^1^5", "103^", "5^Table value not found^HL70533"},
		"r4": {"RXA|0|1|20260401||08^x^CVX|0.5|||00", "RXA^1", "100^"},
		"r5": {"ORC|RE||E5^H1", "ORC^1", "100^"},
		"r6": {strings.Replace(shotOf("E6", "08", "20260401", "77", "L", "", wasGiven), "|CP|", "|XX|", 1), "RXA^1^9", "RXA^1^20"},
		"r7": {strings.Replace(shotOf("", "08", "20260401", "00", "L", "", wasGiven), "^H1", "", 1), "ORC^1^3", "101^"},
	} {
		s.ask("AE", vxu(control, "N2"+control, of[0]), of[1:]...)
		s.is("N2"+control, "")
	}
	s.ask("AR", strings.ReplaceAll(vxu("b1", "N1", shotOf("B1", "08", "20260601", "00", "L", "", wasGiven)), "|VAC|", "|BLIND|"), "may not")
	where := s.c.where
	if got := strings.Count(mustRun(s.T, where, "message", "dead", "list"), "VXU^V04"); got != 9 {
		s.Errorf("%d dead letters, want 9", got)
	}
	file := filepath.Join(s.TempDir(), "vac.yaml")
	text := "name: vac\nclient: vac\nnetworks: [127.0.0.1]\napplications: [{application: VAC}]\n" +
		"tables: {assigners: {H1: 'urn:h1'}, codes: {'VAC9': {system: 'http://hl7.org/fhir/sid/cvx', code: '08'}}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
	mustRun(s.T, where, "message", "sender", "add", file)
	admin := strings.TrimSpace(mustRun(s.T, where, "token", "--role", "administrator", "--purpose", "HSYSADMIN"))
	for end := time.Now().Add(time.Minute); s.doses("N2r3") == "" && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		s.c.post(s.T, s.c.base+"/$message-replay", admin, "application/fhir+json", `{"resourceType":"Parameters"}`)
	}
	s.is("N2r3", "08 completed L true")
}

// qbp is a query by an identifier, a name and a birth date.
func qbp(app, name, patient, who, born, limit string) string {
	return "MSH|^~\\&|" + app + "|DFSSA000001|AMATE|SSA|20261120101500-0600||QBP^Q11^QBP_Q11|q1|P|2.5.1|||NE|AL|||||" + name + "^CDCPHINVS\r" +
		"QPD|" + name + "^Pregunta^CDCPHINVS|t-1|" + patient + "|" + who + "||" + born + "|F\rRCP|I|" + limit + "^RD&Records&HL70126\r"
}

// asked: histories and forecasts, and who is told nothing.
func (s vaccinationScene) asked() {
	const id = "N1^^^H1^MR"
	answer := s.ask("AA", qbp("VAC", "Z34", id, "GARCÍA^EVA", "20260301", "5"), "RSP^K11^RSP_K11", "|Z32^CDCPHINVS\r", "QAK|t-1|OK|Z34^Pregunta^CDCPHINVS|1\r",
		"\rQPD|Z34^", "||GARCÍA LUNA^EVA^^^^^L||20260301|F\r", "|08^", "|HB-2|20271231|SKB^", "|01^Religious exemption^NIP002||RE|A", "RXR|IM^^HL70162|LT^^HL70163")
	if n := strings.Count(answer, "\rRXA|"); n != 3 || strings.Contains(answer, "HB-3") || strings.Contains(answer, "5551234") || strings.Contains(answer, "ANA") {
		s.Errorf("%d doses: %q", n, answer)
	}
	s.ask("AA", qbp("VAC", "Z44", id, "", "", "5"), "|Z42^CDCPHINVS\r", "|OK|", "59781-5^Dose validity^LN|1|Y|", "30979-9^Vaccines due next^LN|", "30980-7^", "30981-5^", "59778-1^",
		"59779-9^Immunization schedule used^LN|1|mx\\F\\", "RXA|0|1|", "998^no vaccine")
	several := s.ask("AA", qbp("VAC", "Z34", "", "GARCÍA^EVA", "20260301", "20"), "|Z31^CDCPHINVS\r", "QAK|t-1|OK|")
	if strings.Count(several, "\rPID|") != 2 || strings.Contains(several, "RXA|") || strings.Contains(several, "H1") && strings.Contains(several, "MR") {
		s.Errorf("several candidates: %q", several)
	}
	s.ask("AA", qbp("VAC", "Z34", "", "GARCÍA^EVA", "20260301", "1"), "|Z33^CDCPHINVS\r", "QAK|t-1|TM|")
	record, _, _ := strings.Cut(strings.SplitN(several, "PID|1||", 2)[1], "^")
	s.ask("AA", qbp("VAC", "Z34", record+"^^^AMATE^SR", "", "", "1"), "|Z32^CDCPHINVS\r", "PID|1||"+record)
	for why, m := range map[string]string{
		"another birth date": qbp("VAC", "Z34", id, "", "20250301", "5"), "an unknown number": qbp("VAC", "Z44", "N999^^^H1^MR", "", "", "5"),
		"an unknown name": qbp("VAC", "Z34", "", "NADIE^JUAN", "20260301", "5"),
	} {
		if answer := s.ask("AA", m, "|Z33^CDCPHINVS\r", "QAK|t-1|NF|"); strings.Contains(answer, "PID|") {
			s.Errorf("%s: %q", why, answer)
		}
	}
	for why, m := range map[string]string{
		"another query": qbp("VAC", "Z99", id, "", "", "5"), "nobody": qbp("VAC", "Z34", "", "", "", "5"), "no number": qbp("VAC", "Z34", id, "", "", "x"),
		"no QPD": strings.Replace(qbp("VAC", "Z34", id, "", "", "5"), "\rQPD", "\rZZZ", 1),
	} {
		if answer := s.ask("AE", m, "|Z33^CDCPHINVS\r", "\rERR||", "\rQAK|", "|AE|"); strings.Contains(answer, "PID|") {
			s.Errorf("%s: %q", why, answer)
		}
	}
	before := strings.Count(mustRun(s.T, s.c.where, "message", "dead", "list"), "QBP^Q11")
	if before != 0 {
		s.Errorf("%d queries are kept", before)
	}
	s.l.send(qbp("BLIND", "Z34", id, "", "", "5"))
	if answer := s.l.answer(); strings.Contains(answer, "PID|") || strings.Contains(answer, "MSA|AA|") {
		s.Errorf("who may see no doses is told %q", answer)
	}
}
