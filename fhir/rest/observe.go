package rest

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
)

// Observer is told of every request once, when it has been answered. Logs,
// metrics and the audit trail come from this one record.
type Observer interface {
	Observe(ctx context.Context, r *Record)
}

// Record is what there is to say about a request. It holds no patient data: no
// id, no path, no query value.
type Record struct {
	ID          string      // request id, as sent back in X-Request-Id
	Method      string      // HTTP method
	Interaction Interaction // "" when the request named none
	Type        string      // resource type; "" for none
	Principal   string      // who asked, as the Guard names them; "" when unknown
	Status      int         // HTTP status; 499 when the client left before the answer
	Code        fhir.Code   // what went wrong, when the caller was told; else 0
	Err         error       // what went wrong, when it is our fault; its text may be logged, not sent
	Started     time.Time
	Duration    time.Duration
	BytesIn     int64 // of the body, as received
	BytesOut    int64 // of the body, before its content encoding
	Entries     int   // of a batch or transaction
}

// sensibleID reports whether a client's X-Request-Id is fit to be logged and sent
// back: a UUID, or 16 to 64 hexadecimal digits as tracing tools make them. In
// anything freer a client could leave a name or a CURP in our log.
func sensibleID(s string) bool {
	if len(s) == 36 {
		return uuid.Validate(s) == nil
	}
	if len(s) < 16 || len(s) > 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'A' && c <= 'F' || c >= 'a' && c <= 'f' || c >= '0' && c <= '9') {
			return false
		}
	}
	return true
}

// requestID returns the client's id when it is sensible, else a new one.
func requestID(header string) string {
	if sensibleID(header) {
		return header
	}
	return uuid.Must(uuid.NewV7()).String()
}
