package portal

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	xlanguage "golang.org/x/text/language"
)

//go:embed html/verify.html
var source string

//go:embed html/verify.css
var css string

var layout = template.Must(template.New("verify").Parse(source))

// policy lets a page have its own style sheet, and nothing else.
var policy = func() string {
	sum := sha256.Sum256([]byte(css))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// The languages of the pages.
const (
	spanish = "es-MX"
	english = "en"
)

var matcher = xlanguage.NewMatcher([]xlanguage.Tag{xlanguage.MustParse(spanish), xlanguage.English})

// language returns the language for a request: what its URL says, or what the browser
// prefers; Spanish otherwise.
func language(r *http.Request) string {
	switch r.URL.Query().Get("lang") {
	case "es":
		return spanish
	case "en":
		return english
	}
	wanted, _, err := xlanguage.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil || len(wanted) == 0 {
		return spanish
	}
	if _, i, confidence := matcher.Match(wanted...); i == 1 && confidence > xlanguage.No {
		return english
	}
	return spanish
}

// wantsJSON reports whether a client would rather have JSON than a page.
func wantsJSON(r *http.Request) bool {
	var page, data float64
	for _, part := range strings.Split(strings.Join(r.Header.Values("Accept"), ","), ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		if err != nil {
			q = 1
		}
		switch media {
		case "application/json":
			data = max(data, q)
		case "text/html", "application/xhtml+xml":
			page = max(page, q)
		}
	}
	return data > page
}

// view is what a page is filled with.
type view struct {
	Lang    string
	Checked time.Time
	Finding *Finding   // nil where there is none
	Found   []*Finding // of cards

	kind   string // of the document
	asJSON bool
	name   string // of the page in texts
	url    *url.URL
	prefix string // path of the server
	cards  bool   // there is a page of cards
	form   bool   // this is it
}

// answer sends the page, or what it says as JSON.
func (v *view) answer(w http.ResponseWriter, r *http.Request, status int, name string) {
	v.name = name
	var b bytes.Buffer
	media := "text/html; charset=utf-8"
	var err error
	if v.asJSON {
		media = "application/json"
		err = v.json(&b)
	} else {
		err = layout.Execute(&b, v)
	}
	if err != nil { // nothing of it depends on what is asked
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("Content-Language", v.Lang)
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(b.Bytes()) // who is gone needs no answer
	}
}

// CardURL is where the page of cards is; "" where there is none.
func (v *view) CardURL() string {
	if !v.cards {
		return ""
	}
	return (&url.URL{Path: v.prefix + CardPath, RawQuery: "lang=" + map[string]string{spanish: "es", english: "en"}[v.Lang]}).RequestURI()
}

// Form reports whether the page asks for a card.
func (v *view) Form() bool { return v.form }

// CSS is the style sheet, which is our own.
func (v *view) CSS() template.CSS { return template.CSS(css) }

// Say returns a text of the table.
func (v *view) Say(key string) string { return texts[key].in(v.Lang) }

// In returns a text in the language of the page.
func (v *view) In(t Text) string { return t.in(v.Lang) }

// Name is that of the page, which its look depends on.
func (v *view) Name() string { return v.name }

// Heading says how it came out.
func (v *view) Heading() string { return v.Say(v.name) }

// Lead says what that means.
func (v *view) Lead() string { return v.Say(v.name + ".lead") }

// Compared reports whether there is something to compare with the paper.
func (v *view) Compared() bool { return v.Finding != nil && v.Finding.State == Valid }

// When is the time of the check.
func (v *view) When() string {
	if v.Lang == english {
		return v.Checked.Format("2 January 2006, 15:04 (MST)")
	}
	return v.Checked.Format("02/01/2006, 15:04 (MST)")
}

// choice is a language to switch to.
type choice struct {
	Code, Name, URL string
	Current         bool
}

// Languages lists the languages, each with this page in it.
func (v *view) Languages() []choice {
	to := func(code string) string { return (&url.URL{Path: v.url.Path, RawQuery: "lang=" + code}).RequestURI() }
	return []choice{
		{Code: spanish, Name: "Español", URL: to("es"), Current: v.Lang == spanish},
		{Code: english, Name: "English", URL: to("en"), Current: v.Lang == english},
	}
}

// json writes what the page says for programs.
func (v *view) json(b *bytes.Buffer) error {
	type fact struct {
		Name  string `json:"name"`
		Label string `json:"label"`
		Value string `json:"value"`
	}
	type card struct {
		Result string `json:"result"`
		Text   string `json:"text"`
		Facts  []fact `json:"facts,omitempty"`
	}
	out := struct {
		Result   string `json:"result"` // valid, void, replaced, unknown, ...
		Kind     string `json:"kind,omitempty"`
		Document string `json:"document,omitempty"`
		Text     string `json:"text"`
		Facts    []fact `json:"facts,omitempty"`
		Cards    []card `json:"cards,omitempty"`
		Checked  string `json:"checked"`
	}{Result: v.name, Kind: v.kind, Text: v.Heading(), Checked: v.Checked.UTC().Format(time.RFC3339)}
	told := func(f *Finding) (all []fact) {
		for _, one := range f.Facts {
			all = append(all, fact{one.Name, v.In(one.Label), v.In(one.Value)})
		}
		return all
	}
	if f := v.Finding; f != nil {
		out.Document, out.Facts = v.In(f.Title), told(f)
	}
	for _, f := range v.Found {
		out.Cards = append(out.Cards, card{string(f.State), v.Say(string(f.State)), told(f)})
	}
	return json.NewEncoder(b).Encode(out)
}
