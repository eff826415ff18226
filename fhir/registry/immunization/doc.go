// Package immunization evaluates the vaccine doses that a person was given and
// forecasts the next ones, by the logic that CDC publishes as the CDSi Logic
// Specification, versions 4.x (https://www.cdc.gov/iis/cdsi/). The schedule is data
// (package schedule); no rule of a country is written in code.
package immunization
