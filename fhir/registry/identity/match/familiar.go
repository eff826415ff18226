package match

import (
	_ "embed"
	"strings"
)

//go:embed familiar.txt
var familiarText string

// familiar lists, for a familiar form, the names that it is used for.
var familiar = func() map[string][]string {
	forms := map[string][]string{}
	for line := range strings.Lines(familiarText) {
		name, short, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		for _, s := range strings.Fields(short) {
			forms[s] = append(forms[s], strings.TrimSpace(name))
		}
	}
	return forms
}()
