package fhir

import (
	"crypto/sha256"
	"encoding/hex"
)

// OwnerSystem is the system of the tag that says whose a Subscription is, so that its owner
// finds it, and nobody else.
const OwnerSystem = "https://github.com/amate-health/amate/fhir/CodeSystem/subscription-owner"

// OwnerCode is the code of that tag for a principal. It tells nothing of them.
func OwnerCode(principal string) string {
	sum := sha256.Sum256([]byte("subscription owner " + principal))
	return hex.EncodeToString(sum[:16])
}
