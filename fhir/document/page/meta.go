package page

import (
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"
)

// fontObjects writes the fonts that the document uses, and returns the entries of the
// resources that name them.
func (d *drawing) fontObjects(f *file) string {
	var out strings.Builder
	for i, s := range d.subsets {
		if len(s.runes) > 0 {
			fmt.Fprintf(&out, "/F%d %d 0 R ", i, s.objects(f))
		}
	}
	return strings.TrimSpace(out.String())
}

// objects writes a composite font (9.7) with two bytes a character, and returns its
// number.
func (s *subset) objects(f *file) int {
	ttf := s.file()
	name := tag(s.runes) + "+" + s.name
	program := f.stream(fmt.Sprintf(" /Length1 %d", len(ttf)), ttf)
	head := s.tables["head"]
	box := make([]string, 4)
	for i := range box {
		box[i] = number(s.thousandths(int(int16(binary.BigEndian.Uint16(head[36+2*i:])))))
	}
	descriptor := f.add(fmt.Sprintf(
		"<</Type /FontDescriptor /FontName /%s /Flags 4 /FontBBox [%s] /ItalicAngle %d /Ascent %s /Descent %s /CapHeight %s /StemV 80 /FontFile2 %d 0 R>>",
		name, strings.Join(box, " "), s.slant, number(s.thousandths(s.ascent)), number(s.thousandths(s.descent)),
		number(.72*1000), program))
	var widths strings.Builder
	widths.WriteString(number(s.thousandths(s.advance(0))))
	for _, r := range s.runes {
		widths.WriteString(" " + number(s.thousandths(s.advance(s.glyph(r)))))
	}
	descendant := f.add(fmt.Sprintf(
		"<</Type /Font /Subtype /CIDFontType2 /BaseFont /%s /CIDSystemInfo <</Registry (Adobe) /Ordering (Identity) /Supplement 0>> /FontDescriptor %d 0 R /CIDToGIDMap /Identity /W [0 [%s]]>>",
		name, descriptor, widths.String()))
	return f.add(fmt.Sprintf("<</Type /Font /Subtype /Type0 /BaseFont /%s /Encoding /Identity-H /DescendantFonts [%d 0 R] /ToUnicode %d 0 R>>",
		name, descendant, f.stream("", s.toUnicode())))
}

// tag returns the six letters that tell subsets of a font apart (9.6.4).
func tag(runes []rune) string {
	sum := uint64(14695981039346656037)
	for _, r := range runes {
		sum = (sum ^ uint64(r)) * 1099511628211
	}
	out := make([]byte, 6)
	for i := range out {
		out[i] = 'A' + byte(sum%26)
		sum /= 26
	}
	return string(out)
}

// toUnicode returns the map from numbers to characters (9.10.3).
func (s *subset) toUnicode() []byte {
	out := []byte("/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n" +
		"/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n" +
		"/CMapName /Adobe-Identity-UCS def /CMapType 2 def\n" +
		"1 begincodespacerange <0000> <FFFF> endcodespacerange\n")
	for from := 0; from < len(s.runes); from += 100 {
		part := s.runes[from:min(from+100, len(s.runes))]
		out = fmt.Appendf(out, "%d beginbfchar\n", len(part))
		for i, r := range part {
			out = fmt.Appendf(out, "<%04X> <", from+i+1)
			for _, u := range utf16.Encode([]rune{r}) {
				out = fmt.Appendf(out, "%04X", u)
			}
			out = append(out, ">\n"...)
		}
		out = append(out, "endbfchar\n"...)
	}
	return append(out, "endcmap CMapName currentdict /CMap defineresource pop end end\n"...)
}

const producer = "Amate"

// info writes the information dictionary (14.3.3).
func (p *Page) info(f *file) int {
	entries := fmt.Sprintf("/Title %s /Producer (%s)", textString(p.Title), producer)
	if p.Author != "" {
		entries += " /Author " + textString(p.Author)
	}
	if !p.Created.IsZero() {
		entries += " /CreationDate (" + p.Created.UTC().Format("D:20060102150405") + "Z)"
	}
	return f.add("<<" + entries + ">>")
}

// metadata writes the metadata stream (14.3.2), which says that the document keeps
// PDF/UA-1.
func (p *Page) metadata(f *file) int {
	var b strings.Builder
	b.WriteString("<?xpacket begin=\"\uFEFF\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n" +
		`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">` +
		`<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"` +
		` xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/">`)
	fmt.Fprintf(&b, `<dc:title><rdf:Alt><rdf:li xml:lang="x-default">%s</rdf:li></rdf:Alt></dc:title>`, escapeXML(p.Title))
	if p.Author != "" {
		fmt.Fprintf(&b, `<dc:creator><rdf:Seq><rdf:li>%s</rdf:li></rdf:Seq></dc:creator>`, escapeXML(p.Author))
	}
	fmt.Fprintf(&b, `<dc:language><rdf:Bag><rdf:li>%s</rdf:li></rdf:Bag></dc:language>`, escapeXML(p.lang()))
	if !p.Created.IsZero() {
		fmt.Fprintf(&b, `<xmp:CreateDate>%s</xmp:CreateDate>`, p.Created.UTC().Format(time.RFC3339))
	}
	b.WriteString(`<pdf:Producer>` + producer + `</pdf:Producer><pdfuaid:part>1</pdfuaid:part>` +
		"</rdf:Description></rdf:RDF></x:xmpmeta>\n<?xpacket end=\"w\"?>")
	return f.open(" /Type /Metadata /Subtype /XML", []byte(b.String()))
}

func escapeXML(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(clean(s))) // a builder takes everything
	return b.String()
}

// ascii returns a string of ASCII characters (7.3.4.2).
func ascii(s string) string {
	return "(" + strings.NewReplacer(`\`, `\\`, `(`, `\(`, `)`, `\)`).Replace(s) + ")"
}
