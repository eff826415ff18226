// Package storetest is for tests only: the conformance suite that every engine
// passes, and throw-away databases to run it on.
//
// A test asks for a database with [Postgres] and gets a fresh one on a private
// server that is started from the machine's own binaries, once a test process,
// and ends with that process. AMATE_TEST_DATABASE_URL names a server to use
// instead (its role must be allowed to create databases). Where there is no
// PostgreSQL the test is skipped, unless AMATE_TEST_REQUIRE_POSTGRES=1 makes
// that a failure.
package storetest
