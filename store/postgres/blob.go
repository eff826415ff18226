package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/amate-health/amate/store"
)

const (
	insertBlobs = `INSERT INTO blob_use (hash, rkey, version)
SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) ON CONFLICT DO NOTHING`

	usesBlobs   = `SELECT EXISTS (SELECT 1 FROM blob_use u WHERE u.hash = x.hash) FROM unnest($1::bytea[]) WITH ORDINALITY AS x (hash, n) ORDER BY x.n`
	usesAnyBlob = `SELECT EXISTS (SELECT 1 FROM blob_use)`
)

// blobs returns the call that notes which blobs the new versions have their content in.
func blobs(writes []store.Write) []call {
	e := newArrays(3)
	for i := range writes {
		for _, hash := range writes[i].Blobs {
			e.row(3)
			e.bytes(hash)
			e.int64(writes[i].Key)
			e.int64(writes[i].Ref.Version)
		}
	}
	if e.rows == 0 {
		return nil
	}
	return []call{{sql: insertBlobs, args: e.arrays(oidBytea, oidInt8, oidInt8)}}
}

// BlobsUsed returns, for each of hashes, whether a version has its content there. With
// no hashes it returns one answer: whether any version has.
func (s *Store) BlobsUsed(ctx context.Context, hashes ...[]byte) (used []bool, err error) {
	c := call{sql: usesAnyBlob}
	if len(hashes) > 0 {
		e := newArrays(1)
		for _, hash := range hashes {
			e.row(1)
			e.bytes(hash)
		}
		c = call{sql: usesBlobs, args: e.arrays(oidBytea)}
	}
	c.row = func(_ []pgconn.FieldDescription, values [][]byte) error {
		f := fields{values: values}
		used = append(used, f.bool())
		return f.err()
	}
	err = s.with(ctx, func(conn *connection) error { used = nil; return trip(ctx, conn.pg, c) })
	return used, err
}
