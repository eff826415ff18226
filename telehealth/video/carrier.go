package video

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/amate-health/amate/telehealth/room"
)

// Join tells a page, or an app, how its sound and picture travel.
type Join struct {
	By         string      `json:"by"`                   // "direct", "livekit" or "jitsi"
	ICE        []ICEServer `json:"iceServers,omitempty"` // direct
	RelayOnly  bool        `json:"relayOnly,omitempty"`  // direct: through a TURN server whatever the network allows
	URL        string      `json:"url,omitempty"`        // livekit, jitsi: of the server
	Page       string      `json:"page,omitempty"`       // livekit, jitsi: where a browser opens it, with the token; "" where an app does
	Token      string      `json:"token,omitempty"`      // livekit, jitsi: for this person in this room
	Expires    time.Time   `json:"expires,omitzero"`     // of credentials within
	MaxBitrate int         `json:"maxBitrate,omitempty"` // of a picture, bits per second; 0 leaves it to the browser
}

// ICEServer is a server of the RTCConfiguration dictionary (W3C WebRTC 1.0, 4.2.4).
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// Carrier says how media of a room travel.
type Carrier interface {
	// Join returns what somebody needs to take part who may.
	Join(t *room.Ticket, now time.Time) (*Join, error)
}

// Direct has media travel from each to each.
type Direct struct {
	STUN []string // URLs "stun:host:port"
	TURN []string // URLs "turn:host:port?transport=udp"
	// Secret is the one that the TURN server has too: static-auth-secret of coturn. Who takes
	// part gets a user name and a password made from it that are good until the visit closes
	// ("A REST API For Access To TURN Services", draft-uberti-behave-turn-rest-00).
	Secret []byte
	// RelayOnly hides the addresses of people from one another.
	RelayOnly bool
	// MaxBitrate of a picture, bits per second; 0 leaves it to the browser.
	MaxBitrate int
}

// turnGrace is how much longer than the visit credentials for a TURN server are good: its
// clock may differ.
const turnGrace = 5 * time.Minute

// Join implements [Carrier].
func (d Direct) Join(t *room.Ticket, _ time.Time) (*Join, error) {
	j := &Join{By: "direct", RelayOnly: d.RelayOnly, MaxBitrate: d.MaxBitrate}
	if len(d.STUN) > 0 {
		j.ICE = append(j.ICE, ICEServer{URLs: d.STUN})
	}
	if len(d.TURN) > 0 {
		j.Expires = t.Closes.Add(turnGrace)
		user := strconv.FormatInt(j.Expires.Unix(), 10) + ":" + t.Seat
		mac := hmac.New(sha1.New, d.Secret) // what the protocol asks for
		mac.Write([]byte(user))
		j.ICE = append(j.ICE, ICEServer{URLs: d.TURN, Username: user, Credential: base64.StdEncoding.EncodeToString(mac.Sum(nil))})
	}
	return j, nil
}

// LiveKit has a LiveKit server carry media (https://docs.livekit.io, access tokens).
type LiveKit struct {
	URL    string // "wss://livekit.example"
	Key    string
	Secret []byte
	// Page is where a browser opens a room, since the server has none itself: that of LiveKit
	// Meet is /custom of its host. It is told liveKitUrl and token. "" leaves it to apps.
	Page string
}

// Join implements [Carrier].
func (l LiveKit) Join(t *room.Ticket, now time.Time) (*Join, error) {
	claims := struct {
		jwt.Claims
		Name  string `json:"name,omitempty"`
		Video any    `json:"video"`
	}{
		Claims: jwt.Claims{
			Issuer: l.Key, Subject: t.Seat, ID: t.Seat,
			NotBefore: jwt.NewNumericDate(now.Add(-clockSkew)), Expiry: jwt.NewNumericDate(t.Closes),
		},
		Name: t.Name,
		Video: map[string]any{
			"room": t.Room, "roomJoin": true, "canSubscribe": true, "canPublish": true, "canPublishData": true,
			"roomAdmin": t.Role == room.Clinician,
		},
	}
	token, err := signed(l.Secret, claims)
	if err != nil {
		return nil, fmt.Errorf("a token for LiveKit: %w", err)
	}
	j := &Join{By: "livekit", URL: l.URL, Token: token, Expires: t.Closes}
	if l.Page != "" {
		j.Page = l.Page + "?" + url.Values{"liveKitUrl": {l.URL}, "token": {token}}.Encode()
	}
	return j, nil
}

// Jitsi has a Jitsi server with token authentication carry media
// (https://jitsi.github.io/handbook, "Authentication (token)").
type Jitsi struct {
	URL    string // "https://meet.example"
	App    string // app_id of its configuration
	Domain string // of its XMPP server; "*" for any
	Secret []byte
}

// Join implements [Carrier].
func (j Jitsi) Join(t *room.Ticket, now time.Time) (*Join, error) {
	moderator := t.Role == room.Clinician
	claims := struct {
		jwt.Claims
		Room      string `json:"room"`
		Moderator bool   `json:"moderator"`
		Context   any    `json:"context"`
	}{
		Claims: jwt.Claims{
			Issuer: j.App, Audience: jwt.Audience{j.App}, Subject: j.Domain,
			NotBefore: jwt.NewNumericDate(now.Add(-clockSkew)), Expiry: jwt.NewNumericDate(t.Closes),
		},
		Room: t.Room, Moderator: moderator,
		Context: map[string]any{
			"user":     map[string]any{"id": t.Seat, "name": t.Name, "moderator": moderator},
			"features": map[string]any{"recording": false, "livestreaming": false, "transcription": false},
		},
	}
	token, err := signed(j.Secret, claims)
	if err != nil {
		return nil, fmt.Errorf("a token for Jitsi: %w", err)
	}
	room := j.URL + "/" + t.Room
	return &Join{By: "jitsi", URL: room, Page: room + "?" + url.Values{"jwt": {token}}.Encode(), Token: token, Expires: t.Closes}, nil
}

// clockSkew is how far the clock of another server may be behind.
const clockSkew = 30 * time.Second

// signed returns claims as a JWT, HS256.
func signed(secret []byte, claims any) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}
