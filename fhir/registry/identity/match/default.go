package match

// Default returns the model for a population of which nothing has been learned: figures
// of the order of those published for national registries (JeMPI; see the sources in
// fhir/DECISIONS.md), spread over the levels by judgement.
func Default() *Model {
	m := &Model{Prior: 0.05, Certain: 0.999, Probable: 0.9, Possible: 0.2}
	m.Parameters = [fields][levels]Parameter{
		Given:      {Equal: {.86, .01}, Close: {.06, .003}, Similar: {.05, .012}, Different: {.03, .975}},
		Later:      {Equal: {.85, .03}, Close: {.05, .005}, Similar: {.05, .035}, Different: {.05, .93}},
		Family:     {Equal: {.88, .008}, Close: {.06, .003}, Similar: {.03, .014}, Different: {.03, .975}},
		Second:     {Equal: {.86, .008}, Close: {.06, .003}, Similar: {.03, .014}, Different: {.05, .975}},
		Suffix:     {Equal: {.95, .3}, Close: {.01, .01}, Similar: {.01, .01}, Different: {.03, .68}},
		Birth:      {Equal: {.88, .00005}, Close: {.07, .0012}, Similar: {.03, .02}, Different: {.02, .97875}},
		Sex:        {Equal: {.98, .5}, Close: {.001, .001}, Similar: {.001, .001}, Different: {.018, .498}},
		Identifier: {Equal: {.9, .000002}, Close: {.06, .00002}, Similar: {.01, .0004}, Different: {.03, .999578}},
		Local:      {Equal: {.6, .001}, Close: {.02, .004}, Similar: {.02, .02}, Different: {.36, .975}},
		Phone:      {Equal: {.7, .0001}, Close: {.03, .0001}, Similar: {.01, .0003}, Different: {.26, .9995}},
		Street:     {Equal: {.68, .002}, Close: {.07, .003}, Similar: {.07, .04}, Different: {.18, .955}},
		Number:     {Equal: {.72, .02}, Close: {.08, .08}, Similar: {.001, .001}, Different: {.199, .899}},
		Locality:   {Equal: {.78, .03}, Close: {.06, .004}, Similar: {.03, .02}, Different: {.13, .946}},
		State:      {Equal: {.93, .12}, Close: {.001, .001}, Similar: {.001, .001}, Different: {.068, .878}},
		Postcode:   {Equal: {.76, .003}, Close: {.06, .01}, Similar: {.04, .05}, Different: {.14, .937}},
		Mother:     {Equal: {.8, .001}, Close: {.08, .003}, Similar: {.08, .05}, Different: {.04, .946}},
		Twin:       {Equal: {.98, .45}, Close: {.001, .001}, Similar: {.001, .001}, Different: {.018, .548}},
	}
	m.prepare()
	return m
}
