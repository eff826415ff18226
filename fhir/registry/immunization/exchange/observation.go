package exchange

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/message"
	"github.com/amate-health/amate/fhir/message/hl7"
)

// What an OBX of a dose says, in LOINC.
const (
	obsEligibility = "64994-7" // for a programme
	obsLeaflet     = "69764-9" // document that was handed out
	obsPublished   = "29768-9" // its date
	obsPresented   = "29769-7" // when it was handed out
	obsVaccine     = "30956-7" // vaccine that it is about
	obsNumber      = "30973-2" // of the dose in its series
)

// observations reads the OBX of a dose. What is of the person, such as a contraindication
// or an illness had, becomes an Observation; and so does whatever else is told.
func (c Config) observations(m *message.Mapper, s *shot, number string, none bool) {
	leaves := map[string]compose.Object{}
	var order []string
	leaf := func(obx *hl7.Segment) compose.Object {
		sub := obx.Field(4).Text(1)
		if leaves[sub] == nil {
			leaves[sub] = compose.Object{}
			order = append(order, sub)
		}
		return leaves[sub]
	}
	seen := map[string]int{}
	for _, obx := range s.obx {
		what := obx.Field(3).Text(1)
		switch {
		case what == "":
			m.Fail(missing(obx, 3, "what was observed is missing"))
		case none:
			c.observation(m, s, obx, number, seen)
		case what == obsEligibility && !obx.Field(5).Empty():
			s.told.Funds = json.RawMessage(m.Concept(obx.Field(5)))
		case what == obsLeaflet, what == obsVaccine:
			if v := obx.Field(5); !v.Empty() {
				title := v.Text(2)
				if title == "" {
					title = v.Text(1)
				}
				leaf(obx)["documentType"] = title
			}
		case what == obsPublished, what == obsPresented:
			name := map[string]string{obsPublished: "publicationDate", obsPresented: "presentationDate"}[what]
			if at := m.Time(obx, 5); at != "" {
				leaf(obx)[name] = at
			}
		case what == obsNumber && countable(obx.Field(5).Text(1)):
			s.told.Count = obx.Field(5).Text(1)
		default:
			c.observation(m, s, obx, number, seen)
		}
	}
	for _, sub := range order {
		if leaves[sub]["documentType"] != nil {
			s.told.Leaves = append(s.told.Leaves, compose.JSON(leaves[sub]))
		}
	}
}

func countable(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n > 0 && n < 100
}

// observation makes an Observation of an OBX.
func (c Config) observation(m *message.Mapper, s *shot, obx *hl7.Segment, number string, seen map[string]int) {
	key := obx.Field(3).Text(1) + "|" + obx.Field(4).Text(1)
	if seen[key]++; seen[key] > 1 {
		key += "|" + strconv.Itoa(seen[key])
	}
	status := m.Tables().ResultStatus[obx.Field(11).Text(1)]
	if status == "" {
		status = "final"
	}
	v := compose.Object{
		"resourceType": "Observation", "id": m.ID("Observation", number, key), "status": status,
		"code": json.RawMessage(m.Concept(obx.Field(3))), "subject": compose.Object{"reference": m.Link()},
	}
	if when := m.Time(obx, 14); when != "" {
		v["effectiveDateTime"] = when
	} else if s.told.When != "" {
		v["effectiveDateTime"] = s.told.When
	}
	name, value := m.Value(obx)
	if value != "" {
		v[name] = json.RawMessage(value)
	} else {
		v["dataAbsentReason"] = compose.Concept("http://terminology.hl7.org/CodeSystem/data-absent-reason", "unknown", "")
	}
	if len(s.notes) > 0 && len(s.obx) == 1 {
		v["note"] = []compose.Object{{"text": strings.Join(s.notes, "\n")}}
	}
	m.Draft(message.Draft{Way: message.Put, Type: "Observation", ID: v["id"].(string), JSON: compose.JSON(v)})
}
