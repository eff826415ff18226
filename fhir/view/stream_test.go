package view

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
)

// TestEndedBeforeItFlows: an answer that is there as a whole, or has failed, does not begin
// to flow any more, though the time for which it is held back is over just then: nothing
// would flow.
func TestEndedBeforeItFlows(t *testing.T) {
	wrong := errors.New("wrong")
	for name, produce := range map[string]func(context.Context, io.Writer) error{
		"whole":  func(_ context.Context, w io.Writer) error { _, err := io.WriteString(w, "rows"); return err },
		"failed": func(context.Context, io.Writer) error { return wrong },
		"panics": func(context.Context, io.Writer) error { panic(wrong) },
	} {
		_, w := io.Pipe()
		f := &flow{pipe: w, begun: make(chan struct{})}
		if err := f.run(t.Context(), produce); (err == nil) != (name == "whole") {
			t.Errorf("%s: %v", name, err)
		}
		f.begin()
		select {
		case <-f.begun:
			t.Errorf("%s: it flows", name)
		default:
		}
		if name == "whole" && f.first.String() != "rows" {
			t.Errorf("it holds %q", f.first.String())
		}
	}
	r, w := io.Pipe()
	f := &flow{pipe: w, begun: make(chan struct{})}
	go func() {
		_ = w.CloseWithError(f.run(t.Context(), func(_ context.Context, w io.Writer) error {
			f.begin()
			_, err := io.WriteString(w, "rows")
			return err
		}))
	}()
	var got bytes.Buffer
	if _, err := got.ReadFrom(r); err != nil || got.String() != "rows" {
		t.Errorf("%q flows: %v", got.String(), err)
	}
}
