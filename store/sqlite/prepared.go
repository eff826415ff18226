package sqlite

import (
	"sync"

	"zombiezen.com/go/sqlite"
)

// keptStatements is how many statements of searches a connection keeps. To prepare
// one takes longer than many searches do.
const keptStatements = 32

// prepared keeps, for each connection, the statements that it used last. The
// connection, which keeps every statement that it prepares, does not forget any.
type prepared struct {
	mu    sync.Mutex
	conns map[*sqlite.Conn]*statements
}

// of returns the statements of a connection that the caller has taken.
func (p *prepared) of(conn *sqlite.Conn) *statements {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.conns[conn]
	if s == nil {
		if p.conns == nil {
			p.conns = map[*sqlite.Conn]*statements{}
		}
		s = &statements{conn: conn, used: map[string]int{}}
		p.conns[conn] = s
	}
	return s
}

// statements are those of one connection, which one goroutine at a time has.
type statements struct {
	conn *sqlite.Conn
	used map[string]int // text -> when it was used last
	now  int
}

// get returns a statement, and what ends its use.
func (s *statements) get(sql string) (*sqlite.Stmt, func() error, error) {
	if _, ok := s.used[sql]; !ok && len(s.used) >= keptStatements {
		if err := s.forget(); err != nil {
			return nil, nil, err
		}
	}
	stmt, err := s.conn.Prepare(sql)
	if err != nil {
		return nil, nil, err
	}
	s.now++
	s.used[sql] = s.now
	return stmt, stmt.Reset, nil
}

// forget ends the statement that was not used for longest.
func (s *statements) forget() error {
	oldest, at := "", s.now+1
	for sql, used := range s.used {
		if used < at {
			oldest, at = sql, used
		}
	}
	delete(s.used, oldest)
	stmt, err := s.conn.Prepare(oldest)
	if err != nil {
		return err
	}
	return stmt.Finalize()
}

// transient prepares a statement for one use.
func transient(conn *sqlite.Conn) prepare {
	return func(sql string) (*sqlite.Stmt, func() error, error) {
		stmt, _, err := conn.PrepareTransient(sql)
		if err != nil {
			return nil, nil, err
		}
		return stmt, stmt.Finalize, nil
	}
}
