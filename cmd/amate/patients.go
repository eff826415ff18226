package main

import (
	"context"
	"encoding/json"
	"strings"
	"unicode"

	"github.com/amate-health/amate/authz/smart"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// finder looks patients up through the API, so that whoever asks sees what the guard
// lets them see, and it is on record that they did.
type finder struct{ api *rest.API }

// literally writes a word so that a search takes none of it for syntax.
var literally = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `$`, `\$`, `|`, `\|`)

// patientJSON is what of a Patient is shown to choose them.
type patientJSON struct {
	ID   string `json:"id"`
	Name []struct {
		Use    string   `json:"use"`
		Text   string   `json:"text"`
		Family string   `json:"family"`
		Given  []string `json:"given"`
	} `json:"name"`
	BirthDate  string `json:"birthDate"`
	Identifier []struct {
		System string `json:"system"`
		Value  string `json:"value"`
	} `json:"identifier"`
}

// Find implements smart.Patients.
func (f finder) Find(ctx context.Context, text string, limit int) ([]smart.Patient, error) {
	by := "name"
	if strings.ContainsFunc(text, unicode.IsDigit) && !strings.ContainsAny(text, " ") {
		by = "identifier"
		text = strings.ToUpper(text)
	}
	params := []search.Param{{Name: "_count", Value: "20"}}
	for _, word := range strings.Fields(text) {
		params = append(params, search.Param{Name: by, Value: literally.Replace(word)})
	}
	resp, err := f.api.Do(ctx, &rest.Request{Interaction: rest.SearchType, Type: "Patient", Params: params})
	if err != nil {
		return nil, err
	}
	var bundle struct {
		Entry []struct {
			Resource patientJSON `json:"resource"`
		} `json:"entry"`
	}
	if err := json.Unmarshal(resp.Body, &bundle); err != nil {
		return nil, err
	}
	var all []smart.Patient
	for _, e := range bundle.Entry {
		if len(all) < limit && e.Resource.ID != "" {
			all = append(all, e.Resource.shown())
		}
	}
	return all, nil
}

// Patient implements smart.Patients.
func (f finder) Patient(ctx context.Context, id string) (smart.Patient, error) {
	var p patientJSON
	if !fhir.ValidID(id) {
		return smart.Patient{}, fhir.Errorf(fhir.NotFound, "there is no such patient")
	}
	err := f.read(ctx, fhir.Ref{Type: "Patient", ID: id}, &p)
	return p.shown(), err
}

// Encounter implements smart.Patients.
func (f finder) Encounter(ctx context.Context, id string) (string, error) {
	var e struct {
		Subject struct {
			Reference string `json:"reference"`
		} `json:"subject"`
	}
	if !fhir.ValidID(id) {
		return "", fhir.Errorf(fhir.NotFound, "there is no such encounter")
	}
	if err := f.read(ctx, fhir.Ref{Type: "Encounter", ID: id}, &e); err != nil {
		return "", err
	}
	ref, ok := fhir.ParseRef(e.Subject.Reference)
	if !ok || ref.Type != "Patient" {
		return "", nil
	}
	return ref.ID, nil
}

func (f finder) read(ctx context.Context, ref fhir.Ref, into any) error {
	resp, err := f.api.Do(ctx, &rest.Request{Interaction: rest.Read, Type: ref.Type, ID: ref.ID})
	if err != nil {
		return err
	}
	return json.Unmarshal(resp.Body, into)
}

// curp is the system of the population registry's key, by which people know themselves.
const curp = "curp"

func (p *patientJSON) shown() smart.Patient {
	out := smart.Patient{ID: p.ID, Name: p.ID, Born: p.BirthDate}
	for i, n := range p.Name {
		if i > 0 && n.Use != "official" {
			continue
		}
		if out.Name = n.Text; out.Name == "" {
			out.Name = strings.TrimSpace(strings.Join(n.Given, " ") + " " + n.Family)
		}
	}
	for _, i := range p.Identifier {
		if out.Identifier == "" || strings.Contains(strings.ToLower(i.System), curp) {
			out.Identifier = i.Value
		}
	}
	return out
}
