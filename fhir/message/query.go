package message

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/message/hl7"
)

// Reply answers a query by parameter, QBP. What it says is kept nowhere, and neither is
// the query: who asks again is told what holds then.
//
// See section 5.3 of https://www.hl7.eu/HL7v2x/v251/std251/ch05.html.
type Reply struct {
	Status  string // of table 0208: OK, NF for nothing found, TM for too many, AE, AR
	Profile string // MSH-21
	Hits    int    // records found
	Body    []byte // the segments after QPD
	Notes   []*hl7.Error
}

// isQuery reports whether a message is a query by parameter.
func isQuery(msg *hl7.Message) bool {
	return msg != nil && msg.First("MSH").Field(9).Text(1) == "QBP"
}

// responseOf returns the type of the response to a query: that to Q11 is K11.
func responseOf(trigger string) string {
	trigger = "K" + hl7.Usual.Escaped(strings.TrimPrefix(trigger, "Q"))
	return "RSP^" + trigger + "^RSP_" + trigger
}

// respond writes the segments that a response has besides an acknowledgment: QAK, the QPD
// of the query, and what was found.
func respond(w *hl7.Writer, msg *hl7.Message, code string, r *Reply) {
	qpd := msg.First("QPD")
	status, hits := code, ""
	if r != nil {
		status = r.Status
		hits = strconv.Itoa(r.Hits)
	}
	var name []string
	for i := 1; i <= 3; i++ {
		name = append(name, hl7.Usual.Escaped(qpd.Field(1).Text(i)))
	}
	w.Segment("QAK", hl7.Usual.Escaped(qpd.Field(2).Text(1)), status, strings.TrimRight(strings.Join(name, "^"), "^"), hits)
	if qpd != nil {
		w.Append(qpd.AppendTo(nil, &hl7.Usual))
	}
	if r != nil {
		w.Append(r.Body)
	}
}

// reply answers the query of u.
func (p *Processor) reply(ctx context.Context, u *unit) {
	if u.verdict != Accept {
		return
	}
	r, err := u.kind.Answer(ctx, u.mapped, p.API)
	if err == nil && len(u.mapped.faults) > 0 {
		u.fail(Fail, u.mapped.faults...)
		return
	}
	var known *fhir.Error
	switch {
	case err == nil:
		u.answer = acknowledge(u.msg, &said{verdict: Accept, faults: append(u.mapped.warned, r.Notes...), kept: true, reply: r}, p.Now())
	case errors.As(err, &known) && (known.Code == fhir.Forbidden || known.Code == fhir.LoginRequired):
		u.fail(Reject, &hl7.Error{Code: hl7.Internal, Text: "the sender may not ask this: " + known.Error()})
	case errors.As(err, &known):
		u.fail(Fail, &hl7.Error{Code: hl7.Internal, Text: "the question cannot be answered: " + known.Error()})
	default:
		p.Log.Error("answer a query", "sender", u.sender.Name, "error", err)
		u.fail(Fail, &hl7.Error{Code: hl7.Internal, Text: "the server could not answer; try again"})
	}
}
