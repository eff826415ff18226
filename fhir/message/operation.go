package message

import (
	"context"
	"strconv"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
)

// Operations list dead letters and try them again. What they answer holds nothing of a
// message: who may see those sees them on the machine of the server.
func Operations(processor func() *Processor) []operation.Operation {
	o := operations{processor}
	return []operation.Operation{
		{Name: "message-dead-letters", URL: "https://github.com/amate-health/amate/fhir/OperationDefinition/message-dead-letters", Scope: operation.OnSystem, Run: o.letters},
		{Name: "message-replay", URL: "https://github.com/amate-health/amate/fhir/OperationDefinition/message-replay", Scope: operation.OnSystem, Changes: true, Run: o.replay},
	}
}

type operations struct{ processor func() *Processor }

func (o operations) ready() (*Processor, error) {
	if p := o.processor(); p != nil {
		return p, nil
	}
	return nil, fhir.Errorf(fhir.Unavailable, "messages are not taken yet")
}

// letters is GET $message-dead-letters, of one sender by the parameter sender.
func (o operations) letters(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	p, err := o.ready()
	if err != nil {
		return nil, err
	}
	sender, err := call.In.Text("sender")
	if err != nil {
		return nil, err
	}
	all, err := (&Letters{p.State}).List(ctx, sender)
	if err != nil {
		return nil, err
	}
	var parts []string
	for i := range all {
		parts = append(parts, letterPart(&all[i], "", ""))
	}
	return parameters(parts), nil
}

// replay is POST $message-replay: of the letters that the parameters id name, of all of
// one sender by the parameter sender, or of all.
func (o operations) replay(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	p, err := o.ready()
	if err != nil {
		return nil, err
	}
	sender, err := call.In.Text("sender")
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, v := range call.In.All("id") {
		ids = append(ids, v.Text)
	}
	done, err := p.Replay(ctx, sender, ids)
	if err != nil {
		return nil, err
	}
	var parts []string
	for i := range done {
		parts = append(parts, letterPart(&done[i].Letter, done[i].State, done[i].Why))
	}
	return parameters(parts), nil
}

func parameters(parts []string) *operation.Answer {
	return &operation.Answer{JSON: newObject("Parameters").list("parameter", parts).bytes()}
}

// letterPart writes a letter as a parameter.
func letterPart(l *Letter, state, why string) string {
	if why == "" && state == "" {
		why = l.Why
	}
	var parts []string
	text := func(name, value string) {
		if value != "" {
			parts = append(parts, inner().text("name", name).text("valueString", value).end())
		}
	}
	text("id", l.ID)
	text("sender", l.Sender)
	text("control", l.Control)
	text("kind", l.Kind)
	parts = append(parts, inner().text("name", "received").text("valueInstant", l.Received.Format(fhir.InstantLayout)).end())
	parts = append(parts, inner().text("name", "tried").raw("valueInteger", strconv.Itoa(l.Tried)).end())
	text("place", l.Place)
	text("why", why)
	text("state", state)
	return inner().text("name", "letter").list("part", parts).end()
}
