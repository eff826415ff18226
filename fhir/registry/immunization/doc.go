// Package immunization evaluates the vaccine doses that a person was given and
// forecasts the next ones, by the logic that CDC publishes as the CDSi Logic
// Specification, versions 4.x (https://www.cdc.gov/iis/cdsi/). The schedule is data
// (package schedule); no rule of a country is written in code.
//
// The steps follow the chapters of the specification, and so do the files: the history
// is broken up by antigen (assessing.go, 4.2), the series that are for the person are
// found (relevant.go, 5), each is evaluated (evaluate.go, skip.go, interval.go, 6) and
// forecast (forecast.go, dates.go, 7), the best ones are selected (select.go, score.go,
// 8) and put together by vaccine group (group.go, 9).
package immunization
