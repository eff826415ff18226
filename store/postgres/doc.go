// Package postgres keeps resources in PostgreSQL, 15 or later, for a state or a
// ministry: any number of servers on one database.
//
// What is known in advance is a prepared statement, and what belongs together
// travels in one round trip (pipeline mode). A batch that asks for nothing is
// written by one implicit transaction; a large one by COPY. A search is prepared
// by name only where one plan is good for all values of its arguments: elsewhere
// the planner could not tell a rare posting from a common one, and a plan for the
// average takes hundreds of times as long.
//
// See https://www.postgresql.org/docs/15/protocol-flow.html#PROTOCOL-FLOW-PIPELINING.
package postgres
