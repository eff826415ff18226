package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"github.com/amate-health/amate/store"
)

const (
	insertBlob = `INSERT OR IGNORE INTO blob_use (hash, rkey, version) VALUES (?1, ?2, ?3)`
	usesBlob   = `SELECT 1 FROM blob_use WHERE hash = ?1 LIMIT 1`
	usesBlobs  = `SELECT 1 FROM blob_use LIMIT 1`
)

// writeBlobs notes which blobs the new versions have their content in.
func writeBlobs(conn *sqlite.Conn, writes []store.Write) error {
	for i := range writes {
		for _, hash := range writes[i].Blobs {
			if err := run(conn, insertBlob, hash, writes[i].Key, writes[i].Ref.Version); err != nil {
				return err
			}
		}
	}
	return nil
}

// BlobsUsed returns, for each of hashes, whether a version has its content there. With
// no hashes it returns one answer: whether any version has.
func (s *Store) BlobsUsed(ctx context.Context, hashes ...[]byte) ([]bool, error) {
	if len(hashes) == 0 {
		any := false
		err := s.onFeed(ctx, usesBlobs, func(*sqlite.Stmt) { any = true })
		return []bool{any}, err
	}
	used := make([]bool, len(hashes))
	for i, hash := range hashes {
		if err := s.onFeed(ctx, usesBlob, func(*sqlite.Stmt) { used[i] = true }, hash); err != nil {
			return nil, err
		}
	}
	return used, nil
}
