package bulk

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// sight returns what stands for what somebody may see of what is in a file: the conditions
// on its type, or those on all types when it holds no resources as they are. Files that tell
// of the order alone have none.
//
// It changes with the roles, the scopes and the establishment of the orderer, when consents
// begin to bind them, and when something is blocked for the first time. It does not change
// by each consent: what a condition finds is not in it.
func sight(only *search.Restriction, o *Output) string {
	if o.List != Outputs && o.List != Deleted {
		return ""
	}
	if only.Open() {
		return "open"
	}
	all := maps.Collect(only.All())
	types := slices.Sorted(maps.Keys(all))
	if spec.IsResource(o.Type) && o.List == Outputs {
		types = []string{o.Type}
	}
	var b strings.Builder
	for _, typ := range types {
		b.WriteString(typ)
		for _, e := range all[typ] {
			b.WriteString("\x00" + e.String())
		}
		b.WriteByte('\n')
	}
	sum := sha256.Sum256([]byte(b.String()))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}
