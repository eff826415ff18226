// Package zone knows the time zones of Mexico, whatever the tables of the machine say.
package zone

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	_ "time/tzdata" // where a machine has no tables
)

// mexican are the rules of the zones of Mexico since 30 October 2022, when it gave daylight saving time up
// but for municipalities at the border, which keep that of their neighbours (Ley de los
// Husos Horarios en los Estados Unidos Mexicanos); as POSIX writes them in TZ.
var mexican = map[string]string{
	"America/Mexico_City": "CST6", "America/Monterrey": "CST6", "America/Merida": "CST6", "America/Bahia_Banderas": "CST6", "America/Chihuahua": "CST6",
	"America/Mazatlan": "MST7", "America/Hermosillo": "MST7", "America/Cancun": "EST5",
	"America/Tijuana": "PST8PDT,M3.2.0,M11.1.0", "America/Ciudad_Juarez": "MST7MDT,M3.2.0,M11.1.0",
	"America/Ojinaga": "CST6CDT,M3.2.0,M11.1.0", "America/Matamoros": "CST6CDT,M3.2.0,M11.1.0",
}

// Load returns a time zone by its name, such as America/Mexico_City. A machine whose tables
// are of before 2022 would be an hour wrong all summer; those are not believed about Mexico,
// and there the rules of today hold for the summers of before 2022 as well.
func Load(name string) (*time.Location, error) {
	if name == "" || name == "Local" { // which are UTC, and wherever the server is
		return nil, errors.New("this is no name of a time zone")
	}
	return zoneBy(time.LoadLocation, name)
}

func zoneBy(tables func(name string) (*time.Location, error), name string) (*time.Location, error) {
	found, err := tables(name)
	rule, ok := mexican[name]
	if !ok {
		return found, err
	}
	if capital, bad := tables("America/Mexico_City"); err == nil && bad == nil {
		if _, offset := time.Date(2026, 7, 1, 12, 0, 0, 0, capital).Zone(); offset == -6*60*60 {
			return found, nil
		}
	}
	return ruled(name, rule)
}

// ruled returns a zone that follows one rule at all times: tables of RFC 8536 that hold
// nothing but that.
func ruled(name, rule string) (*time.Location, error) {
	var hours int32
	if _, err := fmt.Sscanf(rule[3:], "%d", &hours); err != nil {
		return nil, fmt.Errorf("the rule of %s: %w", name, err)
	}
	block := append([]byte("TZif2"), make([]byte, 15)...)
	for _, n := range []uint32{0, 0, 0, 0, 1, 4} { // one kind of time, whose name has four bytes
		block = binary.BigEndian.AppendUint32(block, n)
	}
	block = binary.BigEndian.AppendUint32(block, uint32(-hours*60*60))
	block = append(block, 0, 0) // no daylight saving time; its name begins there
	block = append(block, rule[:3]+"\x00"...)
	return time.LoadLocationFromTZData(name, append(append(block, block...), "\n"+rule+"\n"...))
}
