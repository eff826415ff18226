package fhir

import "time"

// Receipt says that a message of another system was dealt with, and how it was
// answered. A store keeps it, so that the same message again gets the same answer.
type Receipt struct {
	Sender   string    // who sent it: the name under which a sender is registered
	Control  string    // the sender's id of the message
	Digest   []byte    // of its content, so that another message under the same id is noticed
	Answer   []byte    // as it was sent
	Received time.Time // to the microsecond
}
