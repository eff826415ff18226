package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/registry/record/giis"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/storetest"
)

// giisMonth writes a month of a facility as NDJSON: visits of a third as many patients,
// each with a diagnosis and four observations.
func giisMonth(b *testing.B, visits int) string {
	b.Helper()
	var out bytes.Buffer
	put := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	put(`{"resourceType":"Organization","id":"h","identifier":[{"system":"urn:oid:2.16.840.1.113883.4.631","value":"DFSSA003966"}]}`)
	put(`{"resourceType":"Practitioner","id":"d","identifier":[{"system":"urn:oid:2.16.840.1.113883.4.629","value":"ROAA820129MGRDLL03"}],"name":[{"family":"Rodríguez Álvarez","given":["Alicia"]}]}`)
	put(`{"resourceType":"PractitionerRole","id":"d","practitioner":{"reference":"Practitioner/d"},"organization":{"reference":"Organization/h"},"code":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/practitioner-role","code":"doctor"}]}]}`)
	for i := range visits / 3 {
		put(`{"resourceType":"Patient","id":"p%d","name":[{"family":"Vargas Gutiérrez","given":["Abigaíl"]}],"gender":"female","birthDate":"1992-03-13","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace","valueAddress":{"state":"Guerrero","country":"MX"}}]}`, i)
	}
	for i := range visits {
		p := i % (visits / 3)
		put(`{"resourceType":"Encounter","id":"e%d","status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},"subject":{"reference":"Patient/p%d"},"participant":[{"individual":{"reference":"Practitioner/d"}}],"serviceProvider":{"reference":"Organization/h"},"period":{"start":"2026-10-%02dT10:00:00-06:00"},"serviceType":{"coding":[{"system":"%s","code":"4"}]},"diagnosis":[{"condition":{"reference":"Condition/c%d"}}]}`, i, p, 1+i%31, giis.SystemService, i)
		put(`{"resourceType":"Condition","id":"c%d","subject":{"reference":"Patient/p%d"},"encounter":{"reference":"Encounter/e%d"},"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"J02.9"}]}}`, i, p, i)
		for j, o := range []struct {
			code, unit string
			value      int
		}{{"29463-7", "kg", 70}, {"8302-2", "cm", 165}, {"8867-4", "/min", 72}, {"8310-5", "Cel", 36}} {
			put(`{"resourceType":"Observation","id":"o%d-%d","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"%s"}]},"subject":{"reference":"Patient/p%d"},"encounter":{"reference":"Encounter/e%d"},"effectiveDateTime":"2026-10-%02d","valueQuantity":{"value":%d,"unit":"%s","system":"http://unitsofmeasure.org","code":"%s"}}`,
				i, j, o.code, p, i, 1+i%31, o.value, o.unit, o.unit)
		}
	}
	file := filepath.Join(b.TempDir(), "month.ndjson")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	return file
}

// BenchmarkGIISExport makes the file of a month of 3,000 visits.
func BenchmarkGIISExport(b *testing.B) {
	const visits = 3000
	file := giisMonth(b, visits)
	eachEngine(b, func(b *testing.B, s storage) {
		quiet := slog.New(slog.DiscardHandler)
		l := load{Storage: s, BaseURL: "http://127.0.0.1:8080/fhir", Paths: []string{file}}
		if err := l.Run(context.Background(), streams{out: io.Discard, err: io.Discard}, quiet); err != nil {
			b.Fatal(err)
		}
		_, store := benchServer(b, s)
		e := &giis.Export{CLUES: []string{"DFSSA003966"}, Month: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), Now: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), Faulty: giis.Keep, Restriction: search.Unrestricted}
		report := storetest.Measure(b)
		for b.Loop() {
			made, err := e.Run(context.Background(), store)
			if err != nil || made.Report.Rows != visits {
				b.Fatalf("%+v, %v", made, err)
			}
		}
		report(int64(b.N)*visits, "visit")
	})
}
