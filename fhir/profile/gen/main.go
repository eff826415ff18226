// Command gen writes fhir/profile/r4.ndjson.gz, the extensions and profiles that
// FHIR R4 defines itself, from the package hl7.fhir.r4.core 4.0.1 of HL7 (licence
// CC0-1.0). Of each StructureDefinition it keeps what fhir/profile compiles.
//
//	go run ./fhir/profile/gen -in hl7.fhir.r4.core.tgz [-out fhir/profile/r4.ndjson.gz]
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

func main() {
	in := flag.String("in", "", "the package hl7.fhir.r4.core 4.0.1")
	out := flag.String("out", "fhir/profile/r4.ndjson.gz", "the file to write")
	flag.Parse()
	if err := run(*in, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	text, err := collect(in)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(text); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(out, b.Bytes(), 0o644)
}

// collect returns the kept definitions, one a line, sorted.
func collect(in string) ([]byte, error) {
	f, err := os.Open(in)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	gz, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var lines []string
	for files := tar.NewReader(gz); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(path.Base(h.Name), "StructureDefinition-") {
			continue
		}
		body, err := io.ReadAll(files)
		if err != nil {
			return nil, err
		}
		line, err := strip(body)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", h.Name, err)
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s holds no profiles", in)
	}
	slices.Sort(lines)
	return []byte(strings.Join(slices.Compact(lines), "\n") + "\n"), nil
}

var (
	kept         = []string{"url", "resourceType", "name", "title", "version", "kind", "type", "baseDefinition", "derivation", "context"}
	keptElements = []string{"id", "path", "sliceName", "min", "max", "type", "contentReference", "slicing", "maxLength", "mustSupport"}
)

// strip returns what is kept of a definition; "" when it is that of a type.
func strip(body []byte) (string, error) {
	var d map[string]any
	if err := json.Unmarshal(body, &d); err != nil {
		return "", err
	}
	if d["derivation"] != "constraint" || d["fhirVersion"] != "4.0.1" {
		return "", nil
	}
	out := map[string]any{}
	for _, k := range kept {
		if v, ok := d[k]; ok {
			out[k] = v
		}
	}
	var elements []any
	differential, _ := d["differential"].(map[string]any)
	list, _ := differential["element"].([]any)
	for _, e := range list {
		elements = append(elements, stripElement(e.(map[string]any)))
	}
	out["differential"] = map[string]any{"element": elements}
	line, err := json.Marshal(out)
	return string(line), err
}

// vitalUnits is bound to the components of vital signs as required by mistake: it
// lacks units of what R4 itself asks components to hold, such as an oxygen flow.
// Later releases made it extensible, and so do other validators.
const vitalUnits = "http://hl7.org/fhir/ValueSet/ucum-vitals-common|4.0.1"

func stripElement(e map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range e {
		if slices.Contains(keptElements, k) || strings.HasPrefix(k, "fixed") || strings.HasPrefix(k, "pattern") {
			out[k] = v
		}
	}
	if b, ok := e["binding"].(map[string]any); ok {
		strength := b["strength"]
		if e["id"] == "Observation.component.value[x]" && b["valueSet"] == vitalUnits {
			strength = "extensible"
		}
		out["binding"] = map[string]any{"strength": strength, "valueSet": b["valueSet"]}
	}
	var constraints []any
	list, _ := e["constraint"].([]any)
	for _, c := range list {
		m := c.(map[string]any)
		delete(m, "xpath")
		delete(m, "extension")
		constraints = append(constraints, m)
	}
	if constraints != nil {
		out["constraint"] = constraints
	}
	return out
}
