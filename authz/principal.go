package authz

import (
	"context"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Principal is who asks: a person through an app, or a system by itself. It is what
// a valid access token says, and nothing that the request says of itself.
type Principal struct {
	ID      string   // stable key of the account or, for a system by itself, of the client; never a name
	Client  string   // client_id of the app
	Roles   []string // of the role policy: "clinician", "patient"
	Org     string   // CLUES of the establishment that the caller acts for; "" for none
	User    fhir.Ref // fhirUser: Practitioner, Patient or RelatedPerson; zero for a system
	Patient string   // id of the patient in context (launch/patient, a citizen's own record); "" for none
	// Encounter is the id of the encounter in context; "" for none.
	Encounter string
	Scopes    []string // as granted, SMART v1 and v2
	Purpose   string   // v3-PurposeOfUse code: "TREAT", "BTG", "HRESCH"; "" for none
	Reason    string   // why, when Purpose is BTG: break-glass; never logged
	Expires   time.Time
	Token     string // id of the access token (jti), for revocation and audit
	Grant     string // what the token comes from, such as a consent or a visit: it is revoked with it; "" for none
}

type principalKey struct{}

// With returns a context that carries p.
func (p *Principal) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From returns the principal of ctx, nil when nobody is signed in.
func From(ctx context.Context) *Principal {
	p, _ := ctx.Value(principalKey{}).(*Principal)
	return p
}

// State is where accounts, clients, grants and keys are kept. The engines of store
// have it.
type State interface {
	// Entry returns an entry. Errors: fhir.NotFound, also for one that has expired.
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)

	// Put writes entries, all or none. The Version of each must be that of the
	// stored one, 0 for one that must not exist; each becomes one more.
	// Errors: fhir.Conflict.
	Put(ctx context.Context, entries ...fhir.Entry) error

	// Remove removes an entry if it still has that version; 0 stands for any.
	// Errors: fhir.Conflict. That there is none is no error.
	Remove(ctx context.Context, kind, key string, version int64) error

	// Entries returns up to limit entries of a kind, and of a group unless that is
	// "", ordered by key, with keys after after.
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
}
