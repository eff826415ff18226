package bulk

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/operation"
)

// List says in which list of the manifest a file stands.
type List string

// The lists.
const (
	Outputs List = "output"
	Deleted List = "deleted" // Bundles of what was deleted
	Errors  List = "error"   // OperationOutcomes
)

// Output is a file that came of an order.
type Output struct {
	Name  string // of the file, which ends its URL
	List  List
	Type  string // resource type, or the name of a table
	Media string // media type
	Count int64  // of resources or rows
	Coded bool   // kept as zstd

	// Sight stands for what the orderer could see when the file was begun; "" when that does
	// not matter.
	Sight string `json:",omitempty"`

	// Extension is what else the manifest says of it; nil for nothing.
	Extension json.RawMessage `json:",omitempty"`
}

// URL is where an output is fetched.
func (o *Output) URL(base, order string) string {
	return base + "/$" + FileName + "/" + order + "." + o.Name
}

// Order is work that somebody ordered. It is kept until it expires.
type Order struct {
	ID        string `json:"-"`
	Kind      string
	URL       string          // of the call
	Type      string          `json:",omitempty"` // that it was called on
	Instance  string          `json:",omitempty"` // id likewise
	Principal string          // who ordered
	Client    string          `json:",omitempty"` // with which app
	Roles     []string        `json:",omitempty"` // of the orderer, when it was ordered
	Org       string          `json:",omitempty"` // likewise: of which establishment
	User      string          `json:",omitempty"` // likewise: for whom
	Secured   bool            // there is access control
	Owner     json.RawMessage // likewise, for Access
	Plan      json.RawMessage
	Ordered   time.Time
	At        time.Time `json:",omitzero"` // as of which things are shown; zero until the work begins
	Ended     time.Time `json:",omitzero"`
	Place     string    // name of Files
	Part      bool      `json:",omitempty"` // the orderer sees resources only in part, and so do the files
	Outputs   []Output  `json:",omitempty"`
	Fault     *Fault    `json:",omitempty"` // why there is nothing

	version int64
	expires time.Time
}

// by notes as what somebody orders.
func (o *Order) by(c *operation.Caller) {
	o.Principal, o.Client, o.Roles, o.Org, o.User = c.Principal, c.Client, c.Roles, c.Org, c.User.String()
}

// still reports whether somebody is what they were when they ordered, or more: one account
// can have several roles, one after another or by one token each.
func (o *Order) still(c *operation.Caller) bool {
	return o.Org == c.Org && o.User == c.User.String() && !slices.ContainsFunc(o.Roles, func(r string) bool { return !slices.Contains(c.Roles, r) })
}

// Fault is why an order came to nothing, for whoever ordered.
type Fault struct {
	Code                 fhir.Code
	Details, Diagnostics string
}

// Expires is when the order, and what came of it, is removed.
func (o *Order) Expires() time.Time { return o.expires }

const entryKind = "bulk"

// entry returns the entry to store for o. Those of one principal are a group.
func (o *Order) entry() fhir.Entry {
	value, err := json.Marshal(o)
	if err != nil {
		panic(err) // raw messages were made by json.Marshal
	}
	return fhir.Entry{Kind: entryKind, Key: o.ID, Group: groupOf(o.Principal), Version: o.version, Expires: o.expires, Value: value}
}

func groupOf(principal string) string { return "of " + fhir.OwnerCode(principal) }

func readOrder(e *fhir.Entry) (*Order, error) {
	o := &Order{ID: e.Key, version: e.Version, expires: e.Expires}
	return o, json.Unmarshal(e.Value, o)
}

// manifest is what is answered when an order is done.
//
// See https://hl7.org/fhir/uv/bulkdata/STU2/export.html#response---complete-status.
func (o *Order) manifest(base string) []byte {
	lists := map[List][]compose.Object{Outputs: {}, Errors: {}}
	for i := range o.Outputs {
		f := &o.Outputs[i]
		one := compose.Object{"type": f.Type, "url": f.URL(base, o.ID), "count": f.Count}
		if f.Extension != nil {
			one["extension"] = f.Extension
		}
		lists[f.List] = append(lists[f.List], one)
	}
	m := compose.Object{
		"transactionTime": o.At.UTC().Format(fhir.InstantLayout), "request": o.request(), "requiresAccessToken": o.Secured,
		"output": lists[Outputs], "error": lists[Errors],
	}
	if len(lists[Deleted]) > 0 {
		m["deleted"] = lists[Deleted]
	}
	return compose.JSON(m)
}

// request is the URL of the call.
func (o *Order) request() string { return o.URL }
