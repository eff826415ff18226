// Package key is the keys by which a registry signs what it hands to people on paper and
// on telephones: P-256 (ES256), kept once for all its servers, followed by the next in
// time, and published for as long as anything that they signed is shown to anybody.
package key
