package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Receiver is what an engine offers for messages of other systems.
type Receiver interface {
	Receipts(ctx context.Context, asked []fhir.Receipt) ([]fhir.Receipt, error)
	KeepReceipts(ctx context.Context, receipts []fhir.Receipt) error
	ForgetReceipts(ctx context.Context, before time.Time) error
}

// Receipts tests how an engine keeps receipts.
func Receipts(t *testing.T, s Receiver) {
	ctx := t.Context()
	at := time.Date(2026, 11, 21, 12, 0, 0, 7000, time.UTC)
	is := func(want string, asked ...fhir.Receipt) {
		t.Helper()
		found, err := s.Receipts(ctx, asked)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range found {
			got = append(got, fmt.Sprintf("%s/%s %s %s %d", r.Sender, r.Control, r.Digest, r.Answer, r.Received.Sub(at)/time.Hour))
		}
		slices.Sort(got)
		if list := strings.Join(got, "; "); list != want {
			t.Errorf("there is %q, want %q", list, want)
		}
	}
	one := fhir.Receipt{Sender: "lab", Control: "1", Digest: []byte("d"), Answer: []byte("AA"), Received: at}
	two := fhir.Receipt{Sender: "lab", Control: "2", Digest: []byte("e"), Answer: []byte("AE"), Received: at.Add(time.Hour)}
	other := fhir.Receipt{Sender: "his", Control: "1", Digest: []byte("f"), Answer: []byte("AR"), Received: at.Add(2 * time.Hour)}
	is("", one, two)
	if err := s.KeepReceipts(ctx, []fhir.Receipt{two, one, other}); err != nil {
		t.Fatal(err)
	}
	is("lab/1 d AA 0; lab/2 e AE 1", one, two, fhir.Receipt{Sender: "his", Control: "2"})
	is("his/1 f AR 2", other)
	two.Answer = []byte("AA")
	if err := s.KeepReceipts(ctx, []fhir.Receipt{two}); err != nil {
		t.Fatal(err)
	}
	is("lab/2 e AA 1", two)
	if err := s.ForgetReceipts(ctx, at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	is("his/1 f AR 2; lab/2 e AA 1", one, two, other)
}
