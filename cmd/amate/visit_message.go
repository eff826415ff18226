package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/amate-health/amate/telehealth/visit"
)

// messageGateway hands messages for patients to a program of the operator, which sends them
// by SMS or e-mail: a POST of JSON with channel, to, text and language. What it is sent is
// signed by a secret that both have; a status of 200 to 299 says that it took it.
type messageGateway struct {
	url    string
	secret []byte
	client *http.Client
}

// signatureHeader holds "sha256=" and the HMAC of the body in hexadecimal digits.
const signatureHeader = "X-Amate-Signature"

// gateway returns what sends messages, nil where nothing was set up for it.
func (c *visiting) gateway() (*messageGateway, error) {
	if c.MessageURL == "" {
		return nil, nil
	}
	u, err := url.Parse(c.MessageURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, usagef("--visit-message-url: want an http or https URL")
	}
	if u.Scheme == "http" && !nearby(u.Hostname()) {
		return nil, usagef("--visit-message-url: codes of patients go to it, so that it is an https URL, or http on this machine or a private network")
	}
	if c.MessageSecret == "" {
		return nil, usagef("--visit-message-secret-file is needed")
	}
	secret, err := secretFile("visit-message-secret-file", c.MessageSecret)
	if err != nil {
		return nil, err
	}
	return &messageGateway{url: c.MessageURL, secret: []byte(secret), client: &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// nearby reports whether a host is on this machine or in a private network: by its address,
// or by a name without a domain, as containers have.
func nearby(host string) bool {
	if at, err := netip.ParseAddr(host); err == nil {
		return at.IsLoopback() || at.IsPrivate()
	}
	return !strings.Contains(host, ".") || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".internal")
}

// deliver sends a message. Its errors hold nothing of it.
func (g *messageGateway) deliver(ctx context.Context, m visit.Message) error {
	body, err := json.Marshal(struct {
		Channel  string `json:"channel"`
		To       string `json:"to"`
		Text     string `json:"text"`
		Language string `json:"language"`
	}{m.Channel, m.To, m.Text, m.Language})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, g.secret)
	mac.Write(body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(signatureHeader, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := g.client.Do(req)
	if err != nil {
		// The address can hold a key of the operator's.
		if at := new(url.Error); errors.As(err, &at) {
			err = at.Err
		}
		return fmt.Errorf("the gateway of messages does not answer: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection is used again
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("the gateway of messages answers %d", resp.StatusCode)
	}
	return nil
}
