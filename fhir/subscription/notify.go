package subscription

import (
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
)

// status writes the Parameters that stand in R4 for a SubscriptionStatus. number is that
// of the last event, and events are those that it is about.
//
// See https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/StructureDefinition-backport-subscription-status-r4.html.
func (s *Service) status(d *definition, typ string, number int64, events []event, why string) compose.Object {
	parts := []compose.Object{
		compose.Part("subscription", "Reference", compose.Object{"reference": s.Base + "/Subscription/" + d.id}),
		compose.Part("topic", "Canonical", d.topic.URL),
		compose.Part("status", "Code", d.status),
		compose.Part("type", "Code", typ),
		compose.Part("events-since-subscription-start", "String", strconv.FormatInt(number, 10)),
	}
	for i := range events {
		e := &events[i]
		of := []compose.Object{
			compose.Part("event-number", "String", strconv.FormatInt(e.Number, 10)),
			compose.Part("timestamp", "Instant", instant(e.Time)),
		}
		if d.content != contentEmpty {
			of = append(of, compose.Part("focus", "Reference", compose.Object{"reference": s.Base + "/" + e.Ref}))
		}
		parts = append(parts, compose.Object{"name": "notification-event", "part": of})
	}
	if why != "" {
		parts = append(parts, compose.Part("error", "CodeableConcept", compose.Object{"text": why}))
	}
	return compose.Object{
		"resourceType": "Parameters", "meta": compose.Object{"profile": []string{guide + "backport-subscription-status-r4"}}, "parameter": parts,
	}
}

// notification writes the Bundle that is sent.
//
// See https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/notifications.html.
func (s *Service) notification(d *definition, typ string, number int64, p *parcel) []byte {
	if d.status == failed && typ != "query-event" {
		confirmed := *d
		confirmed.status = active // it is, when this is confirmed
		d = &confirmed
	}
	entries := []compose.Object{{
		"fullUrl":  "urn:uuid:" + uuid.NewString(),
		"resource": s.status(d, typ, number, p.events, ""),
		"request":  compose.Object{"method": "GET", "url": s.Base + "/Subscription/" + d.id + "/$status"},
		"response": compose.Object{"status": "200"},
	}}
	if d.content != contentEmpty {
		entries = append(entries, s.focused(d, p)...)
	}
	return compose.JSON(compose.Object{
		"resourceType": "Bundle", "id": uuid.NewString(), "meta": compose.Object{"profile": []string{guide + "backport-subscription-notification-r4"}},
		"type": "history", "timestamp": instant(s.Now()), "entry": entries,
	})
}

// focused are the entries of what events are about, one for each resource: as it is now,
// which may be after further changes.
func (s *Service) focused(d *definition, p *parcel) (all []compose.Object) {
	last := map[string]int{}
	for i := range p.events {
		last[p.events[i].Ref] = i
	}
	for i := range p.events {
		e := &p.events[i]
		if last[e.Ref] != i {
			continue
		}
		entry := compose.Object{"fullUrl": s.Base + "/" + e.Ref}
		shown := p.shown[e.Ref]
		switch {
		case e.Gone:
			entry["request"] = compose.Object{"method": "DELETE", "url": e.Ref}
			entry["response"] = compose.Object{"status": "204"}
		case d.content == contentFull && shown != nil:
			entry["resource"] = shown
			fallthrough
		default:
			entry["request"] = compose.Object{"method": "PUT", "url": e.Ref}
			entry["response"] = compose.Object{"status": "200"}
			if d.content == contentID { // only to be read
				entry["request"] = compose.Object{"method": "GET", "url": e.Ref}
			}
		}
		all = append(all, entry)
	}
	return all
}

// instant is how a time is shown.
func instant(t time.Time) string { return t.UTC().Format(fhir.InstantLayout) }
