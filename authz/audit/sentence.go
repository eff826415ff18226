package audit

import (
	"context"
	"html"
	"strings"
	"time"
)

// verbs says in Spanish what was done, for people who look at who read their record.
var verbs = map[string]string{
	"read": "consultó", "vread": "consultó una versión anterior de", "history-instance": "consultó la historia de",
	"history-type": "consultó la historia de", "history-system": "consultó la historia de todo",
	"search-type": "buscó", "search-system": "buscó en todo",
	"create": "registró", "update": "modificó", "patch": "modificó", "delete": "eliminó", "transaction": "envió un conjunto de cambios sobre", "batch": "envió un lote",
}

var happenings = map[Kind]string{
	SignIn: "inició sesión", SignOut: "cerró sesión", TokenIssued: "recibió un permiso de acceso", TokenRefused: "presentó un permiso de acceso no válido",
	TokenRevoked: "revocó un permiso de acceso", AppAuthorized: "cambió lo que una aplicación puede hacer", Emergency: "pidió acceso de emergencia",
	AccountChange: "cambió una cuenta", Alarm: "dio lugar a una alarma", Purged: "suprimió en definitiva, vencido su plazo,",
}

// sentence says who did what, when, as the narrative of an AuditEvent.
//
// See https://hl7.org/fhir/R4/narrative.html.
func (x *renderer) sentence(ctx context.Context, r *Record, at time.Time) string {
	var b strings.Builder
	b.WriteString(at.Format("02/01/2006 15:04:05") + " UTC: ")
	b.WriteString(x.who(ctx, r))
	b.WriteString(" ")
	switch what, ok := happenings[r.Kind]; {
	case ok:
		b.WriteString(what)
	case strings.HasPrefix(r.Interaction, "$"):
		b.WriteString("ejecutó " + r.Interaction)
	default:
		b.WriteString(verbs[r.Interaction])
	}
	switch {
	case len(r.Entities) == 1 && r.Query == "":
		name, _, _ := strings.Cut(r.Entities[0], "/_history/")
		b.WriteString(" " + name)
	case r.Type != "":
		b.WriteString(" " + r.Type)
	}
	if r.Agent.Org != "" {
		b.WriteString(", por el establecimiento " + r.Agent.Org)
	}
	if r.Agent.Purpose != "" {
		b.WriteString(", con el propósito " + r.Agent.Purpose)
	}
	if r.Agent.Reason != "" {
		b.WriteString(", motivo: " + r.Agent.Reason)
	}
	switch r.Outcome {
	case MinorFailure:
		b.WriteString(" (no se le permitió o no se encontró)")
	case SeriousFailure:
		b.WriteString(" (falló)")
	}
	return `<div xmlns="http://www.w3.org/1999/xhtml" lang="es">` + html.EscapeString(b.String()) + `.</div>`
}

func (x *renderer) who(ctx context.Context, r *Record) string {
	name := x.names.of(ctx, r.Agent.User)
	for _, other := range []string{r.Agent.User, r.Agent.Account, r.Agent.Client} {
		if name == "" {
			name = other
		}
	}
	if name == "" {
		return "alguien sin identificar"
	}
	if len(r.Agent.Roles) > 0 {
		name += " (" + strings.Join(r.Agent.Roles, ", ") + ")"
	}
	return name
}
