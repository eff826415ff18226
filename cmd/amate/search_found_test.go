package main

// foundExamples are searches that were once answered wrongly: found by comparing with
// package naive, and cut down to what it takes.
var foundExamples = []example{
	{"found", []string{
		`{"resourceType":"Patient","id":"found-a"}`, `{"resourceType":"Patient","id":"found-b"}`, `{"resourceType":"Patient","id":"found-c"}`,
		`{"resourceType":"Patient","id":"found-f","gender":"other","name":[{"family":"A"}]}`, `{"resourceType":"Patient","id":"found-g","gender":"other","name":[{"family":"B"}]}`,
		`{"resourceType":"Patient","id":"found-h","gender":"other","name":[{"family":"A"}],"telecom":[{"system":"phone","value":"1"}]}`,
		`{"resourceType":"Observation","id":"found-d","status":"final","code":{"text":"in words alone"},"subject":{"reference":"Patient/found-a"}}`,
		`{"resourceType":"Appointment","id":"found-e","status":"proposed","serviceType":[{"text":"in words alone"}],"participant":[{"status":"declined","actor":{"reference":"Patient/found-a"}}]}`},
		[][2]string{
			// The pages of a search that begins with ids had no end.
			{"Patient?_id=found-a,found-b,found-c&_count=1", "a b c"}, {"Patient?_id=found-a,found-b,found-c&_count=2", "a b c"},
			{"?_type=Patient,Observation&_id=found-a,found-d,nobody&_count=1", "a d"}, {"Patient?_id=found-a,found-b&_sort=-_id&_count=1", "b a"},
			{"Patient?_id=found-a,found-b,found-c&_sort=_lastUpdated,_id&_count=1", "a b c"},
			// Those without a code to sort by were asked for a column that was not there.
			{"Patient?_id=found-a,found-b&_sort=gender,-family", "a b"}, {"Patient?gender=other&_sort=phone,-family", "h g f"},
			// A concept of nothing but text was missing.
			{"Observation?code:missing=false&patient=found-a", "d"}, {"Observation?code:missing=true&patient=found-a", ""},
			{"Appointment?service-type:missing=false&patient=found-a", "e"},
		}},
}
