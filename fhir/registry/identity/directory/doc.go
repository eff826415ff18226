// Package directory makes the registries of health facilities and professionals from
// files: Organization and Location by CLUES, Practitioner and PractitionerRole by cédula
// profesional.
//
// Facilities come as the DGIS publishes its catalogue (ESTABLECIMIENTO_SALUD), exported
// as CSV. A facility is part of its jurisdicción sanitaria, and that of its federal
// entity, so that rights and figures can follow the same tree. No catalogue of
// professionals is published; their file has columns of this project's own.
//
// What comes out are transaction Bundles of conditional updates by identifier: loading a
// newer catalogue updates what is there, whatever its id, and makes nothing twice.
package directory
