package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir/registry/demo"
	"github.com/amate-health/amate/telehealth/room"
)

// adults are those of the population whom the demonstration sees, from the first on: each
// has an appointment, and none two.
func (p *stage) adults() (all []*demo.Somebody) {
	for i := range p.country.People {
		if s := &p.country.People[i]; s.Years(p.begun) >= 20 && s.Visits > 0 {
			all = append(all, s)
		}
	}
	return all
}

// complaints is what is written of a visit.
var complaints = []struct{ reason, place, said, found, forecast, advice string }{
	{"Dolor de cabeza desde hace tres días", "Calvillo, en casa", "Buenos días. ¿Desde cuándo le duele?", "Cefalea tensional de tres días, sin datos de alarma. Buen estado general por video.", "Bueno para la vida y para la función.", "Paracetamol en caso de dolor, higiene del sueño. Acudir a urgencias ante fiebre, vómito o rigidez de nuca."},
	{"Control de la presión arterial", "Jesús María, en casa", "¿Trae sus mediciones de la semana?", "Hipertensión en control; mediciones en casa entre 124/78 y 132/84 mmHg. Asintomático.", "Bueno con tratamiento.", "Continuar el tratamiento. Medir la presión mañana y noche. Cita en un mes."},
	{"Estornudos y comezón en los ojos", "Aguascalientes, en el trabajo", "¿Le pasa todo el año, o por temporada?", "Rinitis alérgica estacional. Sin dificultad respiratoria.", "Bueno para la vida y para la función.", "Evitar polvo y pólenes. Antihistamínico por la noche durante siete días."},
	{"Resultados de laboratorio", "San Francisco de los Romo, en casa", "Ya tengo sus resultados; los vemos juntos.", "Glucosa en ayuno de 118 mg/dL, HbA1c 6.3 %. Sin síntomas.", "Bueno con cambios en el estilo de vida.", "Plan de alimentación, caminar 30 minutos al día. Repetir HbA1c en tres meses."},
}

// hold returns the part of the n-th visit at a distance, of the last days: the patient
// books it, consents, and meets the doctor; the last one does not come.
func hold(n int) act {
	return func(p *stage, ctx context.Context) error {
		adults := p.adults()
		if n >= len(adults) {
			return nil
		}
		who, words := citizen(adults[n].ID), &complaints[n%len(complaints)]
		// At an hour of the day in which people are seen, and within the days for which a
		// visit is remembered.
		start := p.begun.Add(-time.Duration(14*n+5) * time.Hour).Truncate(10 * time.Minute)
		p.at = start.Add(-26 * time.Hour)
		made, err := p.book(ctx, who, demo.Doctor(), start, words.reason, true)
		if err != nil {
			return err
		}
		doctor := clinician(demo.CLUES(), demo.Doctor())
		p.at = start.Add(-3 * time.Minute)
		at := "Appointment/" + made.ID
		about := url.Values{"identity": {"document"}, "place": {words.place}, "emergency-name": {"Rosa"}, "emergency-phone": {"+52 55 0000 0000"}}
		if _, err := p.do(ctx, doctor, "POST", at+"/$start-visit?"+about.Encode(), nil); err != nil {
			return err
		}
		if n == demoVisits-1 {
			p.at = start.Add(21 * time.Minute)
			_, err := p.do(ctx, doctor, "POST", "Encounter/"+made.ID+"/$end-visit", nil)
			return err
		}
		if _, err := p.do(ctx, doctor, "POST", at+"/$visit-consent?how=verbal", nil); err != nil {
			return err
		}
		if err := p.meet(ctx, doctor, who, made.ID, start, time.Duration(8+n%3*4)*time.Minute, words.said); err != nil {
			return err
		}
		p.at = time.Time{} // what is written and signed bears the time at which it is
		if err := p.write(ctx, doctor, made.ID, n); err != nil {
			return err
		}
		return p.prescribe(ctx, doctor, made.ID, n)
	}
}

// book books a slot as somebody.
func (p *stage) book(ctx context.Context, who *authz.Principal, schedule string, start time.Time, reason string, virtual bool) (*answer, error) {
	ask := url.Values{"schedule": {schedule}, "start": {start.UTC().Format(time.RFC3339)}, "patient": {who.Patient}, "reason": {reason}, "virtual": {fmt.Sprint(virtual)}}
	return p.do(ctx, who, "POST", "Appointment/$book?"+ask.Encode(), nil)
}

// meet has two people in the room of a visit, from its start on.
func (p *stage) meet(ctx context.Context, doctor, patient *authz.Principal, id string, start time.Time, long time.Duration, said string) error {
	at := "Encounter/" + id
	var seats []*room.Ticket
	for _, who := range []*authz.Principal{doctor, patient} {
		p.at = start.Add(-time.Minute)
		link, err := p.do(ctx, who, "POST", at+"/$join", nil)
		if err != nil {
			return err
		}
		_, secret, _ := strings.Cut(link.text("url"), "#")
		_, token, _ := strings.Cut(secret, "/")
		seat, _, err := p.visits.Enter(ctx, token)
		if err != nil {
			return err
		}
		seats = append(seats, seat)
	}
	where := seats[0].Room
	for i, seat := range seats {
		if err := p.visits.Happened(ctx, room.Event{Room: where, Seat: seat.Seat, Kind: room.Entered, At: start.Add(time.Duration(i-1) * 30 * time.Second)}); err != nil {
			return err
		}
	}
	p.at = start
	if err := p.visits.Admit(ctx, where, seats[0].Seat, seats[1].Seat); err != nil {
		return err
	}
	for i, seat := range seats {
		ways := []room.Event{
			{Kind: room.Measured, At: start.Add(time.Minute), Quality: room.Quality{Loss: 0.01 * float64(i), Jitter: 12 * time.Millisecond, RoundTrip: 80 * time.Millisecond}},
			{Kind: room.Said, At: start.Add(time.Duration(90+i) * time.Second), ID: fmt.Sprint(i), Text: []string{said, "Sí, la escucho bien. Gracias."}[i]},
		}
		for _, e := range ways {
			e.Room, e.Seat = where, seat.Seat
			if err := p.visits.Happened(ctx, e); err != nil {
				return err
			}
		}
	}
	p.at = start.Add(long)
	_, err := p.do(ctx, doctor, "POST", at+"/$end-visit", nil)
	return err
}

// write has the doctor write the note of a visit, from its draft, and sign it.
func (p *stage) write(ctx context.Context, doctor *authz.Principal, encounter string, n int) error {
	draft, err := p.do(ctx, doctor, "POST", "Encounter/"+encounter+"/$draft-note?type=6.2", nil)
	if err != nil {
		return err
	}
	words := &complaints[n%len(complaints)]
	note := draft.body
	for _, section := range []struct{ code, text string }{
		{"evolucion", "Consulta a distancia por: " + words.reason + ". " + words.found},
		{"signos-vitales", "Consulta a distancia: no se midieron signos vitales."},
		{"resultados", "No se solicitaron estudios."},
		{"diagnosticos", words.found},
		{"pronostico", words.forecast},
		{"tratamiento", words.advice},
	} {
		note = filled(note, section.code, section.text)
	}
	made, err := p.do(ctx, doctor, "POST", "Composition", note)
	if err != nil {
		return err
	}
	return p.sign(ctx, doctor, "Composition/"+made.ID)
}

// filled writes a text into the section with a code, where it is left to be written.
func filled(note []byte, code, text string) []byte {
	at := bytes.Index(note, []byte(`/nom-004-seccion","code":"`+code+`"`))
	if at < 0 {
		return note
	}
	section := note[at:]
	if next := bytes.Index(section, []byte(`{"title"`)); next >= 0 {
		section = section[:next]
	}
	done := bytes.Replace(section, []byte("Por escribir."), []byte(text), 1)
	done = bytes.Replace(done, []byte(`"status":"empty"`), []byte(`"status":"additional"`), 1)
	return append(append(append([]byte(nil), note[:at]...), done...), note[at+len(section):]...)
}

// prescribe has the doctor prescribe in a visit, and sign it.
func (p *stage) prescribe(ctx context.Context, doctor *authz.Principal, encounter string, n int) error {
	body := fmt.Sprintf(`{"resourceType":"Parameters","parameter":[%s]}`, demo.Medicine(n))
	made, err := p.do(ctx, doctor, "POST", "Encounter/"+encounter+"/$draft-prescription", []byte(body))
	if err != nil {
		return err
	}
	return p.sign(ctx, doctor, made.text("composition"))
}
