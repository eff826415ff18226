package rights

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
)

// holdKind is the kind of the entries that legal holds are; they are grouped by patient.
const holdKind = "legal-hold"

// maxHoldText bounds each text of a hold, in bytes: two of them are in its key.
const maxHoldText = 200

// LegalHold keeps a record from being removed: an authority wants it kept.
type LegalHold struct {
	Patient   string    `json:"patient"`
	Authority string    `json:"authority"` // who ordered it
	Number    string    `json:"number"`    // of the order
	Reason    string    `json:"reason"`
	Set       time.Time `json:"set"`
	By        string    `json:"by"`
	Released  time.Time `json:"released,omitzero"`
	Why       string    `json:"why,omitempty"` // it was released
	Releaser  string    `json:"releaser,omitempty"`
}

// Stands reports whether it has not been released.
func (h *LegalHold) Stands() bool { return h.Released.IsZero() }

// Holds returns the legal holds on a record, those that were released too.
func Holds(ctx context.Context, s Kept, patient string) ([]LegalHold, error) {
	found, err := s.Entries(ctx, holdKind, patient, "", 1000)
	if err != nil {
		return nil, err
	}
	all := make([]LegalHold, len(found))
	for i := range found {
		if err := json.Unmarshal(found[i].Value, &all[i]); err != nil {
			return nil, fmt.Errorf("legal hold %s: %w", found[i].Key, err)
		}
	}
	return all, nil
}

// hold sets or releases a legal hold: Patient/[id]/$legal-hold.
func (d *desk) hold(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call, "action", "authority", "number", "reason"); err != nil {
		return nil, err
	}
	if _, err := d.seen(ctx, call, call.Ref()); err != nil {
		return nil, err
	}
	var texts [4]string
	for i, name := range []string{"action", "authority", "number", "reason"} {
		var err error
		if texts[i], err = required(call, name); err != nil {
			return nil, err
		}
		if texts[i] = strings.TrimSpace(texts[i]); len(texts[i]) > maxHoldText {
			return nil, fhir.Errorf(fhir.TooLarge, "the parameter %s has %d bytes at most", name, maxHoldText)
		}
	}
	action, authority, order, reason := texts[0], texts[1], texts[2], texts[3]
	e, err := d.Kept.Entry(ctx, holdKind, holdKey(call.ID, authority, order))
	var h LegalHold
	switch {
	case err == nil:
		err = json.Unmarshal(e.Value, &h)
	case fhir.CodeOf(err) == fhir.NotFound:
		e, err = fhir.Entry{Kind: holdKind, Key: holdKey(call.ID, authority, order), Group: call.ID}, nil
	}
	if err != nil {
		return nil, err
	}
	by := who(call)
	switch {
	case action == "set" && (e.Version == 0 || !h.Stands()):
		h = LegalHold{Patient: call.ID, Authority: authority, Number: order, Reason: reason, Set: d.now(), By: by.Reference + by.Display}
	case action == "set":
		return nil, fhir.Errorf(fhir.Conflict, "this legal hold stands already")
	case action == "release" && e.Version > 0 && h.Stands():
		h.Released, h.Why, h.Releaser = d.now(), reason, by.Reference+by.Display
	case action == "release":
		return nil, fhir.Errorf(fhir.Conflict, "no such legal hold stands on this record")
	default:
		return nil, fhir.Errorf(fhir.Invalid, "the parameter action is set or release").With("action=%.50s", action)
	}
	if e.Value, err = json.Marshal(h); err != nil {
		return nil, err
	}
	if err := d.Kept.Put(ctx, e); err != nil {
		return nil, err
	}
	return d.listed(ctx, call)
}

// holdKey names the entry of a hold. Neither part can hold a line break.
func holdKey(patient, authority, number string) string {
	clean := strings.NewReplacer("\n", " ", "\x00", " ")
	return patient + "\n" + clean.Replace(authority) + "\n" + clean.Replace(number)
}

// holds lists the legal holds on a record: Patient/[id]/$legal-holds.
func (d *desk) holds(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call); err != nil {
		return nil, err
	}
	if _, err := d.seen(ctx, call, call.Ref()); err != nil {
		return nil, err
	}
	return d.listed(ctx, call)
}

func (d *desk) listed(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	all, err := Holds(ctx, d.Kept, call.ID)
	if err != nil {
		return nil, err
	}
	type value struct {
		Name    string `json:"name"`
		Text    string `json:"valueString,omitempty"`
		Instant string `json:"valueInstant,omitempty"`
		Bool    *bool  `json:"valueBoolean,omitempty"`
	}
	type parameter struct {
		Name string  `json:"name"`
		Part []value `json:"part"`
	}
	out := struct {
		ResourceType string      `json:"resourceType"`
		Parameter    []parameter `json:"parameter,omitempty"`
	}{ResourceType: "Parameters"}
	for i := range all {
		h := &all[i]
		stands := h.Stands()
		p := parameter{Name: "hold", Part: []value{
			{Name: "stands", Bool: &stands}, {Name: "authority", Text: h.Authority}, {Name: "number", Text: h.Number},
			{Name: "reason", Text: h.Reason}, {Name: "set", Instant: h.Set.Format(time.RFC3339)}, {Name: "by", Text: h.By},
		}}
		if !stands {
			p.Part = append(p.Part, value{Name: "released", Instant: h.Released.Format(time.RFC3339)}, value{Name: "why", Text: h.Why})
		}
		out.Parameter = append(out.Parameter, p)
	}
	raw, err := json.Marshal(out)
	return &operation.Answer{JSON: raw}, err
}
