// Package sqlite keeps resources in one SQLite file, for a laptop, a small clinic
// or an edge node.
//
// The file is in WAL mode with synchronous=FULL, so that what was acknowledged
// survives a loss of power. One goroutine writes; batches that arrive while it
// waits for the disk share the next transaction, each in a savepoint of its own.
// A few read-only connections serve everything else.
//
// See https://www.sqlite.org/wal.html.
package sqlite
