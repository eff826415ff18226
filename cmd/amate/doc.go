// Amate is a FHIR R4 server, and the tools around it: one program, one command
// a task, one file a command.
//
// Of all packages of the project this one alone knows every other. It reads the
// configuration, opens the store, wires the API and watches over the process.
package main
