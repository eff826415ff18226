package paper

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/document/sign/signtest"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
	"github.com/amate-health/amate/fhir/registry/key"
)

var certified = time.Date(2026, 11, 20, 17, 5, 0, 0, time.UTC)

const verifyURL = "https://salud.example.gob.mx/verify/Zk3vQm9Xb0pTq1rWc7YdHg"

// sample is a certificate of the first of two twins, in a state.
func sample(t testing.TB, state birth.State) *birth.Certificate {
	t.Helper()
	c := &birth.Certificate{
		Folio: "MC26000004711", State: state, Year: 2026, Drafted: certified.Add(-time.Hour),
		Certifier: birth.Official{Person: birth.Person{Name: birth.Name{Given: "Xóchitl", First: "Ñáñez", Second: "Peña"}}, Cedula: "12345678", Facility: "MCIMB005225",
			Place: "Hospital de la Mujer «Sor Juana Inés de la Cruz»", Locality: "Toluca, México"},
		Newborn: birth.Person{Name: birth.Name{Given: "José Ángel", First: "Muñoz", Second: "Güémez"}},
		Mother:  birth.Person{Name: birth.Name{Given: "María de los Ángeles", First: "Güémez", Second: "Ibáñez"}, CURP: "GUIA980214MMCMBN02", Born: "1998-02-14"},
		Father:  &birth.Person{Name: birth.Name{Given: "Nicolás", First: "Muñoz", Second: "Íñiguez"}, Born: "1995-07-01"},
	}
	for column, value := range map[sinac.Column]string{
		sinac.Born: "19/11/2026", sinac.BornAt: "23:47", sinac.Sex: "1", sinac.Weight: "2890", sinac.Length: "49", sinac.Weeks: "38", sinac.Apgar: "9", sinac.Silverman: "0",
		sinac.Plurality: "2", sinac.Order: "1", sinac.Total: "2", sinac.BCG: "1", sinac.HepatitisB: "1", sinac.VitaminK: "1", sinac.VitaminA: "9", sinac.HearingScreen: "2",
		sinac.Anomaly1: "0000", sinac.MotherAge: "28", sinac.Marital: "4", sinac.HomeState: "15", sinac.HomeTown: "106", sinac.HomeLocality: "0001", sinac.FatherAge: "31",
		sinac.BirthState: "15", sinac.BirthTown: "106", sinac.BirthLocality: "0001", sinac.Pregnancies: "2", sinac.LiveBirths: "3", sinac.PrenatalCare: "1", sinac.PrenatalVisits: "7",
		sinac.Forceps: "2", sinac.MotherSurvived: "1",
	} {
		c.Row[column] = value
	}
	if state == birth.Draft {
		return c
	}
	c.Certified, c.Hash = certified, strings.Repeat("0123456789abcdef", 4)
	ca := signtest.NewCA(t, "AC de prueba")
	for _, one := range []struct {
		into    *string
		subject signtest.Subject
		purpose string
	}{
		{&c.Signature, signtest.Subject{Name: "XOCHITL ÑAÑEZ PEÑA", CURP: "NAPX820129MMCXXC03", RFC: "NAPX820129AB1", Key: signtest.RSA()}, sign.Author},
		{&c.Seal, signtest.Subject{Name: "HOSPITAL DE LA MUJER", RFC: "HMU010101AB1"}, sign.Administrative},
	} {
		h := ca.Issue(t, one.subject)
		jws, err := (&sign.Signer{Key: h.Key, Chain: h.Chain}).Sign([]byte("{}"), certified, one.purpose)
		if err != nil {
			t.Fatal(err)
		}
		*one.into = jws
	}
	if state != birth.Certified {
		c.Delivered, c.DeliveredTo = certified.Add(3*time.Hour), "María de los Ángeles Güémez Ibáñez (madre)"
	}
	if state == birth.Registered || state == birth.Assigned {
		c.Registration = &birth.Registration{Acta: "000321", Office: "01", Date: "2026-11-30", State: "15", Recorded: certified.Add(240 * time.Hour)}
	}
	if state == birth.Assigned {
		c.CURP = "MUGA261119HMCXMNA5"
	}
	if state == birth.Void || state == birth.Replaced {
		c.Voided, c.Reason = certified.Add(48*time.Hour), "El peso se anotó en onzas"
		c.ReplacedBy = map[birth.State]string{birth.Replaced: "MC26000004799"}[state]
	}
	return c
}

// hostile is a certificate whose texts try to be more than that.
func hostile(t testing.TB) *birth.Certificate {
	c := sample(t, birth.Assigned)
	attack := `<script>alert(1)</script>"'><img src=x onerror=alert(1)>` + "\u202E\x00)Tj"
	for _, s := range []*string{&c.Newborn.Name.Given, &c.Newborn.Name.First, &c.Mother.Name.Second, &c.Father.Name.Given, &c.Certifier.Place, &c.Certifier.Cedula,
		&c.DeliveredTo, &c.Registration.Acta, &c.Registration.Office, &c.Certifier.Locality} {
		*s = attack
	}
	return c
}

// memory is a state as a store keeps it.
type memory struct {
	mu  sync.Mutex
	all []fhir.Entry
}

func (m *memory) Entries(_ context.Context, kind, _, _ string, _ int) ([]fhir.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []fhir.Entry
	for _, e := range m.all {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found, nil
}

func (m *memory) Put(_ context.Context, entries ...fhir.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := entries[0]
	i := slices.IndexFunc(m.all, func(o fhir.Entry) bool { return o.Kind == e.Kind && o.Key == e.Key })
	if i < 0 && e.Version == 0 {
		e.Version = 1
		m.all = append(m.all, e)
		return nil
	}
	if i < 0 || m.all[i].Version != e.Version {
		return fhir.Errorf(fhir.Conflict, "another version")
	}
	e.Version++
	m.all[i] = e
	return nil
}

// newKey is a key that signs from a month before the sample was certified.
func newKey(t testing.TB) *key.Key {
	t.Helper()
	from := certified.Add(-30 * 24 * time.Hour)
	k, err := key.New(from, from.Add(400*24*time.Hour), keyLength)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func claimOf(t testing.TB, k *key.Key, c *birth.Certificate) string {
	t.Helper()
	claim, err := NewClaim(c, certified.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	jws, err := claim.Sign(k)
	if err != nil {
		t.Fatal(err)
	}
	return jws
}
