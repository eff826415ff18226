package cdsi

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"

	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// Read makes a schedule of some files. Where two speak of the same antigen, vaccine or
// group, the first one holds: XML adds what the JSON conversion lacks. The antigens added
// so may be of another version, and their seasons of another year; these are repeated
// every year.
// Errors: see [Load].
func Read(files []File) (*schedule.Schedule, error) {
	r := &reading{antigens: map[string]bool{}, vaccines: map[string]bool{}, whole: map[string]bool{}}
	for _, f := range files {
		if err := r.file(f); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	if len(r.data) == 0 {
		return nil, fmt.Errorf("no antigen in the supporting data")
	}
	if len(r.cvx) == 0 {
		return nil, fmt.Errorf("no vaccine in the supporting data")
	}
	s, err := r.schedule()
	if err != nil {
		return nil, err
	}
	s.Version = version(files)
	return s, nil
}

// named finds the version in the name of an archive.
var named = regexp.MustCompile(`\b(\d+\.\d+)\b`)

// version returns the version that all files are named with, or else a digest of them.
func version(files []File) string {
	sum, found := sha256.New(), ""
	for i, f := range files {
		sum.Write(f.Text)
		v := ""
		if m := named.FindStringSubmatch(f.Name); m != nil {
			v = m[1]
		}
		if i == 0 {
			found = v
		} else if v != found {
			found = ""
		}
	}
	if found != "" {
		return found
	}
	return fmt.Sprintf("sha256-%.4x", sum.Sum(nil))
}

// reading is the files read so far.
type reading struct {
	data     []source
	antigens map[string]bool // by key
	cvx      []vaccineData
	vaccines map[string]bool // by CVX
	live     []conflictData
	liveKept bool            // of the first file that gives conflicts
	whole    map[string]bool // by key of the group: administered as one
	// converted says that there are antigens of the JSON conversion.
	converted bool
}

// source is the data of an antigen and the file that it is from.
type source struct {
	file string
	*antigenData
	added bool // the JSON conversion lacks it
}

// file reads one file.
func (r *reading) file(f File) error {
	base := strings.ToLower(f.Name[strings.LastIndexAny(f.Name, "/:")+1:])
	switch {
	case strings.HasSuffix(base, ".json"):
		return r.json(strings.TrimSuffix(base, ".json"), f)
	case strings.Contains(base, "schedulesupportingdata"):
		var d scheduleData
		if err := unmarshalXML(f.Text, "scheduleSupportingData", &d); err != nil {
			return err
		}
		r.scheduleData(&d)
		return nil
	default:
		var d antigenData
		if err := unmarshalXML(f.Text, "antigenSupportingData", &d); err != nil {
			return err
		}
		if len(d.Series) == 0 {
			return fmt.Errorf("the antigen has no series")
		}
		d.Name = d.Series[0].Disease
		r.antigen(source{file: f.Name, antigenData: &d, added: r.converted})
		return nil
	}
}

// json reads one file of the JSON conversion, by what it is of.
func (r *reading) json(of string, f File) error {
	switch of {
	case "antigen":
		r.converted = true
		var list []antigenData
		if err := json.Unmarshal(f.Text, &list); err != nil {
			return err
		}
		for i := range list {
			r.antigen(source{file: f.Name, antigenData: &list[i]})
		}
	case "vaccine":
		var list []vaccineData
		if err := json.Unmarshal(f.Text, &list); err != nil {
			return err
		}
		for i := range list {
			for _, c := range list[i].Conflicts {
				c.Current.CVX = list[i].CVX
				r.live = append(r.live, c)
			}
			r.vaccine(list[i])
		}
		r.liveKept = true
	case "observation":
		var list []observationData
		return json.Unmarshal(f.Text, &list)
	default:
		return fmt.Errorf("%q is no file of supporting data", of)
	}
	return nil
}

// unmarshalXML reads XML whose root element has a name.
func unmarshalXML(text []byte, root string, to any) error {
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		t, err := d.Token()
		if err != nil {
			return fmt.Errorf("no element %s: %w", root, err)
		}
		if e, ok := t.(xml.StartElement); ok {
			if e.Name.Local != root {
				return fmt.Errorf("the element is %.40q, not %s", e.Name.Local, root)
			}
			return d.DecodeElement(to, &e)
		}
	}
}

// antigen takes up an antigen that is not there yet.
func (r *reading) antigen(s source) {
	if k := key(s.Name); !r.antigens[k] {
		r.antigens[k] = true
		r.data = append(r.data, s)
	}
}

// vaccine takes up a vaccine that is not there yet.
func (r *reading) vaccine(v vaccineData) {
	v.CVX = strings.TrimSpace(v.CVX)
	if !r.vaccines[v.CVX] {
		r.vaccines[v.CVX] = true
		r.cvx = append(r.cvx, v)
	}
}

// scheduleData takes up what all antigens share.
func (r *reading) scheduleData(d *scheduleData) {
	for _, v := range d.Vaccines {
		r.vaccine(v)
	}
	if !r.liveKept {
		r.live, r.liveKept = d.Live, true
	}
	for _, g := range d.Groups {
		if isYes(g.Whole) {
			r.whole[key(g.Name)] = true
		}
	}
}

// key returns the letters and digits of a name in small letters: "hep-b" and "HepB" are
// the same antigen.
func key(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			return c
		}
		return -1
	}, name)
}
