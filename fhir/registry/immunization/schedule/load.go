package schedule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Names of the files of a schedule's folder.
const (
	headFile         = "schedule.json"
	vaccinesFile     = "vaccines.json"
	conflictsFile    = "conflicts.json"
	observationsFile = "observations.json"
	antigensFolder   = "antigens"
)

// maxFile is the size of one file of a schedule, in bytes.
const maxFile = 16 << 20

// conflicts is a line of conflicts.json: each of some vaccines harms each of others
// that is given within the time.
type conflicts struct {
	Previous []string `json:"previous"`
	Current  []string `json:"current"`
	Begin    Period   `json:"begin"`
	MinEnd   Period   `json:"minEnd"`
	End      Period   `json:"end"`
	Source   string   `json:"source"`
}

// Load reads a schedule from its folder and checks it with [Schedule.Check]:
//
//   - schedule.json, the Schedule with its groups, without what the other files hold;
//   - vaccines.json, a list of Vaccine;
//   - antigens/*.json, an Antigen each, in the order of the groups;
//   - conflicts.json, a list of {previous, current, begin, minEnd, end, source}, of which
//     previous and current are lists of CVX codes; optional;
//   - observations.json, a list of Observation; optional.
//
// Errors: a file is missing, is no JSON of its form (it names the file), or the schedule
// contradicts itself (it names every place).
func Load(folder fs.FS) (*Schedule, error) {
	s := &Schedule{}
	if err := readFile(folder, headFile, s); err != nil {
		return nil, err
	}
	if len(s.Antigens)+len(s.Vaccines)+len(s.Live)+len(s.Observations) > 0 {
		return nil, fmt.Errorf("%s: antigens, vaccines, liveConflicts and observations are in files of their own", headFile)
	}
	if err := readFile(folder, vaccinesFile, &s.Vaccines); err != nil {
		return nil, err
	}
	if err := s.loadConflicts(folder); err != nil {
		return nil, err
	}
	if err := readFile(folder, observationsFile, &s.Observations); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := s.loadAntigens(folder); err != nil {
		return nil, err
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	return s, nil
}

// IsFolder reports whether a folder is one that [Load] reads.
func IsFolder(folder fs.FS) bool {
	_, err := fs.Stat(folder, headFile)
	return err == nil
}

func (s *Schedule) loadConflicts(folder fs.FS) error {
	var lines []conflicts
	if err := readFile(folder, conflictsFile, &lines); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	for _, l := range lines {
		for _, p := range l.Previous {
			for _, c := range l.Current {
				s.Live = append(s.Live, Conflict{Previous: p, Current: c, Begin: l.Begin, MinEnd: l.MinEnd, End: l.End})
			}
		}
	}
	return nil
}

// loadAntigens reads the antigens, and puts them in the order in which the groups name
// them.
func (s *Schedule) loadAntigens(folder fs.FS) error {
	files, err := fs.Glob(folder, antigensFolder+"/*.json")
	if err != nil {
		return err
	}
	for _, name := range files {
		a := Antigen{}
		if err := readFile(folder, name, &a); err != nil {
			return err
		}
		if want := FileName(a.Name); path.Base(name) != want {
			return fmt.Errorf("%s: the file of the antigen %q is called %s", name, a.Name, want)
		}
		s.Antigens = append(s.Antigens, a)
	}
	var order []string
	for _, g := range s.Groups {
		order = append(order, g.Antigens...)
	}
	slices.SortStableFunc(s.Antigens, func(a, b Antigen) int { return slices.Index(order, a.Name) - slices.Index(order, b.Name) })
	return nil
}

// FileName returns the name of the file of an antigen: "Yellow Fever" is in
// yellow-fever.json.
func FileName(antigen string) string {
	return strings.ReplaceAll(strings.ToLower(antigen), " ", "-") + ".json"
}

// readFile reads one JSON value with known members only.
func readFile(folder fs.FS, name string, to any) error {
	f, err := folder.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return err
	}
	if len(text) > maxFile {
		return fmt.Errorf("%s is over %d bytes", name, maxFile)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return fmt.Errorf("%s: line %d: %w", name, lineOf(text, d.InputOffset(), err), err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%s: there is more than one JSON value in it", name)
	}
	return nil
}

// lineOf returns the line, from 1, at which a decoder that read up to a place found an
// error.
func lineOf(text []byte, read int64, err error) int {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		read = syntax.Offset
	case errors.As(err, &typ):
		read = typ.Offset
	case errors.Is(err, io.ErrUnexpectedEOF):
		read = int64(len(text))
	}
	return 1 + bytes.Count(text[:min(read, int64(len(text)))], []byte("\n"))
}
