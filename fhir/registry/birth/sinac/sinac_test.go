package sinac

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var today = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// header is the one of the published files of 2020 to 2023.
const header = "NACIOEXTRANJERO,ENTIDADNACIMIENTO,MUNICIPIONACIMIENTO,EDAD,SECONSIDERAINDIGENA,HABLALENGUAINDIGENA,FECHANACIMIENTOMADRE,ESTADOCONYUGAL," +
	"RESIDEEXTRANJERO,ENTIDADRESIDENCIA,MUNICIPIORESIDENCIA,LOCALIDADRESIDENCIA,NUMEROEMBARAZOS,HIJOSNACIDOSMUERTOS,HIJOSNACIDOSVIVOS,HIJOSSOBREVIVIENTES," +
	"CONDICIONHIJOANTERIOR,VIVEHIJOANTERIOR,ORDENNACIMIENTO,ATENCIONPRENATAL,TRIMESTREPRIMERCONSULTA,TOTALCONSULTAS,SOBREVIVIOPARTO,AFILIACION," +
	"ESCOLARIDAD,INTERRUMPIOESTUDIOS,CLAVEOCUPACIONHABITUAL,TRABAJAACTUALMENTE,EDADPADRE,FECHANACIMIENTO,HORANACIMIENTO,SEXO,EDADGESTACIONAL,TALLA," +
	"PESO,APGAR,SILVERMAN,TAMIZAUDITIVO,VACUNA_BCG,VACUNAHEPATITIS_B,VITAMINA_A,VITAMINA_K,PRODUCTOEMBARAZO,ORDENPRODUCTO,TOTALPRODUCTOS," +
	"CODIGOCIEANOMALIA1,CODIGOCIEANOMALIA2,LUGARNACIMIENTO,CLUES,TIEMPOTRASLADO,RESOLUCIONEMBARAZO,UTILIZOFORCEPS,TIPOCESAREA,PERSONALATENDIO," +
	"TIPOMEDICOATENDIO,ENTIDADFEDERATIVAPARTO,MUNICIPIOPARTO,LOCALIDADPARTO,CERTIFICADOPOR,CLUESCERTIFICA,ENTIDADFEDERATIVACERTIFICA,MUNICIPIOCERTIFICA," +
	"LOCALIDADCERTIFICA,FECHACERTIFICADO"

// good is a row that breaks no rule.
func good() *Row {
	var r Row
	for name, v := range map[string]string{
		"NACIOEXTRANJERO": "2", "ENTIDADNACIMIENTO": "20", "MUNICIPIONACIMIENTO": "067", "EDAD": "24", "SECONSIDERAINDIGENA": "1", "HABLALENGUAINDIGENA": "2",
		"FECHANACIMIENTOMADRE": "17/05/2002", "ESTADOCONYUGAL": "4", "RESIDEEXTRANJERO": "2", "ENTIDADRESIDENCIA": "20", "MUNICIPIORESIDENCIA": "067", "LOCALIDADRESIDENCIA": "0001",
		"NUMEROEMBARAZOS": "2", "HIJOSNACIDOSMUERTOS": "0", "HIJOSNACIDOSVIVOS": "2", "HIJOSSOBREVIVIENTES": "2", "ORDENNACIMIENTO": "2", "ATENCIONPRENATAL": "1",
		"TRIMESTREPRIMERCONSULTA": "1", "TOTALCONSULTAS": "7", "SOBREVIVIOPARTO": "1", "AFILIACION": "10", "ESCOLARIDAD": "72", "FECHANACIMIENTO": "03/10/2026",
		"HORANACIMIENTO": "04:35", "SEXO": "2", "EDADGESTACIONAL": "39", "TALLA": "50", "PESO": "3150", "APGAR": "9", "SILVERMAN": "0", "TAMIZAUDITIVO": "1",
		"VACUNA_BCG": "1", "VACUNAHEPATITIS_B": "1", "VITAMINA_A": "2", "VITAMINA_K": "1", "PRODUCTOEMBARAZO": "1", "CODIGOCIEANOMALIA1": "0000", "LUGARNACIMIENTO": "01",
		"CLUES": "OCSSA003966", "TIEMPOTRASLADO": "00:20", "RESOLUCIONEMBARAZO": "1", "UTILIZOFORCEPS": "2", "PERSONALATENDIO": "1", "ENTIDADFEDERATIVAPARTO": "20",
		"MUNICIPIOPARTO": "067", "LOCALIDADPARTO": "0001", "CERTIFICADOPOR": "1", "CLUESCERTIFICA": "OCSSA003966", "FECHACERTIFICADO": "03/10/2026",
	} {
		c, ok := Named(name)
		if !ok {
			panic(name)
		}
		r[c] = v
	}
	return &r
}

func TestColumns(t *testing.T) {
	var names []string
	for c := range columns {
		names = append(names, c.String())
		if c.Spanish() == "" {
			t.Errorf("%s says nothing to people", c)
		}
	}
	if Columns != 64 || strings.Join(names, ",") != header {
		t.Errorf("%d columns:\n%s\nwant\n%s", Columns, strings.Join(names, ","), header)
	}
}

func TestCheck(t *testing.T) {
	if problems := Check(good(), today); problems != nil {
		t.Fatalf("a good row: %+v", problems)
	}
	for _, c := range []struct {
		set     string // COLUMN=value, further ones after blanks
		column  Column
		rule    string
		warning bool
	}{
		{"PESO=", Weight, "sinac-required", false},
		{"SEXO=3", Sex, "sinac-code", false},
		{"EDADGESTACIONAL=13", Weeks, "sinac-range", false},
		{"EDADGESTACIONAL=46", Weeks, "sinac-range", false},
		{"PESO=grande", Weight, "sinac-number", false},
		{"PESO=-5", Weight, "sinac-number", false},
		{"PESO=+500", Weight, "sinac-number", false},
		{"ENTIDADRESIDENCIA=9", HomeState, "sinac-number", false},
		{"ENTIDADRESIDENCIA=33", HomeState, "sinac-range", false},
		{"FECHANACIMIENTO=31/02/2026", Born, "sinac-date", false},
		{"FECHANACIMIENTO=2026-10-03", Born, "sinac-date", false},
		{"HORANACIMIENTO=24:00", BornAt, "sinac-time", false},
		{"TIEMPOTRASLADO=1:75", TransferTime, "sinac-time", false},
		{"CODIGOCIEANOMALIA1=A000", Anomaly1, "sinac-anomaly", false},
		{"CLUES=9999", Facility, "sinac-clues", false},
		{"FECHANACIMIENTO=01/12/2026 FECHACERTIFICADO=02/12/2026", Born, "sinac-future", false},
		{"FECHACERTIFICADO=02/10/2026", Certified, "sinac-order", false},
		{"EDAD=25", MotherAge, "sinac-mother-age", false},
		{"FECHANACIMIENTOMADRE=17/05/2019 EDAD=999", MotherBorn, "sinac-mother-age", false},
		{"RESIDEEXTRANJERO=1", HomeState, "sinac-abroad", false},
		{"HIJOSSOBREVIVIENTES=3", Surviving, "sinac-children", false},
		{"HIJOSNACIDOSVIVOS=3 ", LiveBirths, "sinac-children", true},
		{"ORDENNACIMIENTO=5", BirthRank, "sinac-children", false},
		{"ATENCIONPRENATAL=2 TRIMESTREPRIMERCONSULTA=0", PrenatalVisits, "sinac-prenatal", false},
		{"ATENCIONPRENATAL=2 TOTALCONSULTAS=0", FirstVisitTrimester, "sinac-prenatal", false},
		{"TOTALCONSULTAS=0", PrenatalVisits, "sinac-prenatal", false},
		{"PESO=200", Weight, "sinac-weight", true},
		{"TALLA=70", Length, "sinac-length", true},
		{"CODIGOCIEANOMALIA2=Q170", Anomaly2, "sinac-anomaly", false},
		{"TOTALPRODUCTOS=2", Total, "sinac-plurality", false},
		{"PRODUCTOEMBARAZO=2", Order, "sinac-plurality", false},
		{"PRODUCTOEMBARAZO=2 ORDENPRODUCTO=3 TOTALPRODUCTOS=2", Order, "sinac-plurality", false},
		{"PRODUCTOEMBARAZO=3 ORDENPRODUCTO=1 TOTALPRODUCTOS=2", Total, "sinac-plurality", false},
		{"TIPOCESAREA=1 UTILIZOFORCEPS=1", Forceps, "sinac-delivery", false},
	} {
		r := good()
		for _, s := range strings.Fields(c.set) {
			name, v, _ := strings.Cut(s, "=")
			at, ok := Named(name)
			if !ok {
				t.Fatal(name)
			}
			r[at] = v
		}
		problems := Check(r, today)
		if len(problems) != 1 || problems[0].Column != c.column || problems[0].Rule != c.rule || problems[0].Warning != c.warning {
			t.Errorf("%s: %+v, want %s of %s", c.set, problems, c.rule, c.column)
		}
	}
	for _, fine := range []string{"PESO=9999", "EDADGESTACIONAL=99", "HORANACIMIENTO=99:99", "CLUES=9998", "SEXO=9", "ENTIDADRESIDENCIA=88", "PRODUCTOEMBARAZO=2 ORDENPRODUCTO=2 TOTALPRODUCTOS=2", "HORANACIMIENTO=00:00"} {
		r := good()
		for _, s := range strings.Fields(fine) {
			name, v, _ := strings.Cut(s, "=")
			at, _ := Named(name)
			r[at] = v
		}
		if problems := Check(r, today); problems != nil {
			t.Errorf("%s: %+v", fine, problems)
		}
	}
}

// TestNoProblemQuotes: what is said of a birth goes into logs, so that it must not hold
// any of it.
func TestNoProblemQuotes(t *testing.T) {
	var r Row
	for c := range columns {
		r[c] = "QWJK7391"
	}
	for _, p := range Check(&r, today) {
		if strings.Contains(p.Text, "QWJK") || p.Text == "" {
			t.Errorf("%+v", p)
		}
	}
}

func write(t interface{ Fatal(...any) }, rows ...*Row) []byte {
	var b bytes.Buffer
	w, err := NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestRoundTrip: what was written is what is read, with the columns in any order.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := good()
		for c, v := range rapid.MapOf(rapid.IntRange(0, Columns-1), rapid.SampledFrom([]string{"", "0", "Ñandú, \"x\"", "a\nb", "99"})).Draw(t, "values") {
			if fields[c].kind != padded {
				r[c] = v
			}
		}
		in, err := NewReader(bytes.NewReader(write(t, r, good())))
		if err != nil {
			t.Fatal(err)
		}
		got, err := in.Read()
		if err != nil || got != *r {
			t.Fatalf("%v: %q, want %q", err, got, *r)
		}
		if _, err = in.Read(); err != nil {
			t.Fatal(err)
		}
		if _, err = in.Read(); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	})
}

// TestOlderLayout: the names of 2017 to 2019, codes without their zeros, windows-1252, a
// column of its own, dates with a time.
func TestOlderLayout(t *testing.T) {
	names := []string{"OTRA", "ENT_NACM", "MPO_NACM", "EDADM", "FECH_NACM", "EDOCIVIL", "ENT_RES", "MPO_RES", "LOC_RES", "NUM_EMB", "NUM_NACVIVO", "ATEN_PREN", "TRIM_CONS", "TOT_CONS",
		"SOB_PARTO", "DERHAB", "FECH_NACH", "HORA_NACH", "SEXOH", "GESTACH", "TALLAH", "PESOH", "CLUES", "ENT_NAC"}
	values := []string{"\xd1", "9", "67.0", "24", "17/05/2002 00:00", "4", "20", "67", "1", "2", "2", "1", "1", "7", "1", "2", "03/10/2018", "04:35", "2", "39", "50", "3150", "OCSSA003966", "9"}
	in, err := NewReader(strings.NewReader(strings.Join(names, ",") + "\r\n" + strings.Join(values, ",") + "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(in.Unknown, []string{"OTRA"}) {
		t.Errorf("passed over: %q", in.Unknown)
	}
	r, err := in.Read()
	if err != nil {
		t.Fatal(err)
	}
	if got := []string{r[MotherBirthState], r[MotherBirthTown], r[HomeLocality], r[MotherBorn], r[Weight], r[BirthState]}; !slices.Equal(got, []string{"09", "067", "0001", "17/05/2002", "3150", "09"}) {
		t.Errorf("%q", got)
	}
}

func TestBadFiles(t *testing.T) {
	for text, want := range map[string]string{"": "names no columns", "a,b,c\n1,2,3\n": "names no columns", header + ",PESO\n": "twice", strings.ReplaceAll(header, ",", "|"): "commas"} {
		if _, err := NewReader(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v, want %q", text, err, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(string(write(f, good())))
	f.Add(header + "\n\"a\n")
	f.Add("\xef\xbb\xbf" + header + "\n1,2\n")
	f.Fuzz(func(t *testing.T, text string) {
		in, err := NewReader(strings.NewReader(text))
		if err != nil {
			return
		}
		for range 100 {
			r, err := in.Read()
			if err != nil {
				return
			}
			Check(&r, today)
			r.Flags()
		}
	})
}

func TestFlags(t *testing.T) {
	r := good()
	if r.Flags() != nil {
		t.Error(r.Flags())
	}
	r.SetInt(Weeks, 31)
	r.SetInt(Weight, 1400)
	if got := strings.Join(r.Flags(), " "); got != "preterm low-birth-weight very-low-birth-weight" {
		t.Error(got)
	}
	r.SetInt(BirthState, 9)
	r.SetDate(Born, today)
	if r[BirthState] != "09" || r[Born] != "22/11/2026" {
		t.Error(r[BirthState], r[Born])
	}
}
