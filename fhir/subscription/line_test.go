package subscription

import (
	"context"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
)

// TestOfferedInPart: changes of which only some types were looked at, since nobody waited
// for others when they were read, do not move on a Subscription that waits for those
// others: it reads the changes itself.
func TestOfferedInPart(t *testing.T) {
	before, after := fhir.Mark{Tx: 1}, fhir.Mark{Tx: 2}
	for _, tt := range []struct {
		name   string
		about  []string
		looked map[string]bool
		taken  bool
	}{
		{"none of it", []string{"Flag"}, map[string]bool{"Patient": true}, false},
		{"nothing at all", []string{"Flag"}, nil, false},
		{"some of it", []string{"Flag", "Task"}, map[string]bool{"Flag": true}, false},
		{"all of it", []string{"Flag", "Task"}, map[string]bool{"Flag": true, "Task": true, "Patient": true}, true},
	} {
		topic := &Topic{}
		for _, typ := range tt.about {
			topic.Triggers = append(topic.Triggers, Trigger{Resource: typ})
		}
		l := newLine(&Service{}, &definition{topic: topic})
		l.lagging, l.read = false, before
		l.offer(nil, tt.looked, after)
		if want := map[bool]fhir.Mark{true: after, false: before}[tt.taken]; l.read != want || l.lagging == tt.taken {
			t.Errorf("%s: it is at %v, behind %v", tt.name, l.read, l.lagging)
		}
	}
}

// TestNoLeftovers: what was made ready for a Subscription is not sent for what its owner has
// made of it meanwhile.
func TestNoLeftovers(t *testing.T) {
	s := New(t.Context(), Config{
		Key: make([]byte, 32), Apply: func(context.Context, *bundle.Batch) ([]bundle.Result, error) { return nil, nil },
	})
	topic := &Topic{}
	l := newLine(s, &definition{topic: topic, status: active, channel: restHook, version: 1})
	l.ready = &parcel{events: []event{{Number: 1}}}
	s.mu.Lock()
	l.define(&definition{topic: topic, status: requested, channel: webSocket, version: 2})
	s.mu.Unlock()
	if _, err := l.step(t.Context()); err != nil || l.ready != nil {
		t.Errorf("%+v is left, %v", l.ready, err)
	}
}
