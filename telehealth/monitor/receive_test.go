package monitor_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/profile"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/validate"
)

// TestReadings: each reading is answered by itself, and none is stored that cannot be true.
func TestReadings(t *testing.T) {
	const at = `,"at":"2026-11-22T11:00:00-06:00"}`
	rows := []struct{ reading, want, value string }{
		{`{"id":"1","code":"8867-4","value":71,"unit":"/min"` + at, "stored", `"value":71,"unit":"/min"`},
		{`{"id":"2","code":"85354-9","value":"128/081"` + at, "stored", `"value":81,"unit":"mmHg"`},
		{`{"id":"3","code":"85354-9","components":[{"code":"8462-4","value":"80","unit":"mmHg"},{"code":"8480-6","value":16,"unit":"kPa"}]` + at, "stored", `"value":120,`},
		{`{"id":"4","code":"29463-7","value":176.4,"unit":"lb"` + at, "stored", `"value":80.01,"unit":"kg"`},
		{`{"id":"5","code":"8310-5","value":101.3,"unit":"degF"` + at, "stored", `"value":38.5,"unit":"°C"`},
		{`{"id":"6","code":"2339-0","value":5.5,"unit":"mmol/L"` + at, "stored", `"value":99,"unit":"mg/dL"`},
		{`{"id":"7","code":"15074-8","value":100,"unit":"mg/dL"` + at, "stored", `"value":5.6,"unit":"mmol/L"`},
		{`{"id":"8","code":"59408-5","value":97.0,"unit":"%"` + at, "stored", `"value":97.0,"unit":"%"`},
		{`{"id":"9","code":"9279-1","value":14,"unit":"1/min"` + at, "stored", `"value":14`},
		{`{"id":"10","code":"41653-7","value":110,"unit":"mg/dl"` + at, "stored", `"value":110`},
		{`{"id":"1","code":"8867-4","value":71,"unit":"/min"` + at, "known", ""},
		{`{"id":"1","code":"8867-4","value":72,"unit":"/min"` + at, "refused reading-other", ""},
		{`{"id":"20","code":"1234-5","value":1,"unit":"1"` + at, "refused code-unknown", ""},
		{`{"id":"21","code":"8867-4","value":900,"unit":"/min"` + at, "refused value-impossible", ""},
		{`{"id":"22","code":"8867-4","value":70,"unit":"kg"` + at, "refused unit", ""},
		{`{"id":"23","code":"8867-4","value":1e99,"unit":"/min"` + at, "refused value", ""},
		{`{"id":"24","code":"85354-9","value":"80/120"` + at, "refused value-impossible", ""},
		{`{"id":"25","code":"85354-9","value":120` + at, "refused components", ""},
		{`{"id":"26","code":"8867-4","value":70,"unit":"/min","at":"2026-11-22T12:06:00-06:00"}`, "refused time-future", ""},
		{`{"id":"27","code":"8867-4","value":70,"unit":"/min","at":"1970-01-01T00:00:00Z"}`, "refused time-old", ""},
		{`{"id":"28","code":"8867-4","value":70,"unit":"/min","at":"2026-11-22"}`, "refused time", ""},
		{`{"code":"8867-4","value":70,"unit":"/min"` + at, "refused reading-id", ""},
		{`{"id":"29","code":"8867-4","value":70` + at, "refused unit", ""},
		{`{"id":"30","code":"8867-4","value":70,"unit":"/min","at":"2026-11-19T12:00:00-06:00"}`, "stored", "Medición recibida tarde"},
	}
	onEngines(t, func(h *home) {
		var sent, want []string
		stored := 0
		for _, r := range rows {
			sent, want = append(sent, r.reading), append(want, r.want)
			if r.want == "stored" {
				stored++
			}
		}
		if got := h.send("Device/cuff", sent...); !slices.Equal(got, want) {
			for i := range got {
				if got[i] != want[i] {
					h.Errorf("%s: %s, want %s", sent[i], got[i], want[i])
				}
			}
		}
		all := h.found("Observation")
		if len(all) != stored {
			h.Errorf("%d Observations, want %d", len(all), stored)
		}
		v := &validate.Validator{Profiles: profile.NewRegistry()}
		for id, d := range all {
			for _, i := range v.Validate(h.Context(), d, 0) {
				if i.Severity == "error" {
					h.Errorf("%s: %s %s %s", d.Raw(0), i.Rule, i.Expression, i.Details)
				}
			}
			reading := ""
			for n := range d.Items(0, "identifier") {
				reading = d.TextAt(n, "value")
			}
			for _, r := range rows {
				if r.value != "" && strings.HasPrefix(r.reading, fmt.Sprintf(`{"id":%q,`, reading)) && !strings.Contains(string(d.Raw(0)), r.value) {
					h.Errorf("%s of %s: %s", r.value, id, d.Raw(0))
				}
			}
		}
		// Sent again, after the answer was lost: nothing is new.
		for i, got := range h.send("Device/cuff", sent...) {
			if strings.HasPrefix(got, "stored") || rows[i].want == "stored" && got != "known" {
				h.Errorf("%s again: %s", sent[i], got)
			}
		}
		// One that was deleted stays so, and keeps no other one out.
		for id, d := range all {
			if strings.Contains(string(d.Raw(0)), `"value":"1"`) {
				h.remove(fhir.Ref{Type: "Observation", ID: id})
			}
		}
		if got := h.send("Device/cuff", rows[0].reading, strings.Replace(rows[0].reading, `"1"`, `"99"`, 1)); !slices.Equal(got, []string{"known", "stored"}) {
			h.Errorf("deleted: %v", got)
		}
	})
}

// TestSender: readings come from who sees the patient, or from the client that a Device of
// theirs names; and from no device of somebody else.
func TestSender(t *testing.T) {
	const reading = `{"resourceType":"Parameters","parameter":[{"name":"patient","valueReference":{"reference":"Patient/%s"}},%s{"name":"reading","part":[
	{"name":"id","valueString":"%s"},{"name":"code","valueCoding":{"system":"http://loinc.org","code":"8867-4"}},{"name":"value","valueQuantity":{"value":70,"system":"http://unitsofmeasure.org","code":"/min"}},{"name":"at","valueInstant":"2026-11-22T11:00:00-06:00"}]}]}`
	device := func(id string) string {
		return fmt.Sprintf(`{"name":"device","valueReference":{"reference":"Device/%s"}},`, id)
	}
	nobody := &search.Restriction{}
	ana := &search.Restriction{Types: map[string][]search.Expr{"Patient": {search.IDs{Any: []string{"ana"}}}}}
	gateway := operation.Caller{Principal: "gateway", Roles: []string{"device"}}
	rows := []struct {
		name, patient, device string
		only                  *search.Restriction
		caller                operation.Caller
		want                  string
	}{
		{"their app", "ana", "", ana, operation.Caller{}, "stored"},
		{"their app with their device", "ana", device("cuff"), ana, operation.Caller{}, "stored"},
		{"their app with a foreign device", "ana", device("other"), ana, operation.Caller{}, "refused device-foreign"},
		{"a device that does not exist", "ana", device("none"), ana, operation.Caller{}, "refused device-foreign"},
		{"of somebody else", "luz", "", ana, operation.Caller{}, ""},
		{"of somebody else with their device", "luz", device("other"), ana, operation.Caller{}, ""},
		{"the client of the device", "ana", device("cuff"), nobody, gateway, "stored"},
		{"the client without a device", "ana", "", ana, gateway, ""},
		{"the client with a device that does not name it", "luz", device("other"), search.Unrestricted, gateway, ""},
		{"the client for somebody else", "luz", device("cuff"), nobody, gateway, ""},
		{"another client", "ana", device("cuff"), nobody, operation.Caller{Principal: "x", Roles: []string{"device"}}, ""},
		{"nobody in particular", "ana", device("cuff"), nobody, operation.Caller{}, ""},
	}
	onEngines(t, func(h *home) {
		for i, r := range rows {
			h.only, h.caller = r.only, r.caller
			d, err := h.call("measurements", "Observation", "", fmt.Sprintf(reading, r.patient, r.device, fmt.Sprint("s", i)))
			if r.want == "" {
				if fhir.CodeOf(err) != fhir.Unprocessable {
					h.Errorf("%s: %v", r.name, err)
				}
				continue
			}
			if err != nil {
				h.Errorf("%s: %v", r.name, err)
				continue
			}
			if got := outcomes(d); len(got) != 1 || got[0] != r.want {
				h.Errorf("%s: %v", r.name, got)
			}
		}
		if n := len(h.found("Observation")); n != 3 {
			h.Errorf("%d Observations", n)
		}
	})
}
