package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/telehealth/schedule"
)

// agendaService books appointments.
func (o *opened) agendaService() *schedule.Service {
	return schedule.New(schedule.Config{Store: birthStore{o}, Maker: o.maker})
}

// agendaOperations find, hold and book slots.
func (o *opened) agendaOperations() []operation.Operation { return o.agendaService().Operations() }

// lapseOffers makes offers of free slots, which nobody took in time, to the next who waits.
func (o *opened) lapseOffers(ctx context.Context, log *slog.Logger) {
	s := o.agendaService()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Minute):
		}
		if err := s.Lapse(ctx, o.indexing.Base); err != nil && ctx.Err() == nil {
			log.ErrorContext(ctx, "offers of free slots", "error", err.Error())
		}
	}
}
