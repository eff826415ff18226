package source

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/amate-health/amate/fhir/terminology"
)

// addVariants adds LOINC's translations: AccessoryFiles/LinguisticVariants/
// esMX28LinguisticVariant.csv holds those for Spanish as spoken in Mexico.
func addVariants(s *System, dir string) error {
	at := make(map[string]int, len(s.Concepts))
	for i := range s.Concepts {
		at[s.Concepts[i].Code] = i
	}
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if len(name) < 4 || !strings.HasSuffix(name, "LinguisticVariant.csv") || name[2] < 'A' || name[2] > 'Z' {
			return nil
		}
		text, err := readFile(path)
		if err != nil {
			return err
		}
		language := name[:2] + "-" + name[2:4]
		return rows(text, ',', func(get func(string) string) error {
			i, ok := at[get("loinc_num")]
			value := get("long_common_name")
			if value == "" {
				value = get("linguisticvariantdisplayname")
			}
			if ok && value != "" {
				s.Concepts[i].Designations = append(s.Concepts[i].Designations, terminology.Designation{Language: language, Value: value})
			}
			return nil
		})
	})
}
