package main

import (
	"time"

	"github.com/amate-health/amate/fhir/message"
	vaccination "github.com/amate-health/amate/fhir/registry/immunization/exchange"
)

// vaccinationMessages are the HL7 v2 messages of immunization systems.
func (o *opened) vaccinationMessages() []message.Kind {
	return vaccination.Kinds(vaccination.Config{Doses: o.doseService(), Now: time.Now, Zone: o.zone()})
}
