package exchange

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/message"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// mostOfPatient is how many doses, or illnesses, a patient has at most.
const mostOfPatient = 500

// told are the types that what speaks against a dose is read from.
var told = []string{"Immunization", "Condition", "AllergyIntolerance"}

// known returns what is recorded of a patient, as the sender may see it. Of types that
// they may not see at all they know nothing, but for the doses themselves: who cannot see
// those cannot say that one is told a second time.
func known(ctx context.Context, api message.API, patient string) (all []fhir.Resource, err error) {
	for _, typ := range told {
		found, err := look(ctx, api, typ, "patient", "Patient/"+patient, mostOfPatient)
		if fhir.CodeOf(err) == fhir.Forbidden && typ != "Immunization" {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// look searches as the sender. Errors: those of the API, and that there are most or more.
func look(ctx context.Context, api message.API, typ, param, value string, most int) ([]fhir.Resource, error) {
	resp, err := api.Do(ctx, &rest.Request{
		Interaction: rest.SearchType, Type: typ,
		Params: []search.Param{{Name: param, Value: value}, {Name: "_count", Value: strconv.Itoa(most)}},
	})
	if err != nil {
		return nil, err
	}
	d, err := element.Parse(resp.Body)
	if err != nil {
		return nil, err
	}
	var all []fhir.Resource
	for e := range d.Items(0, "entry") {
		if r, ok := resourceAt(d, d.Get(e, "resource")); ok && r.Ref.Type == typ {
			all = append(all, r)
		}
	}
	if len(all) >= most {
		return nil, fhir.Errorf(fhir.TooCostly, "there are too many resources of type %s", typ)
	}
	return all, nil
}

// resourceAt reads a resource within a Bundle.
func resourceAt(d *element.Doc, n element.Node) (r fhir.Resource, ok bool) {
	if n == element.None {
		return r, false
	}
	r.Ref = fhir.Ref{Type: d.TextAt(n, "resourceType"), ID: d.TextAt(n, "id")}
	r.Ref.Version, _ = strconv.ParseInt(d.TextAt(n, "meta", "versionId"), 10, 64)
	r.JSON = append([]byte(nil), d.Raw(n)...)
	return r, r.Ref.ID != ""
}

// call performs an operation as the sender, as the only entry of a batch, and returns what
// it answers. Errors: those of the API, and fhir.Forbidden and the like where the entry is
// refused.
func call(ctx context.Context, api message.API, method, url string, body []byte) (*element.Doc, element.Node, error) {
	e := compose.Object{"request": compose.Object{"method": method, "url": url}}
	if body != nil {
		e["resource"] = json.RawMessage(body)
	}
	resp, err := api.Do(ctx, &rest.Request{
		Interaction: rest.Batch, Body: compose.JSON(compose.Object{"resourceType": "Bundle", "type": "batch", "entry": []compose.Object{e}}),
	})
	if err != nil {
		return nil, element.None, err
	}
	d, err := element.Parse(resp.Body)
	if err != nil {
		return nil, element.None, err
	}
	for e := range d.Items(0, "entry") {
		status := d.TextAt(e, "response", "status")
		if strings.HasPrefix(status, "2") {
			return d, d.Get(e, "resource"), nil
		}
		return nil, element.None, refusal(status, d, e)
	}
	return nil, element.None, fhir.Errorf(fhir.Unavailable, "there was no answer")
}

// refusal returns the error that an entry was refused with.
func refusal(status string, d *element.Doc, e element.Node) error {
	code := fhir.Unprocessable
	switch status[:min(3, len(status))] {
	case "401", "403":
		code = fhir.Forbidden
	case "404", "410":
		code = fhir.NotFound
	case "429", "503":
		code = fhir.Unavailable
	}
	text := "it is refused"
	for i := range d.Items(d.Get(d.Get(e, "response"), "outcome"), "issue") {
		if t := d.TextAt(i, "details", "text"); t != "" {
			text = t
		}
		break
	}
	return fhir.Errorf(code, "%s", text)
}
