package directory

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/identity/match"
)

// noDay is a day before which nobody of today is born: what is checked here is no birth.
var noDay = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// SystemPost is the system of the identifiers of PractitionerRoles: cédula@CLUES.
const SystemPost = "https://github.com/amate-health/amate/fhir/NamingSystem/puesto"

const (
	fathersFamily = "http://hl7.org/fhir/StructureDefinition/humanname-fathers-family"
	mothersFamily = "http://hl7.org/fhir/StructureDefinition/humanname-mothers-family"
)

// posts are the codes of http://terminology.hl7.org/CodeSystem/practitioner-role for what
// a profession is called, by a word of it.
var posts = []struct{ word, code, display string }{
	{"ENFERM", "nurse", "Nurse"}, {"FARMAC", "pharmacist", "Pharmacist"}, {"MEDIC", "doctor", "Doctor"}, {"CIRUJAN", "doctor", "Doctor"}, {"PEDIATR", "doctor", "Doctor"},
	{"GINECO", "doctor", "Doctor"},
}

// Practitioners reads professionals and hands on what it makes of them, in
// transactions. The columns are CEDULA, NOMBRE, PRIMER APELLIDO, SEGUNDO APELLIDO, CURP,
// SEXO (H or M), PROFESION, ESPECIALIDAD and CLUES; all but the first three may be left
// out. A professional at several facilities has a row for each, one after another. It
// returns the rows that it left out, at most a thousand of them.
func Practitioners(r io.Reader, yield func(Batch) error) ([]Skipped, error) {
	t, err := newTable(r, "CEDULA", "NOMBRE", "PRIMER APELLIDO")
	if err != nil {
		return nil, err
	}
	b := &batches{yield: yield}
	var skipped []Skipped
	for {
		more, err := t.next()
		if err != nil {
			return skipped, err
		}
		if !more {
			return skipped, b.flush(true)
		}
		if why := b.practitioner(t); why != "" {
			if len(skipped) < 1000 {
				skipped = append(skipped, Skipped{t.line(), why})
			}
			continue
		}
		if err := b.flush(false); err != nil {
			return skipped, err
		}
	}
}

func (b *batches) practitioner(t *table) string {
	cedula := t.get("CEDULA")
	for _, p := range identity.Check(identity.SystemCedula, cedula, noDay) {
		if !p.Warning {
			return fmt.Sprintf("character %d of the cédula: %s", p.At, p.Text)
		}
	}
	given, father := t.get("NOMBRE"), t.get("PRIMER APELLIDO")
	if cedula == "" || given == "" || father == "" {
		return "it has no cédula, name or first surname"
	}
	who := resource{
		"identifier": list{identifier(identity.SystemCedula, cedula)}, "active": true, "name": list{humanName(given, father, t.get("SEGUNDO APELLIDO"))},
	}
	curp := strings.ToUpper(t.get("CURP"))
	if curp != "" {
		for _, p := range identity.Check(identity.SystemCURP, curp, time.Now()) {
			if !p.Warning {
				return fmt.Sprintf("character %d of the CURP: %s", p.At, p.Text)
			}
		}
		if curp != identity.GenericCURP {
			who["identifier"] = append(who["identifier"].(list), identifier(identity.SystemCURP, curp))
		}
	}
	switch strings.ToUpper(t.get("SEXO")) {
	case "H":
		who["gender"] = "male"
	case "M":
		who["gender"] = "female"
	}
	profession := t.get("PROFESION")
	if profession != "" {
		who["qualification"] = list{resource{"identifier": list{identifier(identity.SystemCedula, cedula)}, "code": resource{"text": profession}}}
	}
	b.put("Practitioner", identity.SystemCedula, cedula, who)
	return b.post(t, cedula, profession)
}

// post adds where somebody works.
func (b *batches) post(t *table, cedula, profession string) string {
	clues := strings.ToUpper(t.get("CLUES"))
	if clues == "" {
		return ""
	}
	if identity.Check(identity.SystemCLUES, clues, noDay) != nil {
		return "the CLUES is none: the professional was taken, and where they work was not"
	}
	role := resource{
		"identifier": list{identifier(SystemPost, cedula+"@"+clues)}, "active": true,
		"practitioner": to("Practitioner", identity.SystemCedula, cedula), "organization": to("Organization", identity.SystemCLUES, clues),
		"location": list{to("Location", identity.SystemCLUES, clues)},
	}
	for _, p := range posts {
		if strings.Contains(match.Fold(profession), p.word) {
			role["code"] = list{concept("http://terminology.hl7.org/CodeSystem/practitioner-role", p.code, p.display)}
			break
		}
	}
	if specialty := t.get("ESPECIALIDAD"); specialty != "" {
		role["specialty"] = list{resource{"text": specialty}}
	}
	b.put("PractitionerRole", SystemPost, cedula+"@"+clues, role)
	return ""
}

func humanName(given, father, mother string) resource {
	parts := list{resource{"url": fathersFamily, "valueString": father}}
	family := father
	if mother != "" {
		family += " " + mother
		parts = append(parts, resource{"url": mothersFamily, "valueString": mother})
	}
	var names list
	for _, n := range strings.Fields(given) {
		names = append(names, n)
	}
	return resource{"use": "official", "family": family, "_family": resource{"extension": parts}, "given": names}
}
