package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/document/sign/signtest"
)

// kept returns what the database holds under the name of what was prepared.
func (w *ward) kept(pending string) string {
	w.Helper()
	s := storage{Data: w.where[1]}
	if len(w.where) > 2 {
		s.Database = w.where[3]
	}
	o, err := s.open(context.Background(), slog.New(slog.DiscardHandler))
	if err != nil {
		w.Fatal(err)
	}
	defer o.Close()
	e, err := o.Entry(context.Background(), "document-signature", pending)
	if err != nil {
		w.Fatal(err)
	}
	return string(bytes.ToLower(e.Value))
}

// TestSignedLeavesReceipt: once it is signed, nothing of the document stays where it
// waited, and the same call gets the same answer, whoever signed in which capacity.
func TestSignedLeavesReceipt(t *testing.T) {
	t.Parallel()
	eachWard(t, func(w *ward) {
		for _, c := range []struct {
			who    string
			holder *signtest.Holder
			more   []string
		}{{doctor, w.doctor, nil}, {nurse, w.nurse, []string{"type", "Code", sign.Witness}}} {
			pending, signature := w.signature(c.holder, w.prepare(200, c.who, c.holder, "n1", c.more...))
			if before := w.kept(pending); !strings.Contains(before, "70.50") || !strings.Contains(before, "garc") {
				w.Errorf("while it waits: %.300s", before)
			}
			send := func(want int, signature string) string {
				w.Helper()
				return w.must(want, c.who, "POST", "Composition/n1/$sign", params("pending", "Id", pending, "signature", "Base64Binary", signature))
			}
			first := send(200, signature)
			if after := w.kept(pending); len(after) > 500 || strings.Contains(after, "70.50") || strings.Contains(after, "garc") || strings.Contains(after, strings.ToLower(doctorCURP)) {
				w.Errorf("after it was signed there is left: %s", after)
			}
			if again := send(200, signature); again != first {
				w.Errorf("again: %s, not %s", again, first)
			}
			send(409, "AAAA"+signature[4:])
		}
		if got := w.must(200, doctor, "GET", "Provenance?target=Composition/n1&_summary=count", ""); !strings.Contains(got, `"total":2`) {
			w.Errorf("what was sent twice was written twice: %s", got)
		}
	})
}
