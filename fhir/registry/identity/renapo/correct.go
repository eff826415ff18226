package renapo

import (
	"context"
	"fmt"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/identity/members"
	"github.com/amate-health/amate/fhir/registry/identity/merge"
)

// correct is Patient/[id]/$correct-curp: another CURP takes the place of the one in use,
// which stays as an old one with the end of its time.
func (d *desk) correct(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	for _, name := range call.In.Names() {
		if name != "curp" && name != "reason" && !call.Lenient {
			return nil, fhir.Errorf(fhir.Invalid, "the operation does not take this parameter").With("it takes curp and reason, not %.100q", name)
		}
	}
	curp, err := call.In.Text("curp")
	if err != nil {
		return nil, err
	}
	reason, err := call.In.Text("reason")
	if err != nil {
		return nil, err
	}
	curp = strings.ToUpper(strings.TrimSpace(curp))
	if curp == "" || strings.TrimSpace(reason) == "" {
		return nil, fhir.Errorf(fhir.Invalid, "the parameters curp and reason must be given: the CURP that was presented, and why it is the right one")
	}
	if len(reason) > 1000 {
		return nil, fhir.Errorf(fhir.TooLarge, "the parameter reason has 1000 bytes at most")
	}
	for _, p := range identity.Check(identity.SystemCURP, curp, d.Now()) {
		if !p.Warning || p.Rule == "curp-generic" {
			return nil, &fhir.Error{Code: fhir.Unprocessable, Issues: []fhir.Issue{{
				Severity: "error", Type: "value", Rule: p.Rule, Details: "curp: " + p.Text, Diagnostics: fmt.Sprintf("from character %d on", max(p.At, 1)),
			}}}
		}
	}
	for range attempts {
		answer, err := d.correctOnce(ctx, call, curp, reason)
		if code := fhir.CodeOf(err); code != fhir.Stale {
			return answer, err
		}
	}
	return nil, fhir.Errorf(fhir.Conflict, "this Patient is written by others all the time")
}

func (d *desk) correctOnce(ctx context.Context, call *operation.Call, curp, reason string) (*operation.Answer, error) {
	stored, p, err := d.seen(ctx, call)
	if err != nil {
		return nil, err
	}
	ids, now := members.Items(p.Get("identifier")), d.Now().UTC()
	isCURP := func(raw string) bool { return members.Of(raw).Text("system") == identity.SystemCURP }
	level := d.level(stored.JSON, curp)
	if i := current(ids); i >= 0 && strings.EqualFold(strings.TrimSpace(members.Of(ids[i]).Text("value")), curp) {
		return nil, fhir.Errorf(fhir.Conflict, "this is the CURP of the Patient already")
	}
	var kept []string
	for _, raw := range ids {
		switch id := members.Of(raw); {
		case isCURP(raw) && (id.Text("value") == identity.GenericCURP || strings.EqualFold(strings.TrimSpace(id.Text("value")), curp)):
			// The generic value was never theirs; an old one that is right after all is in use again.
		case isCURP(raw) && id.Text("use") != "old":
			kept = append(kept, merge.Retire(raw, now))
		default:
			kept = append(kept, raw)
		}
	}
	kept = append(kept, newCURP(curp, "official", level))
	done, err := d.write(ctx, call, stored, p.With("identifier", members.Array(kept)), now, "Corrección de la CURP", reason)
	if err != nil {
		return nil, err
	}
	return answer(done, level, "", false, nil), nil
}
