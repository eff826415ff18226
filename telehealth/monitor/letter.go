package monitor

import (
	"slices"
	"strconv"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
)

// texts are what is said of an alert, behind the name of what is measured.
var texts = map[string]string{beyond: "valor fuera del límite", changes: "cambio mayor al previsto", silent: "sin mediciones"}

// text says what an alert is about, without a value.
func (k *alarm) text() string { return known.keys[k.rule.Key].Text + ": " + texts[k.kind] }

func (k *alarm) subject() compose.Object { return compose.Object{"reference": "Patient/" + k.patient} }

// priority is that of the rule, one more with each who was called in vain.
func (k *alarm) priority() string {
	return priorities[min(len(priorities)-1, slices.Index(priorities, k.rule.Priority)+k.Step)]
}

// flag is what is wrong.
//
// See https://hl7.org/fhir/R4/flag.html.
func (k *alarm) flag(status string) compose.Object {
	code := compose.Concept(AlertSystem, k.kind, "")
	code["text"] = k.text()
	return compose.Object{
		"resourceType": "Flag", "id": k.id, "status": status, "subject": k.subject(), "code": code,
		"category": []compose.Object{compose.Concept("http://terminology.hl7.org/CodeSystem/flag-category", "clinical", "Clinical")},
		"period":   compose.Object{"start": k.now.UTC().Format(time.RFC3339)},
	}
}

// request is what is to be done: to see to the patient. Its inputs are the readings that
// call for it.
//
// See https://hl7.org/fhir/R4/task.html.
func (k *alarm) request() compose.Object {
	now := k.now.UTC().Format(time.RFC3339)
	t := compose.Object{
		"resourceType": "Task", "id": k.id, "status": "requested", "intent": "order", "priority": k.priority(),
		"code": compose.Concept(AlertSystem, "alert", "Monitoring alert"), "description": k.text(), "for": k.subject(),
		"focus":      compose.Reference(fhir.Ref{Type: "Flag", ID: k.id}),
		"basedOn":    []compose.Object{compose.Reference(fhir.Ref{Type: "Goal", ID: k.rule.Goal})},
		"reasonCode": compose.Concept(AlertSystem, k.kind, ""), "authoredOn": now, "lastModified": now,
	}
	if len(k.Evidence) > 0 {
		t["input"] = k.inputs()
	}
	if len(k.Line) > 0 {
		t["owner"] = compose.Object{"reference": k.Line[0]}
	}
	return t
}

// inputs are the readings that call for an alert.
func (k *alarm) inputs() []compose.Object {
	all := make([]compose.Object, 0, len(k.Evidence))
	for _, id := range k.Evidence {
		all = append(all, compose.Object{"type": compose.Concept(AlertSystem, "evidence", ""), "valueReference": compose.Reference(fhir.Ref{Type: "Observation", ID: id})})
	}
	return all
}

// call writes that somebody is called. What is measured is in the record; the message says
// only what it is about.
func (w *written) call(k *alarm) {
	if len(k.Line) == 0 {
		return
	}
	k.Sent++
	w.put(compose.Object{
		"resourceType": "Communication", "id": k.id + "-" + strconv.Itoa(k.Sent), "status": "completed", "subject": k.subject(), "priority": k.priority(),
		"category":  []compose.Object{compose.Concept("http://terminology.hl7.org/CodeSystem/communication-category", "alert", "Alert")},
		"about":     []compose.Object{compose.Reference(fhir.Ref{Type: "Task", ID: k.id}), compose.Reference(fhir.Ref{Type: "Flag", ID: k.id})},
		"recipient": []compose.Object{{"reference": k.Line[k.Step]}}, "sent": k.now.UTC().Format(time.RFC3339),
		"payload": []compose.Object{{"contentString": "Alerta de monitoreo a distancia. " + k.text()}},
	}, 0)
}
