package main

import (
	"bytes"
	"fmt"
	"strings"
)

// writeCompartments writes the parameters that put a resource into a compartment.
func writeCompartments(b *bytes.Buffer, d *definitions) error {
	for _, c := range d.compartments {
		if c.ID == "example" {
			continue
		}
		for _, r := range c.Resource {
			if len(r.Param) > 0 {
				fmt.Fprintf(b, "R\t%s\t%s\t%s\n", c.Code, r.Code, strings.Join(r.Param, "\t"))
			}
		}
	}
	return nil
}
