package feed

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// item is one entry of an answer.
type item struct {
	ref      fhir.Ref
	resource *fhir.Resource // nil for one to drop
}

// page is one answer.
type page struct {
	items   []item
	next    cursor
	restart bool // the client drops what it has first
}

// page returns what comes after a cursor.
func (f *Feed) page(ctx context.Context, v *view, at cursor) (*page, error) {
	if at.Snapshot != nil {
		return f.snapshotPage(ctx, v, at)
	}
	if p, err := f.quick(ctx, &at); p != nil || err != nil {
		return p, err
	}
	for try := 1; ; try++ {
		p, err := f.pageOf(ctx, v, &at)
		if fhir.CodeOf(err) != fhir.Conflict || try == tries {
			return p, err
		}
	}
}

// pageOf is page, after the snapshot. Errors: fhir.Conflict when another request for the
// copy was first; aheadError.
func (f *Feed) pageOf(ctx context.Context, v *view, at *cursor) (*page, error) {
	c, more, err := f.advance(ctx, v, at)
	if err != nil {
		return nil, err
	}
	for count := v.count; ; count = count / 2 {
		p, err := f.changesPage(ctx, v, c, *at, count)
		if err != nil {
			return nil, err
		}
		size := int64(0)
		for i := range p.items {
			if r := p.items[i].resource; r != nil {
				size += int64(len(r.JSON))
			}
		}
		if size > v.call.MaxBytes && count > 1 {
			continue
		}
		if p.next.Done = p.next.Done && !more; p.next.Done {
			f.recent.put(c.id, &caughtUp{mark: p.next.Mark, day: v.day, looked: c.Looked, interest: v.deps.interest(c).and(c.Former).hashes()})
		}
		return p, nil
	}
}

// quick answers from memory when nothing has changed that may matter to the copy; nil
// when that is not known.
func (f *Feed) quick(ctx context.Context, at *cursor) (*page, error) {
	known := f.recent.get(at.Copy)
	if known == nil || !at.Done || at.Snapshot != nil || known.mark != at.Mark || known.day != f.today() {
		return nil, nil
	}
	end, err := f.Changes.End(ctx)
	if err != nil || f.Changes.Touched(at.Mark, known.interest) {
		return nil, err
	}
	turned, err := f.turned(ctx, known.looked)
	if err != nil || slices.ContainsFunc(turned, known.touches) {
		return nil, err
	}
	next := *at
	if end != at.Mark {
		next.Mark, next.Log = end, 0
		f.recent.put(at.Copy, &caughtUp{mark: end, day: known.day, looked: known.looked, interest: known.interest})
	}
	return &page{next: next}, nil
}

// touches reports whether a change of a patient may concern the copy.
func (c *caughtUp) touches(patient fhir.Ref) bool {
	return slices.Contains(c.interest, fhir.Ref{Type: patient.Type}.Hash()) || slices.Contains(c.interest, patient.Hash())
}

// told gathers what an answer is to tell of, each resource once.
type told struct {
	refs []fhir.Ref
	left map[fhir.Ref]bool // it may have to be dropped
	seen map[fhir.Ref]bool
}

func (t *told) add(ref fhir.Ref, left bool) {
	ref = ref.Current()
	if left {
		t.left[ref] = true
	}
	if !t.seen[ref] {
		t.seen[ref] = true
		t.refs = append(t.refs, ref)
	}
}

// changesPage gathers what has changed between a cursor and the mark of c, in its order.
func (f *Feed) changesPage(ctx context.Context, v *view, c *copied, at cursor, count int) (*page, error) {
	t := &told{left: map[fhir.Ref]bool{}, seen: map[fhir.Ref]bool{}}
	next := at
	next.Done = false
	if at.Mark.Compare(c.Mark) > 0 { // another request for the copy has looked less far
		c.Mark = at.Mark
	}
	in := v.deps.interest(c)
	for len(t.refs) < count && !next.Done {
		logs, err := f.logs(ctx, c, &next)
		if err != nil {
			return nil, err
		}
		until := c.Mark
		if len(logs) > 0 && logs[0].Mark.Compare(until) > 0 {
			logs = nil // of another request, which has looked further
		}
		if len(logs) > 0 {
			until = logs[0].Mark
		}
		whole, err := f.tell(ctx, in, c, t, &next, until, count)
		if err != nil {
			return nil, err
		}
		if !whole {
			continue
		}
		next.Done = len(logs) == 0
		for _, l := range logs {
			if l.Mark != until || len(t.refs) >= count {
				break
			}
			for _, ref := range l.Came {
				t.add(ref, false)
			}
			for _, ref := range l.Left {
				t.add(ref, true)
			}
			next.Log = l.Number
		}
	}
	p := &page{next: next}
	return p, f.contents(ctx, v, c, t, p)
}

// tell adds the changes after next, up to a mark, of what the copy holds. whole says that
// there are no more of them.
func (f *Feed) tell(ctx context.Context, in interest, c *copied, t *told, next *cursor, until fhir.Mark, count int) (whole bool, err error) {
	if next.Mark == until {
		return true, nil
	}
	changes, err := f.Changes.Changes(ctx, next.Mark, batch)
	if err != nil {
		return false, err
	}
	for i := range changes {
		ch := &changes[i]
		if ch.At.Compare(until) > 0 {
			break
		}
		if len(t.refs) >= count {
			return false, nil
		}
		if in.has(ch) {
			held, err := f.has(ctx, c, ch.Ref)
			if err != nil {
				return false, err
			}
			if held {
				t.add(ch.Ref, false)
			}
		}
		next.Mark, next.Log = ch.At, 0
	}
	if len(changes) == batch && next.Mark.Compare(until) < 0 {
		return false, nil
	}
	if next.Mark != until {
		next.Mark, next.Log = until, 0
	}
	return true, nil
}

// logs returns what the log has after a cursor, the first of it. What this request has
// just written need not be read: had another one written some, it could not have.
func (f *Feed) logs(ctx context.Context, c *copied, after *cursor) ([]logged, error) {
	if c.complete && !c.read.after(after) {
		for i := range c.news {
			if at := (cursor{Mark: c.news[i].Mark, Log: c.news[i].Number}); at.after(after) {
				return c.news[i:], nil
			}
		}
		return nil, nil
	}
	entries, err := f.Store.Entries(ctx, logKind, c.id, logKey(c.id, after.Mark, after.Log), 8)
	if err != nil {
		return nil, err
	}
	logs := make([]logged, len(entries))
	for i := range entries {
		if err := json.Unmarshal(entries[i].Value, &logs[i]); err != nil {
			return nil, err
		}
	}
	return logs, nil
}

// contents reads the current versions of what is told, as far as the copy holds it. What
// it holds and cannot be seen any more, because of changes that come later, is told to be
// gone, and is held no longer: so it is told when it can be seen again, and not taken for
// known.
func (f *Feed) contents(ctx context.Context, v *view, c *copied, t *told, p *page) error {
	var held []fhir.Ref
	for _, ref := range t.refs {
		has, err := f.has(ctx, c, ref)
		if err != nil {
			return err
		}
		if has {
			held = append(held, ref)
		}
	}
	visible, err := f.shown(ctx, v, c, held)
	if err != nil {
		return err
	}
	var gone []fhir.Ref
	for _, ref := range t.refs {
		if r, ok := visible[ref]; ok {
			p.items = append(p.items, item{ref, &r})
			continue
		}
		if slices.Contains(held, ref) {
			gone = append(gone, ref)
		} else if !t.left[ref] {
			continue
		}
		p.items = append(p.items, item{ref: ref})
	}
	return f.drop(ctx, c, gone)
}

// drop notes what a copy does not hold any more.
func (f *Feed) drop(ctx context.Context, c *copied, gone []fhir.Ref) error {
	if len(gone) == 0 {
		return nil
	}
	var logs []logged
	for some := range slices.Chunk(gone, maxLogged) {
		logs = append(logs, logged{Left: some})
		for _, ref := range some {
			if _, err := f.set(ctx, c, ref, false); err != nil {
				return err
			}
		}
	}
	return f.save(ctx, c, logs)
}

// shown returns those of refs that the client may see now, which are about to be shown:
// as they were found a moment ago, where all of them were looked up then.
func (f *Feed) shown(ctx context.Context, v *view, c *copied, refs []fhir.Ref) (map[fhir.Ref]fhir.Resource, error) {
	list := make([]fhir.Resource, 0, len(refs))
	for _, ref := range refs {
		if r, ok := c.found[ref]; ok {
			list = append(list, r)
		}
	}
	if f.Shown == nil || len(list) < len(refs) || len(refs) == 0 {
		return f.visible(ctx, f.Store, v, refs)
	}
	if err := f.Shown(ctx, v.only, list); err != nil {
		return nil, err
	}
	all := make(map[fhir.Ref]fhir.Resource, len(list))
	for i := range list {
		all[list[i].Ref.Current()] = list[i]
	}
	return all, nil
}

// The tags of an answer.
const (
	tagSystem = "https://github.com/amate-health/amate/fhir/CodeSystem/changes"
	restart   = "restart"   // drop everything first
	upToDate  = "caught-up" // there was nothing more
	goOn      = "more"      // ask again at once
)

// answer writes the Bundle.
func (p *page) answer(f *Feed, v *view) (*operation.Answer, error) {
	next, err := f.seal(&p.next)
	if err != nil {
		return nil, err
	}
	tag := goOn
	if p.next.Done {
		tag = upToDate
	}
	b := []byte(`{"resourceType":"Bundle","meta":{"tag":[{"system":"` + tagSystem + `","code":"` + tag + `"}`)
	if p.restart {
		b = append(b, `,{"system":"`+tagSystem+`","code":"`+restart+`"}`...)
	}
	b = append(b, `]},"type":"history","link":[{"relation":"self","url":`...)
	b = element.Quote(b, v.link(v.call.Base, v.since))
	b = append(b, `},{"relation":"next","url":`...)
	b = element.Quote(b, v.link(v.call.Base, next))
	b = append(b, `}]`...)
	for i := range p.items {
		if b = append(b, ','); i == 0 {
			b = append(b, `"entry":[`...)
		}
		b = p.items[i].appendTo(b, v.call.Base)
	}
	if len(p.items) > 0 {
		b = append(b, ']')
	}
	return &operation.Answer{JSON: append(b, '}'), Nothing: len(p.items) == 0}, nil
}

// link returns the URL of a call with another cursor; the one without for "".
func (a *asked) link(base, since string) string {
	q := url.Values{}
	for _, p := range a.params {
		q.Add(p.Name, p.Value)
	}
	if since != "" {
		q.Add("since", since)
	}
	if len(q) == 0 {
		return base + "/$changes"
	}
	return base + "/$changes?" + q.Encode()
}

func (it *item) appendTo(b []byte, base string) []byte {
	b = element.Quote(append(b, `{"fullUrl":`...), base+"/"+it.ref.String())
	method := "DELETE"
	if it.resource != nil {
		method = "PUT"
		b = append(append(b, `,"resource":`...), it.resource.JSON...)
	}
	b = element.Quote(append(b, `,"request":{"method":"`+method+`","url":`...), it.ref.String())
	if it.resource == nil {
		return append(b, `},"response":{"status":"204 No Content"}}`...)
	}
	b = element.Quote(append(b, `},"response":{"status":"200 OK","etag":`...), `W/"`+strconv.FormatInt(it.resource.Ref.Version, 10)+`"`)
	return append(it.resource.Updated.AppendFormat(append(b, `,"lastModified":"`...), fhir.InstantLayout), `"}}`...)
}
