// Package parameter keeps the search parameters that are added to a server as
// SearchParameter resources.
//
// One document in the store says which there are, for all servers of the database:
// each has a number, under which resources are indexed and which is never given to
// another. The resources are the truth, and the document follows them: whoever
// writes one, or notices that it was written, brings the document in line, and every
// server looks now and then whether there is a newer document.
//
// A parameter is indexed from then on, and a job indexes what was there before. Only
// when that is complete can it be searched by. One that is deleted or retired is
// gone at once, and a job removes its rows.
package parameter
