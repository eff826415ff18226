package sqlite

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/amate-health/amate/fhir"
)

const (
	oneReceipt  = `SELECT digest, answer, received FROM message WHERE sender = ?1 AND control = ?2`
	keepReceipt = `INSERT INTO message (sender, control, digest, answer, received) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (sender, control) DO UPDATE SET digest = excluded.digest, answer = excluded.answer, received = excluded.received`
	forgetReceipts = `DELETE FROM message WHERE received < ?1`
)

// Receipts returns the receipts that there are for the Sender and Control of each of
// asked, in any order.
func (s *Store) Receipts(ctx context.Context, asked []fhir.Receipt) (found []fhir.Receipt, err error) {
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return nil, err
	}
	defer s.readers.Put(conn)
	for i := range asked {
		stmt, err := conn.Prepare(oneReceipt)
		if err != nil {
			return nil, err
		}
		if err := bind(stmt, []any{asked[i].Sender, asked[i].Control}); err != nil {
			return nil, err
		}
		err = steps(stmt, func(stmt *sqlite.Stmt) {
			found = append(found, fhir.Receipt{
				Sender: asked[i].Sender, Control: asked[i].Control, Digest: bytesOf(stmt, 0), Answer: bytesOf(stmt, 1),
				Received: time.UnixMicro(stmt.ColumnInt64(2)).UTC(),
			})
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// KeepReceipts stores receipts, each in place of an older one, all or none.
func (s *Store) KeepReceipts(ctx context.Context, receipts []fhir.Receipt) error {
	return s.writer.do(ctx, func(conn *sqlite.Conn) error {
		for i := range receipts {
			r := &receipts[i]
			if err := run(conn, keepReceipt, r.Sender, r.Control, r.Digest, r.Answer, r.Received.UnixMicro()); err != nil {
				return err
			}
		}
		return nil
	})
}

// ForgetReceipts removes the receipts of messages that were received before a time.
func (s *Store) ForgetReceipts(ctx context.Context, before time.Time) error {
	return s.writer.do(ctx, func(conn *sqlite.Conn) error { return run(conn, forgetReceipts, before.UnixMicro()) })
}
