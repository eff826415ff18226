// Package blob keeps the content of Binary resources that is too large for a row of the
// database: in files of a folder, each named by the SHA-256 of what it holds, so that
// the same content is kept once. What Put has returned is on the disk; what no version
// refers to is removed after a day.
//
// All servers of one database share the folder.
package blob
