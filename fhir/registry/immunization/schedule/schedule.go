// Package schedule holds immunization schedules as data: which vaccines protect against
// what, in which series of doses, at which ages and intervals. The model is that of
// CDC's Clinical Decision Support for Immunization (CDSi) supporting data, versions 4.x
// (https://www.cdc.gov/iis/cdsi/), named in its terms, with what a country that
// schedules by birth cohort needs besides: series that hold for those born within
// certain dates, and a source for each rule.
//
// A schedule has a version and dates between which it holds; which of several holds on
// a day is [Shelf.On]. Nothing here computes a forecast: package immunization does.
package schedule

// Schedule is one version of the immunization schedule of one country.
type Schedule struct {
	Name     string     `json:"name"`    // "mx"
	Version  string     `json:"version"` // "2026.1"
	Title    string     `json:"title,omitempty"`
	Country  string     `json:"country,omitempty"` // ISO 3166-1 alpha-2
	From     Date       `json:"from,omitzero"`     // first day on which it holds; NoDate for always
	To       Date       `json:"to,omitzero"`       // last day on which it holds; NoDate for no end
	Source   string     `json:"source,omitempty"`
	Groups   []Group    `json:"groups"`
	Antigens []Antigen  `json:"antigens"`
	Vaccines []Vaccine  `json:"vaccines"`
	Live     []Conflict `json:"liveConflicts,omitempty"`
	// Observations tells how records write the observations that the rules ask for.
	Observations []Observation `json:"observations,omitempty"`
}

// Observation is a fact about a person that rules ask for by Code, with what it is
// coded as in clinical records.
type Observation struct {
	Code   string   `json:"code"` // as Immunity, Contraindication, Indication and Interval name it
	Title  string   `json:"title,omitempty"`
	Kind   string   `json:"kind,omitempty"`   // "problem" (also ""), "allergy" (a severe one), "lab" (a positive result) or "product" (given)
	Passes bool     `json:"passes,omitempty"` // it holds only while the record says so; otherwise for ever
	Codes  []string `json:"codes,omitempty"`  // "system|code"; "J45*" stands for all that begin with J45
}

// Group is a vaccine group: antigens that are recommended to the reader as one, such as
// measles, mumps and rubella.
type Group struct {
	Name     string   `json:"name"`              // key: "MMR"
	Title    string   `json:"title,omitempty"`   // for people: "Triple viral (SRP)"
	Aliases  []string `json:"aliases,omitempty"` // other names that it goes by: "SRP"
	Antigens []string `json:"antigens"`          // by Antigen.Name
	Whole    bool     `json:"whole,omitempty"`   // the full group is administered when any antigen is due
	CVX      string   `json:"cvx,omitempty"`     // vaccine that stands for the group in a recommendation
}

// Antigen is what a series protects against and the ways of being protected.
type Antigen struct {
	Name     string             `json:"name"`              // key: "Measles"
	Title    string             `json:"title,omitempty"`   // for people
	Disease  string             `json:"disease,omitempty"` // SNOMED CT code of the target disease
	Immunity Immunity           `json:"immunity,omitzero"`
	Against  []Contraindication `json:"contraindications,omitempty"`
	Series   []Series           `json:"series"`
}

// Immunity is evidence of immunity other than by doses.
type Immunity struct {
	History []string    `json:"history,omitempty"` // observation codes, each of which is evidence
	Births  []BirthRule `json:"births,omitempty"`
}

// BirthRule says that those born before a day are immune, unless they are excluded.
type BirthRule struct {
	Before  Date     `json:"before"`
	Country string   `json:"country,omitempty"` // of birth; "" for any
	Except  []string `json:"except,omitempty"`  // observation codes
}

// Contraindication is a reason not to vaccinate, for the whole vaccine group or, where
// Vaccines is not empty, for those vaccines only.
type Contraindication struct {
	Observation string    `json:"observation"` // code
	Text        string    `json:"text,omitempty"`
	Begin       Period    `json:"beginAge,omitzero"`
	End         Period    `json:"endAge,omitzero"`
	Vaccines    []Product `json:"vaccines,omitempty"`
}

// SeriesType says whom a series is for.
type SeriesType string

// Types of series.
const (
	Standard       SeriesType = "Standard"        // everybody
	Risk           SeriesType = "Risk"            // those with one of its indications
	EvaluationOnly SeriesType = "Evaluation Only" // its doses count, it is never recommended
)

// Series is one path to being protected against an antigen.
type Series struct {
	Name        string       `json:"name"`
	Group       string       `json:"group"` // by Group.Name
	Type        SeriesType   `json:"type"`
	Source      string       `json:"source,omitempty"`  // document that the rule comes from
	Unsure      string       `json:"unsure,omitempty"`  // what of it the source leaves open, and was chosen here
	Sex         []string     `json:"sex,omitempty"`     // required gender as CDSi writes it: Female, Male, Unknown, Transgender; nil for any
	BornFrom    Date         `json:"bornFrom,omitzero"` // cohort: first day of birth; NoDate for no bound
	BornTo      Date         `json:"bornTo,omitzero"`   // cohort: last day of birth; NoDate for no bound
	FromAge     Period       `json:"fromAge,omitzero"`  // age on the day of the assessment from which the series is looked at; not set for any
	ToAge       Period       `json:"toAge,omitzero"`    // age on that day from which it is no longer looked at; not set for no end
	Select      Select       `json:"select"`
	Indications []Indication `json:"indications,omitempty"`
	Doses       []TargetDose `json:"doses"`
}

// Select is how the best of several series is chosen (CDSi "select patient series").
type Select struct {
	Default       bool     `json:"default,omitempty"`
	ProductPath   bool     `json:"productPath,omitempty"`
	SeriesGroup   string   `json:"seriesGroup,omitempty"` // "1" Standard, "2" Increased Risk, ...
	GroupName     string   `json:"seriesGroupName,omitempty"`
	Equivalent    []string `json:"equivalentGroups,omitempty"` // series groups whose completion completes this
	Priority      string   `json:"priority,omitempty"`         // A before B before C
	Preference    int      `json:"preference,omitempty"`       // 1 is best; 0 for none given
	MinAgeToStart Period   `json:"minAgeToStart,omitzero"`
	MaxAgeToStart Period   `json:"maxAgeToStart,omitzero"`
}

// Indication is an observation that makes a risk series apply, between two ages.
type Indication struct {
	Observation string `json:"observation"`
	Text        string `json:"text,omitempty"`
	Begin       Period `json:"beginAge,omitzero"`
	End         Period `json:"endAge,omitzero"`
}

// TargetDose is one dose of a series.
type TargetDose struct {
	Ages        []Age      `json:"ages,omitempty"`
	Intervals   []Interval `json:"intervals,omitempty"`
	Allowable   []Interval `json:"allowableIntervals,omitempty"` // only Min counts
	Preferable  []Product  `json:"preferable"`
	Acceptable  []Product  `json:"acceptable,omitempty"`  // CDSi "allowable vaccine"
	Inadvertent []string   `json:"inadvertent,omitempty"` // CVX codes
	Skips       []Skip     `json:"skips,omitempty"`
	Recurring   bool       `json:"recurring,omitempty"`
	Season      Season     `json:"season,omitzero"`
}

// Age holds the ages of one dose, for assessments between two days.
type Age struct {
	AbsoluteMin         Period `json:"absMin,omitzero"`
	Min                 Period `json:"min,omitzero"`
	EarliestRecommended Period `json:"earliestRec,omitzero"`
	LatestRecommended   Period `json:"latestRec,omitzero"`
	Max                 Period `json:"max,omitzero"`
	Effective           Date   `json:"effective,omitzero"` // first day on which the row holds
	Cessation           Date   `json:"cessation,omitzero"` // last day on which the row holds
}

// Interval is the time between a dose and something before it.
type Interval struct {
	FromPrevious        bool     `json:"fromPrevious,omitempty"`
	FromTargetDose      int      `json:"fromTargetDose,omitempty"` // number of the target dose; 0 for none
	FromMostRecent      []string `json:"fromMostRecent,omitempty"` // CVX codes
	FromObservation     string   `json:"fromObservation,omitempty"`
	AbsoluteMin         Period   `json:"absMin,omitzero"`
	Min                 Period   `json:"min,omitzero"`
	EarliestRecommended Period   `json:"earliestRec,omitzero"`
	LatestRecommended   Period   `json:"latestRec,omitzero"`
	Override            bool     `json:"override,omitempty"` // interval priority "override"
	Effective           Date     `json:"effective,omitzero"`
	Cessation           Date     `json:"cessation,omitzero"`
}

// Product is a vaccine within an age range, and where it is given, of one trade name.
type Product struct {
	CVX      string `json:"cvx"`
	MVX      string `json:"mvx,omitempty"`
	Trade    string `json:"tradeName,omitempty"`
	Begin    Period `json:"beginAge,omitzero"`
	End      Period `json:"endAge,omitzero"`
	Volume   string `json:"volume,omitempty"`   // mL
	Forecast bool   `json:"forecast,omitempty"` // it is the one to name in a recommendation
}

// Skip says when a target dose is not needed.
type Skip struct {
	Context string    `json:"context"`       // "Evaluation", "Forecast" or "Both"
	Any     bool      `json:"any,omitempty"` // any set is enough; otherwise all
	Sets    []SkipSet `json:"sets"`
}

// SkipSet is a set of conditions of a skip.
type SkipSet struct {
	Any        bool        `json:"any,omitempty"` // any condition is enough; otherwise all
	Text       string      `json:"text,omitempty"`
	Effective  Date        `json:"effective,omitzero"`
	Cessation  Date        `json:"cessation,omitzero"`
	Conditions []Condition `json:"conditions"`
}

// ConditionType is what a condition of a skip looks at.
type ConditionType string

// Types of conditions.
const (
	ByAge           ConditionType = "Age"
	ByInterval      ConditionType = "Interval"
	ByCountAge      ConditionType = "Vaccine Count by Age"
	ByCountDate     ConditionType = "Vaccine Count by Date"
	CompletedSeries ConditionType = "Completed Series"
)

// Condition is one condition of a skip.
type Condition struct {
	Type     ConditionType `json:"type"`
	Start    Date          `json:"start,omitzero"`
	End      Date          `json:"end,omitzero"`
	BeginAge Period        `json:"beginAge,omitzero"`
	EndAge   Period        `json:"endAge,omitzero"`
	Interval Period        `json:"interval,omitzero"`
	Count    int           `json:"count,omitempty"`
	Logic    string        `json:"logic,omitempty"` // of Count: "greater than", "equal to", "less than"
	Valid    bool          `json:"valid,omitempty"` // valid doses only; otherwise all
	CVX      []string      `json:"cvx,omitempty"`   // nil for every vaccine
	Groups   []string      `json:"seriesGroups,omitempty"`
}

// Season is when a dose is recommended within a year. Start and End are days of one
// season, as CDSi gives them; Yearly repeats them each year by month and day, for a
// season that may pass over New Year.
type Season struct {
	Start  Date `json:"start,omitzero"`
	End    Date `json:"end,omitzero"`
	Yearly bool `json:"yearly,omitempty"`
}

// Vaccine is a product type and the antigens that it holds.
type Vaccine struct {
	CVX      string  `json:"cvx"`
	Name     string  `json:"name"`
	Antigens []Holds `json:"antigens"`
}

// Holds is an antigen of a vaccine, where that depends on the age between two ages.
type Holds struct {
	Antigen string `json:"antigen"`
	Begin   Period `json:"beginAge,omitzero"`
	End     Period `json:"endAge,omitzero"`
}

// Conflict says how long after one live vaccine another one does not count.
type Conflict struct {
	Previous string `json:"previous"` // CVX
	Current  string `json:"current"`  // CVX
	Begin    Period `json:"begin"`    // of the conflict, after the previous dose
	MinEnd   Period `json:"minEnd"`   // of the conflict when the previous dose was valid
	End      Period `json:"end"`      // of the conflict
}
