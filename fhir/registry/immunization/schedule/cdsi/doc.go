// Package cdsi reads the supporting data that CDC publishes for its CDSi logic
// specification, versions 4.x (https://www.cdc.gov/iis/cdsi/), into a
// [schedule.Schedule]: the XML files in a folder or in one .tar.gz, or their conversion
// to JSON (antigen, vaccine and observation .json, also .json.gz).
//
// It is the schedule of the United States, and here to hold the engine to CDC's own test
// cases.
package cdsi
