package page

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// tree is a document as a screen reader meets it.
type tree struct {
	tag   string
	node  dict
	text  string // of its own content
	pages []int  // sheets its own content is on
	ys    []float64
	kids  []*tree
	links []dict
	drawn bool
}

// walk visits a tree in reading order.
func (n *tree) walk(visit func(*tree)) {
	visit(n)
	for _, k := range n.kids {
		k.walk(visit)
	}
}

// all returns the text of a tree in reading order.
func (n *tree) all() string {
	var b strings.Builder
	n.walk(func(k *tree) { b.WriteString(k.text) })
	return b.String()
}

func (n *tree) find(tag string) (out []*tree) {
	n.walk(func(k *tree) {
		if k.tag == tag {
			out = append(out, k)
		}
	})
	return out
}

// document is a PDF that was read and whose structure holds together.
type document struct {
	*reader
	tree   *tree
	sheets [][]piece
}

// open reads a PDF, and checks what each tagged one must keep: all content belongs to
// exactly one element or is an artifact, and the way back from content to element is
// the same as the way there.
func open(t testing.TB, raw []byte) *document {
	t.Helper()
	d := &document{reader: read(t, raw)}
	pages := d.dict(d.root["Pages"])
	numbers := map[ref]int{}
	for i, k := range d.array(pages["Kids"]) {
		page := d.dict(k)
		numbers[k.(ref)] = i
		if int(page["StructParents"].(float64)) != i || page["Tabs"] != name("S") {
			t.Fatalf("sheet %d: %v", i, page)
		}
		d.sheets = append(d.sheets, d.pieces(page, d.dict(pages["Resources"])))
	}
	root := d.dict(d.root["StructTreeRoot"])
	nums := d.array(d.dict(root["ParentTree"])["Nums"])
	parents := map[int]any{}
	for i := 0; i < len(nums); i += 2 {
		parents[int(nums[i].(float64))] = nums[i+1]
	}
	used := map[[2]int]bool{}
	d.tree = d.node(root["K"].(ref), d.root["StructTreeRoot"].(ref), numbers, parents, used)
	for i, pieces := range d.sheets {
		for _, p := range pieces {
			if p.mark >= 0 && !used[[2]int{i, p.mark}] {
				t.Fatalf("content %d of sheet %d belongs to no element", p.mark, i)
			}
		}
	}
	return d
}

func (d *document) node(id, parent ref, numbers map[ref]int, parents map[int]any, used map[[2]int]bool) *tree {
	v := d.dict(id)
	if v["P"] != parent || v["Type"] != name("StructElem") {
		d.t.Fatalf("element %v below %v", v, parent)
	}
	n := &tree{tag: string(v["S"].(name)), node: v}
	for _, k := range d.array(v["K"]) {
		if r, ok := k.(ref); ok {
			n.kids = append(n.kids, d.node(r, id, numbers, parents, used))
			continue
		}
		kid := k.(dict)
		sheet, ok := numbers[kid["Pg"].(ref)]
		if !ok {
			d.t.Fatalf("content on no sheet: %v", kid)
		}
		if kid["Type"] == name("OBJR") {
			a := d.dict(kid["Obj"])
			if parents[int(a["StructParent"].(float64))] != id {
				d.t.Fatal("a link that does not lead back to its element")
			}
			n.links = append(n.links, a)
			continue
		}
		mark := int(kid["MCID"].(float64))
		if used[[2]int{sheet, mark}] || d.array(parents[sheet])[mark] != any(id) {
			d.t.Fatalf("content %d of sheet %d does not lead back to its element", mark, sheet)
		}
		used[[2]int{sheet, mark}] = true
		i := slices.IndexFunc(d.sheets[sheet], func(p piece) bool { return p.mark == mark })
		p := d.sheets[sheet][i]
		if string(p.tag) != n.tag {
			d.t.Fatalf("content of %s in %s", p.tag, n.tag)
		}
		n.text += p.text
		n.drawn = n.drawn || p.drawn
		n.pages, n.ys = append(n.pages, sheet), append(n.ys, p.y)
	}
	return n
}

// mustPDF returns the PDF of a page.
func mustPDF(t testing.TB, p *Page) []byte {
	t.Helper()
	raw, err := p.PDF()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestStructure(t *testing.T) {
	d := open(t, mustPDF(t, note()))
	if d.root["Lang"] != "es-MX" || d.dict(d.root["MarkInfo"])["Marked"] != op("true") ||
		d.dict(d.root["ViewerPreferences"])["DisplayDocTitle"] != op("true") {
		t.Errorf("catalog %v", d.root)
	}
	meta := d.streams[int(d.root["Metadata"].(ref))]
	for _, want := range []string{"<pdfuaid:part>1</pdfuaid:part>", "Nota de evolución", "Xóchitl Ñáñez", "2026-11-21T18:30:00Z"} {
		if !bytes.Contains(meta, []byte(want)) {
			t.Errorf("the metadata lack %s", want)
		}
	}
	if d.tree.tag != "Document" {
		t.Errorf("the tree begins with %s", d.tree.tag)
	}
	counts := map[string]int{}
	d.tree.walk(func(n *tree) { counts[n.tag]++ })
	for tag, want := range map[string]int{"H1": 1, "H2": 4, "H3": 1, "Table": 1, "Caption": 1, "THead": 1, "TR": 71,
		"TH": 6 + 70, "TD": 350, "L": 3, "Figure": 1, "Link": 1} {
		if counts[tag] != want {
			t.Errorf("%d of %s, want %d", counts[tag], tag, want)
		}
	}
	for _, th := range d.tree.find("TH") {
		scope, want := d.dict(th.node["A"])["Scope"], name("Row")
		if d.array(d.dict(th.node["P"])["K"])[1] != nil && d.dict(d.dict(th.node["P"])["P"])["S"] == name("THead") {
			want = "Column"
		}
		if scope != want {
			t.Fatalf("the head %q has scope %v, want %s", th.text, scope, want)
		}
	}
	figure := d.tree.find("Figure")[0]
	if alt := figure.node["Alt"].(string); utf16Text(alt[2:]) != "Código QR que lleva a la página de verificación" || !figure.drawn {
		t.Errorf("the figure says %q", alt)
	}
	link := d.tree.find("Link")[0]
	if len(link.links) != 1 || d.dict(link.links[0]["A"])["URI"] != "https://registro.example/verificar/abc123" || link.links[0]["Contents"] == nil {
		t.Errorf("link %v", link.links)
	}
}

func TestOutline(t *testing.T) {
	d := open(t, mustPDF(t, note()))
	var list func(parent ref, depth int) []string
	list = func(parent ref, depth int) (out []string) {
		for next := d.dict(parent)["First"]; next != nil; next = d.dict(next)["Next"] {
			item := d.dict(next)
			if item["Parent"] != parent {
				t.Error("an entry with another parent")
			}
			out = append(out, strings.Repeat(">", depth)+utf16Text(item["Title"].(string)[2:]))
			out = append(out, list(next.(ref), depth+1)...)
		}
		return out
	}
	got := list(d.root["Outlines"].(ref), 0)
	want := []string{"Nota de evolución", ">Evolución y actualización del cuadro clínico", ">>Diagnósticos", ">Resultados", ">Tratamiento", ">Pronóstico"}
	if !slices.Equal(got, want) {
		t.Errorf("outline %q, want %q", got, want)
	}
	if n := d.dict(d.root["Outlines"])["Count"]; n != 6.0 {
		t.Errorf("%v entries", n)
	}
}

func TestSheets(t *testing.T) {
	d := open(t, mustPDF(t, note()))
	if len(d.sheets) < 4 {
		t.Fatalf("%d sheets", len(d.sheets))
	}
	for _, tr := range d.tree.find("TR") {
		on := map[int]bool{}
		for _, cell := range tr.kids {
			for _, p := range cell.pages {
				on[p] = true
			}
		}
		if len(on) != 1 {
			t.Errorf("a row on %d sheets: %q", len(on), tr.all())
		}
	}
	heads := 0
	for i, pieces := range d.sheets {
		foot := pieces[len(pieces)-1]
		if want := "Página " + string(rune('1'+i)) + " de " + string(rune('0'+len(d.sheets))); !strings.Contains(foot.text, want) || foot.artifact["Subtype"] != name("Footer") {
			t.Errorf("foot %q of sheet %d, want %q", foot.text, i, want)
		}
		if slices.ContainsFunc(pieces, func(p piece) bool { return p.mark < 0 && strings.HasPrefix(p.text, "Intervalo de ") }) {
			heads++
		}
		last := slices.IndexFunc(pieces, func(p piece) bool { return p.mark == marks(pieces)-1 })
		if strings.HasPrefix(string(pieces[last].tag), "H") {
			t.Errorf("sheet %d ends in the heading %q", i, pieces[last].text)
		}
	}
	body := d.tree.find("TBody")[0]
	if want := body.kids[69].kids[0].pages[0] - body.kids[0].kids[0].pages[0]; heads != want || want < 2 {
		t.Errorf("the head of the table is said again on %d sheets, want %d", heads, want)
	}
}

func marks(pieces []piece) int {
	n := 0
	for _, p := range pieces {
		n = max(n, p.mark+1)
	}
	return n
}
