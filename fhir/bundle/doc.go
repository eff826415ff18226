// Package bundle turns every write into a list of Changes: a single create and a
// 500-entry transaction take the same path.
//
// It is pure: it classifies, orders, assigns ids and rewrites references. What
// only the database can decide (whether a criterion matches, which version is
// current) travels inside the Change and is decided where it is applied.
package bundle
