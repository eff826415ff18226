package search

import (
	"strings"

	"github.com/amate-health/amate/fhir"
)

// inList reads _list: the ids of List resources, of which the result is to be items.
//
// See https://hl7.org/fhir/R4/search.html#list.
func (p *parser) inList(param Param) error {
	if param.Name != "_list" {
		return unknown("_list has no modifiers")
	}
	if param.Value == "" {
		return unknown("search parameter _list has no value")
	}
	raws, err := list("_list", param.Value)
	if err != nil {
		return err
	}
	item, err := p.lookup("List", "item")
	if err != nil {
		return err
	}
	ids := IDs{}
	for _, raw := range raws {
		id := strings.TrimPrefix(unescape(raw), "List/")
		if strings.HasPrefix(id, "$") {
			return unknown("this server has no functional lists such as %s; _list takes the ids of List resources", show(id))
		}
		if !fhir.ValidID(id) {
			return badValueOf("_list", raw, "it is a list of ids of List resources")
		}
		ids.Any = append(ids.Any, id)
	}
	p.q.Where = append(p.q.Where, Has{Source: "List", Param: item, Next: ids})
	return nil
}
