package message

import (
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/message/hl7"
)

// Verdict is what became of a message.
type Verdict uint8

// The verdicts.
const (
	Accept Verdict = iota // it is written
	Fail                  // it is kept as a dead letter
	Reject                // likewise; it was not meant for this system, or its sender may not do this
)

// Answer is what goes back to the sender: nothing, a commit acknowledgment, an
// application acknowledgment, or both.
type Answer struct {
	Verdict     Verdict
	Commit      []byte // CA, CE or CR; nil where the sender wants none
	Application []byte // AA, AE or AR; likewise
	Control     string // MSH-10 of the message
	Again       bool   // it was answered before
}

// joint parts the two acknowledgments in a receipt. It ends a frame, so that no message has it.
const joint = "\x1c"

func (a *Answer) stored() []byte {
	return []byte(string(a.Commit) + joint + string(a.Application))
}

func storedAnswer(b []byte) Answer {
	commit, application, _ := strings.Cut(string(b), joint)
	a := Answer{Again: true}
	if commit != "" {
		a.Commit = []byte(commit)
	}
	if application != "" {
		a.Application = []byte(application)
	}
	return a
}

// Messages returns the acknowledgments, in order.
func (a *Answer) Messages() [][]byte {
	var all [][]byte
	for _, m := range [][]byte{a.Commit, a.Application} {
		if m != nil {
			all = append(all, m)
		}
	}
	return all
}

// said is what an acknowledgment says of a message.
type said struct {
	verdict Verdict
	faults  []*hl7.Error // and warnings
	kept    bool         // it is safe here
	profile string       // of MSH-21
	reply   *Reply       // of a query that was answered
}

// acknowledge makes the answer to u.
func (u *unit) acknowledge(kept bool, now time.Time) Answer {
	s := said{verdict: u.verdict, faults: u.faults, kept: kept, profile: u.kind.Profile}
	if u.mapped != nil {
		s.faults = append(s.faults[:len(s.faults):len(s.faults)], u.mapped.warned...)
	}
	return acknowledge(u.msg, &s, now)
}

// acknowledge makes the answer to msg, which is nil where it could not be read.
//
// See section 2.9 of https://www.hl7.eu/HL7v2x/v251/std251/ch02.html.
func acknowledge(msg *hl7.Message, s *said, now time.Time) Answer {
	verdict := s.verdict
	a := Answer{Verdict: verdict}
	var msh *hl7.Segment
	if msg != nil {
		msh = msg.First("MSH")
	}
	a.Control = msh.Field(10).Raw
	accept, application := msh.Field(15).Text(1), msh.Field(16).Text(1)
	code := [...]string{Accept: "AA", Fail: "AE", Reject: "AR"}[verdict]
	if accept == "" && application == "" { // the original mode
		a.Application = ack(msg, code, s, now)
		return a
	}
	commit := "CA"
	switch {
	case verdict == Reject:
		commit = "CR"
	case !s.kept:
		commit = "CE"
	}
	if commit == "CA" && wanted(accept, true) { // whatever comes of it
		a.Commit = ack(msg, commit, &said{}, now)
	} else if wanted(accept, false) && commit != "CA" {
		a.Commit = ack(msg, commit, &said{faults: s.faults}, now)
	}
	if wanted(application, verdict == Accept) {
		a.Application = ack(msg, code, s, now)
	}
	return a
}

// wanted reads table 0155.
func wanted(condition string, success bool) bool {
	switch condition {
	case "AL":
		return true
	case "ER":
		return !success
	case "SU":
		return success
	}
	return false
}

// ack writes one acknowledgment. That of an application to a query is a response.
func ack(msg *hl7.Message, code string, s *said, now time.Time) []byte {
	var msh *hl7.Segment
	if msg != nil {
		msh = msg.First("MSH")
	}
	faults, responds := s.faults, isQuery(msg) && code[0] == 'A'
	from := func(n int) string { // their encoding characters may be others
		var parts []string
		for i := 1; i <= 3; i++ {
			parts = append(parts, hl7.Usual.Escaped(msh.Field(n).Text(i)))
		}
		return strings.TrimRight(strings.Join(parts, "^"), "^")
	}
	version := msh.Field(12).Text(1)
	if version == "" {
		version = "2.5"
	}
	process := msh.Field(11).Text(1)
	if process == "" {
		process = "P"
	}
	kind := "ACK"
	if trigger := msh.Field(9).Text(2); trigger != "" {
		kind = "ACK^" + hl7.Usual.Escaped(trigger)
		if version >= "2.4" {
			kind += "^ACK"
		}
	}
	profile := s.profile
	if responds {
		kind = responseOf(msh.Field(9).Text(2))
		if s.reply != nil {
			profile = s.reply.Profile
		}
	}
	control := msh.Field(10).Whole()
	id := idOf("ack", msh.Field(3).Raw, msh.Field(4).Raw, control, code)
	charset := msh.Field(18).Text(1)
	var w hl7.Writer
	w.Segment("MSH", from(5), from(6), from(3), from(4), now.Format("20060102150405.000-0700"), "", kind, strings.ReplaceAll(id, "-", "")[:20],
		hl7.Usual.Escaped(process), hl7.Usual.Escaped(version), "", "", "", "", "", hl7.Usual.Escaped(charset), "", "", profile)
	text := ""
	if len(faults) > 0 && code != "AA" {
		text = hl7.Usual.Escaped(short(faults[0].Error(), 80))
	}
	w.Segment("MSA", code, hl7.Usual.Escaped(control), text)
	for i, f := range faults {
		if i == maxFaults {
			break
		}
		errSegment(&w, f, version)
	}
	if responds {
		respond(&w, msg, code, s.reply)
	}
	return hl7.Encode(string(w.Bytes()), charset)
}

// maxFaults is how many faults one answer tells.
const maxFaults = 20

// errSegment writes an ERR: the one of 2.5, or before that the one that says all in its
// first field.
func errSegment(w *hl7.Writer, f *hl7.Error, version string) {
	number := strconv.Itoa(int(f.Code))
	if version < "2.5" {
		place := f.ERL()
		parts := strings.Split(place, "^")
		w.Segment("ERR", strings.Join(append(parts[:min(len(parts), 3)], make([]string, 3-min(len(parts), 3))...), "^")+"^"+
			number+"&"+f.Code.String()+"&HL70357")
		return
	}
	application, severity := "", "E"
	if f.Application > 0 {
		application = strconv.Itoa(int(f.Application)) + "^" + f.Application.String() + "^HL70533"
	}
	if f.Severity != "" {
		severity = string(f.Severity)
	}
	w.Segment("ERR", "", f.ERL(), number+"^"+f.Code.String()+"^HL70357", severity, application, "", hl7.Usual.Escaped(f.Quoted), hl7.Usual.Escaped(f.Error()))
}

// short returns the first n runes of s.
func short(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}
