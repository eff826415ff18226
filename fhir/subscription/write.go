package subscription

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// sealed begins what only the server can read.
const sealed = "sealed:v1:"

// inside marks what the server itself writes.
type inside struct{}

func newSealer(key []byte) cipher.AEAD {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("subscriptions"))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		panic(err) // the key has the right size
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

// seal makes text unreadable to all but the server, for one use of it.
func (s *Service) seal(text, use string) string {
	nonce := make([]byte, s.sealer.NonceSize())
	rand.Read(nonce)
	return sealed + base64.RawURLEncoding.EncodeToString(s.sealer.Seal(nonce, nonce, []byte(text), []byte(use)))
}

// open returns what was sealed for that use.
func (s *Service) open(text, use string) (string, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, sealed))
	n := s.sealer.NonceSize()
	if err != nil || len(raw) < n || !strings.HasPrefix(text, sealed) {
		return "", false
	}
	plain, err := s.sealer.Open(nil, raw[:n], raw[n:], []byte(use))
	return string(plain), err == nil
}

// useOf is what a header is sealed for: who could send it elsewhere could read it.
func useOf(id, endpoint, name string) string {
	return "header " + id + " " + strings.ToLower(name) + " " + endpoint
}

// Batch returns b with what is held against Subscriptions on what it writes of them, and
// with what the server keeps in them: whose they are, and their headers, sealed.
func (s *Service) Batch(ctx context.Context, b *bundle.Batch) *bundle.Batch {
	ours := func(c bundle.Change) bool { return c.Ref.Type == "Subscription" && c.Op != bundle.Delete }
	if ctx.Value(inside{}) != nil || !slices.ContainsFunc(b.Changes, ours) {
		return b
	}
	crowded := s.crowded(ctx, b)
	out := *b
	out.Changes = slices.Clone(b.Changes)
	for i := range out.Changes {
		c := &out.Changes[i]
		if !ours(*c) {
			continue
		}
		build, op, needed := c.Build, c.Op, c.NeedsCurrent
		c.NeedsCurrent = op == bundle.Update || needed
		c.Build = func(env *bundle.Env, at fhir.Ref, current *fhir.Resource) (*bundle.Content, error) {
			if current == nil && crowded != nil {
				return nil, crowded
			}
			before := current
			if op == bundle.Update && !needed {
				current = nil
			}
			content, err := build(env, at, current)
			if err != nil {
				return nil, err
			}
			return s.content(ctx, content, at, before)
		}
	}
	return &out
}

// mostOwned is how many Subscriptions one account or app has at a time: each of them is
// looked at with every change.
const mostOwned = 2000

// crowded refuses what b creates where its account would have too many then.
func (s *Service) crowded(ctx context.Context, b *bundle.Batch) error {
	more := int64(0)
	for _, c := range b.Changes {
		if c.Ref.Type == "Subscription" && c.Op == bundle.Create {
			more++
		}
	}
	if more == 0 {
		return nil
	}
	_, principal, err := s.Access.Owner(ctx)
	if err != nil {
		return err
	}
	q, err := search.Parse("Subscription", []search.Param{{Name: "_tag", Value: fhir.OwnerSystem + "|" + fhir.OwnerCode(principal)}, {Name: "_summary", Value: "count"}}, search.Options{})
	if err != nil {
		return err
	}
	q.Restriction = search.Unrestricted // they are counted, and shown to nobody
	page, err := s.Store.Search(ctx, q)
	if err != nil {
		return err
	}
	if page.Total+more > mostOwned {
		return fhir.Errorf(fhir.Throttled, "an account or app has %d Subscriptions at most: delete one", mostOwned)
	}
	return nil
}

// content completes what is about to be written.
func (s *Service) content(ctx context.Context, c *bundle.Content, at fhir.Ref, before *fhir.Resource) (*bundle.Content, error) {
	owner, principal, err := s.Access.Owner(ctx)
	if err != nil {
		return nil, err
	}
	var in resource
	if err := json.Unmarshal(c.Body.JSON, &in); err != nil {
		return nil, fhir.Errorf(fhir.Unprocessable, "a Subscription whose elements are of other types than R4 gives them")
	}
	keep, status := "", ""
	if before != nil && before.Method != fhir.DELETE && len(before.JSON) > 0 {
		var old resource
		if err := json.Unmarshal(before.JSON, &old); err != nil {
			return nil, err
		}
		keep, status = ownerIn(&old), old.Status
		if who, _ := s.ownerOf(at.ID, keep); who != principal && keep != "" && in.Status != off {
			return nil, fhir.Errorf(fhir.Forbidden, "this Subscription is of another account or app: it can be put to off, and nothing else")
		} else if who == principal && in.Status != off {
			keep = "" // it is sent with the rights of who wrote it last
		}
	}
	switch {
	case in.Status == requested || in.Status == off:
	case in.Status == status && status != "":
		in.Status = requested // what was read is written back, changed: it begins with a handshake
	default:
		return nil, (&fhir.Error{Code: fhir.Unprocessable, Issues: []fhir.Issue{{
			Severity: "error", Type: "business-rule", Rule: "subscription-status", Expression: "Subscription.status",
			Details: "a client writes requested or off: the server says what has come of it",
		}}})
	}
	if keep == "" {
		keep = s.seal(principal+"\n"+string(owner), "owner "+at.ID)
	}
	if _, err := s.define(at, c.Body.JSON); err != nil && in.Status != off {
		return nil, err
	}
	headers, err := s.headers(at.ID, &in)
	if err != nil {
		return nil, err
	}
	who, _ := s.ownerOf(at.ID, keep)
	return s.rebuilt(c, at, in.Status, keep, who, headers)
}

func ownerIn(r *resource) string {
	for _, e := range r.Extension {
		if e.URL == extOwner {
			return e.Text
		}
	}
	return ""
}

// ownerOf returns whose a Subscription is, and what Access said of them.
func (s *Service) ownerOf(id, text string) (principal string, owner []byte) {
	plain, ok := s.open(text, "owner "+id)
	if !ok {
		return "", nil
	}
	principal, rest, _ := strings.Cut(plain, "\n")
	return principal, []byte(rest)
}

// headers seals what is new of the headers.
func (s *Service) headers(id string, in *resource) ([]string, error) {
	out := make([]string, len(in.Channel.Header))
	for i, line := range in.Channel.Header {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		use := useOf(id, in.Channel.Endpoint, name)
		if !strings.HasPrefix(value, sealed) {
			value = s.seal(value, use)
		} else if _, ok := s.open(value, use); !ok && in.Status != off {
			return nil, &fhir.Error{Code: fhir.Unprocessable, Issues: []fhir.Issue{{
				Severity: "error", Type: "business-rule", Rule: "subscription-header", Expression: "Subscription.channel.header",
				Details: "a header that was stored is for its endpoint alone: for another one it has to be given anew",
			}}}
		}
		out[i] = name + ": " + value
	}
	return out, nil
}

// unsealed are the headers as they are sent.
func (s *Service) unsealed(d *definition) (all [][2]string) {
	for _, line := range d.headers {
		name, value, _ := strings.Cut(line, ":")
		if plain, ok := s.open(strings.TrimSpace(value), useOf(d.id, d.endpoint, name)); ok {
			all = append(all, [2]string{strings.TrimSpace(name), plain})
		}
	}
	return all
}

type raws = map[string]json.RawMessage

// rebuilt is the resource with what the server keeps in it.
func (s *Service) rebuilt(c *bundle.Content, at fhir.Ref, status, owner, principal string, headers []string) (*bundle.Content, error) {
	var top, meta, channel raws
	var tags, extensions []json.RawMessage
	err := json.Unmarshal(c.Body.JSON, &top)
	for _, part := range []struct {
		from json.RawMessage
		to   any
	}{{top["meta"], &meta}, {top["channel"], &channel}, {top["extension"], &extensions}} {
		if err == nil && len(part.from) > 0 {
			err = json.Unmarshal(part.from, part.to)
		}
	}
	if err == nil && len(meta["tag"]) > 0 {
		err = json.Unmarshal(meta["tag"], &tags)
	}
	if err != nil {
		return nil, err
	}
	tags = without(tags, "system", fhir.OwnerSystem)
	extensions = without(extensions, "url", extOwner)
	if meta == nil {
		meta = raws{}
	}
	meta["tag"] = compose.JSON(append(tags, compose.JSON(compose.Object{"system": fhir.OwnerSystem, "code": fhir.OwnerCode(principal)})))
	top["meta"] = compose.JSON(meta)
	top["extension"] = compose.JSON(append(extensions, compose.JSON(compose.Object{"url": extOwner, "valueString": owner})))
	top["status"] = compose.JSON(status)
	if len(headers) > 0 {
		channel["header"] = compose.JSON(headers)
		top["channel"] = compose.JSON(channel)
	}
	if status == requested {
		delete(top, "error")
	}
	return s.stamped(compose.JSON(top), at)
}

// stamped is a resource ready to be stored.
func (s *Service) stamped(text []byte, at fhir.Ref) (*bundle.Content, error) {
	doc, err := element.Parse(text)
	if err != nil {
		return nil, err
	}
	out := &bundle.Content{}
	out.Body.JSON, out.Body.VersionAt, out.Body.UpdatedAt = doc.Edit(0).Stamp(at.ID)
	out.Index, err = s.Index(&fhir.Resource{Ref: at, JSON: out.Body.JSON})
	return out, err
}

// without leaves out the objects of a list whose member is value.
func without(list []json.RawMessage, member, value string) []json.RawMessage {
	return slices.DeleteFunc(list, func(raw json.RawMessage) bool {
		var one raws
		return json.Unmarshal(raw, &one) == nil && bytes.Equal(one[member], compose.JSON(value))
	})
}

// setStatus writes what has come of a Subscription, unless its owner has written it
// meanwhile.
func (s *Service) setStatus(ctx context.Context, d *definition, status, why string) (version int64, err error) {
	ref := fhir.Ref{Type: "Subscription", ID: d.id}
	change := bundle.Change{Op: bundle.Update, Ref: ref, IfMatch: d.version, NoneNew: true, NeedsCurrent: true}
	change.Build = func(_ *bundle.Env, at fhir.Ref, current *fhir.Resource) (*bundle.Content, error) {
		if current == nil {
			return nil, fhir.Errorf(fhir.Gone, "it was deleted")
		}
		var top raws
		if err := json.Unmarshal(current.JSON, &top); err != nil {
			return nil, err
		}
		top["status"] = compose.JSON(status)
		if delete(top, "error"); why != "" {
			top["error"] = compose.JSON(why)
		}
		return s.stamped(compose.JSON(top), at)
	}
	results, err := s.Apply(context.WithValue(ctx, inside{}, true), &bundle.Batch{Changes: []bundle.Change{change}})
	if err != nil || len(results) == 0 {
		return 0, err
	}
	return results[0].Resource.Ref.Version, nil
}
