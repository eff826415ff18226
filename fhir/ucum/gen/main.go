// Command gen turns the published table of UCUM (ucum-essence.xml) into ucum.txt.
//
// Usage: gen [-o FILE] ucum-essence.xml
package main

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// essence is what is read of the published table.
type essence struct {
	Version  string `xml:"version,attr"`
	Date     string `xml:"revision-date,attr"`
	Prefixes []struct {
		Code  string `xml:"Code,attr"`
		Name  string `xml:"name"`
		Value struct {
			Text string `xml:"value,attr"`
		} `xml:"value"`
	} `xml:"prefix"`
	Bases []struct {
		Code string `xml:"Code,attr"`
		Name string `xml:"name"`
	} `xml:"base-unit"`
	Units []unit `xml:"unit"`
}

type unit struct {
	Code      string   `xml:"Code,attr"`
	Metric    string   `xml:"isMetric,attr"`
	Special   string   `xml:"isSpecial,attr"`
	Arbitrary string   `xml:"isArbitrary,attr"`
	Names     []string `xml:"name"`
	Value     struct {
		Unit     string `xml:"Unit,attr"`
		Text     string `xml:"value,attr"`
		Function struct {
			Name string `xml:"name,attr"`
			Text string `xml:"value,attr"`
			Unit string `xml:"Unit,attr"`
		} `xml:"function"`
	} `xml:"value"`
}

// notice stands at the head of the table.
const notice = `# Units of UCUM %s (%s), made by fhir/ucum/gen from ucum-essence.xml; do not edit.
# Copyright 1999-2024 Regenstrief Institute, Inc. All rights reserved.
# Licensed under the UCUM License, Version 1.1; a copy is at https://unitsofmeasure.org/license.
# Distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND.
# prefix: code, factor, name. base: code, name.
# unit: code, flags (m metric, a arbitrary), function ("-" for a plain factor), factor, unit, name.
`

func main() {
	out := flag.String("o", "", "file to write; standard output without it")
	flag.Parse()
	if err := run(flag.Arg(0), *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	f, err := os.Open(in)
	if err != nil {
		return err
	}
	defer f.Close()
	d := xml.NewDecoder(f)
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // it is ASCII
	var e essence
	if err := d.Decode(&e); err != nil {
		return err
	}
	table := e.table()
	if out == "" {
		_, err = os.Stdout.Write(table)
		return err
	}
	return os.WriteFile(out, table, 0o644)
}

// table writes a line for each prefix, base unit and unit, in the order published.
func (e *essence) table() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, notice, e.Version, e.Date)
	for _, p := range e.Prefixes {
		line(&b, "prefix", p.Code, p.Value.Text, p.Name)
	}
	for _, u := range e.Bases {
		line(&b, "base", u.Code, u.Name)
	}
	for _, u := range e.Units {
		flags := ""
		if u.Metric == "yes" {
			flags += "m"
		}
		if u.Arbitrary == "yes" {
			flags += "a"
		}
		function, factor, of := "-", u.Value.Text, u.Value.Unit
		if u.Special == "yes" {
			function, factor, of = u.Value.Function.Name, u.Value.Function.Text, u.Value.Function.Unit
		}
		line(&b, "unit", u.Code, flags, function, factor, of, u.Names[0])
	}
	return b.Bytes()
}

func line(b *bytes.Buffer, fields ...string) {
	for i := range fields {
		fields[i] = strings.Join(strings.Fields(fields[i]), " ")
	}
	b.WriteString(strings.Join(fields, "\t"))
	b.WriteByte('\n')
}
