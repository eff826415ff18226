package fhir

import "context"

type leanKey struct{}

// Lean returns a context under which a store returns Binaries as they are stored:
// where their content is kept elsewhere, without it.
func Lean(ctx context.Context) context.Context { return context.WithValue(ctx, leanKey{}, true) }

// IsLean reports whether ctx comes from Lean.
func IsLean(ctx context.Context) bool {
	lean, _ := ctx.Value(leanKey{}).(bool)
	return lean
}
