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

// logger returns a logger that writes to w.
func (l logging) logger(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: l.Level}
	if l.Format == "text" || l.Format == "auto" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
