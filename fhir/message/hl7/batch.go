package hl7

import (
	"strconv"
	"strings"
)

// File is what a text holds that is a single message, several of them, or a file of
// batches: FHS, BHS, messages, BTS, FTS.
//
// See section 2.10.3 of chapter 2.
type File struct {
	Messages []string
	Batched  bool   // there are headers or trailers of a file or batch
	Control  string // id of the batch, BHS-11, or of the file, FHS-11
}

// Split finds the messages of a text. Errors: *Error, also where a trailer counts
// other than what is there: then something is lost.
func Split(text string, limits Limits) (*File, error) {
	limits.fill()
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\r"), "\n", "\r")
	f := &File{}
	start, batch, batches := -1, 0, 0
	for at := 0; at < len(text); {
		end := strings.IndexByte(text[at:], '\r')
		if end < 0 {
			end = len(text)
		} else {
			end += at + 1
		}
		line := strings.TrimRight(text[at:end], "\r")
		name := line[:min(3, len(line))]
		header := name == "FHS" || name == "BHS" || name == "BTS" || name == "FTS"
		if header || name == "MSH" {
			if start >= 0 {
				f.Messages = append(f.Messages, text[start:at])
			}
			start = -1
		}
		switch name {
		case "MSH":
			start = at
			batch++
		case "FHS", "BHS":
			f.Batched, batch = true, 0
			if f.Control == "" && len(line) > 3 {
				f.Control = nth(line, line[3], 11)
			}
		case "BTS":
			f.Batched = true
			batches++
			if err := counted(line, name, batch); err != nil {
				return nil, err
			}
			batch = 0
		case "FTS":
			f.Batched = true
			if err := counted(line, name, batches); err != nil {
				return nil, err
			}
		default:
			if start < 0 && strings.TrimSpace(line) != "" {
				return nil, &Error{Code: SegmentSequence, Text: "there is text that belongs to no message: a message begins with MSH"}
			}
		}
		at = end
	}
	if start >= 0 {
		f.Messages = append(f.Messages, text[start:])
	}
	return f, nil
}

// counted holds the number in a trailer against what was there.
func counted(line, name string, n int) *Error {
	if len(line) < 4 {
		return nil
	}
	count := strings.TrimSpace(nth(line, line[3], 2))
	if count == "" {
		return nil
	}
	if c, err := strconv.Atoi(count); err != nil || c != n {
		return &Error{Code: SegmentSequence, Segment: name, Sequence: 1, Field: 1, Text: "it counts other than the " + strconv.Itoa(n) + " that are there", Quoted: count}
	}
	return nil
}
