package source

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/terminology"
)

// Concepts of SNOMED CT that its own files are described with.
const (
	isA       = "116680003"
	fullName  = "900000000000003001"
	synonym   = "900000000000013009"
	preferred = "900000000000548007"
	primitive = "900000000000074008"
)

// snapshot is the files of an RF2 release that make up its snapshot.
type snapshot struct {
	concepts, relationships string
	descriptions, languages []string
}

// releaseDate is how the names of RF2 files end.
var releaseDate = regexp.MustCompile(`_(\d{8})\.txt$`)

// findSnapshot looks for the files of a snapshot below dir.
func findSnapshot(dir string) (*snapshot, error) {
	var s snapshot
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		name := d.Name()
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(name, "sct2_Concept_Snapshot"):
			s.concepts = path
		case strings.HasPrefix(name, "sct2_Relationship_Snapshot"):
			s.relationships = path
		case strings.HasPrefix(name, "sct2_Description_Snapshot"):
			s.descriptions = append(s.descriptions, path)
		case strings.HasPrefix(name, "der2_cRefset_LanguageSnapshot"):
			s.languages = append(s.languages, path)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if s.concepts == "" || s.relationships == "" || len(s.descriptions) == 0 {
		return nil, errors.New("neither a LOINC release (Loinc.csv) nor the snapshot of a SNOMED CT release (sct2_Concept_Snapshot..., sct2_Description_Snapshot..., sct2_Relationship_Snapshot...)")
	}
	return &s, nil
}

// readSNOMED reads the snapshot of a SNOMED CT release.
//
// See https://hl7.org/fhir/R4/snomedct.html.
func readSNOMED(dir string) (*System, error) {
	files, err := findSnapshot(dir)
	if err != nil {
		return nil, err
	}
	s := &System{
		URL: "http://snomed.info/sct", Name: "SNOMED_CT", Title: "SNOMED CT", Language: "en", Hierarchy: "is-a",
		Copyright: "This material includes SNOMED Clinical Terms (SNOMED CT), used by permission of SNOMED International.",
		Properties: []terminology.PropertyDef{
			{Code: "sufficientlyDefined", URI: "http://snomed.info/id/sufficientlyDefined", Type: "boolean"},
			{Code: "moduleId", URI: "http://snomed.info/id/900000000000443000", Type: "code"},
		},
	}
	at := map[string]int{}
	modules := map[string]int{}
	err = eachRow(files.concepts, 5, func(f []string) {
		at[f[0]] = len(s.Concepts)
		modules[f[3]]++
		defined := "true"
		if f[4] == primitive {
			defined = "false"
		}
		s.Concepts = append(s.Concepts, Concept{Code: f[0], Inactive: f[2] != "1", Properties: []terminology.Property{
			{Code: "sufficientlyDefined", Type: "valueBoolean", Value: defined}, {Code: "moduleId", Type: "valueCode", Value: f[3]},
		}})
	})
	if err != nil {
		return nil, err
	}
	if date := releaseDate.FindStringSubmatch(files.concepts); date != nil {
		s.Version = "http://snomed.info/sct/" + most(modules) + "/version/" + date[1]
	}
	err = eachRow(files.relationships, 8, func(f []string) {
		if i, ok := at[f[4]]; ok && f[2] == "1" && f[7] == isA {
			s.Concepts[i].Parents = append(s.Concepts[i].Parents, f[5])
		}
	})
	if err != nil {
		return nil, err
	}
	return s, addDescriptions(s, at, files)
}

// addDescriptions names the concepts. The display is the synonym that the language
// reference sets prefer, in English where there is one.
func addDescriptions(s *System, at map[string]int, files *snapshot) error {
	best := map[string]bool{} // descriptions that some reference set prefers
	for _, name := range files.languages {
		err := eachRow(name, 7, func(f []string) {
			if f[2] == "1" && f[6] == preferred {
				best[f[5]] = true
			}
		})
		if err != nil {
			return err
		}
	}
	named := make([]int, len(s.Concepts)) // how good the display is
	for _, name := range files.descriptions {
		err := eachRow(name, 8, func(f []string) {
			i, ok := at[f[4]]
			if !ok || f[2] != "1" {
				return
			}
			c := &s.Concepts[i]
			d := terminology.Designation{Language: f[5], Value: f[7]}
			rank := 1
			switch f[6] {
			case fullName:
				d.Use = `{"system":"http://snomed.info/sct","code":"` + fullName + `","display":"Fully specified name"}`
			case synonym:
				d.Use = `{"system":"http://snomed.info/sct","code":"` + synonym + `","display":"Synonym"}`
				rank = 2
				if best[f[0]] {
					rank = 4
				}
				if f[5] == "en" {
					rank++
				}
			default:
				return
			}
			if best[f[0]] && f[6] == synonym { // the preferred one of a language comes first
				c.Designations = slices.Insert(c.Designations, 0, d)
			} else {
				c.Designations = append(c.Designations, d)
			}
			if rank > named[i] {
				named[i], c.Display = rank, d.Value
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// most returns the key with the highest count.
func most(counts map[string]int) string {
	best := ""
	for key, n := range counts {
		if n > counts[best] || n == counts[best] && key < best {
			best = key
		}
	}
	return best
}

// eachRow calls each with the fields of every line of an RF2 file but the first.
func eachRow(name string, fields int, each func([]string)) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		parts := strings.Split(strings.TrimSuffix(lines.Text(), "\r"), "\t")
		if len(parts) < fields {
			return fmt.Errorf("%s, line %d: %d columns instead of %d", filepath.Base(name), n, len(parts), fields)
		}
		if n > 1 {
			each(parts)
		}
	}
	return lines.Err()
}
