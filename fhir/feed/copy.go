package feed

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/amate-health/amate/fhir"
)

// The kinds of entries that a copy is kept in.
const (
	headKind = "changes"     // copied, without the rest
	rootKind = "changes-of"  // patients of interest
	setKind  = "changes-set" // hashes of what the copy may hold, in buckets
	logKind  = "changes-log" // logged
)

// copied is what the server keeps of one client's copy.
type copied struct {
	id      string
	version int64 // of its entry; 0 for a new one

	Mark    fhir.Mark `json:"mark"`    // changes up to it have been looked at
	Logs    int       `json:"logs"`    // how many logs there are at the mark
	Bits    int       `json:"bits"`    // there are 1<<Bits buckets
	Members []string  `json:"members"` // of the scope, where it is a list of patients
	Looked  int64     `json:"looked"`  // up to when it was looked for consents that begin or end; microseconds since 1970 UTC
	Shown   fhir.Mark `json:"shown"`   // the last page of a snapshot was shown before it

	// Former have left Members when the Group was read, which was after FormerAt: what was
	// moved away from them in between is yet to be looked at.
	Former   []string  `json:"former,omitempty"`
	FormerAt fhir.Mark `json:"formerAt,omitzero"`

	Blocks bool `json:"blocks,omitempty"` // some patients were blocked when something was last looked at

	Used int64 `json:"used"`           // about when it was last asked for, microseconds since 1970 UTC; see notedAfter
	Dead bool  `json:"dead,omitempty"` // it is being removed: as good as none

	roots        map[uint64]fhir.Ref // by their hashes: patients who have a part in the scope, at least
	filter       filter              // of these hashes
	rootsVersion int64
	rootsChanged bool
	buckets      map[int]*bucket // as far as they were needed
	whole        bool            // all of them

	found map[fhir.Ref]fhir.Resource // what was just found to be visible

	read cursor   // up to where there were logs when it was read
	news []logged // those that were written since then

	complete bool // nobody else has written any since then: it was saved after it was read
}

// bucket holds hashes, ascending.
type bucket struct {
	version int64
	hashes  []uint64
	changed bool
}

// logged is what came into view and left it while up to some mark was looked at.
type logged struct {
	Mark   fhir.Mark  `json:"mark"`
	Number int        `json:"number"` // among those of the mark, from 1
	Came   []fhir.Ref `json:"came,omitempty"`
	Left   []fhir.Ref `json:"left,omitempty"`
}

// maxLogged is how many resources one entry of the log has at most.
const maxLogged = 50

// bits returns how finely the set of a copy is divided: for a copy of about so much.
func (v *view) bits() int {
	switch {
	case v.scope == "":
		return 12
	case v.scope == "patient":
		return 2
	}
	return 8
}

func (f *Feed) today() string { return f.Now().UTC().Format(time.DateOnly) }

// copy reads what is kept of a copy. Errors: fhir.NotFound.
func (f *Feed) copy(ctx context.Context, id string) (*copied, error) {
	e, err := f.Store.Entry(ctx, headKind, id)
	if err != nil {
		return nil, err
	}
	c := &copied{id: id, version: e.Version, roots: map[uint64]fhir.Ref{}, buckets: map[int]*bucket{}}
	if err := json.Unmarshal(e.Value, c); err != nil {
		return nil, err
	}
	c.read = cursor{Mark: c.Mark, Log: c.Logs}
	if c.Dead {
		return nil, fhir.Errorf(fhir.NotFound, "the copy is not kept any more")
	}
	return c, nil
}

// readRoots reads the patients of interest.
func (f *Feed) readRoots(ctx context.Context, c *copied) error {
	e, err := f.Store.Entry(ctx, rootKind, c.id)
	if fhir.CodeOf(err) == fhir.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	var ids []string
	if err := json.Unmarshal(e.Value, &ids); err != nil {
		return err
	}
	c.rootsVersion = e.Version
	for _, id := range ids {
		ref := fhir.Ref{Type: "Patient", ID: id}
		c.roots[ref.Hash()] = ref
		c.filter.add(ref.Hash())
	}
	return nil
}

// root notes a patient of interest.
func (c *copied) root(ref fhir.Ref) {
	if ref.Type != "Patient" {
		return
	}
	if hash := ref.Hash(); c.roots[hash] == (fhir.Ref{}) {
		c.roots[hash], c.rootsChanged = ref, true
		c.filter.add(hash)
	}
}

// hash stands for a resource in this copy, and says in which bucket.
func (c *copied) hash(ref fhir.Ref) (uint64, int) {
	sum := sha256.Sum256([]byte(c.id + " " + ref.Current().String()))
	h := binary.BigEndian.Uint64(sum[:8])
	return h, int(h >> (64 - c.Bits))
}

// bucket returns the bucket of a number.
func (f *Feed) bucket(ctx context.Context, c *copied, n int) (*bucket, error) {
	if b := c.buckets[n]; b != nil {
		return b, nil
	}
	b := &bucket{}
	e, err := f.Store.Entry(ctx, setKind, c.bucketKey(n))
	switch {
	case fhir.CodeOf(err) == fhir.NotFound:
	case err != nil:
		return nil, err
	default:
		b = readBucket(&e)
	}
	c.buckets[n] = b
	return b, nil
}

// allBuckets reads all buckets at once.
func (f *Feed) allBuckets(ctx context.Context, c *copied) error {
	if c.whole {
		return nil
	}
	most := 1 << c.Bits
	entries, err := f.Store.Entries(ctx, setKind, c.id, "", most)
	if err != nil {
		return err
	}
	kept := c.buckets
	c.buckets, c.whole = make(map[int]*bucket, most), true
	for n := range most {
		c.buckets[n] = &bucket{}
	}
	defer maps.Copy(c.buckets, kept) // they may have been changed
	for i := range entries {
		n, err := strconv.ParseUint(entries[i].Key[len(c.id)+1:], 16, 32)
		if err != nil {
			return err
		}
		c.buckets[int(n)] = readBucket(&entries[i])
	}
	return nil
}

func readBucket(e *fhir.Entry) *bucket {
	b := &bucket{version: e.Version}
	for i := 0; i+8 <= len(e.Value); i += 8 {
		b.hashes = append(b.hashes, binary.BigEndian.Uint64(e.Value[i:]))
	}
	return b
}

func (c *copied) bucketKey(n int) string { return fmt.Sprintf("%s/%03x", c.id, n) }

// has reports whether the copy may hold a resource.
func (f *Feed) has(ctx context.Context, c *copied, ref fhir.Ref) (bool, error) {
	h, n := c.hash(ref)
	b, err := f.bucket(ctx, c, n)
	if err != nil {
		return false, err
	}
	_, found := slices.BinarySearch(b.hashes, h)
	return found, nil
}

// set notes that the copy may hold a resource, or does not any more. It reports whether
// that is new.
func (f *Feed) set(ctx context.Context, c *copied, ref fhir.Ref, held bool) (bool, error) {
	h, n := c.hash(ref)
	b, err := f.bucket(ctx, c, n)
	if err != nil {
		return false, err
	}
	i, found := slices.BinarySearch(b.hashes, h)
	if found == held {
		return false, nil
	}
	b.changed = true
	if held {
		b.hashes = slices.Insert(b.hashes, i, h)
	} else {
		b.hashes = slices.Delete(b.hashes, i, i+1)
	}
	return true, nil
}

// logKey is where a log is. Keys sort as marks do.
func logKey(copy string, m fhir.Mark, n int) string {
	return fmt.Sprintf("%s/%016x%016x%08x%06x", copy, m.Tx, uint64(m.Key), m.Version, n)
}

// save writes what has changed of a copy, all or nothing, with logs of its mark.
// Errors: fhir.Conflict when another request was first.
func (f *Feed) save(ctx context.Context, c *copied, logs []logged) error {
	var entries []fhir.Entry
	for i := range logs {
		c.Logs++
		logs[i].Mark, logs[i].Number = c.Mark, c.Logs
		value, err := json.Marshal(logs[i])
		if err != nil {
			return err
		}
		entries = append(entries, fhir.Entry{Kind: logKind, Group: c.id, Key: logKey(c.id, c.Mark, c.Logs), Value: value})
	}
	c.Used = f.Now().UnixMicro()
	head, err := json.Marshal(c)
	if err != nil {
		return err
	}
	entries = append(entries, fhir.Entry{Kind: headKind, Key: c.id, Version: c.version, Value: head})
	for n, b := range c.buckets {
		if !b.changed {
			continue
		}
		value := make([]byte, 0, 8*len(b.hashes))
		for _, h := range b.hashes {
			value = binary.BigEndian.AppendUint64(value, h)
		}
		entries = append(entries, fhir.Entry{Kind: setKind, Group: c.id, Key: c.bucketKey(n), Version: b.version, Value: value})
	}
	if c.rootsChanged {
		ids := []string{}
		for _, ref := range c.roots {
			ids = append(ids, ref.ID)
		}
		slices.Sort(ids)
		value, err := json.Marshal(ids)
		if err != nil {
			return err
		}
		entries = append(entries, fhir.Entry{Kind: rootKind, Key: c.id, Version: c.rootsVersion, Value: value})
	}
	if err := f.Store.Put(ctx, entries...); err != nil {
		return err
	}
	c.news = append(c.news, logs...)
	c.saved()
	return nil
}

// saved brings c to the versions that its entries have after they were written.
func (c *copied) saved() {
	c.version, c.complete = c.version+1, true
	for _, b := range c.buckets {
		if b.changed {
			b.version, b.changed = b.version+1, false
		}
	}
	if c.rootsChanged {
		c.rootsVersion, c.rootsChanged = c.rootsVersion+1, false
	}
}
