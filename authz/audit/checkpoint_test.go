package audit

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestSignerMadeAtOnce: processes that make the key of one file at once have one key, and
// leave nothing else.
func TestSignerMadeAtOnce(t *testing.T) {
	t.Parallel()
	for range 40 {
		dir := t.TempDir()
		var ids sync.Map
		var all sync.WaitGroup
		begin := make(chan struct{})
		for range 8 {
			all.Go(func() {
				<-begin
				s, err := LoadSigner(filepath.Join(dir, "audit-key.pem"))
				if err != nil {
					t.Error(err)
					return
				}
				ids.Store(s.id, true)
			})
		}
		close(begin)
		all.Wait()
		keys := 0
		ids.Range(func(any, any) bool { keys++; return true })
		if files, err := os.ReadDir(dir); err != nil || len(files) != 1 || keys != 1 {
			t.Fatalf("%d keys, files %v, %v", keys, files, err)
		}
		if at, err := os.Stat(filepath.Join(dir, "audit-key.pem")); err != nil || at.Mode().Perm() != 0o600 {
			t.Fatalf("%v, %v", at.Mode(), err)
		}
	}
}
