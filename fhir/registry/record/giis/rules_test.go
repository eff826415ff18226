package giis

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// faults are official rows with something changed, and what is found then: variable and
// rule. Rows are counted from 1: 1 a man of 57 with R300, 2 a boy of 16 from abroad, 3 a
// woman of 32 with R69X, 5 a woman of 72, 7 a boy of 1, 8 a woman of 19 seen by a
// practitioner of traditional medicine, 11 a pregnant woman of 33.
var faults = []struct {
	row    int
	change string
	want   string
}{
	{1, "clues=DFSSA00396", "1 form"}, {1, "clues=XXSSA003966", "1 form"}, {1, "clues=", "1 form"},
	{1, "paisNacimiento=MEX", "2 form"}, {1, "paisNacimiento=0142", "2 form"},
	{1, "curpPrestador=XXXX999999XXXXXX99", "3 generic-curp"},
	{1, "curpPrestador=LOSD130505MOCPNNA1", "3 age"}, {1, "curpPrestador=LOSD130505MOCPNNA2", "3 form"}, {1, "curpPrestador=LOSD130505", "3 form"}, {1, "nombrePrestador=PEDRO", "~4 curp"}, {1, "curpPaciente=LOSD900505MOCPNN0", "9 form"}, {1, "curpPaciente=(staff)", "9 staff"},
	{1, "nombrePrestador=daniela", "4 form"}, {1, "nombrePrestador=D", "4 form"}, {1, "nombrePrestador=DANIELA  ANA", "4 form"},
	{1, "nombre=JOSÉ", "10 form"}, {1, "nombre=LUIS-.F", "10 form"}, {1, "nombre= LUIS", "10 form"}, {1, "nombre=LUIS_", "10 form"},
	{1, "nombre=" + strings.Repeat("A", 51), "10 form"}, {1, "nombre=PEDRO", "~10 curp"}, {1, "segundoApellido=", "12 form"},
	{1, "tipoPersonal=12", "7 form"}, {1, "tipoPersonal=25", "7 age"}, {1, "programaSMyMG=2", "8 form"},
	{2, "programaSMyMG=1", "8 institution"},
	{1, "fechaNacimiento=1967-01-02", "13 form"}, {1, "fechaNacimiento=31/02/1967", "13 form"}, {1, "fechaNacimiento=03/01/1967", "13 curp"},
	{10, "fechaNacimiento=02/10/1903", "13 order"}, {10, "fechaNacimiento=06/10/2024", "13 order"},
	{1, "entidadNacimiento=33", "15 form"}, {1, "entidadNacimiento=88", "15 country"}, {2, "entidadNacimiento=09", "15 country"}, {1, "entidadNacimiento=09", "15 curp"},
	{1, "sexoCURP=2", "16 curp"}, {1, "sexoBiologico=4", "17 form"}, {1, "seAutodenominaAfromexicano=4", "18 form"},
	{1, "paisProcedencia=-1", "21 migrant"}, {3, "paisProcedencia=150", "21 migrant"}, {4, "paisProcedencia=142", "21 migrant"}, {8, "paisProcedencia=142", "21 migrant"},
	{1, "genero=7", "22 form"}, {1, "derechohabiencia=2&2", "23 form"}, {1, "derechohabiencia=1&2", "23 form"}, {1, "derechohabiencia=7", "23 form"}, {1, "derechohabiencia=2,3", "23 form"},
	{1, "fechaConsulta=02/11/2024", "24 future"}, {1, "servicioAtencion=16", "25 age"}, {7, "servicioAtencion=39", "25 age"}, {7, "servicioAtencion=22", "25 age"},
	{1, "peso=0.9", "26 form"}, {1, "peso=400.1", "26 form"}, {1, "peso=70.1234", "26 form"}, {1, "peso=-70", "26 form"}, {1, "peso=0", "26 form"},
	{1, "talla=29", "27 form"}, {1, "talla=221", "27 form"}, {1, "talla=167.5", "27 form"}, {1, "circunferenciaCintura=19", "28 form"},
	{1, "sistolica=49", "29 form"}, {1, "sistolica=301", "29 form"}, {1, "diastolica=19", "30 form"}, {1, "diastolica=201", "30 form"},
	{1, "sistolica=59", "29 order"}, {1, "sistolica=0", "29 both"}, {1, "diastolica=0", "29 both"},
	{1, "frecuenciaCardiaca=39", "31 form"}, {1, "frecuenciaCardiaca=221", "31 form"}, {1, "frecuenciaRespiratoria=9", "32 form"}, {1, "frecuenciaRespiratoria=100", "32 form"},
	{1, "temperatura=29.9", "33 form"}, {1, "temperatura=44.1", "33 form"}, {1, "temperatura=36.55", "33 form"}, {1, "saturacionOxigeno=101", "34 form"},
	{1, "glucemia=19", "35 form"}, {1, "glucemia=1000", "35 form"}, {1, "glucemia=100", "37 condition"}, {1, "tipoMedicion=1", "36 condition"},
	{3, "embarazadaSinDiabetes=1", "38 condition"}, {2, "sintomaticoRespiratorioTb=2", "39 form"}, {1, "primeraVezAnio=-1", "40 form"}, {1, "primeraVezUneme=1", "41 year"},
	{1, "relacionTemporal=-1", "42 form"}, {1, "codigoCIEDiagnostico1=R30", "43 form"}, {1, "codigoCIEDiagnostico1=R30.0", "43 form"}, {1, "codigoCIEDiagnostico1=", "43 required"},
	{8, "confirmacionDiagnostica1=1", "44 confirmation"}, {9, "codigoCIEDiagnostico2=E119", "46 different"}, {9, "primeraVezDiagnostico2=-1", "46 first"}, {9, "codigoCIEDiagnostico2=", "46 first"},
	{2, "codigoCIEDiagnostico3=CP48", "49 different"}, {2, "codigoCIEDiagnostico3=", "49 first"}, {2, "primeraVezDiagnostico3=-1", "49 first"}, {2, "codigoCIEDiagnostico3=MT01", "49 staff"}, {9, "codigoCIEDiagnostico2=MT01", "46 staff"}, {9, "codigoCIEDiagnostico2=CP01", "46 staff"},
	{3, "primeraVezDiagnostico2=0;codigoCIEDiagnostico2=R69X", ""}, // a cause that is not known may come twice
	{8, "intervencionesSMyA=1", "51 condition"}, {1, "atencionPregestacionalRT=0", "52 condition;53 pregestational"}, {3, "riesgo=-1", "53 pregestational"},
	{3, "riesgo=9&1", "53 form"}, {3, "riesgo=6", "53 form"}, {1, "relacionTemporalEmbarazo=0", "54 condition;56 condition"}, {3, "relacionTemporalEmbarazo=0", "52 condition;54 condition;56 condition"},
	{5, "relacionTemporalEmbarazo=1;trimestreGestacional=1", "54 condition"}, {11, "trimestreGestacional=-1", "56 condition"}, {11, "trimestreGestacional=4", "56 form"},
	{11, "relacionTemporalEmbarazo=0", "55 visit"}, {11, "puerpera=0", "54 condition;68 condition"}, {3, "complicacionPorDiabetes=0", "58 condition"},
	{4, "infeccionPuerperal=0", "69 condition"}, {1, "terapiaHormonal=0", "70 condition"}, {1, "periPostMenopausia=0", "71 condition"}, {1, "cancerCervicouterino=0", "76 condition"},
	{1, "ninoSanoRT=0", "77 condition"}, {7, "pruebaEDI=1", "78 condition;79 condition"}, {7, "ninoSanoRT=0;pruebaEDI=1;resultadoEDI=4", "79 test;81 condition;85 condition"},
	{7, "resultadoEDI=1", "79 condition"}, {1, "resultadoBattelle=1", "80 condition"}, {7, "edasPlanTratamiento=-1", "82 condition;83 condition"}, {7, "edasPlanTratamiento=1", "83 condition"},
	{7, "recuperadoDeshidratacion=-1", "83 condition"}, {7, "numeroSobresVSOTratamiento=10", "84 form"}, {1, "numeroSobresVSOTratamiento=1", "84 condition"}, {7, "irasPlanTratamiento=-1", "86 condition"},
	{7, "irasRT=-1", "86 condition;87 condition"}, {1, "aplicacionCedulaCancer=1", "88 condition"}, {7, "informaPrevencionAccidentes=-1", "89 condition"}, {1, "informaPrevencionAccidentes=0", "89 condition"},
	{1, "motricidad=1", "95 condition"}, {5, "motricidad=3", "95 form"}, {1, "lineaVida=-1", "98 form"},
	{1, "referidoPor=1", "101 reason"}, {1, "referidoPor=2", "101 reason"}, {1, "referidoPor=5", ""}, {1, "referidoPor=5;contrarreferido=1", "101 condition;102 condition"},
	// Telehealth, variables 103 to 106.
	{1, "telemedicina=1;teleconsulta=1", "103 condition;104 condition;105 telemedicine;106 teleconsulta"}, {2, "modalidadConsulDist=2;estudiosTeleconsulta=-1", "106 teleconsulta"},
	{1, "telemedicina=1;estudiosTeleconsulta=3", "105 telemedicine"}, {1, "estudiosTeleconsulta=3&3", "105 form"}, {1, "estudiosTeleconsulta=8", "105 form"},
	{1, "estudiosTeleconsulta=-1", "106 teleconsulta"}, {1, "estudiosTeleconsulta=1&2&3&4&5&6&7", ""}, {1, "modalidadConsulDist=1", "106 teleconsulta"}, {2, "modalidadConsulDist=-1", "106 teleconsulta"},
	{1, "telemedicina=1;estudiosTeleconsulta=-1;modalidadConsulDist=-1", ""}, {4, "modalidadConsulDist=2", "106 teleconsulta"},
}

func TestFaults(t *testing.T) {
	tried := map[string]bool{}
	for _, fault := range faults {
		r := mended(t)[fault.row-1]
		for pair := range strings.SplitSeq(fault.change, ";") {
			name, value, _ := strings.Cut(pair, "=")
			v, known := Find(name)
			if !known {
				t.Fatalf("no variable %s", name)
			}
			if value == "(staff)" {
				value = r.at(vStaffCURP)
			}
			r.set(v.Number, value)
		}
		var got []string
		for _, f := range checker.Row(&r, 1) {
			mark := ""
			if f.Warning {
				mark = "~"
			}
			got = append(got, fmt.Sprintf("%s%d %s", mark, f.Variable, f.Rule))
			tried[strconv.Itoa(f.Variable)+" "+f.Rule] = true
		}
		for _, want := range strings.Split(fault.want, ";") {
			if want != "" && !slices.Contains(got, want) {
				t.Errorf("row %d with %s: found %v, want %s", fault.row, fault.change, got, want)
			}
		}
		if fault.want == "" && len(got) > 0 {
			t.Errorf("row %d with %s: found %v, want nothing", fault.row, fault.change, got)
		}
	}
	for _, c := range crosses {
		if key := strconv.Itoa(c.of) + " " + c.rule; !tried[key] {
			t.Errorf("no fault breaks the rule %s", key)
		}
	}
}

// TestConditions tries each value of each conditional variable on each official row: it
// is taken exactly when the condition says so.
func TestConditions(t *testing.T) {
	for i, r := range mended(t) {
		for _, c := range conditions {
			v := &table[c.of-1]
			for n := -1; n < 10; n++ {
				with := r
				with.set(c.of, strconv.Itoa(n))
				holds := c.when(&with)
				want := strconv.Itoa(n) == v.unknown && !(holds && c.must && !one(c.codes, v.unknown)) || holds && one(c.codes, strconv.Itoa(n))
				if got := c.check(&with) == ""; got != want {
					t.Errorf("row %d, %s = %d: taken %t, want %t", i+1, v.Name, n, got, want)
				}
			}
		}
	}
}

func TestWhole(t *testing.T) {
	rows := mended(t)
	var got []string
	for _, f := range checker.Whole(rows) {
		got = append(got, fmt.Sprintf("%d %s %t", f.Variable, f.Rule, f.Warning))
	}
	if s := strings.Join(got, ";"); s != "43 quota true" { // one of eleven has R69X
		t.Errorf("found %s", s)
	}
	many := append(slices.Clone(rows), append(slices.Clone(rows), rows...)...)
	for i := range many {
		if i%6 == 0 {
			many[i].set(vCURP, "XXXX999999XXXXXX99")
		}
	}
	many[1].set(vProgramme, "1")
	got = nil
	for _, f := range checker.Whole(many) {
		got = append(got, fmt.Sprintf("%d %s %t", f.Variable, f.Rule, f.Warning))
	}
	for _, want := range []string{"9 quota false", "43 quota false", "8 same true"} {
		if !slices.Contains(got, want) {
			t.Errorf("found %v, want %s", got, want)
		}
	}
}

func TestCatalogue(t *testing.T) {
	c, err := ReadCatalogue(strings.NewReader("CATALOG_KEY,NOMBRE,LSEX,LINF,LSUP,TIPO_PERSONAL_1VEZ_CE,TIPO_PERSONAL_SUBSEC_CE,DIA_CRONICOS,DIA_CAINFANTIL\n" +
		"R300,x,NO,NO,NO,NO,NO,NO,NO\nE119,x,NO,010A,120A,\"1,2,4\",\"1,2,4\",SI,NO\nO149,x,2,010A,054A,NO,NO,NO,NO\nP071,x,NO,NO,028D,NO,NO,NO,NO\nC910,x,NO,NO,NO,NO,NO,NO,SI\n"))
	if err != nil {
		t.Fatal(err)
	}
	with := Checker{Catalogue: c, Today: checker.Today}
	for _, test := range []struct {
		row          int
		change, want string
	}{
		{1, "codigoCIEDiagnostico1=R300", ""}, {1, "codigoCIEDiagnostico1=Z999", "43 catalogue"}, {1, "codigoCIEDiagnostico1=O149", "43 catalogue"},
		{11, "codigoCIEDiagnostico1=O149", ""}, {5, "codigoCIEDiagnostico1=O149", "43 catalogue"}, {1, "codigoCIEDiagnostico1=P071", "43 catalogue"},
		{8, "codigoCIEDiagnostico1=E119", "43 catalogue"}, {1, "codigoCIEDiagnostico1=E119", "44 confirmation"}, {1, "codigoCIEDiagnostico1=E119;confirmacionDiagnostica1=1", ""},
		{1, "codigoCIEDiagnostico1=E119;relacionTemporal=1", ""}, {7, "codigoCIEDiagnostico1=C910", "44 confirmation"}, {1, "codigoCIEDiagnostico1=R300;confirmacionDiagnostica1=1", "44 confirmation"},
	} {
		r := mended(t)[test.row-1]
		for pair := range strings.SplitSeq(test.change, ";") {
			name, value, _ := strings.Cut(pair, "=")
			v, _ := Find(name)
			r.set(v.Number, value)
		}
		r.set(vFirst2, "-1")
		r.set(vDisease2, "")
		got := ""
		for _, f := range with.Row(&r, 1) {
			if f.Rule == "catalogue" || f.Rule == "confirmation" {
				got += fmt.Sprintf("%d %s", f.Variable, f.Rule)
			}
		}
		if got != test.want {
			t.Errorf("row %d with %s: found %q, want %q", test.row, test.change, got, test.want)
		}
	}
	for _, bad := range []string{"", "NOMBRE\nx\n", "CATALOG_KEY,\"x\n"} {
		if _, err := ReadCatalogue(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is a catalogue", bad)
		}
	}
}
