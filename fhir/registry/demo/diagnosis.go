package demo

import (
	"time"
)

// icd10 is the system of CIE-10 codes, which FHIR writes with their point.
const icd10 = "http://hl7.org/fhir/sid/icd-10"

// diagnosis is a CIE-10 code, and who may have it.
type diagnosis struct {
	code, name string
	sex        byte    // 'H' or 'M' when only they have it; 0 otherwise
	from, to   int     // years of age, from <= age < to
	share      float64 // chronic: of those of that age, how many have it. Acute: weight
}

func (d diagnosis) concept() object { return concept(icd10, d.code, d.name) }

func (d diagnosis) fits(who *person, years int) bool {
	return years >= d.from && years < d.to && (d.sex == 0 || d.sex == who.sex)
}

// Names are short forms for demonstration, not those of the official catalogue.
var chronicDiagnoses = []diagnosis{
	{"I10", "Hipertensión arterial esencial", 0, 40, 120, 0.30},
	{"E11.9", "Diabetes mellitus tipo 2 sin complicación", 0, 38, 120, 0.17},
	{"E66.9", "Obesidad", 0, 12, 90, 0.20},
	{"E78.5", "Hiperlipidemia", 0, 35, 120, 0.12},
	{"J45.9", "Asma", 0, 4, 60, 0.05},
	{"M17.9", "Gonartrosis", 0, 55, 120, 0.12},
	{"F32.9", "Episodio depresivo", 0, 16, 90, 0.06},
	{"F41.9", "Trastorno de ansiedad", 0, 16, 80, 0.05},
	{"N18.9", "Enfermedad renal crónica", 0, 55, 120, 0.04},
	{"E03.9", "Hipotiroidismo", 'M', 25, 120, 0.04},
	{"N40", "Hiperplasia de la próstata", 'H', 55, 120, 0.12},
}

var acuteDiagnoses = []diagnosis{
	{"J00", "Rinofaringitis aguda", 0, 0, 120, 10},
	{"J06.9", "Infección aguda de las vías respiratorias superiores", 0, 0, 120, 8},
	{"J02.9", "Faringitis aguda", 0, 2, 120, 7},
	{"J03.9", "Amigdalitis aguda", 0, 2, 40, 3},
	{"J20.9", "Bronquitis aguda", 0, 0, 120, 3},
	{"H66.9", "Otitis media", 0, 0, 12, 3},
	{"A09", "Diarrea y gastroenteritis de presunto origen infeccioso", 0, 0, 120, 6},
	{"B82.9", "Parasitosis intestinal", 0, 2, 60, 1},
	{"N39.0", "Infección de vías urinarias", 0, 10, 120, 4},
	{"K29.7", "Gastritis", 0, 14, 120, 4},
	{"M54.5", "Lumbago", 0, 18, 120, 5},
	{"G43.9", "Migraña", 0, 12, 60, 2},
	{"L20.9", "Dermatitis atópica", 0, 0, 20, 2},
	{"S93.4", "Esguince de tobillo", 0, 8, 60, 2},
	{"A90", "Fiebre del dengue", 0, 1, 90, 1},
	{"H10.9", "Conjuntivitis", 0, 0, 120, 2},
	{"K02.9", "Caries dental", 0, 3, 90, 3},
	{"N76.0", "Vaginitis aguda", 'M', 15, 55, 2},
}

var (
	childCheckup = diagnosis{code: "Z00.1", name: "Control de salud de rutina del niño"}
	adultCheckup = diagnosis{code: "Z00.0", name: "Examen médico general"}
	prenatalCare = diagnosis{code: "Z34.9", name: "Supervisión de embarazo normal"}
	vaginalBirth = diagnosis{code: "O80.9", name: "Parto único espontáneo"}
	caesarean    = diagnosis{code: "O82.9", name: "Parto único por cesárea"}
	preeclampsia = diagnosis{code: "O14.9", name: "Preeclampsia"}
	liveborn     = diagnosis{code: "Z38.0", name: "Producto único, nacido en hospital"}
	lowWeight    = diagnosis{code: "P07.1", name: "Peso bajo al nacer"}
)

func checkup(who *person, day time.Time) diagnosis {
	if months(who.born, day) < 10*12 {
		return childCheckup
	}
	return adultCheckup
}

// chronic adds the lasting conditions of who, and returns them.
func (r *record) chronic(who *person) []diagnosis {
	years := months(who.born, r.today) / 12
	var has []diagnosis
	for _, d := range chronicDiagnoses {
		if !d.fits(who, years) || !r.chance(d.share) {
			continue
		}
		has = append(has, d)
		since := max(0, min(years-d.from, 12)) * 365
		onset := r.today.AddDate(0, 0, -between(r.rng, 30, 60+since))
		r.condition(who, chronicID(who, d), "", clinicOf(who), d, onset, time.Time{})
	}
	return has
}

func chronicID(who *person, d diagnosis) string { return who.id + "-" + d.code }

func hasHypertension(chronic []diagnosis) bool {
	for _, d := range chronic {
		if d.code == "I10" {
			return true
		}
	}
	return false
}

// acute returns something that passes, fit for the age of who on day.
func (r *record) acute(who *person, day time.Time) diagnosis {
	years, total := months(who.born, day)/12, 0.0
	for _, d := range acuteDiagnoses {
		if d.fits(who, years) {
			total += d.share
		}
	}
	left := r.rng.Float64() * total
	for _, d := range acuteDiagnoses {
		if !d.fits(who, years) {
			continue
		}
		if left -= d.share; left < 0 {
			return d
		}
	}
	return acuteDiagnoses[0]
}

// condition adds a Condition. encounter may be "", and over zero for one that lasts.
func (r *record) condition(who *person, id, encounter string, at facility, d diagnosis, onset, over time.Time) {
	status, name := "active", "Active"
	members := []member{
		{"verificationStatus", concept("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed", "Confirmed")},
		{"category", list{concept("http://terminology.hl7.org/CodeSystem/condition-category", "encounter-diagnosis", "Encounter Diagnosis")}},
		{"code", d.concept()}, {"subject", reference("Patient", who.id)},
	}
	if encounter != "" {
		members = append(members, member{"encounter", reference("Encounter", encounter)})
	}
	members = append(members, member{"onsetDateTime", date(onset)})
	if !over.IsZero() && !over.After(r.today) {
		status, name = "resolved", "Resolved"
		members = append(members, member{"abatementDateTime", date(over)})
	}
	members = append(members, member{"recordedDate", date(onset)}, member{"recorder", reference("Practitioner", at.staff(0))})
	clinical := member{"clinicalStatus", concept("http://terminology.hl7.org/CodeSystem/condition-clinical", status, name)}
	r.put("Condition", id, append([]member{clinical}, members...)...)
}
