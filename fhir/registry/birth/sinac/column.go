package sinac

// Column is one of the 64 columns, by its place from 0.
type Column uint8

// The columns in the order of the files.
const (
	BornAbroad         Column = iota // the mother
	MotherBirthState                 // entity of INEGI, 2 digits
	MotherBirthTown                  // municipality, 3 digits
	MotherAge                        // completed years
	Indigenous                       // she considers herself so
	IndigenousLanguage               // she speaks one
	MotherBorn                       // dd/mm/yyyy
	Marital
	LivesAbroad
	HomeState
	HomeTown
	HomeLocality // 4 digits
	Pregnancies  // this one included
	StillBirths  // children born dead, of all her pregnancies
	LiveBirths   // children born alive, this one included
	Surviving    // of those, alive now
	PreviousChild
	PreviousLives
	BirthRank // of this child among all
	PrenatalCare
	FirstVisitTrimester
	PrenatalVisits
	MotherSurvived
	Affiliation
	Education
	LeftSchool
	Occupation
	Works
	FatherAge
	Born   // dd/mm/yyyy
	BornAt // HH:MM
	Sex
	Weeks  // of gestation
	Length // cm
	Weight // g
	Apgar  // at 5 minutes
	Silverman
	HearingScreen
	BCG
	HepatitisB
	VitaminA
	VitaminK
	Plurality
	Order // of this child in a multiple birth
	Total // of children of this birth
	Anomaly1
	Anomaly2
	Place
	Facility     // CLUES
	TransferTime // hh:mm
	Delivery
	Forceps
	Cesarean
	Attendant
	Doctor
	BirthState
	BirthTown
	BirthLocality
	Certifier
	CertifyingFacility // CLUES
	CertifyingState
	CertifyingTown
	CertifyingLocality
	Certified // dd/mm/yyyy
	columns
)

// Columns is how many there are.
const Columns = int(columns)

// kind is how a value is written.
type kind uint8

const (
	number kind = iota // digits
	padded             // digits, with zeros in front to the width
	date               // dd/mm/yyyy
	clock              // HH:MM
	icd                // CIE-10 without a point, 4 characters, or 0000
	clues              // 11 characters, or 9998
	free               // a code of a catalogue that is not public
)

// field says what a column holds.
type field struct {
	name     string
	alias    string // its name in the files of 2017 to 2019
	es       string // what it says, for people
	kind     kind
	width    int               // of padded ones
	low, hi  int               // range of a number
	unknown  []string          // values that stand for not having one
	codes    map[string]string // all values with what they mean; nil for a number or an open catalogue
	required bool              // a certificate cannot be issued without it
}

// yesNo is the catalogue SI_NO.
var yesNo = map[string]string{"0": "No especificado", "1": "Sí", "2": "No", "8": "No aplica", "9": "Se ignora"}

// The values of Plurality, Sex and yesNo that rules look at.
const (
	Yes, No         = "1", "2"
	Man, Woman      = "1", "2"
	One, Two, Three = "1", "2", "3"
)

var (
	entityUnknown = []string{"00", "88", "99"}
	townUnknown   = []string{"000", "888", "999"}
	localUnknown  = []string{"0000", "8888", "9999"}
)

// fields are the columns. What the catalogues leave open stays open.
var fields = [columns]field{
	BornAbroad:          {name: "NACIOEXTRANJERO", es: "La madre nació en el extranjero", codes: yesNo},
	MotherBirthState:    {name: "ENTIDADNACIMIENTO", alias: "ENT_NACM", es: "Entidad de nacimiento de la madre", kind: padded, width: 2, low: 1, hi: 32, unknown: entityUnknown},
	MotherBirthTown:     {name: "MUNICIPIONACIMIENTO", alias: "MPO_NACM", es: "Municipio de nacimiento de la madre", kind: padded, width: 3, low: 1, hi: 998, unknown: townUnknown},
	MotherAge:           {name: "EDAD", alias: "EDADM", es: "Edad de la madre", low: 9, hi: 59, unknown: []string{"888", "999"}, required: true},
	Indigenous:          {name: "SECONSIDERAINDIGENA", alias: "CON_INDM", es: "La madre se considera indígena", codes: yesNo},
	IndigenousLanguage:  {name: "HABLALENGUAINDIGENA", alias: "HABLA_INDM", es: "La madre habla lengua indígena", codes: yesNo},
	MotherBorn:          {name: "FECHANACIMIENTOMADRE", alias: "FECH_NACM", es: "Fecha de nacimiento de la madre", kind: date, unknown: []string{"09/09/9999"}},
	Marital:             {name: "ESTADOCONYUGAL", alias: "EDOCIVIL", es: "Estado conyugal de la madre", codes: map[string]string{"0": "No especificado", "1": "Soltera", "2": "Viuda", "3": "Divorciada", "4": "Unión libre", "5": "Casada", "6": "Separada", "8": "No aplica", "9": "Se ignora"}},
	LivesAbroad:         {name: "RESIDEEXTRANJERO", es: "La madre reside en el extranjero", codes: yesNo},
	HomeState:           {name: "ENTIDADRESIDENCIA", alias: "ENT_RES", es: "Entidad de residencia", kind: padded, width: 2, low: 1, hi: 32, unknown: entityUnknown, required: true},
	HomeTown:            {name: "MUNICIPIORESIDENCIA", alias: "MPO_RES", es: "Municipio de residencia", kind: padded, width: 3, low: 1, hi: 998, unknown: townUnknown, required: true},
	HomeLocality:        {name: "LOCALIDADRESIDENCIA", alias: "LOC_RES", es: "Localidad de residencia", kind: padded, width: 4, low: 1, hi: 9998, unknown: localUnknown},
	Pregnancies:         {name: "NUMEROEMBARAZOS", alias: "NUM_EMB", es: "Número de embarazos", low: 1, hi: 30, unknown: []string{"99"}, required: true},
	StillBirths:         {name: "HIJOSNACIDOSMUERTOS", alias: "NUM_NACMTO", es: "Hijos nacidos muertos", low: 0, hi: 30, unknown: []string{"99"}},
	LiveBirths:          {name: "HIJOSNACIDOSVIVOS", alias: "NUM_NACVIVO", es: "Hijos nacidos vivos", low: 1, hi: 30, unknown: []string{"99"}},
	Surviving:           {name: "HIJOSSOBREVIVIENTES", alias: "HIJO_SOBV", es: "Hijos sobrevivientes", low: 0, hi: 30, unknown: []string{"99"}},
	PreviousChild:       {name: "CONDICIONHIJOANTERIOR", alias: "HIJO_ANTE", es: "Condición del hijo anterior", low: 0, hi: 9},
	PreviousLives:       {name: "VIVEHIJOANTERIOR", alias: "VIVE_AUN", es: "El hijo anterior vive", codes: yesNo},
	BirthRank:           {name: "ORDENNACIMIENTO", alias: "ORDEN_NAC", es: "Orden de nacimiento entre los hijos de la madre", low: 1, hi: 30, unknown: []string{"99"}},
	PrenatalCare:        {name: "ATENCIONPRENATAL", alias: "ATEN_PREN", es: "Recibió atención prenatal", codes: yesNo},
	FirstVisitTrimester: {name: "TRIMESTREPRIMERCONSULTA", alias: "TRIM_CONS", es: "Trimestre de la primera consulta", codes: map[string]string{"0": "No recibió", "1": "Primero", "2": "Segundo", "3": "Tercero", "8": "No especificado", "9": "Se ignora"}},
	PrenatalVisits:      {name: "TOTALCONSULTAS", alias: "TOT_CONS", es: "Total de consultas prenatales", low: 0, hi: 30, unknown: []string{"99"}},
	MotherSurvived:      {name: "SOBREVIVIOPARTO", alias: "SOB_PARTO", es: "La madre sobrevivió al parto", codes: yesNo},
	Affiliation:         {name: "AFILIACION", alias: "DERHAB", es: "Afiliación a servicios de salud", kind: padded, width: 2, low: 1, hi: 98, unknown: entityUnknown},
	Education:           {name: "ESCOLARIDAD", alias: "NIV_ESCOL", es: "Escolaridad de la madre", low: 1, hi: 999, unknown: []string{"0", "88", "99"}},
	LeftSchool:          {name: "INTERRUMPIOESTUDIOS", es: "Interrumpió sus estudios por el embarazo", codes: yesNo},
	Occupation:          {name: "CLAVEOCUPACIONHABITUAL", alias: "OCUPHAB", es: "Ocupación habitual de la madre", kind: free},
	Works:               {name: "TRABAJAACTUALMENTE", alias: "TRAB_ACT", es: "La madre trabaja actualmente", codes: yesNo},
	FatherAge:           {name: "EDADPADRE", es: "Edad del padre", low: 9, hi: 98, unknown: []string{"888", "999", "99"}},
	Born:                {name: "FECHANACIMIENTO", alias: "FECH_NACH", es: "Fecha de nacimiento", kind: date, required: true},
	BornAt:              {name: "HORANACIMIENTO", alias: "HORA_NACH", es: "Hora de nacimiento", kind: clock, unknown: []string{"99:99"}, required: true},
	Sex:                 {name: "SEXO", alias: "SEXOH", es: "Sexo", codes: map[string]string{"0": "No especificado", "1": "Hombre", "2": "Mujer", "9": "Se ignora"}, required: true},
	Weeks:               {name: "EDADGESTACIONAL", alias: "GESTACH", es: "Edad gestacional (semanas)", low: 14, hi: 45, unknown: []string{"99"}, required: true},
	Length:              {name: "TALLA", alias: "TALLAH", es: "Talla (cm)", low: 10, hi: 75, unknown: []string{"99"}},
	Weight:              {name: "PESO", alias: "PESOH", es: "Peso (g)", low: 100, hi: 9998, unknown: []string{"9999"}, required: true},
	Apgar:               {name: "APGAR", alias: "APGARH", es: "Apgar a los 5 minutos", low: 0, hi: 10, unknown: []string{"99"}},
	Silverman:           {name: "SILVERMAN", alias: "SILVERMAN", es: "Silverman", low: 0, hi: 10, unknown: []string{"99"}},
	HearingScreen:       {name: "TAMIZAUDITIVO", alias: "TAM_AUD", es: "Tamiz auditivo", codes: yesNo},
	BCG:                 {name: "VACUNA_BCG", alias: "BCG", es: "Vacuna BCG", codes: yesNo},
	HepatitisB:          {name: "VACUNAHEPATITIS_B", alias: "HEP_B", es: "Vacuna contra hepatitis B", codes: yesNo},
	VitaminA:            {name: "VITAMINA_A", alias: "VIT_A", es: "Vitamina A", codes: yesNo},
	VitaminK:            {name: "VITAMINA_K", alias: "VIT_K", es: "Vitamina K", codes: yesNo},
	Plurality:           {name: "PRODUCTOEMBARAZO", alias: "PRODUCTO", es: "Producto del embarazo", codes: map[string]string{"0": "No especificado", "1": "Único", "2": "Gemelar", "3": "Tres o más"}, required: true},
	Order:               {name: "ORDENPRODUCTO", es: "Orden en el nacimiento múltiple", low: 1, hi: 9},
	Total:               {name: "TOTALPRODUCTOS", es: "Total de productos", low: 1, hi: 9},
	Anomaly1:            {name: "CODIGOCIEANOMALIA1", es: "Anomalía congénita 1 (CIE-10)", kind: icd},
	Anomaly2:            {name: "CODIGOCIEANOMALIA2", es: "Anomalía congénita 2 (CIE-10)", kind: icd},
	Place:               {name: "LUGARNACIMIENTO", alias: "INST_NAC", es: "Lugar de nacimiento", kind: padded, width: 2, low: 1, hi: 98, unknown: []string{"00", "99"}, required: true},
	Facility:            {name: "CLUES", alias: "CLUES", es: "Establecimiento (CLUES)", kind: clues, required: true},
	TransferTime:        {name: "TIEMPOTRASLADO", es: "Tiempo de traslado al establecimiento", kind: clock, unknown: []string{"99:99"}},
	Delivery:            {name: "RESOLUCIONEMBARAZO", es: "Resolución del embarazo", low: 0, hi: 99},
	Forceps:             {name: "UTILIZOFORCEPS", alias: "FORCEPS", es: "Se utilizaron fórceps", codes: yesNo},
	Cesarean:            {name: "TIPOCESAREA", alias: "PROCNAC", es: "Tipo de cesárea", low: 0, hi: 99},
	Attendant:           {name: "PERSONALATENDIO", alias: "ATENDIO", es: "Persona que atendió el parto", low: 0, hi: 99},
	Doctor:              {name: "TIPOMEDICOATENDIO", es: "Tipo de médico que atendió el parto", low: 0, hi: 99},
	BirthState:          {name: "ENTIDADFEDERATIVAPARTO", alias: "ENT_NAC", es: "Entidad del parto", kind: padded, width: 2, low: 1, hi: 32, unknown: entityUnknown, required: true},
	BirthTown:           {name: "MUNICIPIOPARTO", alias: "MPO_NAC", es: "Municipio del parto", kind: padded, width: 3, low: 1, hi: 998, unknown: townUnknown, required: true},
	BirthLocality:       {name: "LOCALIDADPARTO", alias: "LOC_NAC", es: "Localidad del parto", kind: padded, width: 4, low: 1, hi: 9998, unknown: localUnknown},
	Certifier:           {name: "CERTIFICADOPOR", alias: "CERT_POR", es: "Persona que certifica", low: 0, hi: 99},
	CertifyingFacility:  {name: "CLUESCERTIFICA", es: "Establecimiento que certifica (CLUES)", kind: clues},
	CertifyingState:     {name: "ENTIDADFEDERATIVACERTIFICA", alias: "ENT_CERT", es: "Entidad que certifica", kind: padded, width: 2, low: 1, hi: 32, unknown: entityUnknown},
	CertifyingTown:      {name: "MUNICIPIOCERTIFICA", alias: "MPO_CERT", es: "Municipio que certifica", kind: padded, width: 3, low: 1, hi: 998, unknown: townUnknown},
	CertifyingLocality:  {name: "LOCALIDADCERTIFICA", alias: "LOC_CERT", es: "Localidad que certifica", kind: padded, width: 4, low: 1, hi: 9998, unknown: localUnknown},
	Certified:           {name: "FECHACERTIFICADO", alias: "FECH_CERT", es: "Fecha de certificación", kind: date},
}

// String returns the name of c in the files: "PESO".
func (c Column) String() string { return fields[c].name }

// Spanish returns what c says, for people: "Peso (g)".
func (c Column) Spanish() string { return fields[c].es }

// Required reports whether no certificate is issued without c.
func (c Column) Required() bool { return fields[c].required }

// Meaning returns what a coded value means, in Spanish, and whether it is known here.
func (c Column) Meaning(value string) (string, bool) {
	m, ok := fields[c].codes[value]
	return m, ok
}

// Values returns the coded values of c with their meanings, nil when it is not coded
// here. The caller must not change it.
func (c Column) Values() map[string]string { return fields[c].codes }

// byName finds columns by name, and by the names of 2017 to 2019.
var byName = func() map[string]Column {
	m := map[string]Column{}
	for c := range columns {
		if fields[c].alias != "" {
			m[fields[c].alias] = c
		}
	}
	for c := range columns {
		m[fields[c].name] = c
	}
	return m
}()

// Named returns the column with a name, of today or of 2017 to 2019.
func Named(name string) (Column, bool) {
	c, ok := byName[name]
	return c, ok
}
