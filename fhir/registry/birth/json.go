package birth

import (
	"strings"

	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/operation"
)

// answer returns parameters as what an operation returns.
func answer(parts []compose.Object) *operation.Answer {
	return &operation.Answer{JSON: compose.Parameters(parts...)}
}

// fold brings a name into the form in which names are compared.
func fold(s string) string {
	s = strings.NewReplacer("Á", "A", "É", "E", "Í", "I", "Ó", "O", "Ú", "U", "Ü", "U", ".", "", "-", " ").Replace(strings.ToUpper(s))
	return strings.Join(strings.Fields(s), " ")
}
