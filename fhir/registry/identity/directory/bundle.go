package directory

import (
	"encoding/json"
	"net/url"

	"github.com/google/uuid"
)

// resource is a resource, or a part of one, as it is built. Its keys come out sorted,
// which FHIR does not mind.
type resource map[string]any

type list []any

// Batch is a transaction Bundle.
type Batch struct {
	JSON    []byte
	Entries int
}

// batches gathers resources into transactions, and hands each on when it is full.
type batches struct {
	entries list
	seen    map[string]bool // criteria of this batch, each of which may stand once
	yield   func(Batch) error
}

// perBatch is how many resources go into one transaction.
const perBatch = 200

// put adds a conditional update by identifier. A second one of the same in a batch is
// left out.
func (b *batches) put(typ, system, value string, r resource) {
	criterion := where(typ, system, value)
	if b.seen == nil {
		b.seen = map[string]bool{}
	}
	if b.seen[criterion] {
		return
	}
	b.seen[criterion] = true
	r["resourceType"] = typ
	b.entries = append(b.entries, resource{"fullUrl": urn(criterion), "resource": r, "request": resource{"method": "PUT", "url": criterion}})
}

// flush hands on what has been gathered, if it is full or all is to go.
func (b *batches) flush(all bool) error {
	if len(b.entries) == 0 || !all && len(b.entries) < perBatch {
		return nil
	}
	b.link(b.entries)
	text, err := json.Marshal(resource{"resourceType": "Bundle", "type": "transaction", "entry": b.entries})
	if err != nil {
		return err
	}
	out := Batch{JSON: text, Entries: len(b.entries)}
	b.entries, b.seen = nil, nil
	return b.yield(out)
}

// link lets references to what stands in the same transaction name its entry: a search
// would not find it yet.
func (b *batches) link(v any) {
	switch v := v.(type) {
	case list:
		for _, x := range v {
			b.link(x)
		}
	case resource:
		if to, ok := v["reference"].(string); ok && b.seen[to] {
			v["reference"] = urn(to)
		}
		for _, x := range v {
			b.link(x)
		}
	}
}

// urn names an entry.
func urn(criterion string) string {
	return "urn:uuid:" + uuid.NewSHA1(uuid.NameSpaceURL, []byte(criterion)).String()
}

// where is a search by identifier, as a criterion and as a conditional reference.
func where(typ, system, value string) string {
	return typ + "?identifier=" + url.QueryEscape(system+"|"+value)
}

// to is a reference to what has an identifier.
func to(typ, system, value string) resource { return resource{"reference": where(typ, system, value)} }

func identifier(system, value string) resource {
	return resource{"use": "official", "system": system, "value": value}
}

func concept(system, code, display string) resource {
	c := resource{"system": system, "code": code}
	out := resource{"coding": list{c}}
	if display != "" {
		c["display"], out["text"] = display, display
	}
	return out
}
