package summary

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/validate"
)

// keep stores the document as it came, but for narratives that are not safe, and returns
// the DocumentReference that tells of it.
func (t *takeIn) keep(ctx context.Context) (string, error) {
	made := uuid("kept", t.tag)
	tx := newTransaction()
	tx.add(made, "Bundle", t.tag, t.safe())
	d := t.doc
	said := d.TextAt(t.composition(), "title")
	if said == "" {
		said = title.es
	}
	ref := `{"resourceType":"DocumentReference","meta":{"tag":[{"system":"` + importSystem + `","code":"` + t.tag + `"}]},"identifier":[{"system":"urn:ietf:rfc:3986","value":"` + made +
		`"}],"status":"current","type":{"coding":[{"system":"` + loinc + `","code":"60591-5","display":"Patient summary Document"}]},"subject":{"reference":"Patient/` + t.call.ID +
		`"},"date":"` + t.Now().UTC().Format(fhir.InstantLayout) + `","description":` + string(element.Quote(nil, said)) +
		`,"content":[{"attachment":{"contentType":"application/fhir+json","url":"` + made + `"}}]}`
	tx.add("", "DocumentReference", t.tag, []byte(ref))
	places, err := tx.send(ctx, t.call.Send)
	if err != nil {
		return "", err
	}
	return places[1], nil
}

// write puts the accepted proposals into the record, as the caller, with a Provenance that
// leads to the document.
func (t *takeIn) write(ctx context.Context, accepted []*proposal, document string) error {
	if len(accepted) == 0 {
		return nil
	}
	tx := newTransaction()
	var targets []string
	for _, p := range accepted {
		url := "urn:uuid:" + p.id
		tx.add(url, t.doc.TextAt(p.node, "resourceType"), p.id, p.json)
		targets = append(targets, `{"reference":"`+url+`"}`)
	}
	tag := uuid("provenance", t.tag, strings.Join(targets, ","))[9:]
	tx.add("", "Provenance", tag, []byte(`{"resourceType":"Provenance","meta":{"tag":[{"system":"`+importSystem+`","code":"`+tag+`"}]},"target":[`+strings.Join(targets, ",")+
		`],"recorded":"`+t.Now().UTC().Format(fhir.InstantLayout)+`","activity":{"text":"Conciliación de un resumen clínico externo"},"agent":[{"who":`+t.who()+
		`}],"entity":[{"role":"source","what":{"reference":"`+document+`"}}]}`))
	places, err := tx.send(ctx, t.call.Send)
	if err != nil {
		return err
	}
	for i, p := range accepted {
		p.written = places[i]
	}
	return nil
}

// who is the caller, for a Provenance.
func (t *takeIn) who() string {
	if user := t.call.Caller.User; user.ID != "" {
		return `{"reference":"` + user.Current().String() + `"}`
	}
	who := t.call.Caller.Principal
	if who == "" {
		who = t.Software
	}
	return `{"display":` + string(element.Quote(nil, who)) + `}`
}

// transaction is a Bundle of conditional creates.
type transaction struct {
	b []byte
	n int
}

func newTransaction() *transaction {
	return &transaction{b: []byte(`{"resourceType":"Bundle","type":"transaction","entry":[`)}
}

// add adds a create that does nothing where there is a resource with the tag already.
func (x *transaction) add(fullURL, typ, tag string, json []byte) {
	if x.n > 0 {
		x.b = append(x.b, ',')
	}
	x.n++
	x.b = append(x.b, '{')
	if fullURL != "" {
		x.b = append(x.b, `"fullUrl":"`+fullURL+`",`...)
	}
	x.b = append(append(x.b, `"resource":`...), json...)
	x.b = append(x.b, `,"request":{"method":"POST","url":"`+typ+`","ifNoneExist":"_tag=`+importSystem+`|`+tag+`"}}`...)
}

// send performs it, and returns where each resource is.
func (x *transaction) send(ctx context.Context, send func(context.Context, []byte) ([]byte, error)) ([]string, error) {
	out, err := send(ctx, append(x.b, "]}"...))
	if err != nil {
		return nil, err
	}
	d, err := element.Parse(out)
	if err != nil {
		return nil, fmt.Errorf("answer to a transaction: %w", err)
	}
	var places []string
	each(d, 0, "entry", func(e element.Node) {
		at := d.TextAt(d.Get(e, "response"), "location")
		if i := strings.Index(at, "/_history/"); i >= 0 {
			at = at[:i]
		}
		parts := strings.Split(at, "/")
		places = append(places, strings.Join(parts[max(0, len(parts)-2):], "/"))
	})
	if len(places) != x.n {
		return nil, fmt.Errorf("a transaction of %d entries was answered with %d", x.n, len(places))
	}
	return places, nil
}

// removed stands where a narrative was not safe.
const removed = `{"status":"empty","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Narrativa retirada: su contenido no era seguro.</p></div>"}`

// safe returns the document as it is stored: narratives with anything but plain text and
// its layout are replaced, and its meta says what it is known again by, and whose record
// it belongs to here. Its own ids and times stay within.
func (t *takeIn) safe() []byte {
	d := t.doc
	e := d.Edit(t.root)
	t.clean(e, t.root)
	tag := `{"system":"` + importSystem + `","code":"` + t.tag + `"}`
	whose := `{"url":"` + search.OfPatient + `","valueReference":{"reference":"Patient/` + t.call.ID + `"}}`
	meta := d.Get(t.root, "meta")
	if meta == element.None {
		e.Append(t.root, `"meta":{"extension":[`+whose+`],"tag":[`+tag+`]}`)
		return e.AppendTo(nil)
	}
	if d.Get(meta, "tag") == element.None {
		e.Append(meta, `"tag":[`+tag+`]`)
	} else {
		e.Append(d.Get(meta, "tag"), tag)
	}
	list := d.Get(meta, "extension")
	if list == element.None {
		e.Append(meta, `"extension":[`+whose+`]`)
		return e.AppendTo(nil)
	}
	each(d, meta, "extension", func(x element.Node) {
		if d.TextAt(x, "url") == search.OfPatient { // it was said elsewhere, of somebody there
			e.Drop(x)
		}
	})
	e.Append(list, whose)
	return e.AppendTo(nil)
}

// clean replaces each narrative below n that R4 does not allow.
func (t *takeIn) clean(e *element.Edit, n element.Node) {
	d := t.doc
	if k := d.Kind(n); k != element.Object && k != element.Array {
		return
	}
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		if d.Get(c, "div") == element.None {
			t.clean(e, c)
		} else if !harmless(d.Raw(c)) {
			e.Replace(c, removed)
		}
	}
}

// harmless reports whether a narrative is one that R4 allows, and asks nobody else for
// anything when it is shown.
func harmless(narrative []byte) bool {
	d, err := element.Parse([]byte(`{"resourceType":"Basic","code":{"text":"narrative"},"text":` + string(narrative) + `}`))
	if err != nil {
		return false
	}
	for _, issue := range new(validate.Validator).Validate(context.Background(), d, 0) {
		if issue.Severity == "error" || issue.Severity == "fatal" {
			return false
		}
	}
	div := strings.ToLower(d.TextAt(d.Get(0, "text"), "div"))
	return !strings.Contains(div, "script:") && !outward.MatchString(div)
}

// outward finds pictures that are fetched from elsewhere, who would learn who reads them when.
var outward = regexp.MustCompile(`(src|background)\s*=\s*["']?\s*([a-z]+:)?//|url\(`)
