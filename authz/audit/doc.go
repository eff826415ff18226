// Package audit keeps the trail of who did what: every use of the API, allowed or
// refused, and every sign-in.
//
// The life of an event:
//
//  1. A request is answered, or refused. What it changes is recorded in the
//     transaction of the change, in the store's inbox. Everything else is appended to
//     a journal file before the answer leaves: what was answered survives the death of
//     the process, and within a second that of the machine.
//  2. A shipper links what is in the inbox and in the journal to the chain of its
//     month, some hundred events in one transaction. Each row has a number without
//     gaps, and the SHA-256 over the row before and itself.
//  3. Every minute a checkpoint, signed with a key that the database does not hold,
//     says how far each chain has come.
//
// Whoever changes, removes or reorders a row later breaks the chain, and whoever cuts
// it off contradicts a checkpoint: Verify says where. What happens to a row between
// 1 and 2, a second as a rule, and to the rows after the newest checkpoint, is not
// proven by that; copies of the checkpoints outside of the database bound the rest.
//
// The records follow IHE BALP, https://profiles.ihe.net/ITI/BALP/. They name patients,
// so they are in the trail and in no log.
package audit
