package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/authz/audit"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/document"
	"github.com/amate-health/amate/fhir/registry/prescription"
	"github.com/amate-health/amate/fhir/registry/rights"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/job"
)

// keeping says how long records are kept.
type keeping struct {
	Years int  `help:"How many years a record is kept after the last medical act: 5 at the least, as NOM-004-SSA3-2012 has it." default:"5" placeholder:"YEARS"`
	All   bool `help:"Remove every record whose time is over. Without it, only those whose cancellation was granted."`
}

func (k *keeping) check() error {
	if k.Years < rights.LeastYears {
		return usagef("--retention-years: a record is kept for %d years at the least (NOM-004-SSA3-2012, 5.4)", rights.LeastYears)
	}
	return nil
}

// purging is what a server does of itself.
type purging struct {
	Keep  keeping       `embed:""`
	Every time.Duration `help:"How often records whose time is over are looked for; 0 is never." default:"24h"`
}

// The kinds of the entries of purges: what is being removed, by patient, and what was.
const (
	purgeKind       = "purge"
	certificateKind = "purge-certificate"
	wordsKind       = "search"
	wordsKey        = "words-removed"
)

// purgePlan is a purge under way. It stands before anything is removed, so that whoever
// goes on after a crash knows what was to be removed, and of how much there was.
type purgePlan struct {
	Certificate purgeCertificate `json:"certificate"`
	Refs        []string         `json:"refs"`
	Letters     []string         `json:"letters,omitempty"` // ids of messages about the patient that could not be written
}

// purgeCertificate says what was removed, and by which rule. Nothing in it is clinical.
type purgeCertificate struct {
	ID        string         `json:"id"`
	Patient   string         `json:"patient"` // id of the record, which leads to nothing any more
	Rule      string         `json:"rule"`
	Years     int            `json:"years"`
	LastAct   time.Time      `json:"lastAct,omitzero"`
	Started   time.Time      `json:"started"`
	Ended     time.Time      `json:"ended,omitzero"`
	Resources map[string]int `json:"resources"` // by type
	Versions  int64          `json:"versions"`  // that were there when it began
	Shared    int            `json:"shared"`    // resources that are about other patients, too, and stay
	By        string         `json:"by"`
	Program   string         `json:"program"`
}

// keeper removes records whose time is over.
type keeper struct {
	*opened
	keeping
	log    *slog.Logger
	record audit.Recorder
	by     string // who, for the certificate
	long   bool   // the file may be written anew, however long that takes
	tell   func(string)
	now    func() time.Time
}

// due is a record whose time may be over.
type due struct {
	record *rights.Record
	holds  []rights.LegalHold // that stand
	over   bool
}

// look calls f for each record that may be removed by the rule, with what stands against it.
func (k *keeper) look(ctx context.Context, f func(*due) error) error {
	one := func(id string) error {
		record, err := rights.Collect(ctx, k.engine, k.indexing.Base, id)
		if err != nil {
			return err
		}
		d := &due{record: record, over: record.Over(k.Years, k.now())}
		all, err := k.holdsOf(ctx, id)
		if err != nil {
			return err
		}
		d.holds = slices.DeleteFunc(all, func(h rights.LegalHold) bool { return !h.Stands() })
		return f(d)
	}
	if k.All {
		return rights.AllPatients(ctx, k.engine, one)
	}
	return rights.BlockedPatients(ctx, k.engine, blockedLabel, one)
}

// run removes all records whose time is over, and returns how many. What an earlier run
// left undone comes first.
func (k *keeper) run(ctx context.Context) (done int, err error) {
	begun, err := k.Entries(ctx, purgeKind, "", "", 1000)
	if err != nil {
		return 0, err
	}
	for i := range begun {
		if err := k.finish(ctx, &begun[i]); err != nil {
			return done, err
		}
		done++
	}
	var ready []*due
	err = k.look(ctx, func(d *due) error {
		if d.over && len(d.holds) == 0 {
			ready = append(ready, d)
		} else if d.over {
			k.log.Info("a record whose time is over is kept by a legal hold", "authority", d.holds[0].Authority, "number", d.holds[0].Number)
		}
		return nil
	})
	if err != nil || len(ready) == 0 {
		return done, errors.Join(err, k.scrub(ctx, done))
	}
	dead, err := k.remnants(ctx, ready)
	if err == nil {
		err = k.loose(ctx, ready, dead)
	}
	if err != nil {
		return done, err
	}
	for _, d := range ready {
		if err := k.begin(ctx, d, dead[d.record.Patient]); err != nil {
			return done, err
		}
		done++
	}
	return done, k.scrub(ctx, done)
}

// scrub sees to it that what was removed cannot be read in the files either, those of
// large Binaries included, and that other servers learn that words went.
func (k *keeper) scrub(ctx context.Context, done int) error {
	if done == 0 {
		return nil
	}
	e, err := k.Entry(ctx, wordsKind, wordsKey)
	if fhir.CodeOf(err) == fhir.NotFound {
		e, err = fhir.Entry{Kind: wordsKind, Key: wordsKey}, nil
	}
	if err != nil {
		return err
	}
	if err := k.Put(ctx, e); err != nil && fhir.CodeOf(err) != fhir.Conflict {
		return err
	}
	if e, err := k.Entry(ctx, blobsKind, blobsKey); err == nil && k.contents != nil && string(e.Value) == k.contents.Blobs.Name() {
		if _, err := k.contents.Blobs.Sweep(ctx, k.BlobsUsed); err != nil {
			return err
		}
	}
	err = k.Scrub(ctx, k.long)
	if errors.Is(err, store.ErrUnscrubbed) {
		k.log.Warn("what was removed can still be read in the file of the database, by who can read that", "remedy", err.Error())
		return nil
	}
	return err
}

// wordsRemoved forgets what this process knows of the dictionary when a purge elsewhere
// took words out of it: they would not be written again.
func (o *opened) wordsRemoved(ctx context.Context) error {
	e, err := o.Entry(ctx, wordsKind, wordsKey)
	if fhir.CodeOf(err) == fhir.NotFound {
		return nil
	}
	if err == nil && e.Version != o.office.wordsVersion {
		o.office.wordsVersion = e.Version
		o.ForgetWords()
	}
	return err
}

// remnants returns what was deleted earlier, and is still kept, of the records that are due.
func (k *keeper) remnants(ctx context.Context, ready []*due) (map[string][]fhir.Ref, error) {
	out := map[string][]fhir.Ref{}
	whose := map[fhir.Ref]string{}
	for _, d := range ready {
		out[d.record.Patient] = nil
		for _, ref := range d.record.Refs {
			whose[ref.Current()] = d.record.Patient
		}
	}
	of := func(ref fhir.Ref) string { return whose[ref] }
	const page = 500
	types := recordTypes()
	for _, typ := range slices.Concat(types, types, []string{"Binary"}) { // once more, when all that they belong to is known
		for after := int64(0); ; {
			found, err := k.Remnants(ctx, typ, after, page)
			if err != nil {
				return nil, err
			}
			for i := range found {
				after = found[i].Key
				id := rights.Belongs(&found[i].Resource, k.indexing.Base, of)
				at := found[i].Resource.Ref
				if _, ok := out[id]; ok && id != "" && whose[at.Current()] == "" {
					out[id], whose[at.Current()] = append(out[id], at), id
				}
			}
			if len(found) < page {
				break
			}
		}
	}
	return out, nil
}

// recordTypes are the types of resources that are about patients.
func recordTypes() []string {
	return slices.DeleteFunc(slices.Clone(spec.Resources()), func(typ string) bool {
		return typ != "Patient" && len(search.SubjectParams(typ)) == 0 && !search.Tied(typ)
	})
}

// begin writes the plan of a purge, and carries it out.
func (k *keeper) begin(ctx context.Context, d *due, dead []fhir.Ref) error {
	rule := "cancelación procedente, y vencido el plazo de conservación (NOM-004-SSA3-2012, 5.4)"
	if k.All {
		rule = "vencido el plazo de conservación (NOM-004-SSA3-2012, 5.4)"
	}
	p := purgePlan{Certificate: purgeCertificate{
		ID: uuid.NewString(), Patient: d.record.Patient, Rule: rule, Years: k.Years, LastAct: d.record.LastAct, Started: k.now().UTC(),
		Resources: map[string]int{}, Shared: len(d.record.Shared), By: k.by, Program: "Amate " + release,
	}}
	for _, ref := range slices.Concat(dead, d.record.Refs) { // the Patient comes last: by its label the record is found again
		p.Certificate.Resources[ref.Type]++
		p.Certificate.Versions += ref.Version
		p.Refs = append(p.Refs, ref.Current().String())
	}
	var err error
	if p.Letters, err = k.lettersOf(ctx, d.record.Patient); err != nil { // as long as it is known by what numbers
		return err
	}
	value, err := json.Marshal(p)
	if err != nil {
		return err
	}
	e := fhir.Entry{Kind: purgeKind, Key: d.record.Patient, Value: value}
	if err := k.Put(ctx, e); err != nil {
		return err
	}
	e.Version = 1
	return k.finish(ctx, &e)
}

// finish carries a plan out, from wherever it stands.
func (k *keeper) finish(ctx context.Context, e *fhir.Entry) error {
	var p purgePlan
	if err := json.Unmarshal(e.Value, &p); err != nil {
		return fmt.Errorf("the plan of a purge: %w", err)
	}
	holds, err := k.holdsOf(ctx, p.Certificate.Patient)
	if err != nil {
		return err
	}
	for _, h := range holds {
		if h.Stands() {
			return fmt.Errorf("a purge that was begun stands still: the legal hold %s of %s came meanwhile", h.Number, h.Authority)
		}
	}
	gone := map[fhir.Ref]bool{{Type: "Patient", ID: p.Certificate.Patient}: true}
	for {
		for _, name := range p.Refs {
			if ref, ok := fhir.ParseRef(name); ok {
				gone[ref] = true
			}
		}
		if err := k.remove(ctx, p.Refs); err != nil {
			return err
		}
		late, err := rights.Collect(ctx, k.engine, k.indexing.Base, p.Certificate.Patient)
		if err != nil {
			return err
		}
		if len(late.Refs) <= 1 { // the Patient, which is named whether it is there or not
			if err := k.strike(ctx, p.Certificate.Patient, late.Shared, gone); err != nil {
				return err
			}
			break
		}
		p.Refs = nil
		for _, ref := range late.Refs { // what came while it was going on
			p.Refs = append(p.Refs, ref.Current().String())
			p.Certificate.Resources[ref.Type]++
			p.Certificate.Versions += ref.Version
		}
	}
	if err := k.dropLetters(ctx, p.Letters); err != nil {
		return err
	}
	return k.certify(ctx, e, &p.Certificate)
}

func (k *keeper) remove(ctx context.Context, names []string) error {
	refs := make([]fhir.Ref, 0, len(names))
	for _, name := range names {
		if ref, ok := fhir.ParseRef(name); ok {
			refs = append(refs, ref)
		}
	}
	for part := range slices.Chunk(refs, 10*store.PurgeMost) {
		if _, err := k.Purge(ctx, part, k.indexer()); err != nil {
			if errors.Is(err, store.ErrNotOwner) {
				return job.Permanent(err)
			}
			return err
		}
		for _, ref := range part {
			if ref.Type == "Patient" {
				if err := prescription.Forget(ctx, k, ref.ID); err != nil {
					return err
				}
			}
			if ref.Type != "Composition" {
				continue
			}
			if err := document.Forget(ctx, k, ref.ID); err != nil {
				return err
			}
		}
		if err := k.forgetCards(ctx, part); err != nil {
			return err
		}
		if k.guarded != nil {
			for _, ref := range part {
				k.guarded.Written(&fhir.Resource{Ref: ref})
			}
		}
	}
	return nil
}

// certify writes the certificate of a purge, puts it on record, and ends the plan.
func (k *keeper) certify(ctx context.Context, e *fhir.Entry, c *purgeCertificate) error {
	c.Ended = k.now().UTC()
	value, err := json.Marshal(c)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(value)
	n := 0
	for _, count := range c.Resources {
		n += count
	}
	err = k.record.Record(ctx, audit.Record{
		Kind: audit.Purged, Action: "D", Patients: []string{c.Patient}, Entities: []string{"Patient/" + c.Patient}, Agent: audit.Agent{Account: k.by, Client: "amate"},
		Detail: fmt.Sprintf("certificate %s, SHA-256 %s: %d resources with %d versions; %s", c.ID, hex.EncodeToString(sum[:]), n, c.Versions, c.Rule),
	})
	if err != nil {
		return err
	}
	if err := k.Put(ctx, fhir.Entry{Kind: certificateKind, Key: c.ID, Value: value}); err != nil && fhir.CodeOf(err) != fhir.Conflict {
		return err
	}
	k.tell(fmt.Sprintf("%s: %d resources, %d versions; certificate %s", c.Patient, n, c.Versions, c.ID))
	return k.Remove(ctx, purgeKind, e.Key, 0)
}

// retentionJob is the job of a server that removes what is due.
const retentionJob = "retention"

// handleRetention lets this process remove records whose time is over, again and again.
func (o *opened) handleRetention(ctx context.Context, p purging, log *slog.Logger) error {
	if err := p.Keep.check(); err != nil || p.Every == 0 {
		return err
	}
	o.jobs.Handle(retentionJob, 1, func(ctx context.Context, t *job.Task) error {
		if o.trail != nil { // what is not on record is not done
			k := &keeper{opened: o, keeping: p.Keep, log: log, record: o.trail, by: "job " + t.ID(), tell: func(string) {}, now: time.Now}
			_, err := k.claim(ctx)
			if err != nil {
				return err
			}
			done, err := k.run(ctx)
			t.Progress(int64(done), int64(done), "records removed")
			if err != nil {
				return err
			}
		}
		return &job.Again{At: time.Now().Add(p.Every)}
	})
	return o.stand(ctx, retentionJob)
}
