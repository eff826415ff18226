package visit

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/operation"
)

// Message is what is sent to a patient by what means the operator has. It is for nobody
// else: it is kept nowhere, in no resource and no log.
type Message struct {
	Channel  string // "sms" or "email"
	To       string // as the record has it
	Text     string
	Language string // BCP 47
}

// code is the code of a visit that was sent to its patient.
type code struct {
	Digest string
	Until  time.Time
	Wrong  int
	Sent   int // how many were, in this visit
}

// Bounds of codes: of 100,000,000 codes somebody guesses up to 10 a day for a patient, and
// an app up to 50 for all of them.
const (
	codeDigits   = 8
	codeGood     = 15 * time.Minute
	mostWrong    = 5  // guesses of one code
	mostSent     = 3  // codes of one visit
	mostSentDay  = 6  // codes to one patient in a day
	mostWrongDay = 10 // guesses for one patient in a day
	mostWrongApp = 50 // guesses of one app in a day
	tallyKind    = "visit-tally"
	tallied      = 24 * time.Hour
)

// errCode is of a code that is none.
var errCode = fhir.Errorf(fhir.Forbidden, "the code is not the one that was sent last, or is good no more: after %d wrong ones $visit-code sends another", mostWrong)

// CodeCategory is of the Communication that tells that a code was sent, without it.
const CodeCategory = "visit-code"

// code answers Encounter/[id]/$visit-code: sends the patient a code by which they let the
// app see their record in this visit. The app is not told the code.
func (s *Service) code(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := understood(call, "channel"); err != nil {
		return nil, err
	}
	channel, err := call.In.Text("channel")
	switch {
	case err != nil:
		return nil, err
	case channel != "" && channel != "sms" && channel != "email":
		return nil, fhir.Errorf(fhir.Invalid, "the parameter channel is sms or email").With("%.50q", channel)
	case s.Deliver == nil:
		return nil, fhir.Errorf(fhir.NotSupported, "the server sends no messages: the patient signs in, or a professional of the visit checks who they are")
	}
	v, err := s.called(ctx, call)
	if err == nil && !s.isApp(call.Caller) {
		err = fhir.Errorf(fhir.Forbidden, "this is for apps: who signs in has rights of their own")
	}
	if err == nil {
		err = s.open(&v.sheet)
	}
	if err != nil {
		return nil, ended(err)
	}
	to, err := s.contact(ctx, v.Patient, channel)
	if err != nil {
		return nil, err
	}
	if err := s.tally(ctx, "sent/"+v.Patient, mostSentDay, "%d codes were sent to this patient within a day", 1); err != nil {
		return nil, err
	}
	return s.sent(ctx, call, v.Room, to)
}

// sent makes a code and sends it.
func (s *Service) sent(ctx context.Context, call *operation.Call, name string, to *contact) (*operation.Answer, error) {
	text, until := digits(codeDigits), s.Now().UTC().Add(codeGood)
	v, err := s.change(ctx, name, func(v *visit) error {
		if err := s.open(&v.sheet); err != nil {
			return err
		}
		sent := 1
		if v.Code != nil {
			sent += v.Code.Sent
		}
		if sent > mostSent {
			return fhir.Errorf(fhir.Throttled, "%d codes were sent in this visit: a professional of the visit checks who the patient is", mostSent)
		}
		v.Code = &code{Digest: digestOf(v.Room + text), Until: until, Sent: sent}
		c, err := s.notice(v, to)
		v.changes = append(v.changes, c)
		return err
	})
	if err != nil {
		return nil, ended(err)
	}
	m, err := s.message(ctx, v, to, text)
	if err != nil {
		return nil, err
	}
	if err := s.Deliver(ctx, *m); err != nil {
		s.Log.ErrorContext(ctx, "send a code to a patient", "error", err.Error())
		return nil, fhir.Errorf(fhir.Unavailable, "the message to the patient could not be sent: try again, or let a professional of the visit check who they are")
	}
	return &operation.Answer{JSON: compose.Parameters(compose.Part("channel", "Code", to.channel), compose.Part("to", "String", to.masked()), compose.Part("expires", "Instant", stamp(until)))}, nil
}

// message writes what a patient is told with a code: with whom the visit is, and what the
// code opens.
func (s *Service) message(ctx context.Context, v *visit, to *contact, code string) (*Message, error) {
	with := ""
	for _, who := range v.Clinicians {
		if ref, ok := fhir.ParseRef(who); ok {
			if p, _, err := s.person(ctx, ref); err == nil {
				with, _, _ = strings.Cut(p.name, " · ")
				break
			}
		}
	}
	p, _, err := s.person(ctx, fhir.Ref{Type: "Patient", ID: v.Patient})
	if err != nil {
		return nil, err
	}
	minutes, shown := int(codeGood.Minutes()), code[:4]+" "+code[4:]
	text := fmt.Sprintf("%s es su código para la consulta a distancia con %s. Quien lo tenga verá su expediente durante la consulta. Si usted no la pidió, no lo dé a nadie. Vale %d minutos.", shown, with, minutes)
	if strings.HasPrefix(p.language, "en") {
		text = fmt.Sprintf("%s is your code for the visit at a distance with %s. Who has it sees your record during the visit. If you did not ask for one, give it to nobody. It is good for %d minutes.", shown, with, minutes)
	}
	return &Message{Channel: to.channel, To: to.value, Text: text, Language: p.language}, nil
}

// notice makes the Communication that tells that a code was sent, and where to; the code is
// not in it.
func (s *Service) notice(v *visit, to *contact) (bundle.Change, error) {
	return create(s.Maker(v.Base), compose.Object{
		"resourceType": "Communication", "status": "completed",
		"category": []compose.Object{compose.Concept(base+"CodeSystem/communication-category", CodeCategory, "Código para una consulta a distancia")},
		"subject":  compose.Reference(fhir.Ref{Type: "Patient", ID: v.Patient}), "encounter": compose.Reference(fhir.Ref{Type: "Encounter", ID: v.Encounter}),
		"recipient": []compose.Object{compose.Reference(fhir.Ref{Type: "Patient", ID: v.Patient})}, "sent": stamp(s.Now()),
		"payload": []compose.Object{{"contentString": "Se envió un código a " + to.masked()}},
	}, digestOf(random(16))[:32]) // an id that was made of the code would let it be found
}

// redeem takes a code that the patient told. It counts as a wrong one until it is known to
// be right, so that many guesses at once are no more than many one after another.
func (s *Service) redeem(ctx context.Context, call *operation.Call, v *visit, told string) error {
	told = strings.NewReplacer(" ", "", "-", "").Replace(told)
	right, err := s.guessed(ctx, call, v.Patient, func() (bool, error) { return s.taken(ctx, v.Room, told) })
	if err == nil && !right {
		err = errCode
	}
	return err
}

// guessed counts a guess of an app about a patient, unless it is right or nothing was
// compared.
func (s *Service) guessed(ctx context.Context, call *operation.Call, patient string, guess func() (bool, error)) (right bool, err error) {
	const refusal = "%d wrong codes were told within a day"
	keys := []struct {
		name string
		most int
	}{{"wrong/" + patient, mostWrongDay}, {"wrong-app/" + App(call.Caller), mostWrongApp}}
	counted := 0
	for _, key := range keys {
		if err = s.tally(ctx, key.name, key.most, refusal, 1); err != nil {
			break
		}
		counted++
	}
	if err == nil {
		if right, err = guess(); err == nil && !right {
			return false, nil
		}
	}
	for _, key := range keys[:counted] {
		if lost := s.tally(ctx, key.name, 1<<30, refusal, -1); err == nil {
			err = lost
		}
	}
	return right, err
}

// taken reports whether a code is the one of a visit, which is proved by it then.
func (s *Service) taken(ctx context.Context, name, told string) (right bool, err error) {
	fresh := false
	v, err := s.change(ctx, name, func(v *visit) error {
		right, fresh = false, false
		if err := s.admissible(ctx, &v.sheet, &seat{}); err != nil {
			return err
		}
		c := v.Code
		if c == nil || c.Digest == "" || !s.Now().Before(c.Until) {
			return errCode
		}
		if right = same(c.Digest, digestOf(v.Room+told)); right {
			c.Digest = "" // it is good once
			if fresh = !v.counts(v.Proof); fresh {
				v.Proof = &proof{Patient: v.Patient, How: byCode, At: s.Now().UTC()}
			}
			return nil
		}
		if c.Wrong++; c.Wrong >= mostWrong {
			c.Digest = ""
		}
		return nil
	})
	if err == nil && fresh {
		err = s.witness(ctx, v)
	}
	return right, err
}

// tally counts what is done too often for a day from the first time on; by is negative to
// take something back. Errors: fhir.Throttled once it was done so often as most.
func (s *Service) tally(ctx context.Context, key string, most int, refusal string, by int) error {
	for try := 1; ; try++ {
		e, err := s.Store.Entry(ctx, tallyKind, key)
		if err != nil && fhir.CodeOf(err) != fhir.NotFound {
			return err
		}
		n := 0
		if err == nil {
			if err := json.Unmarshal(e.Value, &n); err != nil {
				return err
			}
		} else {
			e = fhir.Entry{Kind: tallyKind, Key: key, Expires: s.Now().Add(tallied)}
		}
		if by > 0 && n >= most {
			return fhir.Errorf(fhir.Throttled, refusal, n)
		}
		e.Value = fmt.Append(nil, max(0, n+by))
		err = s.Store.Put(ctx, e)
		if fhir.CodeOf(err) != fhir.Conflict || try == mostTries {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
}

// digits returns n random digits.
func digits(n int) string {
	most := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	v, _ := rand.Int(rand.Reader, most) // never fails
	return fmt.Sprintf("%0*d", n, v)
}
