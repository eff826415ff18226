package store

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestContentComesBack(t *testing.T) {
	random := make([]byte, 200_000)
	r := rand.NewChaCha8([32]byte{})
	r.Read(random)
	for _, json := range [][]byte{
		{}, []byte("{}"), []byte(`{"resourceType":"Patient","id":"ñ👩🏽‍⚕️"}`), dictionary1,
		[]byte(strings.Repeat("a", longContent-1)), []byte(strings.Repeat("a", longContent)), []byte(strings.Repeat("ab", 1<<20)),
		random, random[:longContent-1], random[:100],
	} {
		content := Compress(json)
		back, err := Expand(content)
		if err != nil || !bytes.Equal(back, json) {
			t.Errorf("%d bytes come back as %d, %v", len(json), len(back), err)
		}
		if len(content) > len(json)+len(json)/10+16 {
			t.Errorf("%d bytes take %d", len(json), len(content))
		}
	}
}

// TestOldContentIsRead holds the dictionary and the forms as they are: databases
// are full of contents like these.
func TestOldContentIsRead(t *testing.T) {
	const json = `{"resourceType":"Observation","id":"1","meta":{"versionId":"1"},"status":"final","code":{"text":"x"}}`
	for form, content := range map[string]string{
		"snappy": "\x01e\x8eh\x00\x001bi\x00\x00}N\xf8\x02\x04od\x0e\xcf\x1c\x11\x00\fx\"}}",
		"zstd":   "\x02(\xb5/\xfd e)\x03\x00{\"resourceType\":\"Observation\",\"id\":\"1\",\"meta\":{\"versionId\":\"1\"},\"status\":\"final\",\"code\":{\"text\":\"x\"}}",
	} {
		if back, err := Expand([]byte(content)); err != nil || string(back) != json {
			t.Errorf("%s: %q, %v", form, back, err)
		}
	}
}

func FuzzExpand(f *testing.F) {
	f.Add(Compress([]byte(`{"resourceType":"Patient"}`)))
	f.Add(Compress([]byte(strings.Repeat(`{"a":1}`, 2000))))
	f.Add([]byte{})
	f.Add([]byte{formSnappy})
	f.Add([]byte{formSnappy, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add([]byte{formZstd, 0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Add([]byte{9, 1, 2, 3})
	f.Fuzz(func(t *testing.T, content []byte) {
		if json, err := Expand(content); err == nil && len(json) > 64<<20 && len(content) < 1<<10 {
			t.Errorf("%d bytes unfold to %d", len(content), len(json))
		}
	})
}

func BenchmarkCompress(b *testing.B) {
	json := []byte(`{"resourceType":"Observation","id":"d4a62cef-a42c-45d9-b57a-537b97ad9b34","meta":{"versionId":"1","lastUpdated":"2026-11-21T18:00:00.000Z"},"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"55284-4","display":"Blood Pressure"}],"text":"Blood Pressure"},"subject":{"reference":"Patient/2c4e4abf-b81d-4791-9046-7cdff816061f"}}`)
	b.SetBytes(int64(len(json)))
	b.ReportAllocs()
	for b.Loop() {
		Compress(json)
	}
	b.ReportMetric(float64(len(Compress(json))), "bytes")
}

func BenchmarkExpand(b *testing.B) {
	content := Compress([]byte(`{"resourceType":"Patient","id":"d4a62cef-a42c-45d9-b57a-537b97ad9b34","name":[{"family":"Ek","given":["Ana"]}],"birthDate":"1980-01-01"}`))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Expand(content); err != nil {
			b.Fatal(err)
		}
	}
}

// TestLength: what is stored tells how long it is before it is expanded.
func TestLength(t *testing.T) {
	for _, n := range []int{0, 1, 2, 300, longContent - 1, longContent, longContent + 1, 1 << 20} {
		json := bytes.Repeat([]byte("a"), n)
		if got := length(Compress(json)); got != int64(n) {
			t.Errorf("%d bytes: %d", n, got)
		}
	}
	for _, bad := range [][]byte{nil, {}, {formSnappy}, {formZstd}, {formZstd, 1, 2}, {99, 1}} {
		if got := length(bad); got != 0 {
			t.Errorf("%v: %d", bad, got)
		}
	}
}
