package identity

import "strings"

// Entity is one of the 32 federal entities of Mexico.
type Entity struct {
	INEGI string // two digits, "01" to "32"
	CURP  string // the two letters that a CURP uses
	ISO   string // the part of ISO 3166-2 after "MX-"
	Name  string
}

// Abroad is the entity code in the CURP of a person born outside Mexico.
const Abroad = "NE"

// Entities returns the federal entities in the order of their INEGI keys. The
// caller must not change what it returns.
func Entities() []Entity { return entities }

var entities = []Entity{
	{"01", "AS", "AGU", "Aguascalientes"},
	{"02", "BC", "BCN", "Baja California"},
	{"03", "BS", "BCS", "Baja California Sur"},
	{"04", "CC", "CAM", "Campeche"},
	{"05", "CL", "COA", "Coahuila"},
	{"06", "CM", "COL", "Colima"},
	{"07", "CS", "CHP", "Chiapas"},
	{"08", "CH", "CHH", "Chihuahua"},
	{"09", "DF", "CMX", "Ciudad de México"},
	{"10", "DG", "DUR", "Durango"},
	{"11", "GT", "GUA", "Guanajuato"},
	{"12", "GR", "GRO", "Guerrero"},
	{"13", "HG", "HID", "Hidalgo"},
	{"14", "JC", "JAL", "Jalisco"},
	{"15", "MC", "MEX", "México"},
	{"16", "MN", "MIC", "Michoacán"},
	{"17", "MS", "MOR", "Morelos"},
	{"18", "NT", "NAY", "Nayarit"},
	{"19", "NL", "NLE", "Nuevo León"},
	{"20", "OC", "OAX", "Oaxaca"},
	{"21", "PL", "PUE", "Puebla"},
	{"22", "QT", "QUE", "Querétaro"},
	{"23", "QR", "ROO", "Quintana Roo"},
	{"24", "SP", "SLP", "San Luis Potosí"},
	{"25", "SL", "SIN", "Sinaloa"},
	{"26", "SR", "SON", "Sonora"},
	{"27", "TC", "TAB", "Tabasco"},
	{"28", "TS", "TAM", "Tamaulipas"},
	{"29", "TL", "TLA", "Tlaxcala"},
	{"30", "VZ", "VER", "Veracruz"},
	{"31", "YN", "YUC", "Yucatán"},
	{"32", "ZS", "ZAC", "Zacatecas"},
}

// isEntity reports whether code is an entity code of a CURP, Abroad included.
func isEntity(code string) bool {
	if code == Abroad {
		return true
	}
	for i := range entities {
		if entities[i].CURP == code {
			return true
		}
	}
	return false
}

// EntityOf returns the CURP code of the entity that text names: by its INEGI key, the code
// of a CURP, that of ISO 3166-2 with or without "MX-", or its name without regard to case
// and accents.
func EntityOf(text string) (curp string, ok bool) {
	want := strings.Join(words(text), " ")
	short := strings.TrimPrefix(want, "MX-")
	for i := range entities {
		e := &entities[i]
		if short == e.INEGI || short == e.CURP || short == e.ISO || want == strings.Join(words(e.Name), " ") {
			return e.CURP, true
		}
	}
	return "", false
}
