package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// refusal is something that was not imported, as a line of the report.
type refusal struct {
	File        string  `json:"file"`
	Type        string  `json:"-"`               // of the resource on the line of an NDJSON file
	Line        int     `json:"line,omitempty"`  // of an NDJSON file
	Entry       string  `json:"entry,omitempty"` // of a batch
	Reason      string  `json:"reason"`
	Diagnostics string  `json:"diagnostics,omitempty"` // may quote the input
	Expression  string  `json:"expression,omitempty"`
	Issues      []issue `json:"issues,omitempty"`
}

// issue is a finding of validation.
type issue struct {
	Rule        string `json:"rule"`
	Reason      string `json:"reason"`
	Diagnostics string `json:"diagnostics,omitempty"`
	Expression  string `json:"expression,omitempty"`
	Line        int    `json:"line,omitempty"`
	Column      int    `json:"column,omitempty"`
}

// shown is how many refusals are shown on the screen; the report has all.
const shown = 20

// report gathers what was refused. The screen gets the reasons, which hold
// nothing of the input; the file gets everything.
type report struct {
	mu      sync.Mutex
	file    *os.File // nil when none was asked for
	screen  io.Writer
	clear   string // makes room on a terminal, where a bar is shown
	byFile  map[string]int
	refused counter
}

// openReport begins a report in the file name, "" for none.
func openReport(name string, screen io.Writer) (*report, error) {
	r := &report{screen: screen, byFile: map[string]int{}}
	if isTerminal(screen) {
		r.clear = "\r\x1b[K"
	}
	if name == "" {
		return r, nil
	}
	var err error
	r.file, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	return r, err
}

// refuse reports that what r names was refused because of err. It returns an
// error only when the report cannot be written.
func (r *report) refuse(what refusal, err error) error {
	what.explain(err)
	n := r.refused.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byFile[what.File]++
	if n <= shown {
		fmt.Fprintf(r.screen, "%srefused: %s\n", r.clear, what)
	}
	if n == shown+1 {
		fmt.Fprintf(r.screen, "%smore was refused; --report FILE tells all\n", r.clear)
	}
	if r.file == nil {
		return nil
	}
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	_, err = r.file.Write(append(text, '\n'))
	return err
}

// of returns how many refusals a file has had.
func (r *report) of(file string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byFile[file]
}

func (r *report) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// explain fills in why.
func (r *refusal) explain(err error) {
	r.Reason = err.Error()
	var syntax *element.SyntaxError
	if errors.As(err, &syntax) {
		r.Issues = []issue{{Rule: "json", Reason: err.Error(), Line: syntax.Line, Column: syntax.Col}}
	}
	var e *fhir.Error
	if !errors.As(err, &e) {
		return
	}
	r.Diagnostics, r.Expression = e.Diagnostics, e.Expression
	for _, i := range e.Issues {
		r.Issues = append(r.Issues, issue{Rule: i.Rule, Reason: i.Details, Diagnostics: i.Diagnostics, Expression: i.Expression, Line: i.Line, Column: i.Col})
	}
	if r.Expression == "" && len(r.Issues) > 0 {
		r.Expression = r.Issues[0].Expression
	}
	r.Expression = r.own(r.Expression)
	for i := range r.Issues {
		r.Issues[i].Expression = r.own(r.Issues[i].Expression)
	}
}

// own returns an expression as one of the line itself: that lines are planned in
// a Bundle is no business of whoever wrote them.
func (r *refusal) own(expression string) string {
	if r.Type == "" || !strings.HasPrefix(expression, "Bundle.entry[") {
		return expression
	}
	_, within, ok := strings.Cut(expression, "].resource")
	if !ok {
		return r.Type
	}
	return r.Type + within
}

// String is what the screen shows: nothing of the input but where it is.
func (r refusal) String() string {
	s := filepath.Base(r.File)
	if r.Line > 0 {
		s += fmt.Sprintf(" line %d", r.Line)
	}
	if r.Entry != "" {
		s += " " + r.Entry
	}
	if r.Expression != "" {
		s += ", " + r.Expression
	}
	return s + ": " + r.Reason
}
