package xml

import "bytes"

// split divides a name into its prefix and the rest.
//
// See https://www.w3.org/TR/xml-names/#ns-qualnames.
func split(name []byte, at int) (prefix, local []byte, f *fault) {
	k := bytes.IndexByte(name, ':')
	if k < 0 {
		return nil, name, nil
	}
	prefix, local = name[:k], name[k+1:]
	first := byte('-')
	if len(local) > 0 {
		first = local[0]
	}
	if k == 0 || !(first|0x20 >= 'a' && first|0x20 <= 'z' || first == '_') || bytes.IndexByte(local, ':') >= 0 {
		return nil, nil, wrong(badName, at, "")
	}
	return prefix, local, nil
}

// bind declares a namespace on the element that is being read.
func (r *reader) bind(prefix, raw []byte, prefixed bool, at int) *fault {
	if len(r.bindings) >= maxBindings {
		return wrong(tooManyNames, at, "")
	}
	uri := string(decode(nil, raw))
	reserved := uri == spaceXML || uri == spaceXMLNS || string(prefix) == "xmlns"
	if string(prefix) == "xml" {
		reserved = uri != spaceXML
	}
	if reserved || prefixed && (uri == "" || len(prefix) == 0) {
		return wrong(badBinding, at, "")
	}
	if prefixed {
		if _, rest, f := split(append([]byte("xmlns:"), prefix...), at); f != nil || len(rest) != len(prefix) {
			return wrong(badName, at, "")
		}
	}
	for _, b := range r.bindings[r.open[len(r.open)-1].bindings:] {
		if bytes.Equal(b.prefix, prefix) {
			return wrong(sameAttribute, at, "")
		}
	}
	r.bindings = append(r.bindings, binding{prefix: prefix, uri: uri})
	return nil
}

// lookup returns the namespace that a prefix, or no prefix, stands for on an element.
func (r *reader) lookup(prefix []byte, at int) (string, *fault) {
	for i := len(r.bindings) - 1; i >= 0; i-- {
		if b := &r.bindings[i]; bytes.Equal(b.prefix, prefix) {
			return b.uri, nil
		}
	}
	switch string(prefix) {
	case "":
		return "", nil
	case "xml":
		return spaceXML, nil
	}
	return "", wrong(unboundPrefix, at, quote(prefix))
}

// resolve finds the namespaces of the attributes just read, and refuses one that
// stands twice.
func (r *reader) resolve() (f *fault) {
	for i := range r.attrs {
		a := &r.attrs[i]
		if len(a.prefix) > 0 {
			if a.space, f = r.lookup(a.prefix, a.at); f != nil {
				return f
			}
		}
		for k := range i {
			if b := &r.attrs[k]; bytes.Equal(a.local, b.local) && a.space == b.space {
				return wrong(sameAttribute, a.at, quote(a.local))
			}
		}
	}
	return nil
}
