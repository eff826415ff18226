package opendata

import (
	"bytes"
	"encoding/json"
	"time"
)

// Publisher says who publishes, and under which terms.
type Publisher struct {
	Name    string // "Secretaría de Salud"
	URL     string // "" for none
	Email   string // contact for questions; "" for none
	Base    string // URL of the pages, without a slash at the end: "https://example.mx/datos"
	License string // URL; "" is LibreUso
}

// LibreUso is the licence of the open data of Mexico.
const LibreUso = "https://datos.gob.mx/libreusomx"

// vocabulary is the context of the catalogue, so that it can be read without any network.
var vocabulary = map[string]any{
	"dcat": "http://www.w3.org/ns/dcat#", "dct": "http://purl.org/dc/terms/", "foaf": "http://xmlns.com/foaf/0.1/", "vcard": "http://www.w3.org/2006/vcard/ns#",
	"spdx": "http://spdx.org/rdf/terms#", "xsd": "http://www.w3.org/2001/XMLSchema#", "adms": "http://www.w3.org/ns/adms#", "skos": "http://www.w3.org/2004/02/skos/core#",
	"dcatap": "http://data.europa.eu/r5r/",
}

type object map[string]any

func ref(uri string) object { return object{"@id": uri} }

func both(t Text) []object {
	all := []object{{"@language": "es", "@value": t.Spanish}}
	if t.English != "" {
		all = append(all, object{"@language": "en", "@value": t.English})
	}
	return all
}

func typed(value, typ string) object { return object{"@value": value, "@type": "xsd:" + typ} }

func stamp(t time.Time) object { return typed(t.UTC().Format(time.RFC3339), "dateTime") }

// Authorities of the Publications Office of the European Union, which DCAT-AP names.
const (
	authority = "http://publications.europa.eu/resource/authority/"
	mexico    = "http://publications.europa.eu/resource/authority/country/MEX"
	themes    = "http://publications.europa.eu/resource/authority/data-theme"
	health    = "http://publications.europa.eu/resource/authority/data-theme/HEAL"
	stable    = "http://publications.europa.eu/resource/authority/planned-availability/STABLE"
)

// Catalogue describes the newest release of each period of every family in JSON-LD: DCAT
// version 3, as DCAT-AP 3.0 uses it, with all that it makes mandatory or recommends but for
// the kind of the publisher, which is not known.
//
// See https://www.w3.org/TR/vocab-dcat-3/ and https://semiceu.github.io/DCAT-AP/releases/3.0.0/.
func (s *Site) Catalogue() ([]byte, error) {
	by := &s.By
	var first, newest time.Time
	for i := range s.Releases {
		if at := s.Releases[i].Issued; first.IsZero() || at.Before(first) {
			first = at
		}
		if at := s.Releases[i].Issued; at.After(newest) {
			newest = at
		}
	}
	sets := []object{}
	for _, r := range s.current() {
		for j := range r.Sets {
			sets = append(sets, by.dataset(&r, &r.Sets[j]))
		}
	}
	c := object{
		"@context": vocabulary, "@id": by.Base + "#catalogo", "@type": "dcat:Catalog",
		"dct:title": both(Text{"Datos abiertos de salud", "Open health data"}), "dct:description": both(Text{"Conjuntos de datos agregados y protegidos del registro de salud.", "Aggregated and protected datasets of the health registry."}),
		"dct:publisher": by.agent(), "dct:license": by.terms(), "foaf:homepage": object{"@id": by.Base + "/", "@type": "foaf:Document"},
		"dct:language": []object{language("SPA"), language("ENG")}, "dct:spatial": location(), "dcat:dataset": sets,
		"dcat:themeTaxonomy": object{"@id": themes, "@type": "skos:ConceptScheme", "dct:title": both(Text{"Temas de datos", "Data themes"})},
	}
	if !newest.IsZero() {
		c["dct:issued"], c["dct:modified"] = stamp(first), stamp(newest)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(c)
	return b.Bytes(), err
}

func language(code string) object {
	return object{"@id": authority + "language/" + code, "@type": "dct:LinguisticSystem"}
}

func location() object { return object{"@id": mexico, "@type": "dct:Location"} }

func (p *Publisher) agent() object {
	id := p.URL
	if id == "" {
		id = p.Base + "#publicador"
	}
	return object{"@id": id, "@type": "foaf:Agent", "foaf:name": object{"@language": "es", "@value": p.Name}}
}

// license is where the terms are.
func (p *Publisher) license() string {
	if p.License != "" {
		return p.License
	}
	return LibreUso
}

func (p *Publisher) terms() object {
	return object{"@id": p.license(), "@type": "dct:LicenseDocument"}
}

func (p *Publisher) dataset(r *Release, d *Released) object {
	id := p.Base + "/" + r.Family + "/" + r.Period + "/" + d.Name
	words := []object{}
	for _, k := range d.Keywords {
		words = append(words, both(k)...)
	}
	files := []object{}
	for i := range d.Tables {
		for _, f := range d.Tables[i].Files {
			files = append(files, p.distribution(r, d, &f, d.Tables[i].Title))
		}
	}
	for _, f := range d.Dictionary {
		files = append(files, p.distribution(r, d, &f, Text{"Diccionario de datos", "Data dictionary"}))
	}
	description := d.Description
	if description.Spanish == "" { // there must be one
		description = d.Title
	}
	out := object{
		"@id": id, "@type": "dcat:Dataset", "dct:identifier": r.Family + "/" + d.Name + "/" + r.Period, "dct:title": both(d.Title.and(", ", Same(r.Period))),
		"dct:description": both(description), "dcat:keyword": words, "dcat:theme": object{"@id": health, "@type": "skos:Concept", "skos:prefLabel": both(Text{"Salud", "Health"})},
		"dct:publisher": p.agent(), "dct:issued": stamp(r.Issued), "dct:modified": stamp(r.Issued), "dcat:version": r.Period + "-" + number(float64(r.Number)),
		"dct:accrualPeriodicity": object{"@id": authority + "frequency/" + map[string]string{"year": "ANNUAL", "month": "MONTHLY"}[r.Every], "@type": "dct:Frequency"},
		"dct:spatial":            location(), "dct:language": language("SPA"), "dct:accessRights": object{"@id": authority + "access-right/PUBLIC", "@type": "dct:RightsStatement"},
		"dct:temporal":     object{"@type": "dct:PeriodOfTime", "dcat:startDate": typed(r.First.Format(time.DateOnly), "date"), "dcat:endDate": typed(r.Next.AddDate(0, 0, -1).Format(time.DateOnly), "date")},
		"dct:provenance":   object{"@type": "dct:ProvenanceStatement", "dct:description": both(Text{"Agregado del registro y protegido: se suprimen las celdas de menos de " + number(float64(r.K)) + " personas y las que las revelarían.", "Aggregated from the registry and protected: cells of fewer than " + number(float64(r.K)) + " people are suppressed, and those that would reveal them."})},
		"dcat:landingPage": object{"@id": id, "@type": "foaf:Document"}, "dcat:distribution": files,
	}
	if p.Email != "" {
		out["dcat:contactPoint"] = object{"@id": p.Base + "#contacto", "@type": []string{"vcard:Organization", "vcard:Kind"}, "vcard:fn": p.Name, "vcard:hasEmail": ref("mailto:" + p.Email)}
	}
	return out
}

func (p *Publisher) distribution(r *Release, d *Released, f *File, title Text) object {
	url := p.Base + "/archivos/" + f.Name
	form := map[string]string{"text/csv": "CSV", "application/json": "JSON", "application/vnd.apache.parquet": "PARQUET"}[f.Media]
	return object{
		"@id": url, "@type": "dcat:Distribution", "dct:title": both(title), "dct:description": both(d.Title.and(", ", Same(r.Period)).and(". ", title).and(", ", Same(form))),
		"dcatap:availability": object{"@id": stable, "@type": "skos:Concept", "skos:prefLabel": both(Text{"Estable", "Stable"})}, "dcat:accessURL": object{"@id": url, "@type": "http://www.w3.org/2000/01/rdf-schema#Resource"}, "dcat:downloadURL": object{"@id": url, "@type": "http://www.w3.org/2000/01/rdf-schema#Resource"},
		"dcat:mediaType": object{"@id": "http://www.iana.org/assignments/media-types/" + f.Media, "@type": "dct:MediaType"}, "dct:format": object{"@id": authority + "file-type/" + form, "@type": "dct:MediaTypeOrExtent"},
		"dcat:byteSize": object{"@value": number(float64(f.Bytes)), "@type": "xsd:nonNegativeInteger"}, "dct:license": p.terms(), "dct:issued": stamp(r.Issued),
		"spdx:checksum": object{"@type": "spdx:Checksum", "spdx:algorithm": object{"@id": "http://spdx.org/rdf/terms#checksumAlgorithm_sha256", "@type": "spdx:ChecksumAlgorithm"}, "spdx:checksumValue": object{"@value": f.SHA256, "@type": "xsd:hexBinary"}},
	}
}
