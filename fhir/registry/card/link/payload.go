package link

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

const scheme = "shlink:/"

// Payload is what a link holds.
type Payload struct {
	URL     string // of the manifest, or of the one file
	Key     []byte // 32 bytes
	Expires time.Time
	Flags   string // of L (for long), P (with a passcode) and U (one file), in this order
	Label   string // for people, at most 80 characters
}

type payload struct {
	URL     string `json:"url"`
	Flags   string `json:"flag,omitempty"`
	Key     string `json:"key"`
	Expires int64  `json:"exp,omitempty"` // seconds since 1970
	Label   string `json:"label,omitempty"`
	Version int    `json:"v,omitempty"`
}

// String returns the link.
func (p *Payload) String() string {
	out := payload{URL: p.URL, Flags: p.Flags, Key: b64.EncodeToString(p.Key), Label: p.Label}
	if !p.Expires.IsZero() {
		out.Expires = p.Expires.Unix()
	}
	text, err := json.Marshal(out)
	if err != nil {
		panic(err) // it is made of texts and a number
	}
	return scheme + b64.EncodeToString(text)
}

// IsLink reports whether a text is a link, perhaps behind the address of a viewer.
func IsLink(text string) bool { return strings.Contains(text, scheme) }

// Parse reads a link, with or without the address of a viewer before it. Errors say what
// is wrong with it, and nothing of what it holds.
func Parse(text string) (*Payload, error) {
	_, encoded, ok := strings.Cut(strings.TrimSpace(text), scheme)
	if !ok {
		return nil, errors.New("a SMART Health Link has shlink:/ in it")
	}
	raw, err := b64.DecodeString(strings.TrimRight(encoded, "="))
	var in payload
	if err != nil || json.Unmarshal(raw, &in) != nil {
		return nil, errors.New("this SMART Health Link cannot be read: it is not whole")
	}
	p := &Payload{URL: in.URL, Flags: in.Flags, Label: in.Label}
	if in.Expires != 0 {
		p.Expires = time.Unix(in.Expires, 0).UTC()
	}
	if p.Key, err = b64.DecodeString(in.Key); err != nil || len(p.Key) != keySize {
		return nil, errors.New("this SMART Health Link has no key of 256 bits")
	}
	if u, err := url.Parse(in.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || len(in.URL) > longestURL {
		return nil, errors.New("this SMART Health Link has no address that it leads to")
	}
	if in.Version > 1 {
		return nil, fmt.Errorf("this SMART Health Link is of version %d, which is not known here", in.Version)
	}
	return p, nil
}

const (
	longestURL   = 128
	longestLabel = 80 // characters
)

func checkLabel(label string) error {
	if utf8.RuneCountInString(label) > longestLabel {
		return errors.New("a label has at most 80 characters")
	}
	return nil
}
