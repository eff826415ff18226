package rest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// cursorParam is the query parameter that carries where the previous page ended.
const cursorParam = "_cursor"

// macSize is how many bytes of the HMAC a cursor carries.
const macSize = 16

// sealCursor signs an engine's cursor for use in a link. The signature covers the
// query too, and who asks it, so that a cursor can be taken neither to another one nor by another
// caller.
func (a *API) sealCursor(req *Request, params []search.Param, cursor string) string {
	return base64.RawURLEncoding.EncodeToString(append(a.cursorMAC(req, params, cursor), cursor...))
}

// openCursor returns the engine's cursor of a link that this server made, and the
// parameters without it. With no cursor it returns "".
// Errors: fhir.Invalid.
func (a *API) openCursor(req *Request) (cursor string, params []search.Param, err error) {
	sealed := ""
	params = make([]search.Param, 0, len(req.Params))
	for _, p := range req.Params {
		if p.Name != cursorParam {
			params = append(params, p)
			continue
		}
		if sealed != "" || p.Value == "" {
			return "", nil, badCursor()
		}
		sealed = p.Value
	}
	if sealed == "" {
		return "", params, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || len(raw) < macSize {
		return "", nil, badCursor()
	}
	cursor = string(raw[macSize:])
	if !hmac.Equal(raw[:macSize], a.cursorMAC(req, params, cursor)) {
		return "", nil, badCursor()
	}
	return cursor, params, nil
}

func badCursor() error {
	return fhir.Errorf(fhir.Invalid, "%s is none that this server gave for this query: follow the links of the first page", cursorParam)
}

// cursorMAC signs what a cursor belongs to. Every part is preceded by its length,
// so that no two queries read alike.
func (a *API) cursorMAC(req *Request, params []search.Param, cursor string) []byte {
	mac := hmac.New(sha256.New, a.CursorKey)
	part := func(s string) {
		var n [4]byte
		n[0], n[1], n[2], n[3] = byte(len(s)>>24), byte(len(s)>>16), byte(len(s)>>8), byte(len(s))
		mac.Write(n[:])
		mac.Write([]byte(s))
	}
	part(string(req.Interaction))
	part(req.Type)
	part(req.ID)
	part(req.principal)
	part(req.Compartment.String())
	part(req.Operation)
	for _, p := range params {
		part(p.Name)
		part(p.Value)
	}
	part(cursor)
	return mac.Sum(nil)[:macSize]
}
