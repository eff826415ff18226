package search

// interned keeps short texts that come up again and again, such as codes and
// displays, so that each index does not make its own copy. It belongs to one
// extractor, needs no lock, and forgets a text when another takes its place.
type interned [512]struct{ text, folded string }

// maxInterned bounds the texts kept, in bytes.
const maxInterned = 80

func (t *interned) place(text []byte, seed uint32) *struct{ text, folded string } {
	h := seed ^ 2166136261 // FNV-1a
	for _, c := range text {
		h = (h ^ uint32(c)) * 16777619
	}
	return &t[h%uint32(len(t))]
}

// text returns text as a string.
func (t *interned) text(text []byte) string {
	if len(text) > maxInterned {
		return string(text)
	}
	p := t.place(text, 0)
	if p.folded != "" || p.text != string(text) {
		p.text, p.folded = string(text), ""
	}
	return p.text
}

// fold returns text as it is searched: folded, and cut.
func (t *interned) fold(text []byte) string {
	if len(text) > maxInterned {
		return cut(Fold(string(text[:min(len(text), 4*maxString)])))
	}
	p := t.place(text, 1)
	if p.folded == "" || p.text != string(text) {
		p.text = string(text)
		p.folded = Fold(p.text)
	}
	return p.folded
}
