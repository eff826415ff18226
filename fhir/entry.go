package fhir

import "time"

// Entry is a small piece of state that is no resource: an account, a grant, a key,
// a job, a hold on a slot. A store keeps entries beside the resources, under the
// same promise: what it acknowledged is durable, and a change of one is all or
// nothing.
type Entry struct {
	Kind    string    // what it is: "account", "job"; a name of its owner's choosing
	Key     string    // unique within the kind
	Group   string    // entries of a kind that are listed together; "" for none
	Version int64     // 1 for a new entry, one more with every change
	Expires time.Time // from then on it is not found any more; zero for never
	Value   []byte    // its content, which the owner alone reads; JSON by custom
}
