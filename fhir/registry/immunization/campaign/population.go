package campaign

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
)

// Population is how many were born in a year, by where they live, as a source from
// elsewhere has it: a projection, a census, the births that were registered.
type Population struct {
	Source string            `json:"source,omitempty"`
	Places map[string][3]int `json:"places"` // unknown sex, female, male; by key: "00" the country, "09" a state, "09015" a municipality
}

func readPopulation(value []byte) (*Population, error) {
	p := &Population{}
	if err := json.Unmarshal(value, p); err != nil {
		return nil, fmt.Errorf("a population that is kept: %w", err)
	}
	return p, nil
}

// ReadPopulations reads a CSV with a head: year (of birth), population, and where it is
// known municipality (a key of INEGI, or that of a state, or 00) and sex (female, male).
// It returns the populations as entries, by year, ready to be kept.
// Errors name the line and what is wrong with it.
func ReadPopulations(in io.Reader, source string) ([]fhir.Entry, error) {
	r := csv.NewReader(in)
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("the head: %w", err)
	}
	at := map[string]int{}
	for i, name := range head {
		at[strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))] = i
	}
	for _, name := range []string{"year", "population"} {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("there is no column %s: the head names year, population, and municipality and sex where they are known", name)
		}
	}
	years := map[int]*Population{}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		get := func(name string) string {
			if i, ok := at[name]; ok {
				return strings.TrimSpace(record[i])
			}
			return ""
		}
		if err := addPopulation(years, source, get); err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
	if len(years) == 0 {
		return nil, errors.New("there is no line with a population")
	}
	var all []fhir.Entry
	for year, p := range years {
		all = append(all, fhir.Entry{Kind: populationKind, Key: strconv.Itoa(year), Value: compose.JSON(p)})
	}
	slices.SortFunc(all, func(a, b fhir.Entry) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}

func addPopulation(years map[int]*Population, source string, get func(string) string) error {
	year, err := strconv.Atoi(get("year"))
	if err != nil || year < 1900 || year > 2200 {
		return fmt.Errorf("%q is no year of birth", get("year"))
	}
	n, err := strconv.Atoi(get("population"))
	if err != nil || n < 0 || n > 1e9 {
		return fmt.Errorf("%q is no number of people", get("population"))
	}
	where := get("municipality")
	if where == "" {
		where = "00"
	}
	if where != "00" && !entity.MatchString(where) && !municipality.MatchString(where) {
		return fmt.Errorf("%q is no municipality (five digits), state (two) or 00", where)
	}
	sex := 0
	if name := strings.ToLower(get("sex")); name != "" {
		if sex = slices.Index(sexes, name); sex < 1 {
			return fmt.Errorf("%q is neither female nor male", get("sex"))
		}
	}
	p := years[year]
	if p == nil {
		p = &Population{Source: source, Places: map[string][3]int{}}
		years[year] = p
	}
	row := p.Places[where]
	if row[sex] != 0 {
		return fmt.Errorf("%s of %d is there twice", where, year)
	}
	row[sex] = n
	p.Places[where] = row
	return nil
}

// of returns the population of a part of a report, and whether it is known.
func (p *Population) of(r *Report, c *Cell) (int, bool) {
	sex := r.Sex
	if slices.Contains(r.By, bySex) && c != r.Total {
		if sex = c.Key.Sex; sex == 0 {
			return 0, false // nobody is projected to be of unknown sex
		}
	}
	key := "00"
	if r.area.place != 0 {
		key = fmt.Sprintf("%05d", r.area.place)
		if r.area.end-r.area.place == 1000 {
			key = fmt.Sprintf("%02d", r.area.place/1000)
		}
	}
	if c != r.Total && (slices.Contains(r.By, byMunicipality) || slices.Contains(r.By, byState)) {
		if c.Key.Place == 0 {
			return 0, false
		}
		if key = fmt.Sprintf("%02d", c.Key.Place); slices.Contains(r.By, byMunicipality) {
			key = fmt.Sprintf("%05d", c.Key.Place)
		}
	}
	return p.at(key, sex)
}

// at returns the population of a place, as it stands by itself: whether the municipalities
// that are known are all of a state, nobody can tell.
func (p *Population) at(key string, sex uint8) (int, bool) {
	row, ok := p.Places[key]
	if !ok {
		return 0, false
	}
	return ofSex(row, sex)
}

func ofSex(row [3]int, sex uint8) (int, bool) {
	if sex != 0 {
		return row[sex], row[sex] > 0
	}
	if row[0] > 0 {
		return row[0], true
	}
	return row[1] + row[2], row[1]+row[2] > 0
}
