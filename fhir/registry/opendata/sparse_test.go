package opendata

import (
	"context"
	"strings"
	"testing"
)

// TestSparseBirths protects births of which most municipalities have few, with an effort
// that does not do for all of them: it ends, and what is left out is the finest of it.
func TestSparseBirths(t *testing.T) {
	f := birthsFamily(t)
	c, err := Aggregate(context.Background(), f, manyBirths(30_000, 0, 5), span(f))
	if err != nil {
		t.Fatal(err)
	}
	p, err := protectWithin(context.Background(), c, nil, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Withdrawn) == 0 || !strings.Contains(p.Withdrawn[0], "municipality") {
		t.Errorf("there is not enough time, and what is left out is %v", p.Withdrawn)
	}
	files := disk{}
	if _, err := Write(context.Background(), c, p, 1, issued, files.create); err != nil {
		t.Fatal(err)
	}
	a := read(t, files, birthDims, nil)
	shown := 0
	for _, v := range a.cells {
		if v >= 0 {
			shown++
		}
	}
	if found := append(a.small(11), a.subtract()...); len(found) > 0 || shown < 300 {
		t.Errorf("%d cells are shown, and %d follow: %v", shown, len(found), found[:min(9, len(found))])
	}
}
