package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
)

// texts are strings that JSON has to escape.
var texts = rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.SampledFrom([]rune("\"\\\n\x00é/"))))

// TestRecordIsReadAsWritten: what append writes, parse reads, and so does encoding/json.
func TestRecordIsReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SliceOfN(texts, 1, 3)
		r := Record{
			Kind: Access, Action: texts.Draw(t, "action"), Interaction: "read", Outcome: rapid.SampledFrom([]int{0, 4, 8}).Draw(t, "outcome"),
			Status: rapid.IntRange(0, 599).Draw(t, "status"), From: texts.Draw(t, "from"), Query: texts.Draw(t, "query"), Detail: texts.Draw(t, "detail"),
			Entities: some.Draw(t, "entities"), Listed: some.Draw(t, "listed"), Patients: some.Draw(t, "patients"),
			Agent: Agent{Account: texts.Draw(t, "account"), User: texts.Draw(t, "user"), Roles: some.Draw(t, "roles"), Reason: texts.Draw(t, "reason")},
		}
		content := r.append(nil)
		back, err := parse(content)
		if err != nil || !reflect.DeepEqual(*back, r) {
			t.Fatalf("%s\n%+v\n%+v %v", content, r, back, err)
		}
		if !slices.Equal(contentKeys(content), r.keys()) {
			t.Fatal("the keys are not those of the content")
		}
	})
}

// someEvents are n events of different sizes.
func someEvents(n int) (events []fhir.Event) {
	for i := range n {
		r := Record{Kind: Access, Query: strings.Repeat("q", i*37%1000), Patients: []string{"p", "q"}[:i%3%2+1]}
		events = append(events, r.event())
	}
	return events
}

// TestJournalIsReadAsWritten cuts a journal at every byte: the records before it are
// read, and a part of one is not.
func TestJournalIsReadAsWritten(t *testing.T) {
	dir := t.TempDir()
	j, left, err := openJournal(dir)
	if err != nil || len(left) > 0 {
		t.Fatal(left, err)
	}
	events := someEvents(20)
	if err := j.append(events); err != nil {
		t.Fatal(err)
	}
	name := nameOf(j.file)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	ends := []int{len(journalMagic)}
	for i := range events {
		ends = append(ends, ends[i]+len(appendRecord(nil, &events[i])))
	}
	for cut := 0; cut <= len(whole); cut += 7 {
		read, _ := readCut(t, whole[:cut], 64)
		want := 0
		for want < len(events) && ends[want+1] <= cut {
			want++
		}
		if !reflect.DeepEqual(append([]fhir.Event{}, read...), append([]fhir.Event{}, events[:want]...)) {
			t.Fatalf("cut at %d of %d: %d records, want %d", cut, len(whole), len(read), want)
		}
	}
	// One bit that is wrong is noticed, and what stands before it is read.
	for at := len(journalMagic); at < len(whole); at += 11 {
		bad := bytes.Clone(whole)
		bad[at] ^= 4
		read, err := readCut(t, bad, 1<<20)
		before := 0
		for ends[before+1] <= at {
			before++
		}
		if len(read) != before || err == nil && before != len(events) && !longer(bad[ends[before]:]) {
			t.Fatalf("byte %d: %d records, %v; want the %d before it", at, len(read), err, before)
		}
	}
	if err := j.close(-1); err != nil {
		t.Fatal(err)
	}
}

// longer reports whether the first record of b says that it is longer than b: then it
// looks like one that was not finished.
func longer(b []byte) bool {
	_, n, need := nextRecord(b)
	return n == 0 && need > len(b)
}

// readCut reads a journal to its end, some bytes at a time.
func readCut(t *testing.T, content []byte, most int) (all []fhir.Event, err error) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "x.journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	for at, size := int64(0), int64(len(content)); at < size; {
		events, end, err := readRecords(f, at, size, most)
		all = append(all, events...)
		if err != nil || end == at {
			return all, err
		}
		at = end
	}
	return all, nil
}

// TestJournalIsAdopted: what a process leaves behind is taken over by one that comes
// later, not while the first one lives, and not twice.
func TestJournalIsAdopted(t *testing.T) {
	dir := t.TempDir()
	first, _, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.append(someEvents(3)); err != nil {
		t.Fatal(err)
	}
	second, left, err := openJournal(dir)
	if err != nil || len(left) != 0 {
		t.Fatalf("while the first lives: %v %v", left, err)
	}
	if err := first.close(-1); err != nil { // as if it had died
		t.Fatal(err)
	}
	third, left, err := openJournal(dir)
	if err != nil || len(left) != 1 {
		t.Fatalf("after it: %v %v", left, err)
	}
	if _, again, err := openJournal(dir); err != nil || len(again) != 0 {
		t.Errorf("a fourth one gets it as well: %v %v", again, err)
	}
	closeAll(left)
	second.close(second.size)
	third.close(third.size)
}

// TestTrailTakesOver: events of a process that died, of which some were linked
// already, are linked once each.
func TestTrailTakesOver(t *testing.T) {
	onEngines(t, func(l *lab) {
		dead, _, err := openJournal(l.config.Dir)
		if err != nil {
			l.Fatal(err)
		}
		events := someEvents(30)
		if err := dead.append(events); err != nil {
			l.Fatal(err)
		}
		if _, err := l.store.LinkEvents(l.Context(), slices.Clone(events[:11]), false, 0, link); err != nil {
			l.Fatal(err)
		}
		if err := dead.close(-1); err != nil {
			l.Fatal(err)
		}
		l.checkpoint() // closes the trail and opens another
		l.trail.Flush(l.Context())
		l.sound(30)
		if files, _ := filepath.Glob(filepath.Join(l.config.Dir, "*")); len(files) != 1 {
			l.Errorf("left in the folder: %v", files)
		}
	})
}

// TestTrailRotates: a journal that is full is followed by another.
func TestTrailRotates(t *testing.T) {
	onEngines(t, func(l *lab) {
		big := Record{Kind: Access, Query: strings.Repeat("q", segmentSize/3)}
		for range 8 {
			if err := l.trail.Record(l.Context(), big); err != nil {
				l.Fatal(err)
			}
		}
		l.trail.Flush(l.Context())
		l.trail.Flush(l.Context())
		l.sound(8)
	})
}

// TestTrailFailsClosed: what cannot be recorded is refused, unless the operator has
// said otherwise.
func TestTrailFailsClosed(t *testing.T) {
	onEngines(t, func(l *lab) {
		l.trail.journal.file.Close() // as a disk that is gone
		err := l.trail.Record(l.Context(), Record{Kind: SignIn})
		if fhir.CodeOf(err) != fhir.Unavailable {
			l.Errorf("error %v", err)
		}
		l.trail.GoOn = true
		if err := l.trail.Record(l.Context(), Record{Kind: SignIn}); err != nil {
			l.Errorf("error %v", err)
		}
		l.trail.stop()
		l.trail.stopped.Wait()
		l.open()
	})
}

// TestRender: an AuditEvent says who did it, as they are called now, and where.
func TestRender(t *testing.T) {
	x := &renderer{base: "http://x/fhir", names: names{read: func(_ context.Context, _ fhir.Ref) (fhir.Resource, error) {
		return fhir.Resource{JSON: []byte(`{"resourceType":"Practitioner","id":"dr","name":[{"use":"nickname","text":"Lupita"},{"use":"official","prefix":["Dra."],"given":["Guadalupe"],"family":"Ñáñez <b>"}]}`)}, nil
	}}}
	trail := &Trail{}
	e := trail.Event(doctor.With(t.Context()), &rest.Access{
		Request: "req-1", From: "[::1]:99", Interaction: rest.Read, Type: "Patient", ID: "p1", Action: 'R', Status: 403,
	})
	r, err := x.render(t.Context(), &e)
	if err != nil {
		t.Fatal(err)
	}
	var a event
	if err := json.Unmarshal(r.JSON, &a); err != nil {
		t.Fatal(err)
	}
	if a.Outcome != "4" || a.Action != "R" || len(a.Agent) != 3 || a.Agent[2].Name != "Dra. Guadalupe Ñáñez <b>" ||
		a.Agent[2].Who.Reference != "Practitioner/dr" || a.Agent[2].AltID != "account-7" || a.Agent[0].Network.Address != "::1" ||
		a.Source.Site != "DFSSA003966" || a.Entity[0].What.Reference != "Patient/p1" {
		t.Errorf("%s", r.JSON)
	}
	if !strings.Contains(a.Text["div"], "Dra. Guadalupe Ñáñez &lt;b&gt; (clinician) consultó Patient") {
		t.Errorf("%s", a.Text["div"])
	}
}
