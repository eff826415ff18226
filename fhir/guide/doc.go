// Package guide reads the packages in which implementation guides are published:
// an archive or a folder with package.json and one definition a file. It says what
// a package holds, what it depends on, and under which ids its definitions are
// stored; it stores nothing itself.
//
// See https://hl7.org/fhir/R4/packages.html.
package guide
