package match

import (
	"encoding/json"
	"fmt"
	"io"
)

// parametersFile is a model as a file holds it.
type parametersFile struct {
	Prior    float64                         `json:"prior"`
	Certain  float64                         `json:"certain"`
	Probable float64                         `json:"probable"`
	Possible float64                         `json:"possible"`
	Fields   map[string]map[string]Parameter `json:"fields"`
	Common   map[string]float64              `json:"common,omitempty"`
}

// Write writes m as JSON, which Read takes.
func (m *Model) Write(w io.Writer) error {
	f := parametersFile{Prior: m.Prior, Certain: m.Certain, Probable: m.Probable, Possible: m.Possible, Common: m.Common,
		Fields: map[string]map[string]Parameter{}}
	for field := range m.Parameters {
		f.Fields[Field(field).String()] = map[string]Parameter{}
		for l := Equal; l < levels; l++ {
			f.Fields[Field(field).String()][l.String()] = m.Parameters[field][l]
		}
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(f)
}

// Read reads a model. A field that the file leaves out has the parameters of Default.
// Errors say what is wrong, and where.
func Read(r io.Reader) (*Model, error) {
	m := Default()
	f := parametersFile{Prior: m.Prior, Certain: m.Certain, Probable: m.Probable, Possible: m.Possible}
	in := json.NewDecoder(r)
	in.DisallowUnknownFields()
	if err := in.Decode(&f); err != nil {
		return nil, fmt.Errorf("parameters of matching: %w", err)
	}
	m.Prior, m.Certain, m.Probable, m.Possible, m.Common = f.Prior, f.Certain, f.Probable, f.Possible, f.Common
	for name, levels := range f.Fields {
		at := place(fieldNames[:], name)
		if at < 0 {
			return nil, fmt.Errorf("parameters of matching: there is no field %q", name)
		}
		for level, p := range levels {
			l := place(levelNames[:], level)
			if l <= int(Missing) {
				return nil, fmt.Errorf("parameters of matching: %s: there is no level %q", name, level)
			}
			m.Parameters[at][l] = p
		}
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("parameters of matching: %w", err)
	}
	m.prepare()
	return m, nil
}

func place(names []string, name string) int {
	for i, n := range names {
		if n == name {
			return i
		}
	}
	return -1
}
