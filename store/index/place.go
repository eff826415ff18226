package index

import (
	"cmp"
	"math"

	"github.com/amate-health/amate/fhir/search"
)

// comparePlaces orders the rows of place_value.
func comparePlaces(a, b search.Place) int {
	return cmp.Or(cmp.Compare(a.Param, b.Param), cmp.Compare(a.Lat, b.Lat), cmp.Compare(a.Lon, b.Lon))
}

// placeValue appends that a row x lies within a circle: between two latitudes, where
// an index can start, and then by the great-circle distance.
//
// See https://hl7.org/fhir/R4/location.html#positional.
func (c *Condition) placeValue(v *search.Value) error {
	n := v.Near
	degrees := n.Radius/search.EarthRadius*180/math.Pi*(1+1e-9) + 1e-9
	c.Add("x.lat >= ").Arg(n.Lat - degrees).Add(" AND x.lat <= ").Arg(n.Lat + degrees)
	// Half the chord between the points, on a sphere of radius 1, squared.
	c.Add(" AND power(sin(radians(x.lat - ").Arg(n.Lat).Add(") / 2), 2) + cos(radians(").Arg(n.Lat)
	c.Add(")) * cos(radians(x.lat)) * power(sin(radians(x.lon - ").Arg(n.Lon).Add(") / 2), 2) <= ")
	half := math.Sin(math.Min(n.Radius/(2*search.EarthRadius), math.Pi/2))
	c.Arg(half * half)
	return nil
}
