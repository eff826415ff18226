package message

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/message/hl7"
)

// Letter is a message that could not be written, as it is kept. It holds patient data.
type Letter struct {
	ID       string    `json:"id"`
	Sender   string    `json:"sender"`
	Client   string    `json:"client"`
	Control  string    `json:"control"`
	Kind     string    `json:"kind"` // ORU^R01
	Received time.Time `json:"received"`
	Tried    int       `json:"tried"`
	Rejected bool      `json:"rejected,omitempty"`
	Code     hl7.Code  `json:"code"`
	Place    string    `json:"place,omitempty"`   // PID-3
	Why      string    `json:"why"`               // holds nothing of the message
	Patient  string    `json:"patient,omitempty"` // the same for messages about the same patient; tells nothing of them
	Content  []byte    `json:"content"`
}

const letterKind = "dead-letter"

// maxLetters is how many dead letters are listed and replayed at a time.
const maxLetters = 10_000

// letterID names the letter of a message: the same message again has the same one.
func letterID(sender, control string, digest []byte) string {
	if control != "" {
		digest = nil
	}
	return idOf("letter", sender, control, string(digest))
}

// keep stores a letter, in place of an older one of the same message.
func (p *Processor) keep(ctx context.Context, l *Letter) error {
	for try := 0; ; try++ {
		old, err := p.State.Entry(ctx, letterKind, l.ID)
		if err != nil && fhir.CodeOf(err) != fhir.NotFound {
			return err
		}
		if err == nil {
			var before Letter
			if json.Unmarshal(old.Value, &before) == nil {
				l.Received, l.Tried = before.Received, before.Tried+1
			}
		}
		value, err := json.Marshal(l)
		if err != nil {
			return err
		}
		err = p.State.Put(ctx, fhir.Entry{
			Kind: letterKind, Key: l.ID, Group: l.Sender, Version: old.Version, Expires: l.Received.Add(p.Keep), Value: value,
		})
		if fhir.CodeOf(err) != fhir.Conflict || try == 3 {
			return err
		}
	}
}

// Letters are the messages that could not be written.
type Letters struct{ State State }

// lettersPage is how many letters are in memory at a time, with what they hold: a message
// may have several megabytes.
const lettersPage = 10

// List returns the dead letters of a sender, of all for "", the oldest first and at most
// maxLetters, without their Content.
func (l *Letters) List(ctx context.Context, sender string) ([]Letter, error) {
	var all []Letter
	err := l.each(ctx, sender, func(one *Letter) bool {
		one.Content = nil
		all = append(all, *one)
		return len(all) < maxLetters
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b Letter) int { return cmp.Or(a.Received.Compare(b.Received), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// each calls f for the dead letters of a sender, of all for "", until it returns false.
func (l *Letters) each(ctx context.Context, sender string, f func(*Letter) bool) error {
	for after := ""; ; {
		entries, err := l.State.Entries(ctx, letterKind, sender, after, lettersPage)
		if err != nil {
			return err
		}
		for _, e := range entries {
			after = e.Key
			var one Letter
			if err := json.Unmarshal(e.Value, &one); err != nil {
				return err
			}
			if !f(&one) {
				return nil
			}
		}
		if len(entries) < lettersPage {
			return nil
		}
	}
}

// Of returns the ids of the dead letters, of any sender, about a patient who has these
// numbers: values of identifiers. Of a message that could not be read nobody knows whom it
// is about.
func (l *Letters) Of(ctx context.Context, numbers []string) (ids []string, err error) {
	if len(numbers) == 0 {
		return nil, nil
	}
	err = l.each(ctx, "", func(one *Letter) bool {
		if slices.ContainsFunc(numbers, func(n string) bool { return one.Patient == patientOf(one.Sender, n) }) {
			ids = append(ids, one.ID)
		}
		return true
	})
	return ids, err
}

// patientOf is what stands for a patient in the letters of a sender.
func patientOf(sender, number string) string { return idOf("patient", sender, number) }

// Get returns one dead letter. Errors: fhir.NotFound.
func (l *Letters) Get(ctx context.Context, id string) (*Letter, error) {
	e, err := l.State.Entry(ctx, letterKind, id)
	if err != nil {
		return nil, err
	}
	one := new(Letter)
	return one, json.Unmarshal(e.Value, one)
}

// Drop removes a dead letter. Errors: fhir.NotFound.
func (l *Letters) Drop(ctx context.Context, id string) error {
	if _, err := l.State.Entry(ctx, letterKind, id); err != nil {
		return err
	}
	return l.State.Remove(ctx, letterKind, id, 0)
}

// Replayed says what became of a dead letter.
type Replayed struct {
	Letter Letter
	State  string // "written", "arrived" when the sender has sent it again meanwhile, or it is not kept any more, "failed", "held" behind one of the same patient that failed
	Why    string // of "failed"
}

// Replay tries dead letters again, the oldest first: those of ids, or all of a sender, or
// all. Of a patient none overtakes another: when one fails, those after it are held.
func (p *Processor) Replay(ctx context.Context, sender string, ids []string) ([]Replayed, error) {
	letters, err := (&Letters{p.State}).List(ctx, sender)
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	var out []Replayed
	held := map[string]bool{}
	for i := range letters {
		l := &letters[i]
		if len(ids) > 0 && !wanted[l.ID] {
			held[l.Patient] = held[l.Patient] || l.Patient != "" // it stays, and those after it wait for it
			continue
		}
		delete(wanted, l.ID)
		if held[l.Patient] && l.Patient != "" {
			out = append(out, Replayed{Letter: *l, State: "held"})
			continue
		}
		r, err := p.replay(ctx, l)
		if err != nil {
			return out, err
		}
		if r.State == "failed" {
			held[l.Patient] = true
		}
		out = append(out, r)
	}
	for range wanted {
		return out, fhir.Errorf(fhir.NotFound, "there is no such dead letter")
	}
	return out, nil
}

func (p *Processor) replay(ctx context.Context, l *Letter) (Replayed, error) {
	r := Replayed{Letter: *l, State: "written"}
	whole, err := (&Letters{p.State}).Get(ctx, l.ID)
	if fhir.CodeOf(err) == fhir.NotFound { // dropped, or tried by another server, meanwhile
		r.State = "arrived"
		return r, nil
	}
	if err != nil {
		return r, err
	}
	l = whole
	s := p.Senders.named(l.Sender)
	if s == nil {
		s = &Sender{Name: l.Sender, Client: l.Client}
	}
	as, err := p.As(ctx, s.Client)
	if err != nil {
		r.State, r.Why = "failed", err.Error()
		return r, nil
	}
	u := p.open(as, Incoming{Raw: l.Content, Sender: func(string, string) (*Sender, error) { return s, nil }, Group: "replay " + s.Client})
	u.replay = l
	answer, err := p.submit(ctx, u).Wait(ctx)
	if err == nil && answer.Verdict == Accept {
		err = p.mark(ctx, u)
	}
	if err != nil {
		return r, err
	}
	switch {
	case answer.Verdict != Accept:
		r.State, r.Why = "failed", u.why()
		return r, nil
	case answer.Again:
		r.State = "arrived"
	}
	return r, p.State.Remove(ctx, letterKind, l.ID, 0)
}

// markKind is of entries that say of a resource which dead letter wrote it.
const markKind = "message-replayed"

type mark struct {
	Received time.Time // when the letter had come
	Wrote    time.Time // not before it was written
}

// mark notes what a letter has written, so that a later letter may go over it.
func (p *Processor) mark(ctx context.Context, u *unit) error {
	value, err := json.Marshal(mark{u.replay.Received, p.Now()})
	if err != nil {
		return err
	}
	for ref := range u.wrote {
		old, err := p.State.Entry(ctx, markKind, ref)
		if err != nil && fhir.CodeOf(err) != fhir.NotFound {
			return err
		}
		err = p.State.Put(ctx, fhir.Entry{Kind: markKind, Key: ref, Version: old.Version, Value: value, Expires: p.Now().Add(p.Keep)})
		if err != nil && fhir.CodeOf(err) != fhir.Conflict {
			return err
		}
	}
	return nil
}

// overtaken reports whether a resource was written after the message of u had come, by
// something that is not a letter before it.
func (p *Processor) overtaken(ctx context.Context, u *unit, s *stored) (bool, error) {
	if !s.updated.After(u.replay.Received) {
		return false, nil
	}
	e, err := p.State.Entry(ctx, markKind, s.ref.Current().String())
	if fhir.CodeOf(err) == fhir.NotFound {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	var m mark
	if err := json.Unmarshal(e.Value, &m); err != nil {
		return false, err
	}
	return s.updated.After(m.Wrote) || m.Received.After(u.replay.Received), nil
}

// requestKind is of entries by which a command asks the servers to try letters again.
const requestKind = "message-replay"

// Ask asks a server of the same database to try letters again: those of ids, or all of a
// sender, or all. It does not wait for it.
func (l *Letters) Ask(ctx context.Context, sender string, ids []string) error {
	value, err := json.Marshal(request{sender, ids})
	if err != nil {
		return err
	}
	return l.State.Put(ctx, fhir.Entry{
		Kind: requestKind, Key: strconv.FormatInt(time.Now().UnixNano(), 16), Value: value, Expires: time.Now().Add(time.Hour),
	})
}

type request struct {
	Sender string
	IDs    []string
}

// requested does what commands ask for.
func (p *Processor) requested(ctx context.Context) error {
	entries, err := p.State.Entries(ctx, requestKind, "", "", 100)
	if err != nil {
		return err
	}
	for _, e := range entries {
		var r request
		if err := json.Unmarshal(e.Value, &r); err != nil {
			return err
		}
		if err := p.State.Remove(ctx, requestKind, e.Key, e.Version); err != nil {
			if fhir.CodeOf(err) == fhir.Conflict {
				continue // another server does it
			}
			return err
		}
		if _, err := p.Replay(ctx, r.Sender, r.IDs); err != nil && fhir.CodeOf(err) != fhir.NotFound {
			return err
		}
	}
	return nil
}
