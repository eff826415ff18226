// Package rbac holds the role policy: which role may do what with which resources,
// for what purpose, and what of them it sees. The rules are files that a lawyer can
// read; casbin decides which of them apply.
//
// A rule does not only say yes or no. It names a restriction, which says of which
// resources, and a mask, which says without which elements.
package rbac
