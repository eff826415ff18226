package postgres

import (
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// maxKept is how many statements stay prepared on a connection, beside those that
// have a name of their own. Their text depends on the shape of a search only.
const maxKept = 128

// keptKey is where a connection holds its kept statements.
const keptKey = "amate kept statements"

// kept are the statements that stay prepared on one connection. Names are never
// used twice.
type kept struct {
	names map[string]string // SQL -> name
	order []string          // SQL, the oldest first
	count int
}

func keptOf(conn *pgconn.PgConn) *kept {
	data := conn.CustomData()
	k, ok := data[keptKey].(*kept)
	if !ok {
		k = &kept{names: map[string]string{}}
		data[keptKey] = k
	}
	return k
}

// name returns the name of a statement, and whether it is prepared already. If not,
// the caller prepares it.
func (k *kept) name(sql string) (name string, known bool) {
	if name, known = k.names[sql]; known {
		return name, true
	}
	k.count++
	name = "amate_kept_" + strconv.Itoa(k.count)
	k.names[sql] = name
	k.order = append(k.order, sql)
	return name, false
}

// surplus takes out the oldest statement when there are too many, and returns its
// name; else "".
func (k *kept) surplus() string {
	if len(k.order) <= maxKept {
		return ""
	}
	oldest := k.order[0]
	name := k.names[oldest]
	k.order = k.order[1:]
	delete(k.names, oldest)
	return name
}

// forget takes out statements that were not prepared after all.
func (k *kept) forget(statements []string) {
	for _, sql := range statements {
		delete(k.names, sql)
		for i := range k.order {
			if k.order[i] == sql {
				k.order = append(k.order[:i], k.order[i+1:]...)
				break
			}
		}
	}
}
