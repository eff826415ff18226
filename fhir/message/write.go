package message

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/message/hl7"
	"github.com/amate-health/amate/fhir/rest"
)

// write writes units, each as a whole or not at all: as many as can in one transaction.
func (p *Processor) write(ctx context.Context, units []*unit) {
	var open []*unit
	for _, u := range units {
		if u.verdict == Accept {
			open = append(open, u)
		}
	}
	for tries := 0; len(open) > 0; {
		n, err := p.together(ctx, open)
		if err == nil {
			open, tries = open[n:], 0
			continue
		}
		if moved(err) && tries < mostTries { // somebody else was faster: what they did is looked up anew
			tries++
			if fhir.CodeOf(err) == fhir.MultipleMatches { // time seldom heals it
				tries++
			} else {
				pause(ctx, tries)
			}
			continue
		}
		if n > 1 { // the one at fault is in one of the halves
			p.write(ctx, open[:n/2])
			p.write(ctx, open[n/2:n])
		} else {
			p.refused(open[0], err)
		}
		open, tries = open[n:], 0
	}
}

// mostTries is how often messages are written again that meet other writers.
const mostTries = 10

// pause waits a little, not everybody as long: on a busy machine who was faster needs time
// to be done.
func pause(ctx context.Context, tries int) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(1+rand.IntN(8*tries)) * time.Millisecond):
	}
}

// moved reports whether a write failed since something else changed meanwhile.
func moved(err error) bool {
	code := fhir.CodeOf(err)
	return code == fhir.Stale || code == fhir.Conflict || code == fhir.MultipleMatches
}

// together writes the first units that fit into one transaction, and returns how many
// those are. Units that turn out to be at fault are told so, and are not written.
func (p *Processor) together(ctx context.Context, units []*unit) (int, error) {
	defer func() {
		for _, u := range units {
			if u.release != nil {
				u.release()
				u.release = nil
			}
		}
	}()
	found, err := p.resolve(ctx, units)
	if err != nil {
		return len(units), err
	}
	t := &transaction{written: map[string]bool{}, made: map[string]string{}, found: found}
	t.b = append(t.b, `{"resourceType":"Bundle","type":"transaction","entry":[`...)
	n := 0
	for ; n < len(units); n++ {
		fits, err := p.add(ctx, t, units[n])
		if err != nil {
			if n == 0 {
				return 1, err
			}
			break
		}
		if !fits {
			break
		}
	}
	if t.entries == 0 {
		return n, nil
	}
	t.b = append(t.b, "]}"...)
	resp, err := p.API.Do(ctx, &rest.Request{Interaction: rest.Batch, Body: t.b, Prefer: rest.Prefer{Return: "minimal"}})
	if err != nil {
		return n, err
	}
	p.written(ctx, units[:n], t, resp.Body)
	return n, nil
}

// transaction is a Bundle that is being put together from several messages.
type transaction struct {
	b       []byte
	entries int
	written map[string]bool   // references that it writes
	made    map[string]string // "Type|system|value" of what it creates -> link of the draft
	found   *lookups
	fresh   []*Draft // created under conditions, with the entry that does it
	at      []int
	retired [][2]string // prior and survivor
}

// entry is one write of a transaction.
type entry struct {
	draft *Draft
	json  []byte
	ref   string // what it writes; "" to create
	match int64  // the version that must be current
}

// add adds what a unit writes, and reports whether it fitted: a resource is written once
// in a transaction. A unit at fault adds nothing, and fits.
func (p *Processor) add(ctx context.Context, t *transaction, u *unit) (bool, error) {
	links := map[string]string{}
	var entries []entry
	for i := range u.drafts {
		e, fault, err := p.entry(ctx, t, u, &u.drafts[i], links)
		if err != nil {
			return false, err
		}
		if fault != nil {
			u.fail(Fail, fault)
			return true, nil
		}
		if e != nil {
			entries = append(entries, *e)
		}
	}
	if u.mapped != nil && u.mapped.later != nil {
		more, fault, err := p.late(ctx, t, u, entries, links)
		if err != nil {
			return false, err
		}
		if fault != nil {
			u.fail(Fail, fault...)
			return true, nil
		}
		entries = append(entries, more...)
	}
	for _, e := range entries {
		if e.ref != "" && t.written[e.ref] {
			return false, nil
		}
		for _, id := range e.draft.Identifiers {
			by, ok := t.made[e.draft.Type+"|"+id.criterion()]
			if e.ref == "" && ok && (by != e.draft.Link() || e.draft.Way == Merge) {
				return false, nil
			}
		}
	}
	replace := replacer(links)
	for _, e := range entries {
		t.add(&e, replace)
	}
	return true, nil
}

// replacer puts references in the place of links; nil when there are none.
func replacer(links map[string]string) *strings.Replacer {
	if len(links) == 0 {
		return nil
	}
	var pairs []string
	for link, ref := range links {
		pairs = append(pairs, `"`+link+`"`, `"`+ref+`"`)
	}
	return strings.NewReplacer(pairs...)
}

// entry decides what becomes of a draft: nil where there is nothing to write. Where a
// draft stands for something that is stored, links says so.
func (p *Processor) entry(ctx context.Context, t *transaction, u *unit, d *Draft, links map[string]string) (*entry, *hl7.Error, error) {
	if d.Way == Prefer {
		if ref := t.found.preferred(d, links); ref != "" {
			links[d.Link()] = ref
			return nil, nil, nil
		}
	}
	if d.Way == Put || d.Way == Prefer {
		if u.replay != nil {
			newer, err := p.newer(ctx, u, d)
			if err != nil || newer {
				return nil, nil, err
			}
		}
		return &entry{draft: d, json: d.JSON, ref: d.Link(), match: d.Version}, nil, nil
	}
	if ref := t.found.known[d.Link()]; ref != "" {
		links[d.Link()] = ref
		return nil, nil, nil
	}
	one, fault, err := p.match(ctx, d, t.found)
	if fault != nil || err != nil {
		return nil, fault, err
	}
	if one == nil {
		if d.Known {
			return nil, &hl7.Error{Code: hl7.UnknownKey, Segment: "MRG", Sequence: 1, Field: 1, Text: "no patient has these identifiers"}, nil
		}
		return &entry{draft: d, json: d.JSON}, nil, nil
	}
	ref := one.ref.Current().String()
	links[d.Link()] = ref
	p.cache.put(u.Group, d, ref)
	if d.Way == Ensure {
		return nil, nil, nil
	}
	if u.replay != nil { // nothing of it goes over what came after it
		if newer, err := p.overtaken(ctx, u, one); err != nil || newer {
			return nil, nil, err
		}
	}
	e := &entry{draft: d, ref: ref, match: one.ref.Version}
	if d.Retire == "" {
		e.json, err = merged(one.json, d.JSON, d.Clear)
		return e, nil, err
	}
	survivor := links[d.Retire]
	if survivor == "" {
		survivor = d.Retire
	}
	if survivor == ref {
		return nil, nil, nil // they are one already
	}
	t.retired = append(t.retired, [2]string{ref, survivor})
	e.json, err = retired(one.json, survivor)
	return e, nil, err
}

// newer reports whether what d would write was written after the message had come, which
// is tried again only now.
func (p *Processor) newer(ctx context.Context, u *unit, d *Draft) (bool, error) {
	now, err := p.read(ctx, d.Link())
	switch fhir.CodeOf(err) {
	case fhir.NotFound:
		return false, nil
	case fhir.Gone:
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return p.overtaken(ctx, u, now)
}

// add appends an entry.
func (t *transaction) add(e *entry, replace *strings.Replacer) {
	link := e.draft.Link()
	if e.ref == "" {
		for _, id := range e.draft.Identifiers {
			if t.made[e.draft.Type+"|"+id.criterion()] == link {
				return // another message of the transaction makes it
			}
		}
		for _, id := range e.draft.Identifiers {
			t.made[e.draft.Type+"|"+id.criterion()] = link
		}
		t.fresh, t.at = append(t.fresh, e.draft), append(t.at, t.entries)
	} else {
		t.written[e.ref] = true
	}
	if t.entries > 0 {
		t.b = append(t.b, ',')
	}
	t.entries++
	t.b = append(t.b, '{')
	if e.ref == "" {
		t.b = append(append(append(t.b, `"fullUrl":"`...), link...), `",`...)
	}
	t.b = append(t.b, `"resource":`...)
	if replace != nil {
		t.b = append(t.b, replace.Replace(string(e.json))...)
	} else {
		t.b = append(t.b, e.json...)
	}
	t.b = append(t.b, `,"request":{"method":"`...)
	if e.ref != "" {
		t.b = append(append(append(t.b, `PUT","url":"`...), e.ref...), '"')
		if e.match > 0 {
			t.b = append(strconv.AppendInt(append(t.b, `,"ifMatch":"W/\"`...), e.match, 10), `\""`...)
		}
	} else {
		t.b = append(append(append(t.b, `POST","url":"`...), e.draft.Type...), `","ifNoneExist":`...)
		t.b = element.Quote(t.b, "identifier="+queryText(e.draft.Identifiers[0].criterion()))
	}
	t.b = append(t.b, "}}"...)
}

// queryText escapes a value of a query string.
func queryText(s string) string {
	return strings.NewReplacer("%", "%25", "+", "%2B", "&", "%26", "#", "%23", " ", "%20", ";", "%3B").Replace(s)
}

// written remembers what a transaction made, and tells of patients who were merged.
func (p *Processor) written(ctx context.Context, units []*unit, t *transaction, answer []byte) {
	for _, u := range units {
		if u.replay != nil {
			u.wrote = t.written
		}
	}
	for _, pair := range t.retired {
		if p.Merged != nil {
			p.Merged(ctx, pair[0], pair[1])
		}
	}
	if len(t.fresh) == 0 {
		return
	}
	d, err := element.Parse(answer)
	if err != nil {
		return
	}
	var locations []string
	list := d.Get(0, "entry")
	for e := d.First(list); e != element.None; e = d.Next(list, e) {
		locations = append(locations, textAt(d, d.Get(e, "response"), "location"))
	}
	for i, draft := range t.fresh {
		if at := t.at[i]; at < len(locations) {
			parts := strings.Split(locations[at], "/")
			for j, part := range parts {
				if part == draft.Type && j+1 < len(parts) {
					p.cache.put(units[0].Group, draft, draft.Type+"/"+parts[j+1])
					t.written[draft.Type+"/"+parts[j+1]] = true
				}
			}
		}
	}
}

// refused tells a unit why it could not be written.
func (p *Processor) refused(u *unit, err error) {
	var known *fhir.Error
	var own *hl7.Error
	if errors.As(err, &own) {
		u.fail(Fail, own)
		return
	}
	if !errors.As(err, &known) {
		p.Log.Error("write a message", "sender", u.sender.Name, "error", err)
		u.passing = u.replay == nil
		u.fail(Fail, &hl7.Error{Code: hl7.Internal, Text: "the server could not write this message"})
		return
	}
	bad := &hl7.Error{Code: hl7.DataType, Text: "what the message says cannot be stored: " + known.Error()}
	verdict := Fail
	switch known.Code {
	case fhir.Forbidden, fhir.LoginRequired:
		verdict = Reject
		bad = &hl7.Error{Code: hl7.Internal, Text: "the sender may not write this: " + known.Error()}
	case fhir.Throttled, fhir.Unavailable:
		u.passing = u.replay == nil
		bad = &hl7.Error{Code: hl7.Internal, Text: "the server cannot write now; try again"}
	case fhir.Conflict, fhir.Stale:
		bad = &hl7.Error{Code: hl7.RecordLocked, Text: "the same record is changed by others all the time; try again"}
	case fhir.MultipleMatches:
		bad = &hl7.Error{Code: hl7.DuplicateKey, Text: "an identifier of the message belongs to several resources"}
	}
	u.fail(verdict, bad)
}
