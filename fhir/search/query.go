package search

import (
	"iter"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/spec"
)

// Query is one search, parsed and normalised.
type Query struct {
	Type     string // "" searches all types
	Where    []Expr // all must hold
	Sort     []Sort // then by resource key, so that every order is total
	Count    int    // resources a page; 0 asks for no entries (as _summary=count does)
	Bytes    int64  // a page ends early, after one match at least, once its JSON would be longer; 0 sets no bound
	Total    Total
	Includes []Include
	After    string // where the previous page ended: the engine's cursor, opaque here; "" is the first page

	// Restriction is what the caller may see. The SQL compiler refuses a Query
	// without one; Unrestricted says out loud that there is none.
	Restriction *Restriction

	// Self is the query as understood, for the self link: parameters in the order given.
	Self []Param
	// Summary is the value of _summary, "" when there was none. "count" has made
	// Count 0 and Total accurate already.
	Summary string
	// Elements lists the names of _elements.
	Elements []string
	// Ignored lists parameters that were not understood and passed over (handling=lenient).
	Ignored []string
}

// Param is one name=value pair of a query string, decoded.
type Param struct{ Name, Value string }

// Restriction limits what a search may return, by type: a resource of a type is
// visible only if the type is listed and all its conditions hold.
type Restriction struct {
	open  bool
	Types map[string][]Expr
	Base  *Restriction // what holds for the types that Types lacks; nil for nothing

	// Narrow, if set, lets through of Base only what is of some types, and meets one more
	// condition: that of its type, nil for none. Refs is all that these conditions refer to. Both
	// are of one request.
	Narrow func(typ string) (more Expr, ok bool)
	Refs   []fhir.Ref
}

// Unrestricted is the Restriction of a caller who may see everything.
var Unrestricted = &Restriction{open: true}

// Open reports whether r restricts nothing.
func (r *Restriction) Open() bool { return r != nil && r.open }

// Of returns the conditions on resources of a type, and whether it is listed.
func (r *Restriction) Of(typ string) (where []Expr, listed bool) {
	for ; r != nil; r = r.Base {
		if where, listed = r.Types[typ]; listed {
			return where, true
		}
		if r.Narrow != nil {
			return r.narrowed(typ)
		}
	}
	return nil, false
}

// narrowed is Of for a type that Types lacks, where Base is narrowed.
func (r *Restriction) narrowed(typ string) (where []Expr, listed bool) {
	if where, listed = r.Base.Of(typ); !listed && !r.Base.Open() {
		return nil, false
	}
	more, ok := r.Narrow(typ)
	switch {
	case !ok:
		return nil, false
	case more != nil:
		return append(where[:len(where):len(where)], more), true
	}
	return where, true
}

// All ranges over the types that are listed, with their conditions.
func (r *Restriction) All() iter.Seq2[string, []Expr] {
	return func(yield func(string, []Expr) bool) {
		for part := r; part != nil; part = part.Base {
			for typ, where := range part.Types {
				if !r.over(part, typ) && !yield(typ, where) {
					return
				}
			}
			if part.Narrow == nil {
				continue
			}
			for _, typ := range spec.Resources() {
				if _, own := part.Types[typ]; own || r.over(part, typ) {
					continue
				}
				if where, listed := part.narrowed(typ); listed && !yield(typ, where) {
					return
				}
			}
			return // what lies below is in it
		}
	}
}

// Given ranges over the types as the parts of r list them, some perhaps more than once. What a
// scope comes to for each type is not worked out: that costs, and adds neither blocks nor consents.
func (r *Restriction) Given() iter.Seq2[string, []Expr] {
	return func(yield func(string, []Expr) bool) {
		for ; r != nil; r = r.Base {
			for typ, where := range r.Types {
				if !yield(typ, where) {
					return
				}
			}
		}
	}
}

// over reports whether a type is listed in what lies over a part of r.
func (r *Restriction) over(part *Restriction, typ string) bool {
	for ; r != part; r = r.Base {
		if _, listed := r.Types[typ]; listed {
			return true
		}
	}
	return false
}

// Expr is a condition on a resource. Each node prints itself.
type Expr interface {
	String() string
	expr()
}

// And holds when all of its parts do; an empty And holds always.
type And []Expr

// Or holds when any of its parts does; an empty Or never holds.
type Or []Expr

// Not holds when X does not, also for resources without any value.
type Not struct{ X Expr }

// Match holds when the resource has, for Param, a value that matches any of Values.
// The type of Param tells where to look:
//
//	Token, URI        Value.Tokens in Index.Tokens
//	Reference         Value.Refs in Index.Links, or Value.Tokens in Index.Tokens
//	Date              Value.Prefix, Lo and Hi against Index.Dates
//	Number, Quantity  Value.Prefix, Num and Unit against Index.Numbers
//	String            Value.Text against Index.Strings
//	Special (near)    Value.Near against Index.Places
//	Composite         as its second part, of the type Compared, in the rows whose
//	                  Pair fits Value.Pair; when that is a token, Value.Tokens, the
//	                  hashes of both parts together, in Index.Tokens
//
// Match.Holds says exactly how. With Modifier "missing", there is one Value, whose
// Bool says whether to find resources without a value; its Tokens hold the
// PresenceHash where the parameter has one.
type Match struct {
	Param    *spec.SearchParam
	Compared spec.SearchType // Param.Type; of a composite, the type of its second part
	Modifier string          // "", "exact", "contains", "missing", "text" (token: Value.Text in Index.Words) or "below" (uri: likewise, as a prefix); "equal" and "ends" of _filter: a folded text as a whole, or its end
	Asked    string          // the modifier of the query, when it has become values of another kind: "in", "of-type", a type
	Values   []Value
}

// Words holds when the text of a resource has all of All: words as Analyse makes
// them. Where says in what: Index.Text (_text) or Index.Content (_content).
//
// See https://hl7.org/fhir/R4/search.html#content.
type Words struct {
	Narrative bool // _text; else _content
	All       []string
}

// IDs holds for resources with one of these logical ids (_id).
type IDs struct{ Any []string }

// Types holds for resources of one of these types (_type, of a search of all types).
type Types struct{ Any []string }

// Updated compares meta.lastUpdated (_lastUpdated), a range of a microsecond's
// width, as a Match compares a date.
type Updated struct{ Value Value }

// Chain holds when the resource refers, by the reference parameter Param, to a
// resource of one of Types for which Next holds: patient.family=Ek. References by
// URL, which lead out of the server, are not followed.
//
// See https://hl7.org/fhir/R4/search.html#chaining.
type Chain struct {
	Param *spec.SearchParam
	Types []string
	Next  Expr
}

// Has holds when a resource of type Source refers to this one by its reference
// parameter Param, and Next holds for it: _has:Condition:patient:code=44054006.
//
// See https://hl7.org/fhir/R4/search.html#has.
type Has struct {
	Source string
	Param  *spec.SearchParam
	Next   Expr
}

// Value is one value of a query, normalised as its parameter's type asks.
type Value struct {
	Raw    string // as given, escapes and all, for messages and links
	Prefix string // eq ne gt lt ge le sa eb ap; "eq" when none was given. Only for date, number, quantity

	Tokens []int64    // token, uri, reference by URL: any of these hashes matches
	Refs   []fhir.Ref // reference: any of these targets matches
	Lo, Hi int64      // date: the range that the text covers, Lo <= t < Hi; for ap, already widened
	Unit   int64      // quantity: UnitHash of what was given, or 0
	Num    Decimal    // number, quantity
	Text   string     // string: folded, or as given for :exact
	Bool   bool       // :missing
	Pair   Pair       // composite: Code must be that of the row, and Both too unless it is 0
	Near   Near       // near
}

// Near is a circle on the Earth: within Radius metres of a point.
type Near struct{ Lat, Lon, Radius float64 }

// Decimal is a query number with the ends of its implicit precision; for ap, of
// what is near it.
type Decimal struct{ Value, Lo, Hi float64 }

// Sort is one key of the order.
type Sort struct {
	Param *spec.SearchParam // nil for the two below
	Field string            // "_id" or "_lastUpdated" when Param is nil
	Desc  bool
}

// Total says how Bundle.total is to be found.
type Total uint8

// The totals. See https://hl7.org/fhir/R4/search.html#total.
const (
	TotalNone Total = iota
	TotalEstimate
	TotalAccurate
)

// Include is one _include or _revinclude.
//
// See https://hl7.org/fhir/R4/search.html#include.
type Include struct {
	Reverse bool
	Source  string              // type that holds the reference; "" for any
	Params  []*spec.SearchParam // the reference parameters followed; several for a wildcard; none for all of a forward one whose Source is ""
	Target  string              // only this target type; "" for any
	Iterate bool
}

// Result is a page of a search.
type Result struct {
	Matches  []fhir.Resource
	Included []fhir.Resource // each once, and none that is among Matches
	Total    int64           // -1 when not counted
	Next     string          // for Query.After of the next page; "" on the last
	Estimate bool            // Total is an estimate
}

func (And) expr()     {}
func (Or) expr()      {}
func (Not) expr()     {}
func (Match) expr()   {}
func (IDs) expr()     {}
func (Types) expr()   {}
func (Updated) expr() {}
func (Chain) expr()   {}
func (Has) expr()     {}
func (Words) expr()   {}
