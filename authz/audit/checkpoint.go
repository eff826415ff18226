package audit

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Signer signs checkpoints. Its key is in a file beside the server, not in the
// database, so that who can write there alone cannot make checkpoints.
type Signer struct {
	key *ecdsa.PrivateKey
	id  string
}

// LoadSigner reads the key in file, a PKCS #8 PEM, which is made when it is not
// there; only its owner can read it.
func LoadSigner(file string) (*Signer, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		raw, err = newKey(file)
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("%s holds no key in PEM", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%s holds no P-256 key in PKCS #8", file)
	}
	return &Signer{key: key, id: keyID(&key.PublicKey)}, nil
}

func newKey(file string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	raw := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	// The file gets its name once it is whole: another process reads it, or this one ends.
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*") // for nobody else to read
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(f.Name(), file); err != nil && !errors.Is(err, os.ErrExist) { // a file system without links
		if err := os.Rename(f.Name(), file); err != nil {
			return nil, err
		}
	}
	return os.ReadFile(file) // of who was first
}

// PublicKey is a key that checkpoints are verified with.
type PublicKey struct {
	ID  string // its JWK thumbprint
	key *ecdsa.PublicKey
}

// Public returns the key that verifies what s signs.
func (s *Signer) Public() PublicKey { return PublicKey{ID: s.id, key: &s.key.PublicKey} }

// PEM returns k as a PEM file.
func (k PublicKey) PEM() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(k.key)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
}

// ParsePublicKeys reads all public keys of a PEM file.
func ParsePublicKeys(raw []byte) (keys []PublicKey, err error) {
	for {
		var block *pem.Block
		if block, raw = pem.Decode(raw); block == nil {
			break
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		key, ok := parsed.(*ecdsa.PublicKey)
		if err != nil || !ok || key.Curve != elliptic.P256() {
			return nil, errors.New("a public key in PEM must be a P-256 key")
		}
		keys = append(keys, PublicKey{ID: keyID(key), key: key})
	}
	if keys == nil {
		return nil, errors.New("there is no public key in PEM")
	}
	return keys, nil
}

// keyID returns the thumbprint of a key.
//
// See https://www.rfc-editor.org/rfc/rfc7638.
func keyID(k *ecdsa.PublicKey) string {
	raw, err := k.Bytes() // 4, x, y
	if err != nil {
		return ""
	}
	jwk := fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, encode(raw[1:33]), encode(raw[33:65]))
	sum := sha256.Sum256([]byte(jwk))
	return encode(sum[:])
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// statement is what a checkpoint says.
type statement struct {
	Number int64     `json:"number"`
	Month  int       `json:"month"`
	Seq    int64     `json:"seq"`
	Hash   []byte    `json:"hash"` // of the event at Seq
	At     time.Time `json:"at"`
	Before []byte    `json:"before,omitempty"` // SHA-256 of the checkpoint before it
	Final  bool      `json:"final,omitempty"`
}

// sign returns a JSON Web Signature, ES256, in compact form.
//
// See https://www.rfc-editor.org/rfc/rfc7515 and https://www.rfc-editor.org/rfc/rfc7518#section-3.4.
func (s *Signer) sign(st *statement) ([]byte, error) {
	payload, err := json.Marshal(st)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"amate-audit-checkpoint"}`, s.id)
	signed := encode([]byte(head)) + "." + encode(payload)
	sum := sha256.Sum256([]byte(signed))
	r, v, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		return nil, err
	}
	var raw [64]byte
	r.FillBytes(raw[:32])
	v.FillBytes(raw[32:])
	return []byte(signed + "." + encode(raw[:])), nil
}

// errUnknownKey says that a checkpoint was signed with a key that is not trusted.
var errUnknownKey = errors.New("it is signed with a key that is not among the trusted ones")

// open verifies a checkpoint and returns what it says.
func open(content []byte, trusted []PublicKey) (*statement, error) {
	parts := bytes.Split(content, []byte("."))
	if len(parts) != 3 {
		return nil, errors.New("it is no signature")
	}
	var raw [3][]byte
	for i, p := range parts {
		b, err := base64.RawURLEncoding.Strict().DecodeString(string(p))
		if err != nil {
			return nil, errors.New("it is no signature")
		}
		raw[i] = b
	}
	var head struct{ Alg, Kid, Typ string }
	if err := json.Unmarshal(raw[0], &head); err != nil || head.Alg != "ES256" || head.Typ != "amate-audit-checkpoint" || len(raw[2]) != 64 {
		return nil, errors.New("it is no checkpoint")
	}
	sum := sha256.Sum256(content[:len(parts[0])+1+len(parts[1])])
	for _, k := range trusted {
		if k.ID != head.Kid {
			continue
		}
		if !ecdsa.Verify(k.key, sum[:], new(big.Int).SetBytes(raw[2][:32]), new(big.Int).SetBytes(raw[2][32:])) {
			return nil, errors.New("its signature is wrong")
		}
		var st statement
		return &st, json.Unmarshal(raw[1], &st)
	}
	return nil, errUnknownKey
}

// checkpoints signs how far the chains of heads have come.
func (s *Signer) checkpoints(last fhir.Checkpoint, heads []fhir.Event, at time.Time, final bool) (all []fhir.Checkpoint, err error) {
	for i := range heads {
		st := &statement{
			Number: last.Number + 1, Month: heads[i].Month, Seq: heads[i].Seq, Hash: heads[i].Hash, At: at.UTC().Truncate(time.Second), Final: final,
		}
		if last.Number > 0 {
			sum := sha256.Sum256(last.Content)
			st.Before = sum[:]
		}
		c := fhir.Checkpoint{Number: st.Number, Month: st.Month, Seq: st.Seq, Final: final}
		if c.Content, err = s.sign(st); err != nil {
			return nil, err
		}
		all, last = append(all, c), c
	}
	return all, nil
}
