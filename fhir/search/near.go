package search

import (
	"math"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
	"github.com/amate-health/amate/fhir/ucum"
)

// EarthRadius is the mean radius of the Earth in metres, by which distances are
// computed (IUGG: (2a+b)/3 of WGS 84). The Earth taken as a ball, a distance is off
// by 0.5 % at most.
const EarthRadius = 6_371_008.8

// nearDefault is how far near looks when it is not told, in metres.
const nearDefault = 10_000

// Distance returns the great-circle distance in metres between two places, given in
// degrees, by the haversine formula.
func Distance(latA, lonA, latB, lonB float64) float64 {
	const degree = math.Pi / 180
	sinLat := math.Sin((latB - latA) * degree / 2)
	sinLon := math.Sin((lonB - lonA) * degree / 2)
	h := sinLat*sinLat + math.Cos(latA*degree)*math.Cos(latB*degree)*sinLon*sinLon
	return 2 * EarthRadius * math.Asin(math.Sqrt(min(h, 1)))
}

// holds reports whether the stored place is within the circle.
func (p Place) holds(v *Value) bool {
	return Distance(p.Lat, p.Lon, v.Near.Lat, v.Near.Lon) <= v.Near.Radius
}

// emitPosition indexes a Location.position.
func emitPosition(x *extractor, l *leaf, n element.Node) {
	lat, okLat := x.float(x.d.Get(n, "latitude"))
	lon, okLon := x.float(x.d.Get(n, "longitude"))
	if okLat && okLon && math.Abs(lat) <= 90 && math.Abs(lon) <= 180 {
		x.present(l)
		x.ix.Places = append(x.ix.Places, Place{Param: l.param, Lat: lat, Lon: lon})
	}
}

// parseNear reads one value of near, still escaped: latitude|longitude, perhaps with
// |distance|unit. The unit is a length in UCUM, kilometres when it is not given; mi,
// ft and nmi are taken too.
//
// See https://hl7.org/fhir/R4/location.html#positional.
func parseNear(p *spec.SearchParam, raw string) (Value, error) {
	v := Value{Raw: raw, Near: Near{Radius: nearDefault}}
	parts := split(raw, '|')
	for i := range parts {
		parts[i] = strings.TrimSpace(unescape(parts[i]))
	}
	if len(parts) < 2 || len(parts) > 4 {
		return v, badValue(p, raw, "it is latitude|longitude|distance|unit, of which the last two can be left out")
	}
	var ok bool
	if v.Near.Lat, ok = plainFloat(parts[0]); !ok || math.Abs(v.Near.Lat) > 90 {
		return v, badValue(p, raw, "its first part is the latitude, from -90 to 90 degrees")
	}
	if v.Near.Lon, ok = plainFloat(parts[1]); !ok || math.Abs(v.Near.Lon) > 180 {
		return v, badValue(p, raw, "its second part is the longitude, from -180 to 180 degrees")
	}
	metres := 1000.0
	if len(parts) == 4 && parts[3] != "" {
		if metres, ok = lengthOf(parts[3]); !ok {
			return v, badValue(p, raw, "its fourth part is a unit of length, such as km, m or mi")
		}
	}
	if len(parts) < 3 || parts[2] == "" {
		return v, nil
	}
	distance, ok := plainFloat(parts[2])
	if !ok || distance < 0 || math.IsInf(distance*metres, 0) {
		return v, badValue(p, raw, "its third part is a distance, 0 or more")
	}
	v.Near.Radius = distance * metres
	return v, nil
}

// plainFloat reads a number as the search syntax has it.
func plainFloat(text string) (float64, bool) {
	if !decimalForm(text) {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

// lengths are units that people write and UCUM writes otherwise.
var lengths = map[string]string{"mi": "[mi_i]", "mi_us": "[mi_us]", "ft": "[ft_i]", "nmi": "[nmi_i]", "yd": "[yd_i]", "mile": "[mi_i]", "miles": "[mi_i]"}

// lengthOf returns a unit of length in metres.
func lengthOf(unit string) (float64, bool) {
	if code, ok := lengths[strings.ToLower(unit)]; ok {
		unit = code
	}
	if len(unit) > 20 {
		return 0, false
	}
	u, err := ucum.Parse(unit)
	if err != nil {
		return 0, false
	}
	if metre, err := ucum.Parse("m"); err != nil || !u.Comparable(metre) {
		return 0, false
	}
	s := newScale(u)
	if s == nil {
		return 0, false
	}
	return s.convert(1)
}
