package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// The prepared statements, by name.
const (
	stmtRead       = "amate_read"
	stmtReads      = "amate_reads"
	stmtVersion    = "amate_read_version"
	stmtKnown      = "amate_known"
	stmtLockRows   = "amate_lock_rows"
	stmtCurrent    = "amate_current"
	stmtLock       = "amate_lock"
	stmtImpatient  = "amate_impatient"
	stmtNewKeys    = "amate_new_keys"
	stmtPlace      = "amate_place"
	stmtResources  = "amate_insert_resources"
	stmtMove       = "amate_update_resource"
	stmtInsVersion = "amate_insert_version"
	stmtInsDate    = "amate_insert_date"
	stmtDelDate    = "amate_delete_date"
	stmtInsNumber  = "amate_insert_number"
	stmtDelNumber  = "amate_delete_number"
	stmtInsString  = "amate_insert_string"
	stmtDelString  = "amate_delete_string"
	stmtInsPlace   = "amate_insert_place"
	stmtDelPlace   = "amate_delete_place"
	stmtInsPosting = "amate_insert_posting"
	stmtDelPosting = "amate_delete_posting"
	stmtInsWord    = "amate_insert_word"
	stmtInsText    = "amate_insert_text"
	stmtDelText    = "amate_delete_text"
)

// places are the type and id of many resources; the subquery with it is planned
// as a look-up for each, however large or small the planner takes the table to be.
// stamp is which transaction wrote the row.
const places = ` FROM unnest($1::smallint[], $2::text[]) WITH ORDINALITY AS x (type, id, n)
CROSS JOIN LATERAL (SELECT *, i.xmin::text::bigint AS stamp FROM resource i WHERE i.type = x.type AND i.id = x.id LIMIT 1) r`

var statements = map[string]string{
	stmtRead: `SELECT r.rkey, r.type, r.id, v.version, v.updated, v.method, v.content
FROM resource r JOIN version v ON v.rkey = r.rkey AND v.version = r.version WHERE r.type = $1 AND r.id = $2`,

	stmtReads: `SELECT x.n, r.rkey, r.type, r.id, v.version, v.updated, v.method, v.content` + places + `
CROSS JOIN LATERAL (SELECT * FROM version i WHERE i.rkey = r.rkey AND i.version = r.version LIMIT 1) v`,

	stmtVersion: `SELECT r.rkey, r.type, r.id, v.version, v.updated, v.method, v.content
FROM resource r JOIN version v ON v.rkey = r.rkey AND v.version = $3 WHERE r.type = $1 AND r.id = $2`,

	stmtKnown: `SELECT x.n, r.rkey` + places,

	stmtLockRows: `SELECT r.rkey FROM unnest($1::smallint[], $2::text[]) AS x (type, id)
CROSS JOIN LATERAL (SELECT i.rkey FROM resource i WHERE i.type = x.type AND i.id = x.id FOR UPDATE) r`,

	stmtCurrent: `SELECT x.n, r.rkey, r.version, r.updated, r.stamp, r.live, r.postings, v.method, v.content,
ARRAY(SELECT ROW(d.param, d.lo, d.hi, d.mark, d.pair_code, d.pair_both) FROM date_value d WHERE d.rkey = r.rkey),
ARRAY(SELECT ROW(d.param, d.value, d.mark, d.lo, d.hi, d.unit1, d.unit2, d.unit3, d.pair_code, d.pair_both) FROM number_value d WHERE d.rkey = r.rkey),
ARRAY(SELECT ROW(d.param, d.folded, d.mark, d.exact, d.pair_code, d.pair_both) FROM string_value d WHERE d.rkey = r.rkey),
ARRAY(SELECT ROW(d.param, d.lat, d.lon) FROM place_value d WHERE d.rkey = r.rkey),
(SELECT d.print FROM text_value d WHERE d.rkey = r.rkey), (SELECT d.print FROM person d WHERE d.rkey = r.rkey)` +
		places + ` LEFT JOIN LATERAL (SELECT i.method, i.content FROM version i WHERE i.rkey = r.rkey AND i.version = r.version LIMIT 1) v ON true`,

	stmtLock: `SELECT pg_advisory_xact_lock($1)`,

	stmtImpatient: `SELECT set_config('lock_timeout', '100ms', true)`,

	stmtNewKeys: `SELECT nextval('rkey') FROM generate_series(1, $1::integer)`,

	stmtPlace: `INSERT INTO resource (rkey, version, updated, type, live, id, postings)
SELECT x.rkey, 0, 0, x.type, false, x.id, '{}' FROM unnest($1::bigint[], $2::smallint[], $3::text[]) AS x (rkey, type, id)
ON CONFLICT (type, id) DO NOTHING`,

	stmtResources: `INSERT INTO resource (rkey, version, updated, type, live, id, postings)
SELECT x.rkey, x.version, x.updated, x.type, x.live, x.id, ($9::bigint[])[x.first:x.last]
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::smallint[], $5::boolean[], $6::text[], $7::integer[], $8::integer[])
AS x (rkey, version, updated, type, live, id, first, last)`,

	// A row of another stamp was reindexed since it was read. Its version would be
	// null then, which it must not be, so that everything fails.
	stmtMove: `UPDATE resource r SET version = CASE WHEN r.xmin::text::bigint = x.stamp THEN x.version END,
updated = x.updated, live = x.live, postings = ($9::bigint[])[x.first:x.last]
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::boolean[], $5::bigint[], $6::bigint[], $7::integer[], $8::integer[])
AS x (rkey, version, updated, live, was, stamp, first, last)
WHERE r.rkey = ANY ($1) AND r.rkey = x.rkey AND r.version = x.was`,

	stmtInsVersion: `INSERT INTO version (rkey, updated, version, type, method, content)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::smallint[], $5::smallint[], $6::bytea[])`,

	stmtInsPosting: `INSERT INTO posting (posting, rkey) SELECT * FROM unnest($1::bigint[], $2::bigint[])`,

	stmtDelPosting: `DELETE FROM posting d USING unnest($1::bigint[], $2::bigint[]) AS x (posting, rkey)
WHERE d.posting = x.posting AND d.rkey = x.rkey`,

	stmtInsWord: `INSERT INTO word (posting, param, kind, text)
SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::text[]) ON CONFLICT DO NOTHING`,

	stmtInsDate: `INSERT INTO date_value (lo, hi, rkey, param, mark, pair_code, pair_both)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::smallint[], $5::smallint[], $6::bigint[], $7::bigint[])`,

	stmtDelDate: `DELETE FROM date_value d USING unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::smallint[], $5::smallint[],
$6::bigint[], $7::bigint[]) AS x (lo, hi, rkey, param, mark, pair_code, pair_both)
WHERE x.rkey = d.rkey AND x.param = d.param AND x.lo = d.lo AND x.hi = d.hi AND x.mark = d.mark` + samePair,

	stmtInsNumber: `INSERT INTO number_value (value, rkey, param, mark, lo, hi, unit1, unit2, unit3, pair_code, pair_both)
SELECT * FROM unnest($1::double precision[], $2::bigint[], $3::smallint[], $4::smallint[],
$5::double precision[], $6::double precision[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[])`,

	stmtDelNumber: `DELETE FROM number_value d USING unnest($1::double precision[], $2::bigint[], $3::smallint[], $4::smallint[],
$5::double precision[], $6::double precision[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[])
AS x (value, rkey, param, mark, lo, hi, unit1, unit2, unit3, pair_code, pair_both)
WHERE x.rkey = d.rkey AND x.value = d.value AND x.param = d.param AND x.mark = d.mark
AND x.lo IS NOT DISTINCT FROM d.lo AND x.hi IS NOT DISTINCT FROM d.hi AND x.unit1 IS NOT DISTINCT FROM d.unit1
AND x.unit2 IS NOT DISTINCT FROM d.unit2 AND x.unit3 IS NOT DISTINCT FROM d.unit3` + samePair,

	stmtInsString: `INSERT INTO string_value (rkey, param, mark, folded, exact, pair_code, pair_both)
SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])`,

	stmtDelString: `DELETE FROM string_value d USING unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::text[], $5::text[],
$6::bigint[], $7::bigint[]) AS x (rkey, param, mark, folded, exact, pair_code, pair_both)
WHERE x.rkey = d.rkey AND x.param = d.param AND x.mark = d.mark AND x.folded = d.folded AND x.exact IS NOT DISTINCT FROM d.exact` + samePair,

	stmtInsPlace: `INSERT INTO place_value (lat, lon, rkey, param)
SELECT * FROM unnest($1::double precision[], $2::double precision[], $3::bigint[], $4::smallint[])`,

	stmtDelPlace: `DELETE FROM place_value d USING unnest($1::double precision[], $2::double precision[], $3::bigint[], $4::smallint[])
AS x (lat, lon, rkey, param) WHERE x.rkey = d.rkey AND x.lat = d.lat AND x.lon = d.lon AND x.param = d.param`,

	stmtInsText: `INSERT INTO text_value (rkey, print, words) SELECT x.rkey, x.print, ($5::bigint[])[x.first:x.last]
FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::integer[]) AS x (rkey, print, first, last)`,

	stmtDelText: `DELETE FROM text_value WHERE rkey = ANY ($1::bigint[])`,
}

// samePair compares the pair that a row of values stands for.
const samePair = ` AND x.pair_code IS NOT DISTINCT FROM d.pair_code AND x.pair_both IS NOT DISTINCT FROM d.pair_both`

// prepare prepares all statements on a new connection, in one round trip.
func prepare(ctx context.Context, conn *pgx.Conn) error {
	pipeline := conn.PgConn().StartPipeline(ctx)
	sent := 0
	for _, group := range []map[string]string{statements, entryStatements, eventStatements, receiptStatements, feedStatements, personStatements} {
		for name, sql := range group {
			pipeline.SendPrepare(name, sql, nil)
			sent++
		}
	}
	err := pipeline.Sync()
	for range sent {
		if err != nil {
			break
		}
		_, err = pipeline.GetResults()
	}
	if closeErr := pipeline.Close(); err == nil {
		err = closeErr
	}
	return err
}
