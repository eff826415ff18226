package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/registry/demo"
)

// agendas says when those of the demonstration can be seen.
func (p *stage) agendas(ctx context.Context) error {
	p.at = time.Time{}
	_, transaction := demo.Agendas()
	_, err := p.do(ctx, acting("system", "", ""), "POST", "", transaction)
	return err
}

// ahead books visits of the days to come, one in each agenda and a few more in the first.
func (p *stage) ahead(ctx context.Context) error {
	p.at = time.Time{}
	ids, _ := demo.Agendas()
	adults := p.adults()
	if len(adults) < demoVisits+len(ids)+2 {
		return nil
	}
	adults = adults[demoVisits:]
	for i, id := range append(ids, ids[0], ids[0]) {
		who := citizen(adults[i].ID)
		from := url.Values{"schedule": {id}, "start": {p.begun.Add(time.Duration(20+5*i) * time.Hour).Format(time.RFC3339)}, "_count": {"1"}}
		free, err := p.do(ctx, who, "GET", "Appointment/$find?"+from.Encode(), nil)
		if err != nil {
			return err
		}
		var found struct {
			Entry []struct{ Resource struct{ Start time.Time } }
		}
		if err := json.Unmarshal(free.body, &found); err != nil || len(found.Entry) == 0 {
			return fmt.Errorf("nothing is free in %s: %w", id, err)
		}
		if _, err := p.book(ctx, who, id, found.Entry[0].Resource.Start, "Control", i%2 == 0); err != nil {
			return err
		}
	}
	return nil
}

// watch has somebody with high blood pressure watched at home. The last of what was
// measured is too high, and calls the doctor.
func (p *stage) watch(ctx context.Context) error {
	p.at = time.Time{}
	ill := p.hypertensive()
	if len(ill) == 0 {
		return nil
	}
	s := ill[0]
	began := p.begun.AddDate(0, 0, -14).Format(time.DateOnly)
	if _, err := p.do(ctx, acting("system", s.Clinic, ""), "POST", "", demo.Watch(s.ID, s.Doctor, began)); err != nil {
		return err
	}
	_, err := p.do(ctx, citizen(s.ID), "POST", "Observation/$measurements", p.readings(s.ID))
	return err
}

// hypertensive are those of the adults who have high blood pressure.
func (p *stage) hypertensive() (all []*demo.Somebody) {
	for _, s := range p.adults() {
		if s.Hypertension {
			all = append(all, s)
		}
	}
	return all
}

// readings are those of two weeks, in the morning and at night.
func (p *stage) readings(patient string) []byte {
	const days = 14
	var all []string
	for i := range 2 * days {
		systolic, diastolic := 121+i*7%11, 74+i*5%8
		if i >= 2*days-3 {
			systolic, diastolic = 146+3*(i%5), 91+i%4
		}
		at := p.begun.Add(-time.Duration(2*days-1-i)*12*time.Hour - 20*time.Minute)
		all = append(all, fmt.Sprintf(`{"id":"casa-%d","code":"85354-9","value":"%d/%d","at":%q}`, i, systolic, diastolic, at.UTC().Format(time.RFC3339)))
	}
	return fmt.Appendf(nil, `{"patient":"Patient/%s","device":"Device/%s","readings":[%s]}`, patient, demo.CuffOf(patient), strings.Join(all, ","))
}

// refer returns the part of a referral to the first hospital, which waits for its answer;
// the second is accepted.
func refer(n int) act {
	return func(p *stage, ctx context.Context) error {
		p.at = time.Time{}
		ill := p.hypertensive()
		if len(ill) < 2+n {
			return nil
		}
		s := ill[1+n]
		doctor := clinician(s.Clinic, s.Doctor)
		ask := []url.Values{
			{"reason": {"Dolor torácico de esfuerzo desde hace un mes"}, "priority": {"urgent"}, "specialty": {"Medicina interna"}, "summary": {"Dolor opresivo al subir escaleras, que cede con el reposo."}, "treatment": {"Ácido acetilsalicílico 100 mg cada 24 horas."}},
			{"reason": {"Valoración de control metabólico"}, "priority": {"routine"}, "specialty": {"Medicina interna"}, "summary": {"Glucosa fuera de metas pese a tratamiento."}, "treatment": {"Metformina 850 mg cada 12 horas."}},
		}[n]
		ask.Set("clues", demo.CLUES())
		ask.Set("diagnosis", "Condition/"+s.ID+"-I10")
		made, err := p.do(ctx, doctor, "POST", fmt.Sprintf("Encounter/%s-v%d/$refer?%s", s.ID, s.Visits, ask.Encode()), nil)
		if err != nil {
			return err
		}
		if err := p.sign(ctx, doctor, made.text("note")); err != nil || n == 0 {
			return err
		}
		_, err = p.do(ctx, acting("nurse", demo.CLUES(), "Practitioner/"+demo.Nurse()), "POST", made.text("task")+"/$accept-referral?note=Traer+estudios+previos", nil)
		return err
	}
}
