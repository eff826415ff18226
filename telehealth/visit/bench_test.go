package visit_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store/sqlite"
	"github.com/amate-health/amate/telehealth/room"
	"github.com/amate-health/amate/telehealth/visit"
)

// BenchmarkGate is what pages make a server do all the time: to measure, and to come back
// after a drop.
func BenchmarkGate(b *testing.B) {
	s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "visit.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	service := visit.New(visit.Config{Store: s, Now: func() time.Time { return begins }})
	value := fmt.Sprintf(`{"Room":%q,"Patient":"ana","Start":%q,"End":%q,"Seats":[{"ID":"s","Token":%q,"Times":[{"From":%q}]}]}`,
		benchRoom, begins.Format(time.RFC3339), begins.Add(time.Hour).Format(time.RFC3339), "", begins.Format(time.RFC3339))
	if err := s.Put(b.Context(), fhir.Entry{Kind: "visit", Key: benchRoom, Group: "open", Value: []byte(value)}); err != nil {
		b.Fatal(err)
	}
	b.Run("measured", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			e := room.Event{Room: benchRoom, Seat: "s", Kind: room.Measured, At: begins.Add(time.Duration(i+1) * time.Second), Quality: room.Quality{Loss: 0.01}}
			if err := service.Happened(context.Background(), e); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("no such secret", func(b *testing.B) {
		for b.Loop() {
			if _, err := service.Resume(context.Background(), benchRoom+"guess"); fhir.CodeOf(err) != fhir.LoginRequired {
				b.Fatal(err)
			}
		}
	})
}

const benchRoom = "AAAAAAAAAAAAAAAAAAAAAA"
