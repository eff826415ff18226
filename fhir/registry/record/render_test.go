package record

import (
	"bytes"
	"testing"
)

// TestRendered: each kind of document becomes a PDF and an HTML page.
func TestRendered(t *testing.T) {
	eachKind(t, func(t *testing.T, k *Kind) {
		p, err := Page(newSample(k).doc(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		pdf, err := write(p, mediaPDF)
		if err != nil || pdf.Media != "application/pdf" || !bytes.HasPrefix(pdf.Raw, []byte("%PDF-")) {
			t.Errorf("PDF: %v, %.20q", err, pdf.Raw)
		}
		html, err := write(p, "")
		if err != nil || html.Media != "text/html; charset=utf-8" || !bytes.Contains(html.Raw, []byte("Gloria Hernández García")) || !bytes.Contains(html.Raw, []byte(`lang="es-MX"`)) {
			t.Errorf("HTML: %v, %.200q", err, html.Raw)
		}
	})
}
