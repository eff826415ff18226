package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bulk"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// taker takes the lines of one input.
type taker struct {
	run          *bulk.Run
	typ          string
	taken, wrong *bulk.File
}

func newTaker(r *bulk.Run, from input, n int) (t *taker, err error) {
	t = &taker{run: r, typ: from.Type}
	number, url := fmt.Sprintf("%05d", n+1), json.RawMessage(compose.Text(from.URL))
	if t.taken, err = r.File(bulk.Output{Name: "input-" + number, List: Inputs, Type: from.Type, Media: "text/plain", Extension: url}); err != nil {
		return nil, err
	}
	t.wrong, err = r.File(bulk.Output{
		Name: "errors-" + number + ".ndjson", List: bulk.Errors, Type: "OperationOutcome", Media: "application/fhir+ndjson", Coded: true, Extension: url,
	})
	return t, err
}

func (t *taker) end() error { return errors.Join(t.taken.Close(), t.wrong.Close()) }

// take puts what is on some lines, and writes down what was refused. An error is none of
// the lines': it is tried again.
func (t *taker) take(ctx context.Context, lines []line) error {
	var good []line
	for i := range lines {
		if err := lines[i].wrong; err != nil {
			if err := t.refuse(&lines[i], issuesOf(err)); err != nil {
				return err
			}
			continue
		}
		good = append(good, lines[i])
	}
	if len(good) == 0 {
		return nil
	}
	rights, err := t.run.Rights(ctx)
	if err != nil {
		return err
	}
	// All at once costs a fraction of each by itself; which it is that is wrong is told by
	// each by itself.
	if _, err = rights.Send(rights.As, t.bundle("transaction", good)); err == nil {
		t.taken.Add(int64(len(good)))
		return nil
	}
	if ctx.Err() != nil || passes(err) {
		return err
	}
	return t.each(ctx, rights, good)
}

// passes reports whether the same may do well another time.
func passes(err error) bool {
	code := fhir.CodeOf(err)
	return code == 0 || code == fhir.Unavailable || code == fhir.Throttled || code == fhir.LoginRequired
}

// each puts what is on each line by itself.
func (t *taker) each(ctx context.Context, rights *bulk.Rights, lines []line) error {
	raw, err := rights.Send(rights.As, t.bundle("batch", lines))
	if err != nil {
		return err
	}
	var answer struct {
		Entry []struct {
			Response struct {
				Status  string
				Outcome json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return err
	}
	if len(answer.Entry) != len(lines) {
		return fmt.Errorf("%d answers to %d entries", len(answer.Entry), len(lines))
	}
	for i := range lines {
		got := &answer.Entry[i].Response
		switch status, _, _ := strings.Cut(got.Status, " "); {
		case strings.HasPrefix(status, "2"):
			t.taken.Add(1)
			continue
		case strings.HasPrefix(status, "5") && status != "501", status == "429":
			return fmt.Errorf("an entry was answered %s", status)
		}
		if err := t.tell(&lines[i], got.Outcome); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// bundle returns a Bundle that puts what is on some lines.
func (t *taker) bundle(typ string, lines []line) []byte {
	size := 0
	for i := range lines {
		size += len(lines[i].text) + 100
	}
	b := append(make([]byte, 0, size), `{"resourceType":"Bundle","type":"`+typ+`","entry":[`...)
	for i := range lines {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, `{"resource":`...), lines[i].text...)
		b = append(b, `,"request":{"method":"PUT","url":"`+t.typ+"/"+lines[i].id+`"}}`...)
	}
	return append(b, "]}"...)
}

// tell writes down how a line was refused, as the server answered it.
func (t *taker) tell(l *line, outcome []byte) error {
	d, err := element.Parse(outcome)
	if err != nil || d.TextAt(0, "resourceType") != "OperationOutcome" {
		return fmt.Errorf("a refusal without an OperationOutcome: %w", err)
	}
	edit := d.Edit(0)
	for i := range d.Items(0, "issue") {
		edit.Set(i, "extension", lineExtension(l.number))
		for e := range d.Items(i, "expression") {
			if within, ok := ownExpression(t.typ, d.Text(e)); ok {
				edit.SetString(e, within)
			}
		}
	}
	return t.write(edit.AppendTo(nil))
}

// refuse writes down why a line cannot be taken.
func (t *taker) refuse(l *line, issues []fhir.Issue) error {
	for i := range issues {
		issues[i].Line, issues[i].Col = l.number, max(issues[i].Col, 1)
	}
	return t.write(operation.AppendOutcome(nil, issues))
}

func (t *taker) write(outcome []byte) error {
	t.wrong.Add(1)
	_, err := t.wrong.Write(append(outcome, '\n'))
	return err
}

// issuesOf returns what is to be told of a line that was not understood.
func issuesOf(err error) []fhir.Issue {
	i := fhir.Issue{Severity: "error", Type: "structure", Details: err.Error()}
	var syntax *element.SyntaxError
	var told *fhir.Error
	switch {
	case errors.As(err, &syntax):
		i.Details = syntax.Text // its line is that of the file
		i.Rule, i.Col, i.Diagnostics = "json", syntax.Col, syntax.Input
	case errors.As(err, &told):
		i.Type, i.Expression, i.Diagnostics = "invalid", told.Expression, told.Diagnostics
	}
	return []fhir.Issue{i}
}

// lineExtension says on which line of its file an issue is.
//
// See https://hl7.org/fhir/R4/extension-operationoutcome-issue-line.html.
func lineExtension(number int) string {
	return `[{"url":"http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line","valueInteger":` + strconv.Itoa(number) + `}]`
}

// ownExpression returns an expression as one of the line itself: that it was sent in a
// Bundle is no business of whoever wrote it.
func ownExpression(typ, expression string) (string, bool) {
	if !strings.HasPrefix(expression, "Bundle.entry[") {
		return "", false
	}
	if _, within, ok := strings.Cut(expression, "].resource"); ok {
		return typ + within, true
	}
	return typ, true
}
