// Package vector reads test cases of immunization schedules, in the layout in which
// CDC's CDSi test cases (https://www.cdc.gov/iis/cdsi/) are passed on as JSON, and
// compares what an assessment says with what they expect.
package vector
