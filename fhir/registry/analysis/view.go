package analysis

import (
	"embed"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// A view is three files: views/NAME.json is its ViewDefinition, NAME.es.md and NAME.en.md
// say what it is for. NAME.QUERY.sql asks it something, and begins with the question in
// both languages.
//
//go:embed views
var viewFiles embed.FS

// ViewCanonical begins the URLs of the views.
const ViewCanonical = "https://github.com/amate-health/amate/fhir/ViewDefinition/"

// View is a view that the server ships.
type View struct {
	ID         string // "amate-doses", of the ViewDefinition
	URL        string // canonical
	Name       string // "amate_doses": of the table
	Definition []byte // the ViewDefinition, in JSON
	Spanish    string // documentation, in Markdown
	English    string
	Queries    []Query
}

// Query is a question that a view answers.
type Query struct {
	Name             string // "by-municipality"
	Spanish, English string // the question
	SQL              string // for PostgreSQL and SQLite; tables have the Names of views
}

// Views returns the views whose tables q reads.
func (q *Query) Views() []View {
	return slices.DeleteFunc(slices.Clone(views()), func(v View) bool {
		return !regexp.MustCompile(`\b` + v.Name + `\b`).MatchString(q.SQL)
	})
}

// Views returns the views, ordered by name. Nobody changes them.
func Views() []View { return views() }

// LookupView returns the view of a name, an id or a canonical URL.
func LookupView(name string) (View, bool) {
	for _, v := range views() {
		if name == v.Name || name == v.ID || name == v.URL {
			return v, true
		}
	}
	return View{}, false
}

var views = sync.OnceValue(func() []View {
	entries, err := viewFiles.ReadDir("views")
	if err != nil {
		panic(err) // they are built in
	}
	var all []View
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok {
			id := strings.ReplaceAll(name, "_", "-")
			all = append(all, View{ID: id, URL: ViewCanonical + id, Name: name, Definition: []byte(viewFile(e.Name())), Spanish: viewFile(name + ".es.md"), English: viewFile(name + ".en.md")})
		}
	}
	for _, e := range entries {
		name, query, _ := strings.Cut(strings.TrimSuffix(e.Name(), ".sql"), ".")
		for i := range all {
			if v := &all[i]; v.Name == name && strings.HasSuffix(e.Name(), ".sql") {
				v.Queries = append(v.Queries, queryOf(query, viewFile(e.Name())))
			}
		}
	}
	return all
})

func viewFile(name string) string {
	text, err := viewFiles.ReadFile(path.Join("views", name))
	if err != nil {
		panic(fmt.Errorf("a view is without a file: %w", err)) // they are built in
	}
	return string(text)
}

// queryOf reads a query, whose first two lines are the question.
func queryOf(name, text string) Query {
	spanish, rest, _ := strings.Cut(text, "\n")
	english, sql, _ := strings.Cut(rest, "\n")
	return Query{Name: name, Spanish: strings.TrimPrefix(spanish, "-- "), English: strings.TrimPrefix(english, "-- "), SQL: sql}
}
