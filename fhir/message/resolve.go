package message

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/message/hl7"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// stored is a resource that an identifier led to.
type stored struct {
	ref         fhir.Ref
	updated     time.Time
	json        []byte
	identifiers []Identifier
	replacedBy  string
	subject     string // reference
}

// lookups are what the identifiers of some messages lead to.
type lookups struct {
	by    map[string]map[Identifier][]*stored // by type
	known map[string]string                   // link of a draft -> reference, from the cache
}

// resolve looks up what drafts of units name by an identifier, as their sender: with one
// search for each type.
func (p *Processor) resolve(ctx context.Context, units []*unit) (*lookups, error) {
	found := &lookups{by: map[string]map[Identifier][]*stored{}, known: map[string]string{}}
	asked := map[string][]Identifier{}
	for _, u := range units {
		for i := range u.drafts {
			d := &u.drafts[i]
			if d.Way == Put || found.known[d.Link()] != "" {
				continue
			}
			if ref := p.cache.get(u.Group, d); ref != "" {
				found.known[d.Link()] = ref
				continue
			}
			for _, id := range d.Identifiers {
				if !slices.Contains(asked[d.Type], id) {
					asked[d.Type] = append(asked[d.Type], id)
				}
			}
		}
	}
	for typ, ids := range asked {
		found.by[typ] = map[Identifier][]*stored{}
		for chunk := range slices.Chunk(ids, 100) {
			err := p.find(ctx, typ, chunk, found.by[typ])
			if typ == "ServiceRequest" && fhir.CodeOf(err) == fhir.Forbidden {
				break // who may see no orders refers to none of others
			}
			if err != nil {
				return nil, err
			}
			if err := p.blocked(ctx, typ, chunk, found.by[typ]); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// find searches for resources that have one of ids.
func (p *Processor) find(ctx context.Context, typ string, ids []Identifier, found map[Identifier][]*stored) error {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.criterion()
	}
	most := 4*len(ids) + 10
	resp, err := p.API.Do(ctx, &rest.Request{
		Interaction: rest.SearchType, Type: typ,
		Params: []search.Param{{Name: "identifier", Value: strings.Join(texts, ",")}, {Name: "_count", Value: strconv.Itoa(most)}},
	})
	if err != nil {
		return err
	}
	d, err := element.Parse(resp.Body)
	if err != nil {
		return err
	}
	entries := d.Get(0, "entry")
	if entries == element.None {
		return nil
	}
	if d.Size(entries) >= most {
		return fhir.Errorf(fhir.MultipleMatches, "too many resources have the same identifiers")
	}
	for e := d.First(entries); e != element.None; e = d.Next(entries, e) {
		s := storedIn(d, d.Get(e, "resource"))
		if s.ref.Type != typ {
			continue
		}
		for _, id := range s.identifiers {
			found[id] = append(found[id], s)
		}
	}
	return nil
}

// blocked adds those of ids that nobody was found by and that lead to a Patient whose
// record is blocked.
func (p *Processor) blocked(ctx context.Context, typ string, ids []Identifier, found map[Identifier][]*stored) error {
	if typ != "Patient" || p.Blocked == nil {
		return nil
	}
	var texts []string
	missing := map[Identifier]bool{}
	for _, id := range ids {
		if len(found[id]) == 0 {
			texts, missing[id] = append(texts, id.criterion()), true
		}
	}
	if len(texts) == 0 {
		return nil
	}
	patients, err := p.Blocked(ctx, strings.Join(texts, ","))
	if err != nil {
		return err
	}
	for i := range patients {
		d, err := element.Parse(patients[i].JSON)
		if err != nil {
			return err
		}
		s := storedIn(d, 0)
		s.ref, s.updated = patients[i].Ref, patients[i].Updated
		for _, id := range s.identifiers {
			if missing[id] {
				found[id] = append(found[id], s)
			}
		}
	}
	return nil
}

func storedIn(d *element.Doc, n element.Node) *stored {
	meta := d.Get(n, "meta")
	s := &stored{ref: fhir.Ref{Type: textAt(d, n, "resourceType"), ID: textAt(d, n, "id")}, identifiers: identifiersIn(d, n)}
	if n != element.None {
		s.json = slices.Clone(d.Raw(n))
	}
	s.ref.Version, _ = strconv.ParseInt(textAt(d, meta, "versionId"), 10, 64)
	s.updated, _ = time.Parse(time.RFC3339Nano, textAt(d, meta, "lastUpdated"))
	if s.ref.Type == "Patient" {
		s.replacedBy = replacedBy(d, n)
	}
	s.subject = textAt(d, d.Get(n, "subject"), "reference")
	return s
}

// match returns the one resource that a draft is about, nil for none. Of patients who
// were merged, it is the one who is left.
func (p *Processor) match(ctx context.Context, d *Draft, found *lookups) (*stored, *hl7.Error, error) {
	var one *stored
	for _, id := range d.Identifiers {
		for _, s := range found.by[d.Type][id] {
			for hops := 0; s.replacedBy != "" && d.Retire == "" && hops < 8; hops++ {
				next, err := p.read(ctx, s.replacedBy)
				if err != nil {
					return nil, nil, err
				}
				s = next
			}
			if one != nil && one.ref.ID != s.ref.ID {
				return nil, &hl7.Error{Code: hl7.DuplicateKey, Text: "the identifiers of the " + d.Type + " belong to several"}, nil
			}
			one = s
		}
	}
	return one, nil, nil
}

// preferred returns what d leaves its place to: the one resource of the same patient that has
// one of its identifiers, "" where there is none, or several, or d itself is there already.
func (l *lookups) preferred(d *Draft, links map[string]string) string {
	patient := links[d.Patient]
	ref := ""
	for _, id := range d.Identifiers {
		for _, s := range l.by[d.Type][id] {
			at := s.ref.Current().String()
			if at == d.Link() || ref != "" && ref != at {
				return ""
			}
			if patient != "" && s.subject == patient {
				ref = at
			}
		}
	}
	return ref
}

// read reads a resource by its reference, as the sender.
func (p *Processor) read(ctx context.Context, reference string) (*stored, error) {
	typ, id, _ := strings.Cut(reference, "/")
	resp, err := p.API.Do(ctx, &rest.Request{Interaction: rest.Read, Type: typ, ID: id})
	if err != nil {
		return nil, err
	}
	d, err := element.Parse(resp.Body)
	if err != nil {
		return nil, err
	}
	return storedIn(d, 0), nil
}

// directoryCache remembers for a short while which practitioners, organizations and
// places there are: every message names some, and they hardly ever change.
type directoryCache struct {
	mu    sync.Mutex
	known map[string]cached
}

type cached struct {
	reference string
	until     time.Time
}

const (
	cacheFor  = 30 * time.Second
	cacheMost = 10_000
)

func cacheable(d *Draft) bool {
	return d.Way == Ensure && (d.Type == "Practitioner" || d.Type == "Organization" || d.Type == "Location")
}

func (c *directoryCache) get(group string, d *Draft) string {
	if !cacheable(d) {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.known[group+" "+d.Link()]; ok && time.Now().Before(e.until) {
		return e.reference
	}
	return ""
}

func (c *directoryCache) put(group string, d *Draft, reference string) {
	if !cacheable(d) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= cacheMost {
		c.known = map[string]cached{}
	}
	c.known[group+" "+d.Link()] = cached{reference, time.Now().Add(cacheFor)}
}
