package validate

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/profile"
	"github.com/amate-health/amate/fhir/samples"
)

// shelf holds definitions by their URL.
type shelf map[string][]byte

func (s shelf) Definition(url, _ string) ([]byte, error) {
	if text := s[url]; text != nil && strings.Contains(string(text), `"StructureDefinition"`) {
		return text, nil
	}
	return nil, nil
}

func (s shelf) Questionnaire(canonical string) ([]byte, bool) {
	url, _, _ := strings.Cut(canonical, "|")
	text := s[url]
	return text, text != nil
}

// put reads a file, XML or JSON, onto the shelf and returns its URL.
func (s shelf) put(t *testing.T, dir, name string) string {
	t.Helper()
	text := suiteFile(t, dir, name)
	var d struct{ URL string }
	if json.Unmarshal(text, &d) == nil && d.URL != "" {
		s[d.URL] = text
	}
	return d.URL
}

// suiteFile reads a file of the suite as JSON; nil when it is not here or cannot be read.
func suiteFile(t *testing.T, dir, name string) []byte {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(dir, "files", name))
	if err != nil {
		if src, err = os.ReadFile(filepath.Join(dir, "files", filepath.Base(name))); err != nil {
			return nil
		}
	}
	if strings.HasSuffix(name, ".xml") {
		if src, err = fromXML(src); err != nil {
			return nil
		}
	}
	return src
}

// agreedWithMore is how many of the cases that come with definitions of their own
// we agree on with the reference validator.
const agreedWithMore = 131

// TestSuiteWithDefinitions runs the cases that bring profiles, extensions and
// questionnaires: each once as it is, and once more against the profile it names.
func TestSuiteWithDefinitions(t *testing.T) {
	dir := samples.Path(t, "validator")
	src, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		suiteCase
		Supporting []string
		Profile    struct {
			Source     string
			Supporting []string
			Expected   []struct{ Severity, Text string }
		}
	}
	if err := json.Unmarshal(src, &cases); err != nil {
		t.Fatal(err)
	}
	passed, total := 0, 0
	for _, c := range cases {
		if len(c.Supporting) == 0 && c.Profile.Source == "" {
			continue
		}
		text := suiteFile(t, dir, c.File)
		if text == nil {
			continue
		}
		d, err := element.Parse(text)
		if err != nil {
			continue
		}
		s := shelf{}
		for _, name := range c.Supporting {
			s.put(t, dir, name)
		}
		judge := func(kind string, want bool, expected []struct{ Severity, Text string }, profiles ...string) {
			total++
			v := &Validator{Profiles: profile.NewRegistry(s), Questionnaires: s}
			got := errorsOf(v.Validate(context.Background(), d, 0, profiles...))
			if (len(got) > 0) == want {
				passed++
				return
			}
			why, wanted := "", ""
			if len(got) > 0 {
				why = got[0].Rule + " " + got[0].Expression + " " + got[0].Details + " " + got[0].Diagnostics
			}
			for _, e := range expected {
				if e.Severity == "error" {
					wanted = e.Text
					break
				}
			}
			t.Logf("%s %s: error %v, reference %v: %.220s | %.180s", kind, c.Name, len(got) > 0, want, why, wanted)
		}
		judge("alone", c.hasError(), c.Expected)
		if c.Profile.Source == "" {
			continue
		}
		for _, name := range c.Profile.Supporting {
			s.put(t, dir, name)
		}
		url := s.put(t, dir, c.Profile.Source)
		with := suiteCase{Expected: c.Profile.Expected}
		judge("profile", with.hasError(), c.Profile.Expected, url)
	}
	t.Logf("%d of %d agree", passed, total)
	if passed < agreedWithMore {
		t.Errorf("%d of %d agree, want at least %d", passed, total, agreedWithMore)
	}
}
