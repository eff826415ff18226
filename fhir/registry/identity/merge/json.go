package merge

import (
	"bytes"
	"strings"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity/members"
)

// object is a JSON object, its members in order.
type object = members.Object

func parseObject(json []byte) (object, error) { return members.Parse(json) }
func mustObject(raw string) object            { return members.Of(raw) }
func items(raw string) []string               { return members.Items(raw) }
func array(all []string) string               { return members.Array(all) }
func quote(s string) string                   { return members.Quote(s) }

// repoint returns json with its references to Patient/from leading to Patient/to, how
// many there are, and whether it referred to Patient/to before. A reference to one
// version of a Patient stays: it says what was seen.
func repoint(json []byte, base, from, to string) (out []byte, n int, mixed bool, err error) {
	if !bytes.Contains(json, []byte("Patient")) && !bytes.Contains(json, []byte(`\`)) {
		return json, 0, false, nil
	}
	d, err := element.Parse(json)
	if err != nil {
		return nil, 0, false, err
	}
	edit := d.Edit(0)
	for node := element.Node(0); int(node) < d.Len(); node++ {
		if string(d.Name(node)) != "reference" || d.Kind(node) != element.String {
			continue
		}
		switch strings.TrimPrefix(d.Text(node), base+"/") {
		case "Patient/" + from:
			edit.SetString(node, "Patient/"+to)
			n++
		case "Patient/" + to:
			mixed = true
		}
	}
	if n == 0 {
		return json, 0, mixed, nil
	}
	return edit.AppendTo(nil), n, mixed, nil
}
