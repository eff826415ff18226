package cdsi

// These types hold the supporting data as CDC publishes it: the XML files, and their
// conversion to JSON, share all names but those of the vaccine and antigen lists.

// antigenData is the supporting data of one antigen.
type antigenData struct {
	Key      string `json:"key" xml:"-"`
	Name     string `json:"name" xml:"-"`
	Immunity struct {
		History []struct {
			Code string `json:"guidelineCode" xml:"guidelineCode"`
		} `json:"clinicalHistory" xml:"clinicalHistory"`
		Births []struct {
			Before    string `json:"immunityBirthDate" xml:"immunityBirthDate"`
			Country   string `json:"birthCountry" xml:"birthCountry"`
			Exclusion []struct {
				Code string `json:"exclusionCode" xml:"exclusionCode"`
			} `json:"exclusion" xml:"exclusion"`
		} `json:"dateOfBirth" xml:"dateOfBirth"`
	} `json:"immunity" xml:"immunity"`
	Contraindications struct {
		Group   []contraindicationData `json:"vaccineGroup" xml:"vaccineGroup>contraindication"`
		Vaccine []contraindicationData `json:"vaccine" xml:"vaccine>contraindication"`
	} `json:"contraindications" xml:"contraindications"`
	Series []seriesData `json:"series" xml:"series"`
}

type contraindicationData struct {
	Observation string        `json:"observationCode" xml:"observationCode"`
	Text        string        `json:"contraindicationText" xml:"contraindicationText"`
	Begin       string        `json:"beginAge" xml:"beginAge"`
	End         string        `json:"endAge" xml:"endAge"`
	Vaccines    []productData `json:"contraindicatedVaccine" xml:"contraindicatedVaccine"`
}

type seriesData struct {
	Name       string   `json:"seriesName" xml:"seriesName"`
	Disease    string   `json:"targetDisease" xml:"targetDisease"`
	Group      string   `json:"vaccineGroup" xml:"vaccineGroup"`
	Type       string   `json:"seriesType" xml:"seriesType"`
	Equivalent string   `json:"equivalentSeriesGroups" xml:"equivalentSeriesGroups"`
	Gender     []string `json:"requiredGender" xml:"requiredGender"`
	Select     struct {
		Default     string `json:"defaultSeries" xml:"defaultSeries"`
		ProductPath string `json:"productPath" xml:"productPath"`
		GroupName   string `json:"seriesGroupName" xml:"seriesGroupName"`
		Group       string `json:"seriesGroup" xml:"seriesGroup"`
		Priority    string `json:"seriesPriority" xml:"seriesPriority"`
		Preference  string `json:"seriesPreference" xml:"seriesPreference"`
		MinAge      string `json:"minAgeToStart" xml:"minAgeToStart"`
		MaxAge      string `json:"maxAgeToStart" xml:"maxAgeToStart"`
	} `json:"selectSeries" xml:"selectSeries"`
	Indications []struct {
		Observation struct {
			Code string `json:"code" xml:"code"`
		} `json:"observationCode" xml:"observationCode"`
		Text  string `json:"description" xml:"description"`
		Begin string `json:"beginAge" xml:"beginAge"`
		End   string `json:"endAge" xml:"endAge"`
	} `json:"indication" xml:"indication"`
	Doses []doseData `json:"seriesDose" xml:"seriesDose"`
}

type doseData struct {
	Number      string         `json:"doseNumber" xml:"doseNumber"`
	Ages        []ageData      `json:"age" xml:"age"`
	Intervals   []intervalData `json:"interval" xml:"interval"`
	Allowable   []intervalData `json:"allowableInterval" xml:"allowableInterval"`
	Preferable  []productData  `json:"preferableVaccine" xml:"preferableVaccine"`
	Acceptable  []productData  `json:"allowableVaccine" xml:"allowableVaccine"`
	Inadvertent []productData  `json:"inadvertentVaccine" xml:"inadvertentVaccine"`
	Skips       []skipData     `json:"conditionalSkip" xml:"conditionalSkip"`
	Recurring   string         `json:"recurringDose" xml:"recurringDose"`
	Season      struct {
		Start string `json:"startDate" xml:"startDate"`
		End   string `json:"endDate" xml:"endDate"`
	} `json:"seasonalRecommendation" xml:"seasonalRecommendation"`
}

type ageData struct {
	AbsoluteMin string `json:"absMinAge" xml:"absMinAge"`
	Min         string `json:"minAge" xml:"minAge"`
	Earliest    string `json:"earliestRecAge" xml:"earliestRecAge"`
	Latest      string `json:"latestRecAge" xml:"latestRecAge"`
	Max         string `json:"maxAge" xml:"maxAge"`
	Effective   string `json:"effectiveDate" xml:"effectiveDate"`
	Cessation   string `json:"cessationDate" xml:"cessationDate"`
}

type intervalData struct {
	FromPrevious   string `json:"fromPrevious" xml:"fromPrevious"`
	FromTargetDose string `json:"fromTargetDose" xml:"fromTargetDose"`
	FromMostRecent string `json:"fromMostRecent" xml:"fromMostRecent"`
	FromObs        struct {
		Code string `json:"code" xml:"code"`
	} `json:"fromRelevantObs" xml:"fromRelevantObs"`
	AbsoluteMin string `json:"absMinInt" xml:"absMinInt"`
	Min         string `json:"minInt" xml:"minInt"`
	Earliest    string `json:"earliestRecInt" xml:"earliestRecInt"`
	Latest      string `json:"latestRecInt" xml:"latestRecInt"`
	Priority    string `json:"intervalPriority" xml:"intervalPriority"`
	Effective   string `json:"effectiveDate" xml:"effectiveDate"`
	Cessation   string `json:"cessationDate" xml:"cessationDate"`
}

type productData struct {
	CVX      string `json:"cvx" xml:"cvx"`
	MVX      string `json:"mvx" xml:"mvx"`
	Trade    string `json:"tradeName" xml:"tradeName"`
	Begin    string `json:"beginAge" xml:"beginAge"`
	End      string `json:"endAge" xml:"endAge"`
	Volume   string `json:"volume" xml:"volume"`
	Forecast string `json:"forecastVaccineType" xml:"forecastVaccineType"`
}

type skipData struct {
	Context string `json:"context" xml:"context"`
	Logic   string `json:"setLogic" xml:"setLogic"`
	Sets    []struct {
		Text       string          `json:"setDescription" xml:"setDescription"`
		Effective  string          `json:"effectiveDate" xml:"effectiveDate"`
		Cessation  string          `json:"cessationDate" xml:"cessationDate"`
		Logic      string          `json:"conditionLogic" xml:"conditionLogic"`
		Conditions []conditionData `json:"condition" xml:"condition"`
	} `json:"set" xml:"set"`
}

type conditionData struct {
	Type     string `json:"conditionType" xml:"conditionType"`
	Start    string `json:"startDate" xml:"startDate"`
	End      string `json:"endDate" xml:"endDate"`
	BeginAge string `json:"beginAge" xml:"beginAge"`
	EndAge   string `json:"endAge" xml:"endAge"`
	Interval string `json:"interval" xml:"interval"`
	Count    string `json:"doseCount" xml:"doseCount"`
	DoseType string `json:"doseType" xml:"doseType"`
	Logic    string `json:"doseCountLogic" xml:"doseCountLogic"`
	Vaccines string `json:"vaccineTypes" xml:"vaccineTypes"`
	Groups   string `json:"seriesGroups" xml:"seriesGroups"`
}

// scheduleData is the supporting data that all antigens share, as XML.
type scheduleData struct {
	Live   []conflictData `xml:"liveVirusConflicts>liveVirusConflict"`
	Groups []struct {
		Name  string `xml:"name"`
		Whole string `xml:"administerFullVaccineGroup"`
	} `xml:"vaccineGroups>vaccineGroup"`
	Members []struct {
		Name     string   `xml:"name"`
		Antigens []string `xml:"antigen"`
	} `xml:"vaccineGroupToAntigenMap>vaccineGroupMap"`
	Vaccines []vaccineData `xml:"cvxToAntigenMap>cvxMap"`
}

type vaccineData struct {
	CVX          string `json:"cvx" xml:"cvx"`
	Name         string `json:"shortDescription" xml:"shortDescription"`
	Associations []struct {
		Antigen string `json:"antigen" xml:"antigen"`
		Begin   string `json:"associationBeginAge" xml:"associationBeginAge"`
		End     string `json:"associationEndAge" xml:"associationEndAge"`
	} `json:"association" xml:"association"`
	Conflicts []conflictData `json:"liveVirusConflicts" xml:"-"`
}

type conflictData struct {
	Previous productData `json:"previous" xml:"previous"`
	Current  productData `json:"-" xml:"current"`
	Begin    string      `json:"conflictBeginInterval" xml:"conflictBeginInterval"`
	MinEnd   string      `json:"minConflictEndInterval" xml:"minConflictEndInterval"`
	End      string      `json:"conflictEndInterval" xml:"conflictEndInterval"`
}

// observationData is an observation of the JSON conversion; the engine needs none of it
// but reads it so that a wrong file is told.
type observationData struct {
	Code  string `json:"observationCode"`
	Title string `json:"observationTitle"`
}
