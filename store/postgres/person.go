package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/amate-health/amate/store"
)

const (
	stmtInsPerson     = "amate_insert_person"
	stmtInsPersonKeys = "amate_insert_person_keys"
	stmtDelPerson     = "amate_delete_person"
	stmtDelPersonKeys = "amate_delete_person_keys"
	stmtPeople        = "amate_people"
)

var personStatements = map[string]string{
	stmtInsPerson: `INSERT INTO person (rkey, print, keys, features) SELECT x.rkey, x.print, ($6::bigint[])[x.first:x.last], x.features
FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::integer[], $5::bytea[]) AS x (rkey, print, first, last, features)`,

	stmtInsPersonKeys: `INSERT INTO person_key (key, rkey) SELECT * FROM unnest($1::bigint[], $2::bigint[])`,

	stmtDelPersonKeys: `DELETE FROM person_key d USING (SELECT p.rkey, unnest(p.keys) AS key FROM person p WHERE p.rkey = ANY ($1::bigint[])) x
WHERE d.key = x.key AND d.rkey = x.rkey`,

	stmtDelPerson: `DELETE FROM person WHERE rkey = ANY ($1::bigint[])`,

	// OFFSET 0 has the row keys known before anything is looked up.
	stmtPeople: `SELECT p.rkey, p.features FROM (
  SELECT f.rkey FROM unnest($1::bigint[]) k (key) CROSS JOIN LATERAL
    (SELECT s.rkey, count(*) OVER () AS sharers FROM (SELECT i.rkey FROM person_key i WHERE i.key = k.key ORDER BY i.key, i.rkey LIMIT $2::bigint) s) f
  GROUP BY f.rkey HAVING count(*) > 1 OR min(f.sharers) <= $3::bigint OFFSET 0) x
CROSS JOIN LATERAL (SELECT i.rkey, i.features FROM person i WHERE i.rkey = x.rkey LIMIT 1) p`,
}

// insertPeople returns the calls that insert what was added to person.
func insertPeople(writes []store.Write) []call {
	e := newArrays(5)
	var keys []int64
	for i := range writes {
		for _, p := range writes[i].Added.People {
			e.row(5)
			e.int64(writes[i].Key)
			e.int64(p.Print)
			e.int32(int32(len(keys) + 1))
			keys = append(keys, p.Keys...)
			e.int32(int32(len(keys)))
			e.bytes(p.Features)
		}
	}
	if e.rows == 0 {
		return nil
	}
	args := e.arrays(oidInt8, oidInt8, oidInt4, oidInt4, oidBytea)
	return []call{
		{name: stmtInsPerson, args: append(args, appendInt64s(nil, keys))},
		{name: stmtInsPersonKeys, args: personKeys(newArrays(2), writes).arrays(oidInt8, oidInt8)},
	}
}

// deletePeople returns the calls that delete what is gone from person.
func deletePeople(writes []store.Write) []call {
	var rkeys []int64
	for i := range writes {
		for range writes[i].Gone.People {
			rkeys = append(rkeys, writes[i].Key)
		}
	}
	if len(rkeys) == 0 {
		return nil
	}
	args := [][]byte{appendInt64s(nil, rkeys)}
	return []call{{name: stmtDelPersonKeys, args: args}, {name: stmtDelPerson, args: args}}
}

// personKeys writes what was added to person_key.
func personKeys(e *encoder, writes []store.Write) *encoder {
	for i := range writes {
		for _, p := range writes[i].Added.People {
			for _, key := range p.Keys {
				e.row(2)
				e.int64(key)
				e.int64(writes[i].Key)
			}
		}
	}
	return e
}

// personRows returns what COPY adds to person.
func personRows(writes []store.Write) *encoder {
	e := newCopy()
	for i := range writes {
		for _, p := range writes[i].Added.People {
			e.row(4)
			e.int64(writes[i].Key)
			e.int64(p.Print)
			e.int64s(p.Keys)
			e.bytes(p.Features)
		}
	}
	return e
}

// People calls each with the row key and features of the Patients that have one of the
// keys: of each key at most the first most, by their row keys, and not those that share
// one key alone with more than store.FewSharers. The features are good for the call.
func (s *Store) People(ctx context.Context, keys []int64, most int, each func(key int64, features []byte)) error {
	args := [][]byte{appendInt64s(nil, keys), int64Bytes(int64(most)), int64Bytes(store.FewSharers)}
	return s.with(ctx, func(c *connection) error {
		return trip(ctx, c.pg, call{name: stmtPeople, args: args, row: func(_ []pgconn.FieldDescription, values [][]byte) error {
			f := fields{values: values}
			if key := f.int64(); f.err() == nil {
				each(key, values[1])
			}
			return f.err()
		}})
	})
}
