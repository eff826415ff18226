package opendata

import (
	"embed"
	"io/fs"
	"path"
	"sync"

	"github.com/amate-health/amate/fhir"
)

//go:embed families
var shipped embed.FS

// Families returns those that are shipped, ordered by the names of their files. Nobody
// changes them.
func Families() []*Family { return families() }

var families = sync.OnceValue(func() []*Family {
	sub, err := fs.Sub(shipped, "families")
	if err != nil {
		panic(err) // they are built in
	}
	all, err := ReadFamilies(sub)
	if err != nil {
		panic(err)
	}
	return all
})

// ReadFamilies reads the definitions of a folder: each of its files that ends in .json.
// Errors: those of ParseFamily; fhir.Invalid for two of one name.
func ReadFamilies(folder fs.FS) ([]*Family, error) {
	names, err := fs.Glob(folder, "*.json")
	if err != nil {
		return nil, err
	}
	var all []*Family
	seen := map[string]bool{}
	for _, name := range names {
		raw, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		f, err := ParseFamily(raw)
		if err != nil {
			return nil, err
		}
		if seen[f.Name] {
			return nil, fhir.Errorf(fhir.Invalid, "two families of datasets have one name").With("%s, in %s", f.Name, path.Base(name))
		}
		seen[f.Name] = true
		all = append(all, f)
	}
	return all, nil
}
