package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/registry/identity/directory"
)

// TestDirectory: facilities and professionals are loaded, and loaded again without
// anything being made twice or anew; a newer catalogue changes what is different.
func TestDirectory(t *testing.T) { onEachEngine(t, testDirectory) }

func testDirectory(t *testing.T, empty func() *opened) {
	store := empty()
	var facilities strings.Builder
	facilities.WriteString("CLUES,NOMBRE DE LA UNIDAD,CLAVE DE LA JURISDICCION,ESTATUS DE OPERACION\n")
	for i := range 150 {
		fmt.Fprintf(&facilities, "OCSSA%06d,Unidad %d,%d,EN OPERACION\n", i, i, 1+i%3)
	}
	dir := tree(t, map[string]string{
		"f.csv": facilities.String(), "closed.csv": strings.Replace(facilities.String(), "EN OPERACION", "FUERA DE OPERACION", 1),
		"p.csv": "CEDULA,NOMBRE,PRIMER APELLIDO,CLUES\n1234567,Ana,Luna,OCSSA000007\n7654321,Luis,Ríos,OCSSA000149\nX,Mal,Escrito,\n",
	})
	var out, told bytes.Buffer
	load := func(file, what string, read func(io.Reader, func(directory.Batch) error) ([]directory.Skipped, error)) {
		t.Helper()
		var c directoryLoad
		if err := c.load(context.Background(), store, dir+"/"+file, what, read, streams{out: &out, err: &told}); err != nil {
			t.Fatal(err)
		}
	}
	load("f.csv", "facilities", directory.Facilities)
	load("p.csv", "professionals", directory.Practitioners)
	if want := "facilities: 304 resources, 0 rows left out\nprofessionals: 4 resources, 1 rows left out\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	if !strings.Contains(told.String(), "p.csv, line 4: left out") {
		t.Error(told.String())
	}
	first := versions(t, store)
	load("f.csv", "facilities", directory.Facilities)
	load("p.csv", "professionals", directory.Practitioners)
	if again := versions(t, store); !maps.Equal(first, again) {
		t.Errorf("loading again: %v, then %v", first, again)
	}
	load("closed.csv", "facilities", directory.Facilities)
	changed := versions(t, store)
	if changed["later versions"] != first["later versions"]+2 {
		t.Errorf("one facility closed: %v, then %v", first, changed)
	}
}
