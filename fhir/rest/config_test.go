package rest_test

import "github.com/amate-health/amate/fhir/rest"

// deleteMany lets a conditional delete remove every match.
func deleteMany(c *rest.Config) { c.DeleteMany = true }
