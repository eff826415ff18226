package giis

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/registry/identity"
)

// official are the rows of the file of examples that the DGIS publishes with the guide
// (CEX-EJEMPLOS-2410; as kept in the public repository Ramazzini_V2_Backend at c6aa11b,
// docs/nom-024/giis_official/examples). The people in it are made up. Written here are
// the first 50 variables, and of the others those that do not say that they do not apply.
var official = []struct{ first, others string }{
	{"MCIMB005225|142|LOSD900505MOCPNN01|DANIELA|LOPEZ|SANCHEZ|1|1|PUVL670102HOCRSS01|LUIS FRANCISCO|PUERTAS|VASQUEZ|02/01/1967|142|20|1|1|0|1|3|142|5|14|01/10/2024|4|70.34|167|0|100|60|88|20|36|97|0|-1|-1|0|0|0|-1|0|R300|-1|-1||-1|-1||-1", "51=1 74=1 105=6 106=2"},
	{"SLSME000016|11|SOXT870925MNESXR04|MA. TERESA|SOSA|XX|4|0|MAXG080915HNERXBC2|GABRIEL|MARTINEZ|XX|15/09/2008|182|88|1|1|3|2|-1|-1|1|8|03/10/2024|51|69.581|162|75|140|90|75|19|37.1|90|185|0|2|0|1|1|-1|0|CP13|1|0|CP48|0|0|F514|-1", "73=0 98=1 99=1 100=1 101=2 104=1 105=7 106=1"},
	{"GRIMB005192|142|ROAA820129MGRDLL08|ALICIA|RODRIGUEZ|ALVAREZ|2|0|VXGA920313MGRRTB10|ABIGAIL|VARGAS|GUTIERREZ|13/03/1992|142|12|2|2|-1|1|1|142|0|0|01/10/2024|4|58.185|145|0|90|50|80|23|0|0|106|-1|1|0|-1|0|-1|1|R69X|-1|-1||-1|-1||-1", "52=0 53=4&2 70=0 72=0"},
	{"NTIMB001765|142|QUXF890212HDFRXR03|J. FRANCISCO|QUIRINO|XX|2|1|CALJ700507MNTNNS03|JOSEFA ANTONIA|CANCHOLA|LUNA|07/05/1970|142|18|2|2|0|0|0|-1|2|1|04/10/2024|4|55|144|85|100|70|82|20|37.5|0|0|-1|-1|0|-1|1|1|0|M545|-1|-1||-1|-1||-1", "51=2 70=0 74=0 76=1 99=1"},
	{"MCIMB005522|174|SOGM720327MNESMN00|MONICA|SOSA|GOMEZ|2|0|AOCA520930MMCNVS05|MARIA ASUNCION|ANTON|COVADONGA|30/09/1952|142|15|2|2|1|0|-1|-1|3|6|05/10/2024|4|999|143|0|160|80|0|0|38.2|0|138|0|1|0|-1|0|-1|1|E119|-1|-1||-1|-1||-1", "70=0 90=1 91=2 92=1 94=1 95=2 96=2 102=1 105=3&2 106=2"},
	{"MCIMB009010|142|GUBM800719HDFTNR03|MARIO|GUTIERREZ|BENITEZ|1|0|CESI700601HDFBLR06|IRINA|CEBRIAN|SILVA|01/06/1970|142|09|1|2|0|-1|0|-1|4|8|06/10/2024|4|79.5|999|99|120|80|71|16|36.1|92|120|1|1|0|-1|0|-1|1|E119|-1|-1||-1|-1||-1", "51=3 68=1 69=0 70=0 98=1"},
	{"NTIMB001193|142|AOGM851209HSLCTR09|MARTIN|ACOSTA|GUTIERREZ|2|0|SANJ221024HSLNXND3|JUAN ENRIQUE|SANTIAGO|NUÑEZ|24/10/2022|142|25|1|1|0|0|0|-1|1|2&8|07/10/2024|4|85|74|0|0|0|95|25|36.5|0|0|-1|-1|0|-1|1|-1|0|J029|-1|-1||-1|-1||-1", "80=2 81=0 82=3 83=1 84=5 85=1 86=2 87=0 88=1 89=1 98=1 99=1 100=1 101=3 103=1"},
	{"QTSSA003451|68|XXXX999999XXXXXX99|JUANA|RUIZ|XX|10|0|MUBA041211MNERRSB7|M. ASUNCION|MURIEL|BARRIOS|11/12/2004|59|88|2|2|0|0|2|59|2|99|08/10/2024|9|65.5|165|0|90|60|70|19|36.8|0|0|-1|-1|0|1|0|-1|1|MT09|-1|0|MT01|-1|-1||-1", "100=1"},
	{"VZIMB002856|142|JIFM880203HVZMRR07|MAURICIO|JIMENEZ|FERNANDEZ|2|0|COXD650118MVZBXN04|DIANA|COBOS|XX|18/01/1965|142|30|2|2|0|0|-1|-1|2|11|05/10/2024|4|73.4|153|0|110|60|80|20|36.5|99|0|-1|-1|0|0|0|-1|1|E119|-1|0|I10X|-1|-1||-1", "70=1 71=0 97=1 98=1 99=1"},
	{"JCSSA005386|142|RAGG790827MJCMNR05|GRACIELA|RAMIREZ|GONZALEZ|1|1|XXXX999999XXXXXX99|ANGUSTIAS|MARTINEZ|FARRE|19/07/1953|142|09|3|2|0|0|0|-1|2|3|05/10/2024|4|42|148|0|110|65|68|20|36.4|100|0|-1|-1|0|-1|0|-1|0|L600|-1|0|I10X|-1|-1||-1", "70=0 97=2 98=1 99=1"},
	{"QTSSA003451|142|ROGN900916MDFDRR00|NORMA|RODRIGUEZ|GARCIA|1|0|BASM910920MMSRBN04|MONSERRAT|BARBA|SABATER|20/09/1991|142|17|2|2|0|0|0|-1|88|1|07/10/2024|88|67.2|165|0|111|67|87|20|36.2|98|0|-1|-1|0|-1|0|-1|1|Z358|-1|-1||-1|-1||-1", "54=1 55=2 56=3 57=1 58=0 60=1 62=0 63=1 64=1 65=0 66=1 67=0 101=1 104=1 106=1"},
}

func officialRows(t testing.TB) []Row {
	t.Helper()
	var out []Row
	for _, o := range official {
		var r Row
		for i := range r {
			r[i] = table[i].unknown
		}
		if n := copy(r[:], strings.Split(o.first, "|")); n != 50 {
			t.Fatalf("%d variables", n)
		}
		for pair := range strings.FieldsSeq(o.others) {
			n, value, _ := strings.Cut(pair, "=")
			of, _ := strconv.Atoi(n)
			r.set(of, value)
		}
		out = append(out, r)
	}
	return out
}

var checker = Checker{Today: time.Date(2024, 11, 1, 0, 0, 0, 0, time.UTC)}

// TestOfficialRows: the examples keep every rule but one. The check digits of their
// CURPs are made up as the people are; with the right ones nothing is wrong.
func TestOfficialRows(t *testing.T) {
	for i, r := range officialRows(t) {
		for _, f := range checker.Row(&r, i+1) {
			if f.Rule != "form" || !strings.Contains(f.Text, "check digit") {
				t.Errorf("row %d: %+v", i+1, f)
			}
		}
		mend(&r)
		if found := checker.Row(&r, i+1); len(found) > 0 {
			t.Errorf("row %d with its check digits put right: %+v", i+1, found)
		}
	}
}

// mend puts the check digits of the CURPs of a row right.
func mend(r *Row) {
	for _, n := range []int{vStaffCURP, vCURP} {
		if c := r.at(n); c != identity.GenericCURP && len(c) == 18 {
			digit, _ := identity.CURPDigit(c[:17])
			r.set(n, c[:17]+string(rune(digit)))
		}
	}
}

func mended(t testing.TB) []Row {
	rows := officialRows(t)
	for i := range rows {
		mend(&rows[i])
	}
	return rows
}
