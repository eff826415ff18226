package summary

import "bytes"

// referenceMember is how references stand in stored resources, which are compact.
var referenceMember = []byte(`"reference":"`)

// refersTo calls f with each reference in content, as written, without parsing it. A
// quotation mark within a string is always escaped, so that it can be nothing else.
func refersTo(content []byte, f func(text []byte)) {
	for {
		at := bytes.Index(content, referenceMember)
		if at < 0 {
			return
		}
		content = content[at+len(referenceMember):]
		end := bytes.IndexByte(content, '"')
		if end < 0 {
			return
		}
		f(content[:end])
		content = content[end:]
	}
}
