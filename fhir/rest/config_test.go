package rest_test

import "github.com/amate-health/amate/fhir/rest"

func deleteMany(c *rest.Config) { c.DeleteMany = true }
