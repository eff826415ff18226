package rest

// Subset returns a resource with those of its top elements that are named, and those that
// it must have, marked as a part of itself, as _elements leaves it.
func Subset(resource []byte, elements []string) ([]byte, error) {
	return subset(nil, resource, &Form{Elements: elements})
}

// Of returns what m leaves of a resource; nil when it leaves out nothing of any.
func (m *Mask) Of() func(resource []byte) ([]byte, error) {
	if m.Empty() {
		return nil
	}
	return func(resource []byte) ([]byte, error) { return m.appendTo(nil, resource) }
}
