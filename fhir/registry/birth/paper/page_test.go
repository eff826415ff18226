package paper

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/document/page"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/key"
)

// requireTools, when it is 1, makes a test fail where a tool is missing.
const requireTools = "AMATE_TEST_REQUIRE_TOOLS"

// run runs a tool of the machine; the test is skipped where it is not.
func run(t *testing.T, tool string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		if os.Getenv(requireTools) == "1" {
			t.Fatalf("%s=1, and %s is not installed", requireTools, tool)
		}
		t.Skipf("SKIPPED, THE PAPER WAS NOT LOOKED AT: %s is not installed (Debian: poppler-utils, qpdf, zbar-tools)", tool)
	}
	out, err := exec.Command(path, args...).Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", tool, args, err, out)
	}
	return string(out)
}

// printed returns the paper of c with the code of a key, and the file of its PDF.
func printed(t *testing.T, c *birth.Certificate, k *key.Key) (*page.Page, string) {
	t.Helper()
	o := Options{Verify: verifyURL, Printed: certified}
	if c.State.Live() {
		o.Claim = claimOf(t, k, c)
	}
	p, err := Page(c, o)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := p.PDF()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if keep := os.Getenv("AMATE_TEST_PICTURES"); keep != "" {
		dir = keep
	}
	file := filepath.Join(dir, "birth-"+string(c.State)+".pdf")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return p, file
}

// TestPaper prints a certificate in each state, and has other programs read it: one
// sheet, tagged, with embedded fonts, all that it certifies, and a code that says the same.
func TestPaper(t *testing.T) {
	k := newKey(t)
	for _, state := range birth.States {
		t.Run(string(state), func(t *testing.T) {
			c := sample(t, state)
			_, file := printed(t, c, k)
			text := strings.Join(strings.Fields(run(t, "pdftotext", "-layout", "-enc", "UTF-8", file, "-")), " ")
			wants := []string{c.Folio, "Certificado de nacimiento", "José Ángel Muñoz Güémez", "María de los Ángeles Güémez Ibáñez", "GUIA980214MMCMBN02", "Nicolás Muñoz Íñiguez", "Hombre",
				"19/11/2026", "23:47 h", "2890 g", "49 cm", "38 semanas", "Gemelar, 1.º de 2", "Xóchitl Ñáñez Peña", "12345678", "MCIMB005225", "vacuna BCG, vacuna contra hepatitis B, vitamina K", "Unión libre"}
			wants = append(wants, map[birth.State][]string{
				birth.Draft: {"BORRADOR", "no ha sido firmado", "Pendiente"}, birth.Void: {"CANCELADO", "El peso se anotó en onzas"},
				birth.Replaced: {"REEMPLAZADO", "MC26000004799"}, birth.Registered: {"000321", "30/11/2026"}, birth.Assigned: {"MUGA261119HMCXMNA5"},
			}[state]...)
			for _, want := range wants {
				if !strings.Contains(text, want) {
					t.Errorf("the paper lacks %q\n%s", want, text)
				}
			}
			for _, never := range []string{"Anomalías", "vitamina A"} {
				if strings.Contains(text, never) {
					t.Errorf("the paper says %q, which is not known\n%s", never, text)
				}
			}
			info := run(t, "pdfinfo", file)
			for _, want := range []string{"Tagged: yes", "Pages: 1"} {
				if !strings.Contains(strings.Join(strings.Fields(info), " "), want) {
					t.Errorf("%q is not so: %s", want, info)
				}
			}
			for _, font := range strings.Split(strings.TrimSpace(run(t, "pdffonts", file)), "\n")[2:] {
				if f := strings.Fields(font); f[len(f)-5] != "yes" { // emb, before sub, uni and the number of the object
					t.Errorf("a font is not embedded: %s", font)
				}
			}
			if out := run(t, "qpdf", "--check", file); !strings.Contains(out, "No syntax or stream encoding errors") {
				t.Error(out)
			}
		})
	}
}

// codeIn has another program read the QR code of a sheet as it is printed at 150 dots an inch.
func codeIn(t *testing.T, file string) string {
	t.Helper()
	png := strings.TrimSuffix(file, ".pdf")
	run(t, "pdftoppm", "-r", "150", "-png", "-singlefile", file, png)
	return strings.TrimSpace(run(t, "zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", png+".png"))
}

// TestCodeIsRead: another program reads from each paper the address, and from one that
// counts the claim, which a verifier believes; also under a mark.
func TestCodeIsRead(t *testing.T) {
	k := newKey(t)
	for _, state := range birth.States[1:] {
		c := sample(t, state)
		_, file := printed(t, c, k)
		code := codeIn(t, file)
		address, claim, claimed := strings.Cut(code, "#")
		if address != verifyURL || claimed != state.Live() {
			t.Fatalf("%s: the code says %q", state, code)
		}
		if !claimed {
			continue
		}
		got, by, err := Open(key.Keys{k}, claim)
		if err != nil || by != k || got.Folio != c.Folio || got.Born != "2026-11-19T23:47" || got.Order != "1/2" || got.Mother != "MDLÁGI" || got.Newborn != "JÁMG" || got.SHA256() != c.Hash {
			t.Errorf("%s: %+v, %v", state, got, err)
		}
		t.Logf("%s: %d characters", state, len(code))
	}
}

// TestHostileNames: what people wrote stays text, on paper and on screen.
func TestHostileNames(t *testing.T) {
	p, file := printed(t, hostile(t), newKey(t))
	raw, err := p.HTML()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(raw, []byte("<script")) || bytes.Contains(raw, []byte("<img")) || !bytes.Contains(raw, []byte("&lt;script&gt;")) {
		t.Errorf("the page takes a name for markup: %s", raw)
	}
	if out := run(t, "qpdf", "--check", file); !strings.Contains(out, "No syntax or stream encoding errors") {
		t.Error(out)
	}
	if _, _, err := Open(key.Keys{newKey(t)}, Claimed(codeIn(t, file))); err != ErrKey {
		t.Errorf("the claim of another key: %v", err)
	}
}

// TestDraftHasNoCode: what was never signed cannot be verified.
func TestDraftHasNoCode(t *testing.T) {
	p, _ := printed(t, sample(t, birth.Draft), nil)
	for _, b := range p.Blocks {
		if _, ok := b.(page.Code); ok {
			t.Error("a draft has a code")
		}
	}
	if _, err := NewClaim(sample(t, birth.Void), certified); err == nil {
		t.Error("a claim is made of a void certificate")
	}
}
