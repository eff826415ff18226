package main

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"
)

// logging says what is logged, and how it looks.
type logging struct {
	Format string     `help:"Form of the log: text, json, or auto (text on a terminal, json otherwise)." enum:"auto,text,json" default:"auto"`
	Level  slog.Level `help:"Least level that is logged: debug, info, warn or error. Requests are logged at info." default:"info"`
}

// logger returns a logger that writes to w, at once on a terminal and a little
// later elsewhere. What it has not written yet, flush writes.
func (l logging) logger(w io.Writer) (log *slog.Logger, flush func()) {
	flush = func() {}
	terminal := isTerminal(w)
	if !terminal {
		b := &logBuffer{w: w}
		w, flush = b, b.flush
	}
	opts := &slog.HandlerOptions{Level: l.Level}
	if l.Format == "text" || l.Format == "auto" && terminal {
		return slog.New(slog.NewTextHandler(w, opts)), flush
	}
	return slog.New(slog.NewJSONHandler(w, opts)), flush
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
