package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is the version of the program. The build sets it with
// -ldflags "-X main.release=1.2.3".
var release = "0.1.0-dev"

// version prints the version.
type version struct{}

func (version) Run(s streams) error {
	_, err := fmt.Fprintf(s.out, "amate %s (%s, %s, %s/%s)\n", release, revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// revision returns the commit that was built, or "unknown".
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	commit, changed := "unknown", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				changed = "+changes"
			}
		}
	}
	return commit + changed
}
