package card

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/amate-health/amate/fhir"
)

// Paper is what is remembered of a printed cartilla: as little as lets a clerk see that
// the paper was altered.
type Paper struct {
	Printed  time.Time `json:"t"` // for the first time with these doses
	Born     string    `json:"b"` // yyyy-mm
	Initials string    `json:"n"`
	Doses    []Printed `json:"d"`
	Counts   bool      `json:"-"` // all doses are as they were printed
}

// Printed is a dose on paper.
type Printed struct {
	ID     string `json:"i"` // of the Immunization
	Digest string `json:"d"`
}

// paper remembers a cartilla that is printed, and returns the token of its page. The same
// doses of a person have the same token.
func (l *Ledger) paper(ctx context.Context, r *record) (string, error) {
	p := Paper{Printed: l.Now().UTC().Truncate(time.Second), Born: r.born[:min(7, len(r.born))], Initials: initials(r.text)}
	said := []string{"paper", r.ref.ID, p.Born, p.Initials}
	for i := range r.doses {
		d := Printed{r.doses[i].ref.ID, digest(r.doses[i].doc)}
		p.Doses, said = append(p.Doses, d), append(said, d.ID, d.Digest)
	}
	token := l.code(said...) + l.code(append(said, "2")...) // 192 bits
	err := l.State.Put(ctx, fhir.Entry{Kind: paperKind, Key: tokenKey(token), Group: r.ref.ID, Value: encode(p)})
	if fhir.CodeOf(err) == fhir.Conflict {
		return token, nil
	}
	return token, err
}

// tokenKey hides a token from who reads the database.
func tokenKey(token string) string {
	sum := sha256.Sum256([]byte("cartilla " + token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Paper returns the cartilla with a token. Errors: fhir.NotFound.
func (l *Ledger) Paper(ctx context.Context, token string) (*Paper, error) {
	e, err := l.State.Entry(ctx, paperKind, tokenKey(token))
	if err != nil {
		return nil, err
	}
	p := &Paper{Counts: true}
	if err := json.Unmarshal(e.Value, p); err != nil {
		return nil, fmt.Errorf("a printed cartilla: %w", err)
	}
	if l.Standing != nil {
		stands, err := l.Standing(ctx, e.Group)
		if err != nil {
			return nil, err
		}
		if !stands {
			return nil, fhir.Errorf(fhir.NotFound, "the record is not shown any more")
		}
	}
	for _, d := range p.Doses {
		now, err := l.digestOf(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		p.Counts = p.Counts && now == d.Digest
	}
	return p, nil
}

// initials are the first letters of the words of a name.
func initials(name string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }) {
		first, _ := utf8.DecodeRuneInString(word)
		b.WriteRune(unicode.ToUpper(first))
	}
	return b.String()
}
