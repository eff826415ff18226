package profile

import "strings"

// way reads the path of a discriminator. It returns nil for what a discriminator
// cannot have, and an empty list for $this.
//
// See https://hl7.org/fhir/R4/profiling.html#discriminator.
func way(path string) []Step {
	steps := []Step{}
	for path != "" {
		var part string
		part, path = nextPart(path)
		name, rest, called := strings.Cut(part, "(")
		argument := strings.Trim(strings.TrimSuffix(rest, ")"), ` '"`)
		switch {
		case part == "$this":
		case !called && isName(part):
			steps = append(steps, Step{Name: strings.TrimSuffix(part, "[x]")})
		case called && name == "extension" && argument != "":
			steps = append(steps, Step{Extension: argument})
		case called && (name == "ofType" || name == "as") && isName(argument):
			steps = append(steps, Step{Type: argument})
		case called && name == "resolve" && argument == "":
			steps = append(steps, Step{Resolve: true})
		case called && name == "first" && argument == "":
		default:
			return nil
		}
	}
	return steps
}

// nextPart cuts path at its first dot outside of parentheses.
func nextPart(path string) (part, rest string) {
	depth := 0
	for i := range len(path) {
		switch path[i] {
		case '(':
			depth++
		case ')':
			depth--
		case '.':
			if depth == 0 {
				return path[:i], path[i+1:]
			}
		}
	}
	return path, ""
}

func isName(text string) bool {
	if text == "" {
		return false
	}
	for _, c := range strings.TrimSuffix(text, "[x]") {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}
