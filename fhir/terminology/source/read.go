package source

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/terminology"
)

// maxFile bounds the size of a file, unpacked, that is read as a whole.
const maxFile = 1 << 30

// Read reads a file or the folder of a release. It returns a System; or, for files of
// FHIR resources, those resources.
func Read(name string) (*System, []Resource, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		s, err := readFolder(name)
		return s, nil, err
	}
	text, err := readFile(name)
	if err != nil {
		return nil, nil, err
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	base := strings.ToLower(strings.TrimSuffix(filepath.Base(name), ".gz"))
	switch {
	case base == "loinc.csv":
		s, err := readLOINC(text)
		return s, nil, err
	case strings.HasSuffix(base, ".csv"):
		s, err := readTable(text, ',')
		return s, nil, err
	case strings.HasSuffix(base, ".tsv"), strings.HasSuffix(base, ".txt"):
		s, err := readTable(text, '\t')
		return s, nil, err
	case strings.HasSuffix(base, ".xml"):
		s, err := readCDC(text)
		return s, nil, err
	case strings.HasSuffix(base, ".ndjson"):
		list, err := readLines(text)
		return nil, list, err
	case strings.HasSuffix(base, ".json"):
		r, err := readResource(text)
		return nil, []Resource{r}, err
	}
	return nil, nil, fmt.Errorf("%s: neither .csv, .tsv, .xml, .json nor .ndjson (they may be .gz too)", base)
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, err
		}
	}
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: more than %d bytes", filepath.Base(name), maxFile)
	}
	return text, err
}

// readFolder reads the folder of a release: SNOMED CT or LOINC.
func readFolder(dir string) (*System, error) {
	var loinc string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.EqualFold(d.Name(), "Loinc.csv") {
			loinc = path
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if loinc == "" {
		return readSNOMED(dir)
	}
	text, err := readFile(loinc)
	if err != nil {
		return nil, err
	}
	s, err := readLOINC(text)
	if err != nil {
		return nil, err
	}
	return s, addVariants(s, dir)
}

// readLines reads NDJSON.
func readLines(text []byte) ([]Resource, error) {
	var all []Resource
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxFile)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		r, err := readResource(bytes.Clone(line))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		all = append(all, r)
	}
	return all, lines.Err()
}

// readResource reads one CodeSystem, ValueSet or ConceptMap, which is given an id
// made of its URL when it has none.
func readResource(text []byte) (Resource, error) {
	item, err := terminology.Read(text, nil)
	if err != nil {
		return Resource{}, err
	}
	r := Resource{Type: item.Header.Kind.String(), ID: item.Header.ID, JSON: text}
	if r.ID != "" {
		return r, nil
	}
	if r.ID = IDFor(item.Header.URL); r.ID == "" {
		return Resource{}, fmt.Errorf("a %s with neither id nor url", r.Type)
	}
	d, err := element.Parse(text)
	if err != nil {
		return Resource{}, err
	}
	e := d.Edit(0)
	e.Append(0, `"id":"`+r.ID+`"`)
	r.JSON = e.AppendTo(nil)
	return r, nil
}
