package audit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
)

// unlock takes away what keeps mistakes from the tables: the owner of a database can.
func (l *lab) unlock() {
	if l.sqlite {
		l.plant(`DROP TRIGGER audit_fixed; DROP TRIGGER audit_kept; DROP TRIGGER audit_checkpoint_fixed; DROP TRIGGER audit_checkpoint_kept`)
		return
	}
	locked := l.try // the database is lent to other tests afterwards: its triggers stay
	l.try = func(script string) error { return locked(`SET session_replication_role = replica; ` + script) }
}

// TestVerifyFindsFaults plants faults by SQL, each of which must be found at its row.
// Ten events are under a checkpoint, five more under another, and two under none.
func TestVerifyFindsFaults(t *testing.T) {
	for name, fault := range map[string]struct {
		sqlite, postgres string // postgres: the same when ""
		want             string // of a fault; each line
	}{
		"a changed row": {
			`UPDATE audit SET content = CAST(replace(CAST(content AS TEXT), 'account-7', 'account-8') AS BLOB) WHERE seq = 3`,
			`UPDATE audit SET content = convert_to(replace(convert_from(content, 'UTF8'), 'account-7', 'account-8'), 'UTF8') WHERE seq = 3`,
			"row 3 (|was changed",
		},
		"a changed time": {
			`UPDATE audit SET id = CAST(x'018000000000' || substr(id, 7) AS BLOB) WHERE seq = 4`,
			`UPDATE audit SET id = ('01800000-0000' || substr(id::text, 14))::uuid WHERE seq = 4`,
			"row 4 (|was changed",
		},
		"a removed row":  {`DELETE FROM audit WHERE seq = 4`, "", "row 4:|the row is missing"},
		"removed rows":   {`DELETE FROM audit WHERE seq IN (1, 2)`, "", "row 1:|the rows from here to 2 are missing"},
		"a closed gap":   {`DELETE FROM audit WHERE seq = 4; UPDATE audit SET seq = -(seq - 1) WHERE seq > 4; UPDATE audit SET seq = -seq WHERE seq < 0`, "", "row 4 (|does not follow"},
		"reordered rows": {`UPDATE audit SET seq = -5 WHERE seq = 5; UPDATE audit SET seq = 5 WHERE seq = 6; UPDATE audit SET seq = 6 WHERE seq = -5`, "", "row 5 (|does not follow"},
		"a cut end":      {`DELETE FROM audit WHERE seq > 12`, "", "row 13:|the chain was cut off|to 15 are missing"},
		"a whole month":  {`DELETE FROM audit`, "", "row 1:|the chain was cut off"},
		"hidden from searches": {
			`DELETE FROM audit_key WHERE id = (SELECT id FROM audit WHERE seq = 2)`, `UPDATE audit SET keys = '{}' WHERE seq = 2`,
			"row 2 (|keys",
		},
		"a removed checkpoint": {`DELETE FROM audit_checkpoint WHERE number = 1`, "", "checkpoint 1: it is missing"},
		"a changed checkpoint": {`UPDATE audit_checkpoint SET seq = 9 WHERE number = 1`, "", "checkpoint 1: its row says something else"},
		"a false final checkpoint": {
			`UPDATE audit_checkpoint SET final = 1 WHERE number = 2; DELETE FROM audit`,
			`UPDATE audit_checkpoint SET final = true WHERE number = 2; DELETE FROM audit`,
			"checkpoint 2: its row says something else",
		},
		"a forged checkpoint": {
			`UPDATE audit_checkpoint SET content = CAST(replace(CAST(content AS TEXT), '.eyJ', '.eyI') AS BLOB) WHERE number = 2`,
			`UPDATE audit_checkpoint SET content = convert_to(replace(convert_from(content, 'UTF8'), '.eyJ', '.eyI'), 'UTF8') WHERE number = 2`,
			"checkpoint 2: its signature is wrong",
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			onEngines(t, func(l *lab) {
				l.fill()
				l.unlock()
				script := fault.sqlite
				if !l.sqlite && fault.postgres != "" {
					script = fault.postgres
				}
				l.plant(script)
				report := l.verify()
				found := slices.ContainsFunc(report.Faults, func(f Fault) bool {
					for part := range strings.SplitSeq(fault.want, "|") {
						if !strings.Contains(f.String(), part) {
							return false
						}
					}
					return true
				})
				if !found {
					l.Errorf("faults %v; want one with %q", report.Faults, fault.want)
				}
			})
		})
	}
}

// fill records ten events and signs, five and signs, and two.
func (l *lab) fill() {
	l.Helper()
	l.reads(10)
	l.checkpoint()
	l.reads(5)
	l.checkpoint()
	l.reads(2)
	l.sound(17)
	if r := l.verify(); r.Checkpoints != 2 || r.Unsigned != 2 {
		l.Fatalf("%+v", r)
	}
}

// TestVerifyFindsRewriting: whoever computes the whole chain anew, hashes and all,
// still contradicts the checkpoints.
func TestVerifyFindsRewriting(t *testing.T) {
	onEngines(t, func(l *lab) {
		l.fill()
		events, err := l.store.Chain(l.Context(), monthNow(), 0, 100)
		if err != nil || len(events) != 17 {
			l.Fatal(len(events), err)
		}
		events[3].Content = bytes.Replace(events[3].Content, []byte("account-7"), []byte("account-8"), 1)
		for i := range events {
			events[i].Keys = nil
		}
		if err := link(fhir.Event{}, events); err != nil {
			l.Fatal(err)
		}
		l.unlock()
		l.plant(rewrite(l.sqlite, events))
		report := l.verify()
		if len(report.Faults) != 2 || !strings.Contains(report.Faults[0].What, "is not the one that checkpoint 1") {
			l.Errorf("faults %v, want that of both checkpoints", report.Faults)
		}
	})
}

func monthNow() int {
	now := time.Now().UTC()
	return now.Year()*100 + int(now.Month())
}

// rewrite is a script that replaces all events.
func rewrite(isSQLite bool, events []fhir.Event) string {
	b := new(strings.Builder)
	blob := func(raw []byte) string {
		if isSQLite {
			return fmt.Sprintf("x'%x'", raw)
		}
		return fmt.Sprintf(`'\x%x'::bytea`, raw)
	}
	for _, e := range events {
		fmt.Fprintf(b, "UPDATE audit SET hash = %s, content = %s WHERE seq = %d;\n", blob(e.Hash), blob(e.Content), e.Seq)
		if isSQLite {
			for _, k := range e.Keys {
				fmt.Fprintf(b, "INSERT INTO audit_key (key, id) VALUES (%d, %s) ON CONFLICT DO NOTHING;\n", k, blob(e.ID[:]))
			}
		} else {
			fmt.Fprintf(b, "UPDATE audit SET keys = '{%s}' WHERE seq = %d;\n", strings.Trim(strings.ReplaceAll(fmt.Sprint(e.Keys), " ", ","), "[]"), e.Seq)
		}
	}
	if isSQLite { // the key of the account that was there before
		fmt.Fprintf(b, "DELETE FROM audit_key WHERE key = %d AND id = (SELECT id FROM audit WHERE seq = 4);\n", keyAccount("account-7"))
	}
	return b.String()
}

// TestVerifyCopies: who cuts off the end together with the checkpoint that tells of
// it is found by a copy of that checkpoint, as the log has it.
func TestVerifyCopies(t *testing.T) {
	onEngines(t, func(l *lab) {
		l.fill()
		all, err := l.store.Checkpoints(l.Context(), 0, 10)
		if err != nil || len(all) != 2 {
			l.Fatal(all, err)
		}
		copies := [][]byte{all[0].Content, append(all[1].Content, '\n')}
		if r := l.verify(copies...); len(r.Faults) > 0 {
			l.Errorf("faults %v", r.Faults)
		}
		l.unlock()
		l.plant(`DELETE FROM audit WHERE seq > 10; DELETE FROM audit_checkpoint WHERE number = 2`)
		l.sound(10) // without the copy nobody can tell
		if r := l.verify(copies...); len(r.Faults) != 2 || !strings.Contains(r.Faults[1].What, "cut off") {
			l.Errorf("faults %v", r.Faults)
		}
	})
}

// TestVerifyTrust: checkpoints of a key that is not trusted count for nothing.
func TestVerifyTrust(t *testing.T) {
	onEngines(t, func(l *lab) {
		l.fill()
		other, err := LoadSigner(l.TempDir() + "/other.pem")
		if err != nil {
			l.Fatal(err)
		}
		r, err := Verify(l.Context(), l.store, []PublicKey{other.Public()}, nil)
		if err != nil || len(r.Faults) != 2 || r.Unsigned != 17 {
			l.Errorf("%+v %v", r, err)
		}
	})
}

// TestRowsAreFixed: what the owner of the schema does by mistake is refused.
func TestRowsAreFixed(t *testing.T) {
	onEngines(t, func(l *lab) {
		l.fill()
		for _, sql := range []string{
			`UPDATE audit SET seq = seq + 100`, `DELETE FROM audit`,
			`UPDATE audit_checkpoint SET seq = 1`, `DELETE FROM audit_checkpoint`,
		} {
			if err := l.try(sql); err == nil {
				l.Errorf("%s: no error", sql)
			}
		}
		l.sound(17)
	})
}

// TestExpire drops a month, which Verify then knows of, and keeps one with a fault.
func TestExpire(t *testing.T) {
	onEngines(t, func(l *lab) {
		l.fill()
		now := time.Now()
		if dropped, err := Expire(l.Context(), l.store, l.config.Signer, monthNow(), now); err != nil || dropped != nil {
			l.Fatalf("this month: %v %v", dropped, err)
		}
		if err := l.store.DropEvents(l.Context(), monthNow()); err == nil {
			l.Error("a month without a final checkpoint was dropped")
		}
		dropped, err := Expire(l.Context(), l.store, l.config.Signer, 999912, now)
		if err != nil || !slices.Equal(dropped, []int{monthNow()}) {
			l.Fatalf("%v %v", dropped, err)
		}
		if r := l.verify(); r.Events != 0 || r.Dropped != 1 || len(r.Faults) > 0 {
			l.Errorf("%+v", r)
		}
	})
	onEngines(t, func(l *lab) {
		l.fill()
		l.unlock()
		l.plant(`DELETE FROM audit WHERE seq = 4`)
		if dropped, err := Expire(l.Context(), l.store, l.config.Signer, 999912, time.Now()); err == nil || dropped != nil {
			l.Errorf("a month with a fault: %v %v", dropped, err)
		}
	})
}
