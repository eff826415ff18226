package dose

import (
	"context"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/search"
)

// Store is where doses are.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
	Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
}

// Config is what doses are recorded with. Store, Maker and Assessor must be set.
type Config struct {
	Store Store
	Maker func(base string) bundle.Maker // makes changes for a FHIR base

	// Assessor returns what judges doses by the schedule that is in force on a day.
	Assessor func(on schedule.Date) (immunization.Assessor, error)

	// Merged returns the id of the Patient that one was merged into, "" for none. nil says
	// so of none.
	Merged func(ctx context.Context, patient string) (string, error)

	// Job makes the entry of a durable job that goes on with the recall of a lot, by the id
	// of its Medication, from an instant on; Wake lets it begin. Whoever runs the job calls
	// Service.Resume. nil leaves a recall to be done within the call.
	Job  func(lot string, due time.Time) (fhir.Entry, error)
	Wake func()

	Zone  *time.Location   // whose days count; nil is that of central Mexico
	Now   func() time.Time // nil is time.Now
	NewID func() string    // nil makes UUIDs of version 7
}

const base = "https://github.com/amate-health/amate/fhir/"

// URLs of what is particular to doses.
const (
	// OverrideURL is the extension by which a dose says which warning was passed over and why.
	OverrideURL = base + "StructureDefinition/immunization-override"
	// CampaignURL is the extension by which a dose names the campaign that it was given in.
	CampaignURL = base + "StructureDefinition/immunization-campaign"
	// ProfileURL is the profile of a dose of the electronic immunization card.
	ProfileURL = base + "StructureDefinition/mx-immunization"

	// LotSystem is of identifiers of a Medication that stands for a lot: the number without
	// what different people write differently (see Lot).
	LotSystem = base + "NamingSystem/vaccine-lot"
	// ProductSystem is of codes of an establishment's own for products, where none is named.
	ProductSystem = base + "NamingSystem/vaccine-product"
)

// Code systems of others.
const (
	systemCVX    = "http://hl7.org/fhir/sid/cvx"
	systemMVX    = "http://hl7.org/fhir/sid/mvx"
	systemSNOMED = "http://snomed.info/sct"
	systemATC    = "http://www.whocc.no/atc"
	systemGTIN   = "https://www.gs1.org/gtin"
	systemSite   = "http://terminology.hl7.org/CodeSystem/v3-ActSite"
	systemRoute  = "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration"
	systemReason = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
	systemOrigin = "http://terminology.hl7.org/CodeSystem/immunization-origin"
	systemSub    = "http://terminology.hl7.org/CodeSystem/immunization-subpotent-reason"
	systemDid    = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
	systemUCUM   = "http://unitsofmeasure.org"
)

// Manager is the role of those who run the programme, in the role policy.
const Manager = "vaccination-manager"

var mexico = time.FixedZone("America/Mexico_City", -6*60*60)

// Service records doses. It is safe for use by many goroutines.
type Service struct {
	Config
	posts      [256]sync.Mutex // so that the posts of one server do not try against one another
	conditions sync.Map        // of Observations, by the schedule that asks for them
}

// New returns a Service.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	if cfg.Merged == nil {
		cfg.Merged = func(context.Context, string) (string, error) { return "", nil }
	}
	if cfg.Zone == nil {
		cfg.Zone = mexico
	}
	if cfg.Wake == nil {
		cfg.Wake = func() {}
	}
	return &Service{Config: cfg}
}

// Operations returns the operations of this package.
func (s *Service) Operations() []operation.Operation {
	doses, lots, events := []string{"Immunization"}, []string{"Medication"}, []string{"AdverseEvent"}
	all := []operation.Operation{
		{Name: "record-dose", Scope: operation.OnType, Types: doses, Changes: true, Whole: true, Run: s.record},
		{Name: "amend-dose", Scope: operation.OnInstance, Types: doses, Changes: true, Whole: true, Run: s.amend},
		{Name: "refute-dose", Scope: operation.OnInstance, Types: doses, Changes: true, Whole: true, Run: s.refute},
		{Name: "report-esavi", Scope: operation.OnType, Types: events, Changes: true, Whole: true, Run: s.report},
		{Name: "esavi-by-lot", Scope: operation.OnType, Types: events, Media: []string{mediaCSV}, Run: s.signal},
		{Name: "recall-lot", Scope: operation.OnType, Types: lots, Changes: true, Whole: true, Run: s.recall},
		{Name: "lot-recipients", Scope: operation.OnType, Types: lots, Media: []string{mediaCSV, mediaNDJSON}, Run: s.recipients},
	}
	for i := range all {
		all[i].URL = base + "OperationDefinition/" + all[i].Name
	}
	return all
}

// today is the day in Mexico.
func (s *Service) today() schedule.Date { return schedule.DateOf(s.Now().In(s.Zone)) }

// lock keeps the posts of this server from recording doses of one patient at once.
func (s *Service) lock(patient string) (unlock func()) {
	h := fnv.New32a()
	h.Write([]byte(patient))
	m := &s.posts[h.Sum32()%uint32(len(s.posts))]
	m.Lock()
	return m.Unlock
}

// own reports whether the caller answers for an establishment: their own, or any where
// they act for none or run the programme.
func own(call *operation.Call, clues string) bool {
	c := &call.Caller
	return c.Org == "" || clues == "" || c.Org == clues || slices.Contains(c.Roles, Manager)
}

// find returns the resources that a search finds, page by page, until each returns false.
func (s *Service) find(ctx context.Context, only *search.Restriction, typ string, where []search.Expr, each func(*fhir.Resource) (bool, error)) error {
	q := &search.Query{Type: typ, Where: where, Count: 500, Bytes: 16 << 20, Restriction: only}
	for {
		page, err := s.Store.Search(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Matches {
			if more, err := each(&page.Matches[i]); err != nil || !more {
				return err
			}
		}
		if q.After = page.Next; q.After == "" {
			return nil
		}
	}
}

// seen returns a resource that the caller may see, nil for none.
func (s *Service) seen(ctx context.Context, only *search.Restriction, ref fhir.Ref) (*fhir.Resource, error) {
	q := &search.Query{Type: ref.Type, Where: []search.Expr{search.IDs{Any: []string{ref.ID}}}, Count: 1, Restriction: only}
	found, err := s.Store.Search(ctx, q)
	if err != nil || len(found.Matches) == 0 {
		return nil, err
	}
	return &found.Matches[0], nil
}

var escape = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `$`, `\$`, `|`, `\|`)

// identified returns the resources of a type by a token, two at most.
func (s *Service) identified(ctx context.Context, only *search.Restriction, typ, param, system, value string) ([]fhir.Resource, error) {
	token := escape.Replace(value)
	if system != "" {
		token = escape.Replace(system) + "|" + token
	}
	q, err := search.Parse(typ, []search.Param{{Name: param, Value: token}, {Name: "_count", Value: "2"}}, search.Options{})
	if err != nil {
		return nil, err
	}
	q.Restriction = only
	found, err := s.Store.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	return found.Matches, nil
}

// byReference is the condition of a reference parameter.
func byReference(typ, param string, ref fhir.Ref) ([]search.Expr, error) {
	q, err := search.Parse(typ, []search.Param{{Name: param, Value: ref.Current().String()}}, search.Options{})
	if err != nil {
		return nil, err
	}
	return q.Where, nil
}

// apply writes, and unwraps the error of a change.
func (s *Service) apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	results, err := s.Store.Apply(ctx, b)
	if at, ok := err.(*bundle.ChangeError); ok {
		err = at.Err
	}
	return results, err
}

// created returns the change that creates v at ref.
func created(m bundle.Maker, v object, ref fhir.Ref) (bundle.Change, error) {
	source, err := bundle.Parse(resource(v))
	if err != nil {
		return bundle.Change{}, err
	}
	return m.Create(source, ref)
}

// updated returns the change that puts raw in place of was.
func updated(m bundle.Maker, raw []byte, was fhir.Ref) (bundle.Change, error) {
	source, err := bundle.Parse(raw)
	if err != nil {
		return bundle.Change{}, err
	}
	change, err := m.Update(source, was.Current(), false)
	change.IfMatch = was.Version
	return change, err
}

// parsed is a stored resource that was read.
type parsed struct {
	Ref fhir.Ref
	*element.Doc
}

func parse(r *fhir.Resource) (parsed, error) {
	d, err := element.Parse(r.JSON)
	return parsed{r.Ref, d}, err
}
