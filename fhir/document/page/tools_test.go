package page

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// run runs a tool of the machine; the test is skipped where it is not.
func run(t *testing.T, tool string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		t.Skipf("SKIPPED: %s is not installed (Debian: poppler-utils, qpdf, zbar-tools)", tool)
	}
	out, err := exec.Command(path, args...).Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", tool, args, err, out)
	}
	return string(out)
}

// written writes a document down for a tool.
func written(t *testing.T, p *Page) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "document.pdf")
	if err := os.WriteFile(file, mustPDF(t, p), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestFileIsSound(t *testing.T) {
	for name, p := range map[string]*Page{"note": note(), "form": form(), "attacks": {Title: "t", Blocks: []Block{
		Table{Head: attacks, Rows: [][]string{attacks[:8], attacks[20:]}}, List{Items: [][]Span{{{Text: strings.Join(attacks, "\n")}}}}}}} {
		if out := run(t, "qpdf", "--check", written(t, p)); !strings.Contains(out, "No syntax or stream encoding errors") {
			t.Errorf("%s: %s", name, out)
		}
	}
}

// TestOthersReadTheText has another program take the text out.
func TestOthersReadTheText(t *testing.T) {
	p := note()
	p.Blocks = append(p.Blocks, Text("Señal: ñ Ñ ¿¡ € – “ ” ≥ ≤ µ ° ² — שלום 👩"))
	out := run(t, "pdftotext", "-enc", "UTF-8", written(t, p), "-")
	for _, want := range []string{"María Guadalupe Núñez Ibáñez", "¿Adherencia?", "¡sin hipoglucemias!", "kg/m²", "≥ 95 %", "€20", "ñ Ñ ¿¡ € – “ ” ≥ ≤ µ ° ² —", "👩", "Página 1 de"} {
		if !strings.Contains(out, want) {
			t.Errorf("the text lacks %q", want)
		}
	}
	tree := run(t, "pdfinfo", "-struct-text", written(t, p))
	for _, want := range []string{"H1 (block)", "TH:", "/Scope /Column", "/ListNumbering /Decimal", "Figure"} {
		if !strings.Contains(tree, want) {
			t.Errorf("the structure lacks %q", want)
		}
	}
}

// TestCodesAreRead has another program read the QR codes of sheets as they are
// printed at 150 dots an inch, also under a mark.
func TestCodesAreRead(t *testing.T) {
	for _, p := range []*Page{note(), form(), {Title: "t", Blocks: []Block{Code{Text: "shc:/567629095243206034602924374044603122295953265460346029254077280433602870286471674522280928613331456437653141590640220306450459085643550341424541364037063665417137241236380304375622046737407532323925433443326057360104045", Alt: "a", Millimetres: 32}}}} {
		last := strconv.Itoa(len(open(t, mustPDF(t, p)).sheets))
		png := filepath.Join(t.TempDir(), "sheet")
		run(t, "pdftoppm", "-r", "150", "-f", last, "-png", written(t, p), png)
		sheets, err := filepath.Glob(png + "*.png")
		if err != nil || len(sheets) == 0 {
			t.Fatalf("%d sheets, %v", len(sheets), err)
		}
		want := ""
		for _, b := range p.Blocks {
			if q, ok := b.(Code); ok {
				want = q.Text
			}
		}
		out := run(t, "zbarimg", append([]string{"-q", "--raw", "-Sdisable", "-Sqrcode.enable"}, sheets[len(sheets)-1])...)
		if strings.TrimSpace(out) != want {
			t.Errorf("the code says %q, want %q", out, want)
		}
	}
}
