package mpi

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity/match"
	"github.com/amate-health/amate/fhir/search"
)

// canonical begins the URLs of this project's own definitions.
const canonical = "https://github.com/amate-health/amate/fhir/"

// Operations returns the operations of this package.
func Operations(c *Clerk) []operation.Operation {
	patient := []string{"Patient"}
	return []operation.Operation{
		{
			Name: "match", URL: "http://hl7.org/fhir/OperationDefinition/Patient-match",
			Scope: operation.OnType, Types: patient, Run: c.match,
		},
		{
			Name: "not-duplicate", URL: canonical + "OperationDefinition/not-duplicate",
			Scope: operation.OnInstance, Types: patient, Changes: true, Run: c.notDuplicate,
		},
	}
}

// defaultCount is how many Patients $match answers with unless it is told.
const defaultCount = 10

// question is what a call of $match asks.
type question struct {
	person  match.Person
	certain bool
	count   int
	explain bool
}

// match is Patient/$match, which is also ITI-119 of PDQm.
//
// See https://hl7.org/fhir/R4/patient-operation-match.html and
// https://profiles.ihe.net/ITI/PDQm/ITI-119.html.
func (c *Clerk) match(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	q, err := c.question(call)
	if err != nil {
		return nil, err
	}
	wish := Wish{Restriction: call.Restriction, Count: q.count, Least: match.Possible}
	if q.certain {
		wish.Least, wish.Count = match.Certain, 2
	}
	found, err := c.Find(ctx, &q.person, wish)
	if err != nil {
		return nil, err
	}
	if q.certain && len(found) > 1 {
		found = nil // one of them at the most is right
	}
	return &operation.Answer{JSON: c.answer(q, found, call.Base)}, nil
}

// question reads the parameters of a call of $match.
func (c *Clerk) question(call *operation.Call) (*question, error) {
	q := &question{count: defaultCount}
	names := []string{"resource", "onlyCertainMatches", "count", "explain"}
	for _, name := range call.In.Names() {
		if !slices.Contains(names, name) && !call.Lenient {
			return nil, fhir.Errorf(fhir.Invalid, "$match does not take this parameter").
				With("it takes %s, not %.100q%s", strings.Join(names, ", "), name, search.Nearest(name, names))
		}
	}
	var err error
	if q.certain, err = boolean(call.In, "onlyCertainMatches"); err != nil {
		return nil, err
	}
	if q.explain, err = boolean(call.In, "explain"); err != nil {
		return nil, err
	}
	text, err := call.In.Text("count")
	if err != nil {
		return nil, err
	}
	if text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fhir.Errorf(fhir.Invalid, "the parameter count is a whole number above 0").With("%.20q", text)
		}
		q.count = n
	}
	q.count = min(q.count, max(call.MaxCount, 1))
	return q, c.asked(call, q)
}

// asked reads the Patient that is asked for.
func (c *Clerk) asked(call *operation.Call, q *question) error {
	src := &bundle.Source{Path: "Parameters.parameter.where(name='resource').resource"}
	if doc, bare := call.In.Body(); bare {
		src.Doc, src.Path = doc, ""
	} else {
		v, given, err := call.In.One("resource")
		if err != nil {
			return err
		}
		root, has := v.Resource()
		if !given || !has {
			return fhir.Errorf(fhir.Invalid, "the parameter resource is needed: a Patient that says what is known of the person")
		}
		src.Doc, src.Root = v.Doc, root
	}
	if t := src.Type(); t != "Patient" {
		return fhir.Errorf(fhir.Invalid, "$match is asked for a Patient").With("the parameter resource is a %.60s", t)
	}
	if _, err := c.Maker(call.Base).Create(src, fhir.Ref{Type: "Patient", ID: "asked"}); err != nil {
		return err
	}
	q.person = c.Reading.Patient(src.Doc, src.Root)
	if len(q.person.IndexKeys()) == 0 {
		return fhir.Errorf(fhir.Unprocessable, "there is too little to match by: it takes an identifier (the generic CURP is none), a telephone number, "+
			"or a given name and a surname with the birth date, with both surnames, or with an address and the year of birth")
	}
	return nil
}

func boolean(in *operation.Inputs, name string) (bool, error) {
	text, err := in.Text(name)
	if err != nil || text == "" || text == "false" {
		return false, err
	}
	if text != "true" {
		return false, fhir.Errorf(fhir.Invalid, "the parameter %s is true or false", name).With("%.20q", text)
	}
	return true, nil
}

// answer writes the searchset that answers q.
func (c *Clerk) answer(q *question, found []Found, base string) []byte {
	b := append([]byte(nil), `{"resourceType":"Bundle","type":"searchset","total":`...)
	b = strconv.AppendInt(b, int64(len(found)), 10)
	for i := range found {
		f := &found[i]
		if i == 0 {
			b = append(b, `,"entry":[`...)
		} else {
			b = append(b, ',')
		}
		b = append(b, `{"fullUrl":`...)
		b = element.Quote(b, base+"/Patient/"+f.Patient.Ref.ID)
		b = append(b, `,"resource":`...)
		b = append(b, f.Patient.JSON...)
		b = append(b, `,"search":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/match-grade","valueCode":"`...)
		b = append(append(b, f.Grade.String()...), `"}`...)
		if q.explain {
			b = c.explain(b, &q.person, f)
		}
		b = append(b, `],"mode":"match","score":`...)
		b = appendDecimal(b, f.Score)
		b = append(b, `}}`...)
	}
	if len(found) > 0 {
		b = append(b, ']')
	}
	return append(b, '}')
}

// explain appends the extension that says which field weighs how much.
func (c *Clerk) explain(b []byte, asked *match.Person, f *Found) []byte {
	m := c.Model.Compare(asked, f.Alike)
	b = append(b, `,{"url":"`+canonical+`StructureDefinition/match-explanation","extension":[`...)
	for i, w := range m.Weights {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"url":"field","extension":[{"url":"name","valueCode":"`...)
		b = append(b, w.Field.String()...)
		b = append(b, `"},{"url":"agreement","valueCode":"`...)
		b = append(b, w.Level.String()...)
		b = append(b, `"},{"url":"weight","valueDecimal":`...)
		b = strconv.AppendFloat(b, w.Weight, 'f', 2, 64)
		b = append(b, `}]}`...)
	}
	if m.Rule != "" {
		b = append(b, `,{"url":"rule","valueCode":"`...)
		b = append(append(b, m.Rule...), `"}`...)
	}
	return append(b, `]}`...)
}

// appendDecimal appends a score, cut and not rounded, so that none seems to be of a
// grade that it is not of.
func appendDecimal(b []byte, score float64) []byte {
	return strconv.AppendFloat(b, float64(int(score*1e4))/1e4, 'f', -1, 64)
}
