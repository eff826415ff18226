package fhir

import "context"

type wholeKey struct{}

// Whole returns a context under which a store returns resources as they are stored, also
// what a restriction hides in them of others: for who compares them, and leaves that out
// of what is shown.
func Whole(ctx context.Context) context.Context { return context.WithValue(ctx, wholeKey{}, true) }

// IsWhole reports whether ctx comes from Whole.
func IsWhole(ctx context.Context) bool {
	whole, _ := ctx.Value(wholeKey{}).(bool)
	return whole
}
