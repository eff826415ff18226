package main

import (
	"log/slog"
	"net/url"
	"os"
	"strings"
)

// secretFile returns the one line that a file holds.
func secretFile(flag, name string) (string, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return "", usagef("--%s: %v", flag, err)
	}
	text := strings.TrimSpace(string(raw))
	if text == "" || strings.ContainsAny(text, "\r\n") {
		return "", usagef("--%s %s: want one line", flag, name) // without what it holds
	}
	return text, nil
}

// resolve takes --database from --database-file.
func (s *storage) resolve() (err error) {
	if s.DatabaseFile == "" {
		return nil
	}
	fromFile, err := secretFile("database-file", s.DatabaseFile)
	if err != nil {
		return err
	}
	if s.Database != "" && s.Database != fromFile {
		return usagef("--database and --database-file: want one of the two")
	}
	s.Database = fromFile
	return nil
}

// warn says so when a password stands on the command line, where everybody on the
// machine can read it.
func (s *storage) warn(log *slog.Logger) {
	u, err := url.Parse(s.Database)
	if err != nil || u.User == nil {
		return
	}
	password, has := u.User.Password()
	for _, arg := range os.Args[1:] {
		if has && password != "" && strings.Contains(arg, s.Database) {
			log.Warn("the password of the database is on the command line, which everybody on this machine can read: use --database-file, AMATE_DATABASE or a .pgpass file")
			return
		}
	}
}
