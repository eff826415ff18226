package opendata

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed municipality.tsv
var municipalitySource string

// municipalities are the names of the municipalities of INEGI's catalogue by their keys of
// five digits. Where two of a state have one name, as in Oaxaca, their keys go with it.
var municipalities = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	first := map[string]string{} // keys, by state and name
	for line := range strings.Lines(municipalitySource) {
		key, name, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || line[0] == '#' {
			continue
		}
		all[key] = name
		if other, twice := first[key[:2]+name]; twice {
			all[key], all[other] = name+" ("+key+")", name+" ("+other+")"
		}
		first[key[:2]+name] = key
	}
	return all
})

// municipalityTitle is what a municipality is called, with its state: names are used in many
// of them. One that was founded since the catalogue was made goes by its key.
func municipalityTitle(key string, state Text) Text {
	if strings.HasSuffix(key, "999") {
		title := Text{"Municipio no especificado", "Municipality not specified"}
		if state != notSaid {
			title.Spanish, title.English = title.Spanish+", "+state.Spanish, title.English+", "+state.English
		}
		return title
	}
	if name, ok := municipalities()[key]; ok {
		return Text{name + ", " + state.Spanish, name + ", " + state.English}
	}
	return Text{"Municipio " + key + " (clave del INEGI), " + state.Spanish, "Municipality " + key + " (key of INEGI), " + state.English}
}
