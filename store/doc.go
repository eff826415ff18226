// Package store is what both engines of Amate's storage share: how a write is
// decided, how a search is put together, how content is compressed and where a
// page ends. store/sqlite and store/postgres run the SQL.
//
// # The contract
//
// An engine reads one version ([Engine] behind Read), pages through versions
// and searches, and applies a bundle.Batch as a whole or not at all:
//
//   - Once Apply returns without an error, the changes survive a crash of the
//     server, of the database and of the machine.
//   - A reader sees all changes of a batch, or none.
//   - Versions of a resource are numbered from 1 without gaps, deletions
//     included; Updated rises strictly from one to the next.
//   - A row key stands for one type and id for ever. Whatever refers to a
//     resource that does not exist yet gets a placeholder row, so that references
//     are numbers on both sides.
//   - A query states its restriction, and no branch of it shows more.
//
// # How a write goes
//
//  1. Whatever does not depend on the database is built before it is asked.
//  2. Without criteria, the current state is read, the new one prepared, and
//     all of it written in one go, which fails as a whole if any version has
//     moved on meanwhile. Then, and with criteria from the start, it is done again
//     under locks: first on the criteria, then on the resources, each in order, so
//     that two batches cannot wait for one another for ever.
//  3. Index rows are compared with those of the version before; only what
//     differs is written.
package store
