package postgres

import (
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
)

// fullTexts returns the call that inserts or deletes rows of text_value, by the
// prepared statement named.
func fullTexts(writes []store.Write, which func(*store.Write) *index.Rows, statement string) []call {
	e := newArrays(4)
	var words, keys []int64
	for i := range writes {
		for _, t := range which(&writes[i]).Texts {
			e.row(4)
			e.int64(writes[i].Key)
			e.int64(t.Print)
			e.int32(int32(len(words) + 1))
			words = append(words, t.Words...)
			e.int32(int32(len(words)))
			keys = append(keys, writes[i].Key)
		}
	}
	switch {
	case e.rows == 0:
		return nil
	case statement == stmtDelText:
		return []call{{name: statement, args: [][]byte{appendInt64s(nil, keys)}}}
	}
	args := e.arrays(oidInt8, oidInt8, oidInt4, oidInt4)
	return []call{{name: statement, args: append(args, appendInt64s(nil, words))}}
}

// fullTextRows returns what COPY adds to text_value.
func fullTextRows(writes []store.Write) *encoder {
	e := newCopy()
	for i := range writes {
		for _, t := range writes[i].Added.Texts {
			e.row(3)
			e.int64(writes[i].Key)
			e.int64(t.Print)
			e.int64s(t.Words)
		}
	}
	return e
}
