// Package postgres keeps resources in PostgreSQL, 15 or later, for a state or a
// ministry: any number of servers on one database.
//
// What is known in advance is a prepared statement, and what belongs together
// travels in one round trip (pipeline mode). A batch that asks for nothing is
// written by one implicit transaction; a large one by COPY. A search stays prepared:
// its SQL has the shape of one plan, which store/query chose, and the planner is kept
// from all others, so that the plan is the same for all arguments.
//
// See https://www.postgresql.org/docs/15/protocol-flow.html#PROTOCOL-FLOW-PIPELINING.
package postgres
