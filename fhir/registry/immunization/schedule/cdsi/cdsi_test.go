package cdsi_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule/cdsi"
	"github.com/amate-health/amate/fhir/samples"
)

// scheduleXML and antigenXML are small supporting data in the form of CDC's.
const (
	scheduleXML = `<scheduleSupportingData>
<liveVirusConflicts><liveVirusConflict><previous><cvx>03</cvx></previous><current><cvx>21</cvx></current>
<conflictBeginInterval>1 day</conflictBeginInterval><minConflictEndInterval>28 days</minConflictEndInterval><conflictEndInterval>30 days</conflictEndInterval></liveVirusConflict></liveVirusConflicts>
<vaccineGroups><vaccineGroup><name>MMR</name><administerFullVaccineGroup>Yes</administerFullVaccineGroup></vaccineGroup></vaccineGroups>
<cvxToAntigenMap>
<cvxMap><cvx>03</cvx><shortDescription>MMR</shortDescription><association><antigen>Measles</antigen><associationBeginAge/><associationEndAge/></association></cvxMap>
<cvxMap><cvx>21</cvx><shortDescription>Varicella</shortDescription><association><antigen>Varicella</antigen></association></cvxMap>
</cvxToAntigenMap></scheduleSupportingData>`
	antigenXML = `<antigenSupportingData>
<immunity><clinicalHistory><guidelineCode>020</guidelineCode></clinicalHistory>
<dateOfBirth><immunityBirthDate>01/01/1957</immunityBirthDate><birthCountry/><exclusion><exclusionCode>055</exclusionCode></exclusion></dateOfBirth></immunity>
<contraindications>
<vaccineGroup><contraindication><observationCode>080</observationCode><contraindicationText>No.</contraindicationText><beginAge/><endAge/></contraindication></vaccineGroup>
<vaccine><contraindication><observationCode>081</observationCode><contraindicatedVaccine><cvx>94</cvx><endAge>13 years</endAge></contraindicatedVaccine></contraindication></vaccine></contraindications>
<series><seriesName>Measles 2-dose series</seriesName><targetDisease>Measles</targetDisease><vaccineGroup>MMR </vaccineGroup><seriesType>Risk</seriesType><equivalentSeriesGroups>2; 3</equivalentSeriesGroups><requiredGender>Female</requiredGender><requiredGender/>
<selectSeries><defaultSeries>Yes</defaultSeries><productPath>No</productPath><seriesGroupName>Standard</seriesGroupName><seriesGroup>1</seriesGroup><seriesPriority>A</seriesPriority><seriesPreference>1</seriesPreference><minAgeToStart>n/a</minAgeToStart><maxAgeToStart>19 years</maxAgeToStart></selectSeries>
<indication><observationCode><text>x</text><code>007</code></observationCode><description>y</description><beginAge>18 years</beginAge><endAge/></indication>
<seriesDose><doseNumber>Dose 1</doseNumber>
<age><absMinAge>12 months - 4 days</absMinAge><minAge>12 months</minAge><earliestRecAge>12 months</earliestRecAge><latestRecAge>16 months + 4 weeks</latestRecAge><maxAge/><effectiveDate/><cessationDate>20240101</cessationDate></age>
<interval/><interval><fromPrevious>N</fromPrevious><fromTargetDose/><fromMostRecent>3; 21</fromMostRecent><fromRelevantObs/><absMinInt>0 days</absMinInt><minInt>8 weeks</minInt><intervalPriority>override</intervalPriority><effectiveDate>20200101</effectiveDate></interval>
<allowableInterval/>
<preferableVaccine><vaccineType>MMR</vaccineType><cvx>03</cvx><beginAge>12 months</beginAge><endAge/><tradeName>T</tradeName><mvx>MSD</mvx><volume>0.5</volume><forecastVaccineType>Y</forecastVaccineType></preferableVaccine>
<allowableVaccine><cvx>94</cvx></allowableVaccine><inadvertentVaccine><cvx>21</cvx></inadvertentVaccine><inadvertentVaccine/>
<conditionalSkip><context>Both</context><setLogic>OR</setLogic><set><setID>1</setID><setDescription>old</setDescription><effectiveDate/><cessationDate/><conditionLogic>AND</conditionLogic>
<condition><conditionType>Vaccine Count By Date</conditionType><startDate>20240822</startDate><endDate/><doseCount>1</doseCount><doseType>valid</doseType><doseCountLogic>Greater Than</doseCountLogic><vaccineTypes>03; 94</vaccineTypes><seriesGroups>1</seriesGroups></condition></set></conditionalSkip>
<recurringDose>Yes</recurringDose><seasonalRecommendation><startDate>20240701</startDate><endDate>20250630</endDate></seasonalRecommendation></seriesDose></series>
</antigenSupportingData>`
)

func small() []cdsi.File {
	return []cdsi.File{{Name: "AntigenSupportingData- Measles-508.xml", Text: []byte(antigenXML)}, {Name: "ScheduleSupportingData.xml", Text: []byte(scheduleXML)}}
}

// want is what the small data are in our form.
const want = `{"name":"cdsi","version":"V","title":"CDC CDSi supporting data","country":"US","source":"https://www.cdc.gov/iis/cdsi/",
"groups":[{"name":"MMR","title":"MMR","antigens":["Measles"],"whole":true}],
"antigens":[{"name":"Measles","title":"Measles","immunity":{"history":["020"],"births":[{"before":"1957-01-01","except":["055"]}]},
"contraindications":[{"observation":"080","text":"No."},{"observation":"081","vaccines":[{"cvx":"94","endAge":"13 years"}]}],
"series":[{"name":"Measles 2-dose series","group":"MMR","type":"Risk","sex":["Female"],
"select":{"default":true,"seriesGroup":"1","seriesGroupName":"Standard","equivalentGroups":["2","3"],"priority":"A","preference":1,"maxAgeToStart":"19 years"},
"indications":[{"observation":"007","text":"y","beginAge":"18 years"}],
"doses":[{"ages":[{"absMin":"1 year - 4 days","min":"1 year","earliestRec":"1 year","latestRec":"16 months + 4 weeks","cessation":"2024-01-01"}],
"intervals":[{"fromMostRecent":["03","21"],"absMin":"0 days","min":"8 weeks","override":true,"effective":"2020-01-01"}],
"preferable":[{"cvx":"03","mvx":"MSD","tradeName":"T","beginAge":"1 year","volume":"0.5","forecast":true}],
"acceptable":[{"cvx":"94"}],"inadvertent":["21"],
"skips":[{"context":"Both","any":true,"sets":[{"text":"old","conditions":[{"type":"Vaccine Count by Date","start":"2024-08-22","count":1,"logic":"greater than","valid":true,"cvx":["03","94"],"seriesGroups":["1"]}]}]}],
"recurring":true,"season":{"start":"2024-07-01","end":"2025-06-30"}}]}]}],
"vaccines":[{"cvx":"03","name":"MMR","antigens":[{"antigen":"Measles"}]},{"cvx":"21","name":"Varicella","antigens":null}],
"liveConflicts":[{"previous":"03","current":"21","begin":"1 day","minEnd":"4 weeks","end":"30 days"}]}`

func TestReadXML(t *testing.T) {
	s, err := cdsi.Read(small())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.Version, "sha256-") {
		t.Errorf("version %q", s.Version)
	}
	s.Version = "V"
	got, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var one, other any
	if err := json.Unmarshal(got, &one); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &other); err != nil {
		t.Fatal(err)
	}
	a, _ := json.MarshalIndent(one, "", " ")
	b, _ := json.MarshalIndent(other, "", " ")
	if !bytes.Equal(a, b) {
		t.Errorf("got %s\nwant %s", a, b)
	}
}

// Every error names the file, the element and the value.
func TestErrorsNameThePlace(t *testing.T) {
	for _, r := range []struct{ old, new, want string }{
		{"<absMinAge>12 months - 4 days", "<absMinAge>12 moons", `Measles-508.xml: series "Measles 2-dose series": Dose 1: absMinAge "12 moons"`},
		{"20240101", "2024-99-01", `age/cessationDate "2024-99-01"`},
		{"01/01/1957", "1957", `immunityBirthDate "1957"`},
		{"<seriesType>Risk", "<seriesType>Odd", `seriesType "Odd"`},
		{"Vaccine Count By Date", "Moon", `conditionType "Moon"`},
		{"<doseCount>1", "<doseCount>one", `doseCount "one"`},
		{"<context>Both", "<context>Never", `conditionalSkip/context "Never"`},
		{"<fromMostRecent>3; 21", "<fromMostRecent>3; x", `fromMostRecent "x"`},
		{"<targetDisease>Measles", "<targetDisease>", `targetDisease ""`},
		{"<vaccineGroup>MMR ", "<vaccineGroup> ", `vaccineGroup " "`},
		{"<seriesPreference>1", "<seriesPreference>-1", `seriesPreference "-1"`},
		{"<antigenSupportingData>", "<other>", `"other", not antigenSupportingData`},
		{"</series>", "", "Measles-508.xml"},
	} {
		files := small()
		changed := strings.Replace(antigenXML, r.old, r.new, 1)
		if changed == antigenXML {
			t.Fatalf("%q is not in the data", r.old)
		}
		files[0].Text = []byte(changed)
		if _, err := cdsi.Read(files); err == nil || !strings.Contains(err.Error(), r.want) {
			t.Errorf("%s for %s: %v", r.new, r.old, err)
		}
	}
	for name, files := range map[string][]cdsi.File{"no antigen": small()[1:], "no vaccine": small()[:1]} {
		if _, err := cdsi.Read(files); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The forms in which data lie on a disk.
func TestLoad(t *testing.T) {
	folder := t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, f := range small() {
		write("xml/"+f.Name, f.Text)
	}
	write("xml/README.txt", []byte("not data"))
	archive := write("data-4.64-508-xml.tar.gz", pack(t, small()))
	for path, version := range map[string]string{filepath.Join(folder, "xml"): "sha256-", archive: "4.64", folder: "4.64"} {
		s, err := cdsi.Load(path)
		if err != nil || len(s.Antigens) != 1 || !strings.HasPrefix(s.Version, version) {
			t.Errorf("%s: %v", path, err)
		}
	}
	empty := t.TempDir()
	cut := write("cut.tar.gz", pack(t, small())[:200])
	for _, path := range []string{empty, cut, filepath.Join(folder, "nowhere"), write("plain.tar.gz", []byte("no gzip"))} {
		if s, err := cdsi.Load(path); err == nil {
			t.Errorf("%s: %+v", path, s)
		}
	}
}

// An archive that unpacks to more than the limit is refused, and not kept in memory.
func TestLimits(t *testing.T) {
	huge := []cdsi.File{{Name: "AntigenSupportingData- Big.xml", Text: bytes.Repeat([]byte(" "), 33<<20)}}
	path := filepath.Join(t.TempDir(), "bomb.tar.gz")
	if err := os.WriteFile(path, pack(t, huge), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := cdsi.Load(path); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a file that is too large: %v", err)
	}
}

// pack returns files as a .tar.gz.
func pack(t testing.TB, files []cdsi.File) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: "./" + f.Name, Mode: 0o600, Size: int64(len(f.Text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.Text); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []interface{ Close() error }{w, z} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// CDC's own data, in both forms: JSON goes first, and XML adds the antigens that it lacks.
func TestCDCData(t *testing.T) {
	both, err := cdsi.Load(samples.Path(t, "cdsi"))
	if err != nil {
		t.Fatal(err)
	}
	xml, err := cdsi.Load(samples.Path(t, "cdsi", "supporting-data-4.64-508-xml.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if xml.Version != "4.64" || len(xml.Antigens) != 30 || len(both.Antigens) != 30 || len(xml.Groups) != 26 || len(both.Groups) != 26 {
		t.Errorf("XML: version %s, %d antigens, %d groups; both: %d antigens, %d groups", xml.Version, len(xml.Antigens), len(xml.Groups), len(both.Antigens), len(both.Groups))
	}
	for _, s := range []*schedule.Schedule{xml, both} {
		for _, g := range s.Groups {
			if whole := g.Name == "MMR"; g.Whole != whole || (g.Name == "MMR" || g.Name == "DTAP") != (len(g.Antigens) == 3) {
				t.Errorf("group %+v", g)
			}
		}
	}
	for _, a := range both.Antigens {
		for _, r := range a.Series {
			for _, d := range r.Doses {
				if d.Season.Yearly && a.Name != "RSV" || a.Name == "Influenza" && d.Season.Start.IsZero() {
					t.Errorf("%s: season %+v", r.Name, d.Season)
				}
			}
		}
	}
}

// FuzzRead: whatever a file holds, it is read or refused.
func FuzzRead(f *testing.F) {
	for _, s := range small() {
		f.Add(s.Name, s.Text)
	}
	f.Add("antigen.json", []byte(`[{"key":"x","name":"X","series":[{"seriesName":"s","vaccineGroup":"X","seriesType":"Standard","seriesDose":[{"age":[{"absMinAge":"1 year"}],"interval":null}]}]}]`))
	f.Add("antigen.json", []byte(`[{"name":"X","series":null},{"name":"X"}]`))
	f.Add("vaccine.json", []byte(`[{"cvx":"1","association":[{"antigen":"x"}],"liveVirusConflicts":[{"previous":{"cvx":"03"}}]}]`))
	f.Add("observation.json", []byte(`[{"observationCode":"001"}]`))
	f.Add("a.xml", []byte(`<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e "x"><!ENTITY f "&e;&e;&e;">]><antigenSupportingData><series><seriesName>&f;</seriesName></series></antigenSupportingData>`))
	f.Add("a.xml", []byte(strings.Repeat("<series>", 20_000)))
	f.Add("antigen.json", []byte(strings.Repeat("[", 20_000)))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		s, err := cdsi.Read(append(small(), cdsi.File{Name: name, Text: text}))
		if err != nil {
			return
		}
		if len(s.Antigens) == 0 || len(s.Vaccines) == 0 || s.Version == "" {
			t.Errorf("%+v", s)
		}
		if _, err := json.Marshal(s); err != nil {
			t.Error(err)
		}
	})
}
