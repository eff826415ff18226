package people

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/amate-health/amate/fhir"
)

// The cost of a hash: 19 MiB and two passes, as OWASP asks for argon2id.
//
// See https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html.
const (
	passes    = 2
	memory    = 19 << 10 // KiB
	lanes     = 1
	saltBytes = 16
	hashBytes = 32
)

// The length of a password, in characters.
const (
	ShortestPassword = 12
	longestPassword  = 256
)

// hashing bounds how many passwords are hashed at a time, so that many who sign in at
// once take memory one after another.
var hashing = make(chan struct{}, 2*runtime.GOMAXPROCS(0))

// nobody is what the password for a login that does not exist is compared with, so
// that it takes as long as any other. Chance made both, so that no password is known
// to match, and a program that asks for none does not wait for one to be hashed.
var nobody = phc(chance(saltBytes), chance(hashBytes))

// hash returns the PHC string of a password.
//
// See https://github.com/P-H-C/phc-string-format.
func hash(password string) string {
	salt := chance(saltBytes)
	return phc(salt, argon2.IDKey([]byte(norm.NFKC.String(password)), salt, passes, memory, lanes, hashBytes))
}

func chance(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func phc(salt, sum []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, lanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(sum))
}

// matches reports whether password is what phc was made of. It takes the costs from
// phc, so that they can be raised without a reset for everybody.
func matches(ctx context.Context, phc, password string) (bool, error) {
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, fmt.Errorf("a password is kept in a form that is not known")
	}
	var m, t uint32
	var p uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &m, &t, &p); err != nil {
		return false, fmt.Errorf("the costs of a password: %w", err)
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, err
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil {
		return false, err
	}
	got := argon2.IDKey([]byte(norm.NFKC.String(password)), salt, t, m, p, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// setPassword changes the password of a. Errors: fhir.Invalid.
func (a *Account) setPassword(password string) error {
	if err := CheckPassword(password, a.Login, a.Name); err != nil {
		return err
	}
	a.Password = hash(password)
	return nil
}

// CheckPassword refuses passwords that are too easy to guess. Errors: fhir.Invalid.
func CheckPassword(password string, about ...string) error {
	p := norm.NFKC.String(password)
	n := utf8.RuneCountInString(p)
	if n < ShortestPassword || n > longestPassword || !utf8.ValidString(p) {
		return fhir.Errorf(fhir.Invalid, "a password has %d to %d characters", ShortestPassword, longestPassword)
	}
	low := strings.ToLower(p)
	rest := low
	for _, word := range append(about, easy...) {
		if word = strings.ToLower(norm.NFKC.String(word)); utf8.RuneCountInString(word) > 2 {
			rest = strings.ReplaceAll(rest, word, "")
		}
	}
	digits := strings.Trim(low, "0123456789 -/.") == "" && n < 20 // dates and telephone numbers
	if utf8.RuneCountInString(rest) < 4 || distinct(low) < 5 || digits {
		return fhir.Errorf(fhir.Invalid, "this password is too easy to guess")
	}
	return nil
}

// easy are the words that people who guess try first.
var easy = []string{
	"password", "contraseña", "contrasena", "qwerty", "asdfgh", "zxcvbn", "123456", "1234", "0123456789", "987654321", "abcdef",
	"admin", "administrador", "usuario", "amate", "salud", "secretaria", "hospital", "clinica", "clínica", "doctor", "doctora",
	"bienvenido", "welcome", "letmein", "mexico", "méxico", "guadalupe", "cambiame", "changeme", "2024", "2025", "2026", "2027",
}

// distinct counts the different characters of s.
func distinct(s string) int {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen)
}
