package rest

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// cursorParam is the query parameter of a link to a further page. It holds all
// that the page needs, encrypted: the query, who asked it, and where the page
// before it ended. A link so shows nothing of what was searched for, since links
// end up in the logs of proxies and in the histories of browsers.
const cursorParam = "_cursor"

// turn is the content of a cursor.
type turn struct {
	principal string         // who asked for the page before
	params    []search.Param // the whole query
	end       string         // where that page ended: the engine's cursor
}

// maxTurn bounds what a cursor unpacks to.
const maxTurn = 4 << 20

// newSealer returns the cipher of cursors, which key gives.
func newSealer(key []byte) cipher.AEAD {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("links to further pages"))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		panic(err) // the key has the right size
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the right block
	}
	return aead
}

// sealCursor packs t for a link to the path of req, and to no other.
func (a *API) sealCursor(req *Request, t *turn) string {
	var plain []byte
	plain = appendPart(plain, t.principal)
	plain = appendPart(plain, t.end)
	for _, p := range t.params {
		plain = appendPart(appendPart(plain, p.Name), p.Value)
	}
	var packed bytes.Buffer
	w, _ := flate.NewWriter(&packed, flate.BestSpeed) // this level exists
	_, _ = w.Write(plain)                             // a Buffer takes everything
	_ = w.Close()
	nonce := make([]byte, a.sealer.NonceSize(), a.sealer.NonceSize()+packed.Len()+a.sealer.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return base64.RawURLEncoding.EncodeToString(a.sealer.Seal(nonce, nonce, packed.Bytes(), place(req)))
}

// resume puts the query that a link to a further page stands for into req, so that
// whoever looks at req sees what is asked for. Without a cursor it does nothing. The
// _count beside the cursor is the size of the page.
// Errors: fhir.Invalid.
func (a *API) resume(req *Request) error {
	isCursor := func(p search.Param) bool { return p.Name == cursorParam }
	i := slices.IndexFunc(req.Params, isCursor)
	if i < 0 {
		return nil
	}
	t, ok := a.openCursor(req, req.Params[i].Value)
	beside := slices.Delete(slices.Clone(req.Params), i, i+1)
	isCount := func(p search.Param) bool { return p.Name == "_count" }
	if !ok || len(beside) > 1 || len(beside) == 1 && !isCount(beside[0]) {
		return badCursor()
	}
	req.turn, req.Params = t, t.params
	if len(beside) == 1 {
		req.Params = append(slices.DeleteFunc(slices.Clone(t.params), isCount), beside[0])
	}
	return nil
}

// checkTurn refuses the cursor of a page that somebody else was given.
func (r *Request) checkTurn() error {
	if r.turn != nil && r.turn.principal != r.principal {
		return badCursor()
	}
	return nil
}

// end is where the page before the one that is asked for ended; "" for the first page.
func (r *Request) end() string {
	if r.turn == nil {
		return ""
	}
	return r.turn.end
}

func (a *API) openCursor(req *Request, sealed string) (*turn, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || len(raw) < a.sealer.NonceSize() {
		return nil, false
	}
	n := a.sealer.NonceSize()
	packed, err := a.sealer.Open(nil, raw[:n], raw[n:], place(req))
	if err != nil {
		return nil, false
	}
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxTurn))
	if err != nil {
		return nil, false
	}
	var parts []string
	for len(plain) > 0 {
		size, width := binary.Uvarint(plain)
		if width <= 0 || size > uint64(len(plain)-width) {
			return nil, false
		}
		end := width + int(size)
		parts, plain = append(parts, string(plain[width:end])), plain[end:]
	}
	if len(parts) < 2 || len(parts)%2 != 0 {
		return nil, false
	}
	t := &turn{principal: parts[0], end: parts[1]}
	for i := 2; i < len(parts); i += 2 {
		t.params = append(t.params, search.Param{Name: parts[i], Value: parts[i+1]})
	}
	return t, true
}

func badCursor() error {
	return fhir.Errorf(fhir.Invalid, "%s is none that this server gave you here: follow the links of the first page as they are", cursorParam)
}

// place says what a cursor belongs to. Every part is preceded by its length, so
// that no two places read alike.
func place(req *Request) []byte {
	var b []byte
	for _, part := range []string{string(req.Interaction), req.Type, req.ID, req.Compartment.String(), req.Operation} {
		b = appendPart(b, part)
	}
	return b
}

func appendPart(b []byte, part string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}
