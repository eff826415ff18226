package zone

import (
	"errors"
	"testing"
	"time"
)

// The rules of Mexican zones are those of today's tables, hour by hour.
func TestMexicanZones(t *testing.T) {
	none := func(string) (*time.Location, error) { return nil, errors.New("there are no tables") }
	for name := range mexican {
		table, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		rule, err := zoneBy(none, name)
		if err != nil || rule.String() != name {
			t.Fatalf("%s: %v, %v", name, rule, err)
		}
		for at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2032; at = at.Add(time.Hour) {
			long, want := at.In(table).Zone()
			if short, got := at.In(rule).Zone(); got != want || short != long {
				t.Fatalf("%s at %s: %s %d, want %s %d", name, at, short, got, long, want)
			}
		}
	}
}

// Tables of before 2022 are not believed about Mexico, and those of later are.
func TestOldTables(t *testing.T) {
	old := func(name string) (*time.Location, error) {
		switch name {
		case "America/Mexico_City", "America/Chihuahua":
			return ruled(name, map[string]string{"America/Mexico_City": "CST6CDT,M4.1.0,M10.5.0", "America/Chihuahua": "MST7MDT,M4.1.0,M10.5.0"}[name])
		case "America/Ciudad_Juarez": // it was of Ojinaga
			return nil, errors.New("unknown time zone")
		}
		return time.LoadLocation(name)
	}
	later := func(name string) (*time.Location, error) { // Chihuahua chooses another time one day
		if name == "America/Chihuahua" {
			return ruled(name, "MST7")
		}
		return time.LoadLocation(name)
	}
	july := time.Date(2027, 7, 1, 12, 0, 0, 0, time.UTC)
	for _, w := range []struct {
		tables func(string) (*time.Location, error)
		name   string
		hours  int
	}{
		{old, "America/Mexico_City", -6}, {old, "America/Chihuahua", -6}, {old, "America/Ciudad_Juarez", -6}, {old, "America/Tijuana", -7},
		{old, "Europe/Madrid", 2}, {later, "America/Chihuahua", -7}, {later, "America/Mexico_City", -6},
	} {
		z, err := zoneBy(w.tables, w.name)
		if err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
		if _, offset := july.In(z).Zone(); offset != w.hours*60*60 {
			t.Errorf("%s is %d seconds from UTC in July, want %d hours", w.name, offset, w.hours)
		}
	}
	if z, err := zoneBy(old, "Mars/Olympus"); err == nil {
		t.Errorf("%s is a zone", z)
	}
}

// What is no name of a place is no zone: where the server stands says nothing about an
// agenda, or about who sends a message.
func TestNoZone(t *testing.T) {
	for _, name := range []string{"", "Local", "America/Macondo", "../../etc/passwd"} {
		if z, err := Load(name); err == nil {
			t.Errorf("%q is %s", name, z)
		}
	}
}
