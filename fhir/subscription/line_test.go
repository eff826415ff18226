package subscription

import (
	"testing"

	"github.com/amate-health/amate/fhir"
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
