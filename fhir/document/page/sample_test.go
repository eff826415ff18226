package page

import (
	"fmt"
	"strings"
	"time"
)

// note is a long clinical note: headings, lists, facts and tables over several sheets.
func note() *Page {
	results := Table{Caption: "Resultados de laboratorio", Head: []string{"Fecha", "Estudio", "Resultado", "Unidad", "Intervalo de referencia", "Observaciones"}, RowHeads: true}
	for i := range 70 {
		results.Rows = append(results.Rows, []string{fmt.Sprintf("2026-%02d-%02d", i%12+1, i%28+1),
			[]string{"Glucosa en ayuno", "Hemoglobina glucosilada (HbA1c)", "Creatinina", "Colesterol LDL", "Albúmina/creatinina en orina"}[i%5],
			fmt.Sprint(90 + i), "mg/dL", "70–100", []string{"", "≥ 126 mg/dL: confirmar", "µ alta; repetir en 3 meses con ayuno de 8 h"}[i%3]})
	}
	return &Page{
		Title: "Nota de evolución", Lang: "es-MX", Author: "Dra. Xóchitl Ñáñez Peña", Created: time.Date(2026, 11, 21, 18, 30, 0, 0, time.UTC),
		Foot: "Centro de Salud Urbano «Benito Juárez», CLUES DFSSA003966 · Expediente 000123",
		Blocks: []Block{
			Facts{Columns: 3, Items: []Fact{{Label: "Paciente", Value: "María Guadalupe Núñez Ibáñez", Wide: 2}, {Label: "CURP", Value: "NUIG850412MDFXBD09"},
				{Label: "Edad", Value: "41 años"}, {Label: "Sexo", Value: "Mujer"}, {Label: "Fecha y hora", Value: "21/11/2026, 12:30"}}},
			Notice{Spans: []Span{{Text: "Alergia: penicilina (anafilaxia, 2019)."}}},
			Heading{2, "Evolución y actualización del cuadro clínico"},
			Text(strings.Repeat("Acude a control de diabetes mellitus tipo 2 e hipertensión. ¿Adherencia? Refiere tomar el tratamiento a diario; ¡sin hipoglucemias! ", 8)),
			Paragraph{Spans: []Span{{Text: "Peso ", Bold: true}, {Text: "72.4 kg, talla 158 cm, IMC 29.0 kg/m², T.A. 138/86 mmHg, temperatura 36.5 °C, SpO₂ "}, {Text: "≥ 95 %", Italic: true}, {Text: ". Costo: €20.", Bold: true, Italic: true}}},
			Heading{3, "Diagnósticos"},
			List{Ordered: true, Items: [][]Span{{{Text: "E11.9 Diabetes mellitus tipo 2, sin mención de complicación"}}, {{Text: "I10 Hipertensión esencial (primaria). "}, {Text: strings.Repeat("Con buen control en las últimas consultas. ", 4)}}}},
			Heading{2, "Resultados"}, results, Rule{},
			Heading{2, "Tratamiento"},
			List{Items: [][]Span{{{Text: "Metformina 850 mg, vía oral, cada 12 horas"}}, {{Text: "Losartán 50 mg, vía oral, cada 24 horas"}}}},
			Text(strings.Repeat("Se explican datos de alarma, alimentación y ejercicio. ", 30)),
			Heading{2, "Pronóstico"}, Text("Bueno para la vida y la función."),
			Code{Text: "https://registro.example/verificar/abc123?firma=0123456789abcdef", Alt: "Código QR que lleva a la página de verificación", Link: "https://registro.example/verificar/abc123", Beside: []Span{{Text: "Verifique este documento\n", Bold: true}, {Text: "Lea el código con la cámara de su teléfono, o escriba registro.example/verificar y el folio abc123."}}},
		},
	}
}

// form is a dense form on one sheet.
func form() *Page {
	part := func(title string, n int) []Block {
		f := Facts{Columns: 4}
		for i := range n {
			f.Items = append(f.Items, Fact{Label: fmt.Sprintf("%d. Dato de %s", i+1, strings.ToLower(title)), Value: []string{"Ñoño Güemes", "3,250 g", "Sí", "39 semanas"}[i%4], Wide: i%3/2 + 1})
		}
		return []Block{Heading{2, title}, f}
	}
	p := &Page{Title: "Certificado de nacimiento", Lang: "es-MX", Created: time.Date(2026, 11, 21, 18, 30, 0, 0, time.UTC), Single: true, Mark: "CANCELADO", Foot: "Folio 012345678"}
	for _, s := range []string{"Madre", "Persona recién nacida", "Nacimiento", "Certificante"} {
		p.Blocks = append(p.Blocks, part(s, 16)...)
	}
	p.Blocks = append(p.Blocks, Code{Text: "https://registro.example/v/" + strings.Repeat("A1b2", 60), Alt: "Código QR de verificación", Millimetres: 42, Beside: []Span{{Text: "Para verificar: registro.example/v"}}})
	return p
}
