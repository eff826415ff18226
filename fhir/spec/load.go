package spec

var (
	types        map[string]*Type
	resources    []string
	params       map[string][]*SearchParam
	paramsByCode map[string]map[string]*SearchParam
	paramsByID   map[uint16]*SearchParam
	compartments map[string]map[string][]string
)
