package patch

import (
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// state is a document while it is patched.
type state struct {
	root *value
	room int // bytes by which the document may still grow
}

// failure says why an operation cannot be done.
type failure struct {
	code fhir.Code
	what string
	at   string // a part of the path, for the caller
}

func fail(what, at string) *failure { return &failure{fhir.Unprocessable, what, at} }

// do performs one operation.
//
// See https://www.rfc-editor.org/rfc/rfc6902#section-4.
func (s *state) do(op *operation) *failure {
	switch op.op {
	case "add":
		return s.add(op.path, op.operand())
	case "remove":
		_, err := s.remove(op.path)
		return err
	case "replace":
		return s.replace(op.path, op.operand())
	case "move":
		return s.move(op)
	case "copy":
		v, err := s.find(op.from)
		if err != nil {
			return err
		}
		// The size is known before the copy is made, so that copies of copies end early.
		if err := s.fits(op.path, v); err != nil {
			return err
		}
		return s.put(op.path, v.clone())
	}
	v, err := s.find(op.path)
	if err != nil {
		return err
	}
	if !equal(v, op.operand()) {
		return fail("the value is another one", "")
	}
	return nil
}

func (op *operation) operand() *value { return &value{doc: op.doc, node: op.value} }

func (s *state) add(path pointer, v *value) *failure {
	if err := s.fits(path, v); err != nil {
		return err
	}
	return s.put(path, v)
}

func (s *state) move(op *operation) *failure {
	if slices.Equal(op.from, op.path) {
		_, err := s.find(op.from)
		return err
	}
	if len(op.from) == 0 {
		return fail("the whole document cannot be moved", "")
	}
	v, err := s.remove(op.from)
	if err != nil {
		return err
	}
	if _, depth := v.measure(); len(op.path)+depth > maxDepth {
		return &failure{fhir.TooLarge, "the result would be nested too deep", ""}
	}
	return s.put(op.path, v)
}

// fits takes the size of v from the room that is left, and holds depth to its limit.
func (s *state) fits(path pointer, v *value) *failure {
	size, depth := v.measure()
	for _, token := range path {
		size += len(token)
	}
	if s.room -= size; s.room < 0 {
		return &failure{fhir.TooLarge, "the result would be too large", ""}
	}
	if len(path)+depth > maxDepth {
		return &failure{fhir.TooLarge, "the result would be nested too deep", ""}
	}
	return nil
}

// find returns the value at path.
func (s *state) find(path pointer) (*value, *failure) {
	v := s.root
	for _, token := range path {
		i, err := child(v, token)
		if err != nil {
			return nil, err
		}
		if v.kind() == element.Object {
			v = v.members[i].v
		} else {
			v = v.items[i]
		}
	}
	return v, nil
}

// child returns the position in v of what token names.
func child(v *value, token string) (int, *failure) {
	switch v.kind() {
	case element.Object:
		v.expand()
		if i := v.member(token); i >= 0 {
			return i, nil
		}
	case element.Array:
		v.expand()
		if i := index(token); i >= 0 && i < len(v.items) {
			return i, nil
		}
	}
	return 0, fail("there is nothing at the path", token)
}

// parent returns the container of what path names, which need not be there yet,
// and the last token.
func (s *state) parent(path pointer) (*value, string, *failure) {
	last := len(path) - 1
	v, err := s.find(path[:last])
	if err != nil {
		return nil, "", err
	}
	if k := v.kind(); k != element.Object && k != element.Array {
		return nil, "", fail("there is no object or array to hold it", path[last])
	}
	v.expand()
	return v, path[last], nil
}

// put adds v at path: a member, in place of one of that name, or an item, in
// front of the one that is there.
func (s *state) put(path pointer, v *value) *failure {
	if len(path) == 0 {
		s.root = v
		return nil
	}
	in, token, err := s.parent(path)
	if err != nil {
		return err
	}
	if in.kind() == element.Object {
		if i := in.member(token); i >= 0 {
			in.members[i].v = v
		} else {
			in.members = append(in.members, member{token, v})
		}
		return nil
	}
	i := len(in.items)
	if token != "-" {
		if i = index(token); i < 0 || i > len(in.items) {
			return fail("there is no such place in the array", token)
		}
	}
	in.items = slices.Insert(in.items, i, v)
	return nil
}

// remove takes out what path names, and returns it.
func (s *state) remove(path pointer) (*value, *failure) {
	if len(path) == 0 {
		return nil, fail("the whole document cannot be removed", "")
	}
	in, token, err := s.parent(path)
	if err != nil {
		return nil, err
	}
	i, err := child(in, token)
	if err != nil {
		return nil, err
	}
	if in.kind() == element.Object {
		v := in.members[i].v
		in.members = slices.Delete(in.members, i, i+1)
		return v, nil
	}
	v := in.items[i]
	in.items = slices.Delete(in.items, i, i+1)
	return v, nil
}

// replace puts v in place of what path names.
func (s *state) replace(path pointer, v *value) *failure {
	if err := s.fits(path, v); err != nil {
		return err
	}
	if len(path) == 0 {
		s.root = v
		return nil
	}
	in, token, err := s.parent(path)
	if err != nil {
		return err
	}
	i, err := child(in, token)
	if err != nil {
		return err
	}
	if in.kind() == element.Object {
		in.members[i].v = v
	} else {
		in.items[i] = v
	}
	return nil
}
