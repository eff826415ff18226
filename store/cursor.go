package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/query"
)

// CursorKeySize is the length in bytes of the key of a Sealer.
const CursorKeySize = 32

// Sealer turns the end of a page into a cursor and back. A cursor is encrypted,
// since it holds values of the last resource (a name, a birth date) and ends up
// in links and logs; and it is authenticated together with the query it belongs
// to, so that it can be neither made up nor used on another one.
//
// The key is kept in the database: every server on it reads the others' cursors.
type Sealer struct{ aead cipher.AEAD }

// NewSealer returns a Sealer with the key, of CursorKeySize bytes.
func NewSealer(key []byte) (*Sealer, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("cursor key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("cursor key: %w", err)
	}
	return &Sealer{aead}, nil
}

// cursorVersion is the first byte of a cursor. It changes with the encoding of positions.
const cursorVersion = 1

func (s *Sealer) seal(p *query.Position, purpose string) string {
	nonce := make([]byte, 1+s.aead.NonceSize(), 128)
	nonce[0] = cursorVersion
	rand.Read(nonce[1:]) // never fails
	sealed := s.aead.Seal(nonce, nonce[1:], p.Append(nil), []byte(purpose))
	return base64.RawURLEncoding.EncodeToString(sealed)
}

// open returns the position of a cursor, nil for "". Errors: fhir.Invalid.
func (s *Sealer) open(cursor, purpose string) (*query.Position, error) {
	if cursor == "" {
		return nil, nil
	}
	bad := fhir.Errorf(fhir.Invalid, "the page link is not one that this server made for this search")
	if len(cursor) > 16<<10 {
		return nil, bad
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cursor)
	nonce := 1 + s.aead.NonceSize()
	if err != nil || len(sealed) < nonce || sealed[0] != cursorVersion {
		return nil, bad
	}
	plain, err := s.aead.Open(nil, sealed[1:nonce], sealed[nonce:], []byte(purpose))
	if err != nil {
		return nil, bad
	}
	return query.DecodePosition(plain)
}

// searchPurpose ties a cursor to the type and order of a search. What the search
// asks for is in the link beside it and may be changed there; the place stays a
// place in the same order.
func searchPurpose(q *search.Query) string {
	var b strings.Builder
	b.WriteString("search " + q.Type)
	for _, s := range q.Sort {
		if s.Param != nil {
			fmt.Fprintf(&b, " %d %t", s.Param.ID, s.Desc)
		} else {
			fmt.Fprintf(&b, " %s %t", s.Field, s.Desc)
		}
	}
	return b.String()
}

func historyPurpose(h *search.History) string { return "history " + h.Type + "/" + h.ID }
