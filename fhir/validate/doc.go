// Package validate checks the content of resources.
//
// [Check] holds a resource to the definitions of FHIR R4 in fhir/spec: its members,
// their JSON types, how often they stand, the text of primitives, required bindings
// and the types that references point to. Everything that is written passes it, so
// it is one quick pass that allocates nothing when all is well.
//
// A [Validator] does all of that and the rest: the constraints of R4, narratives,
// bundles, documents, questionnaires and their answers, extensions, codes, units,
// and profiles with their slices. It asks for what it cannot know itself (profiles,
// codes, units, questionnaires) through small interfaces; where nobody answers, it
// says what it could not check. [Validator.Operation] is $validate, and a [Policy]
// says which of the two a write has to pass.
//
// Issues carry the key of the rule that is broken: that of the constraint, such as
// obs-6, or one of our own, such as cardinality-min. Whether what a reference names
// exists in a store is not this package's business.
//
// See https://hl7.org/fhir/R4/json.html and https://hl7.org/fhir/R4/validation.html.
package validate
