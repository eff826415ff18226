package exchange

import (
	"context"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/message"
	"github.com/amate-health/amate/fhir/registry/immunization/dose"
)

// Doses says what is to be written of doses that were given; *dose.Service does.
type Doses interface {
	Take(ctx context.Context, base string, patient []byte, link string, before []fhir.Resource, all []dose.Told) ([]dose.Taken, error)
	Hold(patient string) (release func())
}

// Config is what messages are dealt with by. Doses must be set.
type Config struct {
	Doses Doses
	Name  string           // what this system calls itself in identifiers; "" is AMATE
	Now   func() time.Time // nil is time.Now
	Zone  *time.Location   // whose day it is in answers; nil is UTC
}

// Kinds returns the kinds of message of immunization systems.
func Kinds(c Config) []message.Kind {
	if c.Name == "" {
		c.Name = "AMATE"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	return []message.Kind{
		{Code: "VXU", Trigger: "V04", Map: c.vaccinations, Profile: "Z23^CDCPHINVS"},
		{Code: "QBP", Trigger: "Q11", Answer: c.answer, Profile: profileNobody},
	}
}
