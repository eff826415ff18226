package view_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/view"
)

// people are many Patients, of whom one may be at fault.
type people struct {
	n, fault int
	held     chan struct{} // when not nil, scans wait for it
	asked    *search.Scan
}

var errDisk = errors.New("the disk is gone")

func (p *people) Scan(ctx context.Context, s *search.Scan, page func([]fhir.Resource, string) error) error {
	p.asked = s
	if p.held != nil {
		<-p.held
	}
	for i := range p.n {
		if i == p.fault {
			return errDisk
		}
		r := fhir.Resource{Ref: fhir.Ref{Type: "Patient", ID: fmt.Sprint(i)}, JSON: fmt.Appendf(nil, `{"resourceType":"Patient","id":"%d","gender":"other","birthDate":"1990-01-01"}`, i)}
		if err := page([]fhir.Resource{r}, fmt.Sprint(i)); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

const genders = `{"resourceType":"ViewDefinition","resource":"Patient","select":[{"column":[{"name":"id","path":"id"},{"name":"sex","path":"gender"}]}]}`

func call(t *testing.T, more string) *operation.Call {
	t.Helper()
	d, err := element.Parse([]byte(`{"resourceType":"Parameters","parameter":[{"name":"_format","valueCode":"csv"},{"name":"viewResource","resource":` + genders + `}` + more + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return &operation.Call{In: operation.NewInputs(nil, d), Base: "http://h/fhir", URL: "http://h/fhir/$viewdefinition-run", Restriction: search.Unrestricted}
}

func run1(s *view.Service, c *operation.Call) (string, error) {
	a, err := s.Operations()[0].Run(context.Background(), c)
	if err != nil {
		return "", err
	}
	if a.File == nil {
		return string(a.Raw), nil
	}
	defer a.File.Close()
	b, err := io.ReadAll(a.File)
	return string(b), err
}

// Rows are there to the last one, however many they are; and what goes wrong is told, or
// breaks the answer off.
func TestStream(t *testing.T) {
	for _, c := range []struct {
		people
		more  string
		lines int
		err   error
	}{
		{people: people{n: 3, fault: -1}, lines: 4},
		{people: people{n: 0, fault: -1}, lines: 1},
		{people: people{n: 100_000, fault: -1}, lines: 100_001},
		{people: people{n: 100_000, fault: -1}, more: `,{"name":"_limit","valueInteger":70000}`, lines: 70_001},
		{people: people{n: 100_000, fault: -1}, more: `,{"name":"_limit","valueInteger":1},{"name":"header","valueBoolean":false}`, lines: 1},
		{people: people{n: 10, fault: 5}, err: errDisk},
		{people: people{n: 100_000, fault: 90_000}, lines: 1, err: errDisk},
	} {
		s := view.New(view.Config{Scanner: &c.people})
		text, err := run1(s, call(t, c.more))
		if !errors.Is(err, c.err) || c.err == nil && strings.Count(text, "\n") != c.lines || c.err != nil && c.lines > 0 && text == "" {
			t.Errorf("%d people, fault %d, %s: %d lines, %v", c.n, c.fault, c.more, strings.Count(text, "\n"), err)
		}
	}
}

// Who reads no further sets free what made the rows.
func TestStreamLeft(t *testing.T) {
	s := view.New(view.Config{Scanner: &people{n: 1_000_000, fault: -1}, AtOnce: 1})
	for range 20 {
		a, err := s.Operations()[0].Run(context.Background(), call(t, ""))
		for fhir.CodeOf(err) == fhir.Throttled { // the one before is just ending
			a, err = s.Operations()[0].Run(context.Background(), call(t, ""))
		}
		if err != nil {
			t.Fatal(err)
		}
		if a.File == nil {
			t.Fatal("a million rows were held in memory")
		}
		if err := a.File.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// As many run at a time as there may be; another is told to come again.
func TestAtOnce(t *testing.T) {
	held := make(chan struct{})
	s := view.New(view.Config{Scanner: &people{n: 1, fault: -1, held: held}, AtOnce: 2})
	ended := make(chan error)
	for range 3 {
		c := call(t, "")
		go func() {
			_, err := run1(s, c)
			ended <- err
		}()
	}
	if err := <-ended; fhir.CodeOf(err) != fhir.Throttled {
		t.Errorf("the third: %v", err)
	}
	close(held)
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// What is asked for is what is read, and what there is not is refused.
// TestAtOnceOfOne: nobody keeps all others from running views, however slowly they read.
func TestAtOnceOfOne(t *testing.T) {
	p := &people{n: 1, fault: -1, held: make(chan struct{})}
	s := view.New(view.Config{Scanner: p, AtOnce: 4})
	as := func(who string) *operation.Call {
		c := call(t, "")
		c.Caller.Principal = who
		return c
	}
	done := make(chan error)
	runs := func(who string) {
		go func() {
			_, err := run1(s, as(who))
			done <- err
		}()
	}
	refused := 0
	for range 4 {
		runs("slow")
	}
	for range 2 {
		if err := <-done; fhir.CodeOf(err) != fhir.Throttled {
			t.Fatalf("%v", err)
		}
		refused++
	}
	runs("other")
	close(p.held)
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for range 1200 { // what has ended counts no more
		if _, err := run1(s, as("slow")); err != nil && fhir.CodeOf(err) != fhir.Throttled {
			t.Error(err)
		} else if err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%d were refused, and so is everybody after them", refused)
}

func TestAsked(t *testing.T) {
	seen := func(b []byte) ([]byte, error) { return b, nil }
	for more, code := range map[string]fhir.Code{
		`,{"name":"patient","valueReference":{"reference":"Patient/p"}}`: 0, `,{"name":"patient","valueReference":{"reference":"Group/p"}}`: fhir.Invalid,
		`,{"name":"_since","valueInstant":"2026-01-01T00:00:00Z"}`: 0, `,{"name":"_since","valueString":"soon"}`: fhir.Invalid, `,{"name":"_limit","valueInteger":0}`: fhir.Invalid,
		`,{"name":"_limti","valueInteger":1}`: fhir.Invalid, `,{"name":"source","valueString":"s3://b"}`: fhir.NotSupported, `,{"name":"header","valueString":"maybe"}`: fhir.Invalid,
		`,{"name":"viewReference","valueReference":{"reference":"ViewDefinition/a"}}`: fhir.Invalid, `,{"name":"_format","valueCode":"xlsx"}`: fhir.Invalid,
	} {
		p := &people{n: 1, fault: -1}
		s := view.New(view.Config{Scanner: p})
		if _, err := run1(s, call(t, more)); fhir.CodeOf(err) != code {
			t.Errorf("%s: %v", more, err)
		}
		if code == 0 && len(p.asked.Query.Where) != 1 {
			t.Errorf("%s asks for %+v", more, p.asked.Query.Where)
		}
		if code == 0 {
			c := call(t, more)
			c.Seen = seen
			if _, err := run1(s, c); fhir.CodeOf(err) != fhir.Forbidden {
				t.Errorf("%s of those who see a part: %v", more, err)
			}
		}
	}
}

// Views that claim to be shared, or plain, are told where they are not.
func TestProfiles(t *testing.T) {
	for definition, want := range map[string]string{
		`{"meta":{"profile":["https://sql-on-fhir.org/ig/StructureDefinition/ShareableViewDefinition"]},"resource":"Patient","select":[{"column":[{"name":"a","path":"name.last().family"}]}]}`:                 "ViewDefinition.url ViewDefinition.name ViewDefinition.fhirVersion ViewDefinition.select.column.where(name='a').type ViewDefinition",
		`{"meta":{"profile":["http://hl7.org/fhir/uv/sql-on-fhir/StructureDefinition/TabularViewDefinition"]},"resource":"Patient","select":[{"column":[{"name":"a","path":"name.given","collection":true}]}]}`: "ViewDefinition.select.column.where(name='a').collection",
		genders: "",
	} {
		d, err := element.Parse([]byte(definition))
		if err != nil {
			t.Fatal(err)
		}
		var at []string
		for _, i := range view.Check(d, 0, "ViewDefinition") {
			if i.Severity != "warning" {
				t.Errorf("%+v", i)
			}
			at = append(at, i.Expression)
		}
		if got := strings.Join(at, " "); got != want {
			t.Errorf("%s\nhas %s, want %s", definition, got, want)
		}
	}
}
