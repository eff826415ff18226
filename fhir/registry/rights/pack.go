package rights

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// maxPackage is how many bytes of resources a package holds. It is made in memory, and
// answered as a whole.
const maxPackage = 256 << 20

// packed answers with all that is kept of a patient, for people and for machines:
// Patient/[id]/$arco-package.
//
// NOM-024-SSA3-2012, 6.6.6.
func (d *desk) packed(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call); err != nil {
		return nil, err
	}
	patient, err := d.seen(ctx, call, call.Ref())
	if err != nil {
		return nil, err
	}
	p := &parcel{desk: d, call: call, now: d.now(), patient: patient}
	if err := p.gather(ctx); err != nil {
		return nil, err
	}
	if err := p.accesses(ctx); err != nil {
		return nil, err
	}
	raw, err := p.pack()
	if err != nil {
		return nil, err
	}
	return &operation.Answer{Media: "application/zip", Raw: raw}, nil
}

// parcel is a package in the making.
type parcel struct {
	*desk
	call    *operation.Call
	now     time.Time
	patient *fhir.Resource
	all     []fhir.Resource // the record, the Patient first, then what it refers to
	events  [][]byte        // AuditEvents, the newest first
	hidden  bool            // the caller may not see who looked at the record
	size    int

	zip   *zip.Writer
	files []fileOf
}

// fileOf is what the manifest says of a file.
type fileOf struct {
	Name   string `json:"nombre"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func (p *parcel) add(r *fhir.Resource) error {
	if p.size += len(r.JSON); p.size > maxPackage {
		return fhir.Errorf(fhir.TooCostly, "the record has more than %d bytes; it is exported in parts by $everything with _count", maxPackage)
	}
	p.all = append(p.all, *r)
	return nil
}

// gather reads what the caller may see of the record, and what that refers to.
func (p *parcel) gather(ctx context.Context) error {
	if err := p.add(p.patient); err != nil {
		return err
	}
	have := map[fhir.Ref]bool{p.call.Ref(): true}
	refers := map[fhir.Ref]bool{}
	q := search.Query{Where: []search.Expr{search.Or{recordOf(p.call.ID), search.OwnedBy([]string{p.call.ID})}}, Restriction: p.call.Restriction}
	err := each(ctx, p.Store, q, func(r *fhir.Resource) error {
		if have[r.Ref.Current()] {
			return nil
		}
		have[r.Ref.Current()] = true
		outgoing(r.JSON, p.call.Base, refers)
		return p.add(r)
	})
	if err != nil {
		return err
	}
	outgoing(p.patient.JSON, p.call.Base, refers)
	byType := map[string][]string{}
	for ref := range refers {
		// Other patients are not brought along, whatever refers to them.
		if !have[ref] && ref.Type != "Patient" && spec.IsResource(ref.Type) {
			byType[ref.Type] = append(byType[ref.Type], ref.ID)
		}
	}
	for _, typ := range spec.Resources() {
		slices.Sort(byType[typ])
		for ids := range slices.Chunk(byType[typ], 200) {
			q := search.Query{Type: typ, Where: []search.Expr{search.IDs{Any: ids}}, Restriction: p.call.Restriction}
			if err := each(ctx, p.Store, q, p.add); err != nil {
				return err
			}
		}
	}
	return nil
}

// outgoing adds what a resource refers to on this server, files included.
func outgoing(resource []byte, base string, into map[fhir.Ref]bool) {
	doc, err := element.Parse(resource)
	if err != nil {
		return
	}
	for n := element.Node(0); int(n) < doc.Len(); n++ {
		if doc.Kind(n) != element.Object {
			continue
		}
		for _, name := range []string{"reference", "url"} {
			c := doc.Get(n, name)
			if c == element.None || doc.Kind(c) != element.String {
				continue
			}
			ref, ok := fhir.ParseRef(strings.TrimPrefix(doc.Text(c), base+"/"))
			if ok && (name == "reference" || ref.Type == "Binary") {
				into[ref.Current()] = true
			}
		}
	}
}

// maxEvents is how many accesses a package lists, the newest.
const maxEvents = 5000

// accesses asks, as the caller, who looked at the record.
func (p *parcel) accesses(ctx context.Context) error {
	if p.call.Send == nil {
		p.hidden = true
		return nil
	}
	ask := fmt.Sprintf(`{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"AuditEvent?patient=Patient/%s&_count=%d"}}]}`, p.call.ID, maxEvents)
	raw, err := p.call.Send(ctx, []byte(ask))
	if err != nil {
		return err
	}
	var answer struct {
		Entry []struct {
			Resource struct {
				ResourceType string
				Entry        []struct {
					Resource json.RawMessage
				}
			}
		}
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("who looked: %w", err)
	}
	if len(answer.Entry) != 1 || answer.Entry[0].Resource.ResourceType != "Bundle" {
		p.hidden = true // the role of the caller does not show it
		return nil
	}
	for _, e := range answer.Entry[0].Resource.Entry {
		p.events = append(p.events, e.Resource)
	}
	return nil
}

// pack writes the files.
func (p *parcel) pack() ([]byte, error) {
	var out bytes.Buffer
	p.zip = zip.NewWriter(&out)
	pdf, err := p.page().PDF()
	if err != nil {
		return nil, err
	}
	steps := []func() error{
		func() error { return p.file("LEEME.txt", []byte(p.readme())) },
		func() error { return p.file("expediente.pdf", pdf) },
		func() error { return p.file("expediente.json", p.bundle()) },
		p.lines, p.attachments,
		func() error {
			if p.hidden {
				return nil
			}
			return p.file("accesos.ndjson", append(bytes.Join(p.events, []byte("\n")), '\n'))
		},
		p.manifest,
		p.zip.Close,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

func (p *parcel) file(name string, content []byte) error {
	w, err := p.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: p.now.UTC()})
	if err == nil {
		_, err = w.Write(content)
	}
	sum := sha256.Sum256(content)
	p.files = append(p.files, fileOf{name, len(content), hex.EncodeToString(sum[:])})
	return err
}

// bundle is the record as one FHIR Bundle.
func (p *parcel) bundle() []byte {
	b := make([]byte, 0, p.size+64*len(p.all)+100)
	b = append(b, `{"resourceType":"Bundle","type":"collection","timestamp":"`...)
	b = append(b, p.now.Format(time.RFC3339)...)
	b = append(b, `","entry":[`...)
	for i := range p.all {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"fullUrl":`...)
		b = element.Quote(b, p.call.Base+"/"+p.all[i].Ref.Current().String())
		b = append(b, `,"resource":`...)
		b = append(append(b, p.all[i].JSON...), '}')
	}
	return append(b, "]}"...)
}

// lines writes a file of lines for each type.
func (p *parcel) lines() error {
	byType := map[string][][]byte{}
	for i := range p.all {
		typ := p.all[i].Ref.Type
		byType[typ] = append(byType[typ], p.all[i].JSON)
	}
	for _, typ := range spec.Resources() {
		if len(byType[typ]) == 0 {
			continue
		}
		if err := p.file("ndjson/"+typ+".ndjson", append(bytes.Join(byType[typ], []byte("\n")), '\n')); err != nil {
			return err
		}
	}
	return nil
}

// attachments writes the files within the resources as files.
func (p *parcel) attachments() error {
	for i := range p.all {
		r := &p.all[i]
		doc, err := element.Parse(r.JSON)
		if err != nil {
			return err
		}
		count := 0
		for n := element.Node(0); int(n) < doc.Len(); n++ {
			if doc.Kind(n) != element.Object {
				continue
			}
			media, data := doc.Get(n, "contentType"), doc.Get(n, "data")
			if media == element.None || data == element.None || doc.Kind(data) != element.String {
				continue
			}
			content, err := base64.StdEncoding.DecodeString(doc.Text(data))
			if err != nil {
				continue // it is in the Bundle as it stands
			}
			count++
			name := fmt.Sprintf("adjuntos/%s-%s-%d%s", r.Ref.Type, r.Ref.ID, count, extension(doc.Text(media)))
			if err := p.file(name, content); err != nil {
				return err
			}
		}
	}
	return nil
}

// extensions of what records mostly hold; what browsers would run gets none.
var extensions = map[string]string{
	"application/pdf": ".pdf", "image/jpeg": ".jpg", "image/png": ".png", "image/tiff": ".tif", "text/plain": ".txt", "text/csv": ".csv",
	"application/dicom": ".dcm", "application/json": ".json", "application/fhir+json": ".json", "application/rtf": ".rtf",
}

func extension(media string) string {
	base, _, err := mime.ParseMediaType(media)
	if ext, ok := extensions[base]; ok && err == nil {
		return ext
	}
	return ".bin"
}

// manifest says what the other files are, so that a copy can be checked.
func (p *parcel) manifest() error {
	counts := map[string]int{}
	for i := range p.all {
		counts[p.all[i].Ref.Type]++
	}
	raw, err := json.MarshalIndent(struct {
		Patient  string         `json:"paciente"`
		Made     string         `json:"generado"`
		Server   string         `json:"servidor"`
		Format   string         `json:"formato"`
		Counts   map[string]int `json:"recursos"`
		Accesses int            `json:"accesos"`
		Files    []fileOf       `json:"archivos"`
	}{p.call.Ref().String(), p.now.Format(time.RFC3339), p.call.Base, "FHIR R4 (4.0.1)", counts, len(p.events), p.files}, "", "  ")
	if err != nil {
		return err
	}
	return p.file("manifiesto.json", raw)
}

func (p *parcel) readme() string {
	accesses := "accesos.ndjson   Quién consultó o cambió el expediente (AuditEvent, uno por línea;\n                 los más recientes, hasta " + fmt.Sprint(maxEvents) + ")."
	if p.hidden {
		accesses = "(La bitácora de accesos no se incluye: quien generó el paquete no puede verla.)"
	}
	return `Copia del expediente clínico
============================

Generada el ` + p.now.Format("02/01/2006 15:04") + ` para ejercer los derechos de acceso o portabilidad
(leyes de protección de datos personales; NOM-024-SSA3-2012, 6.6.6).

expediente.pdf   Para leer: un resumen de todo lo que contiene el expediente.
expediente.json  El expediente completo, como Bundle de HL7 FHIR R4: lo leen otros
                 sistemas de expediente clínico.
ndjson/          Lo mismo, un archivo por tipo de recurso, un recurso por línea.
adjuntos/        Los archivos que el expediente contiene (estudios, documentos).
` + accesses + `
manifiesto.json  Nombre, tamaño y huella SHA-256 de cada archivo.

Contiene datos personales sensibles: guárdela en un lugar seguro.
`
}
