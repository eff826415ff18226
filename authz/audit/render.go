package audit

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
)

// Code systems and profiles of AuditEvents.
//
// See https://profiles.ihe.net/ITI/BALP/.
const (
	systemDICOM   = "http://dicom.nema.org/resources/ontology/DCM"
	systemEvent   = "http://terminology.hl7.org/CodeSystem/audit-event-type"
	systemREST    = "http://hl7.org/fhir/restful-interaction"
	systemParty   = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
	systemPurpose = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
	systemSource  = "http://terminology.hl7.org/CodeSystem/security-source-type"
	systemEntity  = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
	systemRole    = "http://terminology.hl7.org/CodeSystem/object-role"
	systemBALP    = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
	profileBALP   = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
	systemOwn     = "urn:amate:audit" // what happens here and DICOM has no code for
	systemRoles   = "urn:amate:role"
	systemClient  = "urn:amate:client"
	systemAccount = "urn:amate:account"
	systemRequest = "urn:amate:request"
	systemCLUES   = "urn:oid:2.16.840.1.113883.4.631"
)

type coding struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display,omitempty"`
}

type concept struct {
	Coding []coding `json:"coding"`
}

type identifier struct {
	System string `json:"system,omitempty"`
	Value  string `json:"value"`
}

type reference struct {
	Reference  string      `json:"reference,omitempty"`
	Identifier *identifier `json:"identifier,omitempty"`
	Display    string      `json:"display,omitempty"`
}

type network struct {
	Address string `json:"address"`
	Type    string `json:"type"` // 2: an IP address
}

type party struct {
	Type      *concept   `json:"type,omitempty"`
	Role      []concept  `json:"role,omitempty"`
	Who       *reference `json:"who,omitempty"`
	AltID     string     `json:"altId,omitempty"`
	Name      string     `json:"name,omitempty"`
	Requestor bool       `json:"requestor"`
	Network   *network   `json:"network,omitempty"`
	Purpose   []concept  `json:"purposeOfUse,omitempty"`
}

type thing struct {
	What        *reference `json:"what,omitempty"`
	Type        *coding    `json:"type,omitempty"`
	Role        *coding    `json:"role,omitempty"`
	Description string     `json:"description,omitempty"`
	Query       string     `json:"query,omitempty"` // base64
}

// event is an AuditEvent.
//
// See https://hl7.org/fhir/R4/auditevent.html.
type event struct {
	ResourceType string            `json:"resourceType"`
	ID           string            `json:"id"`
	Meta         map[string]any    `json:"meta"`
	Text         map[string]string `json:"text"`
	Type         coding            `json:"type"`
	Subtype      []coding          `json:"subtype,omitempty"`
	Action       string            `json:"action,omitempty"`
	Recorded     string            `json:"recorded"`
	Outcome      string            `json:"outcome"`
	OutcomeDesc  string            `json:"outcomeDesc,omitempty"`
	Purpose      []concept         `json:"purposeOfEvent,omitempty"`
	Agent        []party           `json:"agent"`
	Source       struct {
		Site     string    `json:"site,omitempty"`
		Observer reference `json:"observer"`
		Type     []coding  `json:"type"`
	} `json:"source"`
	Entity []thing `json:"entity,omitempty"`
}

// what says how each kind is coded: BALP and DICOM PS3.16 CID 400 and 401.
//
// See https://dicom.nema.org/medical/dicom/current/output/chtml/part16/sect_CID_401.html.
var kinds = map[Kind]struct{ event, detail coding }{
	SignIn:        {coding{systemDICOM, "110114", "User Authentication"}, coding{systemDICOM, "110122", "Login"}},
	SignOut:       {coding{systemDICOM, "110114", "User Authentication"}, coding{systemDICOM, "110123", "Logout"}},
	TokenIssued:   {coding{systemDICOM, "110114", "User Authentication"}, coding{systemOwn, "token-issued", "Access token issued"}},
	TokenRefused:  {coding{systemDICOM, "110114", "User Authentication"}, coding{systemOwn, "token-refused", "Access token refused"}},
	TokenRevoked:  {coding{systemDICOM, "110114", "User Authentication"}, coding{systemOwn, "token-revoked", "Token revoked"}},
	AppAuthorized: {coding{systemDICOM, "110113", "Security Alert"}, coding{systemOwn, "app-authorized", "Application authorized by a user"}},
	Emergency:     {coding{systemDICOM, "110113", "Security Alert"}, coding{systemDICOM, "110127", "Emergency Override Started"}},
	AccountChange: {coding{systemDICOM, "110113", "Security Alert"}, coding{systemDICOM, "110137", "User Security Attributes Changed"}},
	Alarm:         {coding{systemDICOM, "110113", "Security Alert"}, coding{systemDICOM, "110132", "Use of Restricted Function"}},
	Purged:        {coding{systemDICOM, "110110", "Patient Record"}, coding{systemOwn, "purge", "Record removed for good"}},
}

// renderer turns events into AuditEvents, as they are asked for: names are those of
// now.
type renderer struct {
	base  string
	names names
}

// render returns the AuditEvent of e, as compact JSON.
func (x *renderer) render(ctx context.Context, e *fhir.Event) (fhir.Resource, error) {
	at := Time(e.ID)
	out := fhir.Resource{Ref: fhir.Ref{Type: "AuditEvent", ID: uuid.UUID(e.ID).String(), Version: 1}, Updated: at, Method: fhir.POST}
	r, err := parse(e.Content)
	if err != nil {
		return out, err
	}
	r.narrow(authz.From(ctx))
	if len(r.Resource) > 0 {
		out.JSON = r.Resource
		return out, nil
	}
	a := event{ResourceType: "AuditEvent", ID: out.Ref.ID, Recorded: at.Format(fhir.InstantLayout), Action: r.Action, Outcome: digit(r.Outcome), OutcomeDesc: r.Detail}
	a.Meta = map[string]any{"versionId": "1", "lastUpdated": a.Recorded}
	if p := profile(r); p != "" {
		a.Meta["profile"] = []string{p}
	}
	if k, ok := kinds[r.Kind]; ok {
		a.Type, a.Subtype = k.event, []coding{k.detail}
	} else {
		a.Type = coding{systemEvent, "rest", "RESTful Operation"}
		a.Subtype = []coding{subtype(r.Interaction)}
	}
	a.Agent = x.parties(ctx, r)
	if r.Agent.Purpose != "" {
		a.Purpose = []concept{{[]coding{{systemPurpose, r.Agent.Purpose, ""}}}}
	}
	a.Source.Site = r.Agent.Org
	a.Source.Observer = reference{Identifier: &identifier{Value: x.base}, Display: "Amate"}
	a.Source.Type = []coding{{systemSource, "4", "Application Server"}}
	a.Entity = x.things(r)
	a.Text = map[string]string{"status": "generated", "div": x.sentence(ctx, r, at)}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err = enc.Encode(&a)
	out.JSON = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	return out, err
}

// narrow leaves out of an event about several patients what a citizen who reads it may
// not know: who the others are, and what was asked about them.
func (r *Record) narrow(p *authz.Principal) {
	if p == nil || p.User.Type != "Patient" && p.User.Type != "RelatedPerson" || len(r.Patients) < 2 {
		return
	}
	own := p.Patient
	if p.User.Type == "Patient" {
		own = p.User.ID
	}
	known := slices.Contains(r.Patients, own)
	if r.Patients, r.Entities, r.Listed, r.Query = nil, nil, nil, ""; known {
		r.Patients = []string{own}
	}
}

// profile returns the BALP profile that an event follows, "" for none.
func profile(r *Record) string {
	name, known := map[string]string{"C": "Create", "R": "Read", "U": "Update", "D": "Delete", "E": "Query"}[r.Action]
	if r.Kind != Access || !known || r.Action == "E" && !strings.HasPrefix(r.Interaction, "search") {
		return ""
	}
	if len(r.Patients) > 0 {
		name = "Patient" + name
	}
	return profileBALP + name
}

func subtype(interaction string) coding {
	if name, ok := strings.CutPrefix(interaction, "$"); ok {
		return coding{systemREST, "operation", "$" + name}
	}
	return coding{System: systemREST, Code: interaction}
}

func digit(n int) string { return string(rune('0' + n)) }

// parties are the app, this server and the person. For what is read, this server is
// the source; for what is sent to it, the app is.
func (x *renderer) parties(ctx context.Context, r *Record) []party {
	source := &concept{[]coding{{systemDICOM, "110153", "Source Role ID"}}}
	destination := &concept{[]coding{{systemDICOM, "110152", "Destination Role ID"}}}
	client, server := source, destination
	if r.Action == "R" {
		client, server = destination, source
	}
	app := party{Type: client, Requestor: r.Agent.User == ""}
	if id := r.Agent.Client; id != "" {
		app.Who = &reference{Identifier: &identifier{systemClient, id}}
	} else {
		app.Who = &reference{Display: "unknown"}
	}
	if app.Requestor {
		app.AltID = r.Agent.Account
	}
	if r.From != "" {
		app.Network = &network{r.From, "2"}
	}
	all := []party{app, {Type: server, Who: &reference{Identifier: &identifier{Value: x.base}, Display: "Amate"}}}
	user := party{Type: &concept{[]coding{{systemParty, "IRCP", "information recipient"}}}, Requestor: true, AltID: r.Agent.Account}
	for _, role := range r.Agent.Roles {
		user.Role = append(user.Role, concept{[]coding{{systemRoles, role, ""}}})
	}
	if r.Agent.Purpose != "" {
		user.Purpose = []concept{{[]coding{{systemPurpose, r.Agent.Purpose, ""}}}}
	}
	switch {
	case r.Agent.User != "":
		user.Name = x.names.of(ctx, r.Agent.User)
		user.Who = &reference{Reference: r.Agent.User, Display: user.Name}
		all = append(all, user)
	case r.Agent.Account != "" && r.Agent.Account != r.Agent.Client:
		user.Who = &reference{Identifier: &identifier{systemAccount, r.Agent.Account}}
		user.Requestor, all[0].Requestor, all[0].AltID = true, false, ""
		all = append(all, user)
	default:
		all[0].Role, all[0].Purpose = user.Role, user.Purpose
	}
	return all
}

// things are what was used, whom it is about, the request, and the question.
func (x *renderer) things(r *Record) (all []thing) {
	of := func(number, display string) *coding { return &coding{systemEntity, number, display} }
	as := func(number, display string) *coding { return &coding{systemRole, number, display} }
	named := map[string]bool{}
	for _, id := range r.Patients {
		named["Patient/"+id] = true
		all = append(all, thing{What: &reference{Reference: "Patient/" + id}, Type: of("1", "Person"), Role: as("1", "Patient")})
	}
	for _, e := range append(r.Entities[:len(r.Entities):len(r.Entities)], r.Listed...) {
		if !named[e] {
			all = append(all, thing{What: &reference{Reference: e}, Type: of("2", "System Object"), Role: as("4", "Domain Resource")})
		}
	}
	if r.Request != "" {
		all = append(all, thing{
			What: &reference{Identifier: &identifier{systemRequest, r.Request}},
			Type: &coding{systemBALP, "XrequestId", ""},
		})
	}
	if r.Query != "" {
		all = append(all, thing{
			Type: of("2", "System Object"), Role: as("24", "Query"), Query: base64.StdEncoding.EncodeToString([]byte(r.Query)),
		})
	}
	if r.Agent.Reason != "" {
		all = append(all, thing{What: &reference{Display: "reason"}, Description: r.Agent.Reason})
	}
	return all
}

// names finds what those are called who did something.
type names struct {
	read func(ctx context.Context, ref fhir.Ref) (fhir.Resource, error)

	mu    sync.Mutex
	known map[string]called
}

type called struct {
	name  string
	until time.Time
}

// How long a name is remembered, and how many are.
const (
	nameFor   = time.Minute
	nameCount = 4096
)

// of returns the name of a person, "" when it is not known.
func (n *names) of(ctx context.Context, reference string) string {
	ref, ok := fhir.ParseRef(reference)
	if !ok || n.read == nil {
		return ""
	}
	now := time.Now()
	n.mu.Lock()
	c, ok := n.known[reference]
	n.mu.Unlock()
	if ok && now.Before(c.until) {
		return c.name
	}
	r, err := n.read(ctx, ref)
	if err != nil {
		return ""
	}
	c = called{personName(r.JSON), now.Add(nameFor)}
	if ref.Type != "Practitioner" {
		if n.blocked(ctx, &r) { // asked each time: a block holds at once
			return ""
		}
		return c.name
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil || len(n.known) >= nameCount {
		n.known = map[string]called{}
	}
	n.known[reference] = c
	return c.name
}

// blocked reports whether nobody is to be told of a Patient, or of a RelatedPerson of one.
func (n *names) blocked(ctx context.Context, r *fhir.Resource) bool {
	var person struct {
		Meta struct {
			Security []struct{ System, Code string }
		}
		Patient struct{ Reference string }
	}
	if json.Unmarshal(r.JSON, &person) != nil {
		return true
	}
	for _, label := range person.Meta.Security {
		if label.System == authz.LabelSystem && label.Code == authz.Blocked {
			return true
		}
	}
	ref, ok := fhir.ParseRef(person.Patient.Reference)
	if !ok || ref.Type != "Patient" {
		return false
	}
	patient, err := n.read(ctx, ref)
	return err == nil && n.blocked(ctx, &patient)
}

// personName returns the name in a Practitioner, Patient or RelatedPerson: the
// official one, or the first.
func personName(resource []byte) string {
	var person struct {
		Name []struct {
			Use, Text, Family string
			Given, Prefix     []string
		}
	}
	if json.Unmarshal(resource, &person) != nil || len(person.Name) == 0 {
		return ""
	}
	best := &person.Name[0]
	for i := range person.Name {
		if person.Name[i].Use == "official" {
			best = &person.Name[i]
			break
		}
	}
	if best.Text != "" {
		return best.Text
	}
	parts := append(append(best.Prefix[:len(best.Prefix):len(best.Prefix)], best.Given...), best.Family)
	return strings.TrimSpace(strings.Join(parts, " "))
}
