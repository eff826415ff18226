package postgres

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/amate-health/amate/fhir"
)

const (
	stmtReceipts     = "amate_receipts"
	stmtKeepReceipts = "amate_keep_receipts"
)

// receiptStatements are the prepared statements of receipts.
var receiptStatements = map[string]string{
	stmtReceipts: `SELECT m.sender, m.control, m.digest, m.answer, m.received
FROM unnest($1::text[], $2::text[]) AS x (sender, control) JOIN message m ON m.sender = x.sender AND m.control = x.control`,

	stmtKeepReceipts: `INSERT INTO message AS m (sender, control, digest, answer, received)
SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], $5::bigint[])
ON CONFLICT (sender, control) DO UPDATE SET digest = excluded.digest, answer = excluded.answer, received = excluded.received`,
}

// Receipts returns the receipts that there are for the Sender and Control of each of
// asked, in any order.
func (s *Store) Receipts(ctx context.Context, asked []fhir.Receipt) (found []fhir.Receipt, err error) {
	names := newArrays(2)
	for i := range asked {
		names.row(2)
		names.text(asked[i].Sender)
		names.text(asked[i].Control)
	}
	read := call{name: stmtReceipts, args: names.arrays(oidText, oidText), row: func(_ []pgconn.FieldDescription, values [][]byte) error {
		f := fields{values: values}
		r := fhir.Receipt{Sender: f.text(), Control: f.text(), Digest: f.bytes(), Answer: f.bytes()}
		r.Received = time.UnixMicro(f.int64()).UTC()
		found = append(found, r)
		return f.err()
	}}
	err = s.with(ctx, func(c *connection) error { return trip(ctx, c.pg, read) })
	return found, err
}

// KeepReceipts stores receipts, each in place of an older one, all or none. No two of
// them are for the same message.
func (s *Store) KeepReceipts(ctx context.Context, receipts []fhir.Receipt) error {
	// Two that keep the same receipts meet at the first, and so never wait for one another.
	receipts = slices.SortedFunc(slices.Values(receipts), func(a, b fhir.Receipt) int {
		return cmp.Or(strings.Compare(a.Sender, b.Sender), strings.Compare(a.Control, b.Control))
	})
	rows := newArrays(5)
	for i := range receipts {
		r := &receipts[i]
		rows.row(5)
		rows.text(r.Sender)
		rows.text(r.Control)
		rows.bytes(r.Digest)
		rows.bytes(r.Answer)
		rows.int64(r.Received.UnixMicro())
	}
	keep := call{name: stmtKeepReceipts, args: rows.arrays(oidText, oidText, oidBytea, oidBytea, oidInt8)}
	return s.with(ctx, func(c *connection) error { return trip(ctx, c.pg, keep) })
}

// ForgetReceipts removes the receipts of messages that were received before a time.
func (s *Store) ForgetReceipts(ctx context.Context, before time.Time) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM message WHERE received < $1`, before.UnixMicro())
	return failure(err)
}
