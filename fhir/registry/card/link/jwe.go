package link

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

var b64 = base64.RawURLEncoding.Strict()

// keySize is that of AES-256, in bytes.
const keySize = 32

// jweHeader is the protected header of a file.
type jweHeader struct {
	Algorithm  string `json:"alg"`
	Encryption string `json:"enc"`
	Content    string `json:"cty,omitempty"`
	Zip        string `json:"zip,omitempty"`
}

// seal encrypts a file as a compact JWE: the key is used directly, by AES-256 in GCM.
//
// See https://www.rfc-editor.org/rfc/rfc7516#section-7.1.
func seal(key []byte, media string, content []byte) (string, error) {
	header, err := json.Marshal(jweHeader{"dir", "A256GCM", media, "DEF"})
	if err != nil {
		return "", err
	}
	gcm, err := gcmOf(key)
	if err != nil {
		return "", err
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(content); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	iv := make([]byte, gcm.NonceSize())
	rand.Read(iv) // never fails
	protected := b64.EncodeToString(header)
	sealed := gcm.Seal(nil, iv, packed.Bytes(), []byte(protected))
	body, tag := sealed[:len(sealed)-gcm.Overhead()], sealed[len(sealed)-gcm.Overhead():]
	return strings.Join([]string{protected, "", b64.EncodeToString(iv), b64.EncodeToString(body), b64.EncodeToString(tag)}, "."), nil
}

func gcmOf(key []byte) (cipher.AEAD, error) {
	if len(key) != keySize {
		return nil, errors.New("link: a key has 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// longestFile is how many bytes a file has at most once it is unpacked.
const longestFile = 32 << 20

// ErrSealed is returned for a file that the key does not open.
var ErrSealed = errors.New("the key does not open this file, or it was altered")

// Open decrypts a file of a link. Errors: ErrSealed.
func Open(key []byte, jwe string) (media string, content []byte, err error) {
	gcm, err := gcmOf(key)
	if err != nil {
		return "", nil, err
	}
	parts := strings.Split(jwe, ".")
	if len(parts) != 5 || parts[1] != "" {
		return "", nil, ErrSealed
	}
	var raw [5][]byte
	for i, p := range parts {
		if raw[i], err = b64.DecodeString(p); err != nil {
			return "", nil, ErrSealed
		}
	}
	var h jweHeader
	if json.Unmarshal(raw[0], &h) != nil || h.Algorithm != "dir" || h.Encryption != "A256GCM" || h.Zip != "" && h.Zip != "DEF" || len(raw[2]) != gcm.NonceSize() {
		return "", nil, ErrSealed
	}
	plain, err := gcm.Open(nil, raw[2], append(raw[3], raw[4]...), []byte(parts[0]))
	if err != nil {
		return "", nil, ErrSealed
	}
	if h.Zip == "" {
		return h.Content, plain, nil
	}
	content, err = io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(plain)), longestFile+1))
	if err != nil || len(content) > longestFile {
		return "", nil, ErrSealed
	}
	return h.Content, content, nil
}
