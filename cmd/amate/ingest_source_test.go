package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestFileSource: what never ends, or is no file, keeps nobody from what comes after it.
func TestFileSource(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			<-release
		}
		w.Write([]byte("{}\n"))
		w.(http.Flusher).Flush()
		if r.URL.Path == "/stalls" {
			<-release
		}
	}))
	defer server.Close()
	defer close(release)
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "inner"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "inner", "a.ndjson"), []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newFileSource(ingesting{Folder: folder, Loopback: true})
	s.quiet = time.Second
	for url, ok := range map[string]bool{
		server.URL + "/whole": true, server.URL + "/stalls": false, server.URL + "/late": false, "file:inner/a.ndjson": true, "file:inner": false, "file:none": false,
	} {
		body, err := s.Open(t.Context(), url, nil)
		if err == nil {
			_, err = io.ReadAll(body)
			body.Close()
		}
		if ok != (err == nil) || errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", url, err)
		}
	}
}
