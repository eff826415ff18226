package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/telehealth/schedule"
)

// agendaService books appointments.
func (o *opened) agendaService() *schedule.Service {
	cfg := schedule.Config{Store: birthStore{o}, Maker: o.maker}
	if o.visits != nil {
		cfg.Begun, cfg.UnderWay = o.visits.Begun, o.visits.UnderWay
	}
	return schedule.New(cfg)
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

// mountAgendas serves the calendars of agendas, to whoever has a link to one, and the free
// slots that are published to everybody.
func (o *opened) mountAgendas(r chi.Router, prefix string) {
	s := o.agendaService()
	r.Handle(prefix+schedule.CalendarPath+"*", s.Calendars())
	r.Handle(prefix+schedule.PublishPath+"*", s.Publisher(issuerOf(o.indexing.Base)))
}
