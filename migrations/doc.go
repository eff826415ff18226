// Package migrations holds the schema of both engines as numbered SQL files,
// and applies them.
//
// Migrations only go forward. A file that was released is never edited: what
// is wrong in it is put right by the next one, and every release of the program
// runs on the schema just before and just after its own newest file.
package migrations
