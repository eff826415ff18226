package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/key"
	"github.com/amate-health/amate/fhir/registry/prescription"
	"github.com/amate-health/amate/telehealth/portal"
)

// prescribing says what may be prescribed, and for how long.
type prescribing struct {
	Groups     string   `help:"Table of the groups of medicines (LGS art. 226) in place of the built-in one: on each line, parted by tabs, what the ATC code begins with, the generic name, the fraction, and antibiotic or nothing." placeholder:"FILE" type:"existingfile"`
	Controlled []string `help:"Groups of controlled medicines that may be prescribed here all the same: I, II, III. Without it, they are refused: they need a special prescription book with a bar code of COFEPRIS." placeholder:"GROUP"`
	Days       int      `help:"Days in which a prescription is good, at most." default:"30"`

	groups prescription.Groups
}

// open reads the table.
func (p *prescribing) open() error {
	if p.Days < 1 || p.Days > 366 {
		return usagef("--prescription-days %d: 1 to 366", p.Days)
	}
	for _, g := range p.Controlled {
		if g != "I" && g != "II" && g != "III" {
			return usagef("--prescription-controlled %s: I, II or III", g)
		}
	}
	if p.Groups == "" {
		return nil
	}
	text, err := os.ReadFile(p.Groups)
	if err != nil {
		return err
	}
	if p.groups, err = prescription.ParseGroups(string(text)); err != nil {
		return usagef("--prescription-groups %s: %v", p.Groups, err)
	}
	return nil
}

// prescriptionKeysPath is where the keys are published that the QR codes of prescriptions
// are signed by.
const prescriptionKeysPath = "/.well-known/amate-prescription-keys.json"

func (o *opened) prescriptionKeys() *key.Ring { return prescription.NewRing(o) }

func (o *opened) prescriptionConfig(store prescription.Store) prescription.Config {
	return prescription.Config{
		Store: store, Maker: o.maker, Ring: o.prescriptionKeys(), Groups: o.prescribing.groups, Fractions: o.prescribing.Controlled, Days: o.prescribing.Days,
		Page: func(token string) string { return verifyPage(o.indexing.Base, token) }, Zone: birth.Zone,
	}
}

// prescriptionOperations prescribe, print, dispense and cancel.
func (o *opened) prescriptionOperations() []operation.Operation {
	return prescription.Operations(o.prescriptionConfig(birthStore{o}))
}

// prescriptionVerifier tells the public of prescriptions. It reads whoever asks: who has
// the token has the paper.
type prescriptionVerifier struct{ looker *prescription.Looker }

func (o *opened) newPrescriptionVerifier() prescriptionVerifier {
	return prescriptionVerifier{prescription.NewLooker(o.prescriptionConfig(o.engine))}
}

// Kind implements portal.Verifier.
func (prescriptionVerifier) Kind() string { return "prescription" }

// prescriptionStates are those of prescriptions on the public page.
var prescriptionStates = map[prescription.State]portal.State{
	prescription.Open: portal.Valid, prescription.Partial: portal.Valid, prescription.Dispensed: portal.Dispensed,
	prescription.Cancelled: portal.Void, prescription.Expired: portal.Lapsed,
}

// Verify implements portal.Verifier. It shows who prescribed and when, how many medicines
// there are, and of the patient initials alone.
func (v prescriptionVerifier) Verify(ctx context.Context, token string) (*portal.Finding, error) {
	p, err := v.looker.Look(ctx, token)
	if err != nil {
		return nil, err
	}
	f := &portal.Finding{Title: portal.Text{Spanish: "Receta médica", English: "Prescription"}, State: prescriptionStates[p.State]}
	add := func(name, spanish, english string, value portal.Text) {
		if value.Spanish != "" {
			f.Facts = append(f.Facts, portal.Fact{Name: name, Label: portal.Text{Spanish: spanish, English: english}, Value: value})
		}
	}
	day := func(t time.Time) portal.Text {
		t = t.In(birth.Zone)
		return portal.Text{Spanish: t.Format("02/01/2006"), English: t.Format("2 January 2006")}
	}
	add("folio", "Folio", "Number (folio)", portal.Same(p.Folio))
	add("prescriber", "Prescribe", "Prescriber", portal.Same(p.Prescriber))
	add("cedula", "Cédula profesional", "Professional licence", portal.Same(p.Cedula))
	add("signed", "Fecha", "Date", day(p.Signed))
	if f.State != portal.Valid {
		return f, nil
	}
	add("expires", "Válida hasta", "Valid until", day(p.Expires))
	add("clues", "CLUES", "CLUES", portal.Same(p.CLUES))
	add("items", "Medicamentos en el papel", "Medicines on the paper", portal.Same(fmt.Sprint(len(p.Items))))
	add("initials", "Iniciales del paciente", "Initials of the patient", portal.Same(spaced(p.Initials())))
	if p.State == prescription.Partial {
		add("dispensed", "Surtida", "Dispensed", portal.Text{Spanish: "En parte", English: "In part"})
	}
	return f, nil
}

// prescriptions works with prescriptions.
type prescriptions struct {
	Verify prescriptionVerify `cmd:"" help:"Check what the QR code of a prescription says, without a connection. Whether it was dispensed or cancelled only the public page knows."`
	Keys   prescriptionKeys   `cmd:"" help:"Write the keys that the QR codes of prescriptions are signed by."`
}

type prescriptionVerify struct {
	Code string `arg:"" help:"What the QR code says; a file with it; - reads standard input." placeholder:"FILE|QR-TEXT"`
	Keys string `help:"Keys of the registry, as it publishes them at /.well-known/amate-prescription-keys.json." required:"" placeholder:"FILE" type:"existingfile"`
}

func (v *prescriptionVerify) Run(_ context.Context, out streams) error {
	text, err := os.ReadFile(v.Keys)
	if err != nil {
		return err
	}
	keys, err := key.Parse(text)
	if err != nil {
		return usagef("--keys %s: %v", v.Keys, err)
	}
	code := v.Code
	if !strings.Contains(code, "#") && strings.Count(code, ".") != 2 {
		raw, err := readInput(code)
		if err != nil {
			return err
		}
		code = string(raw)
	}
	claim, err := prescription.OpenClaim(keys, strings.TrimSpace(code))
	if err != nil {
		fmt.Fprintf(out.out, "[MAL] %v\n", err)
		return errNotValid
	}
	day := func(seconds int64) string { return time.Unix(seconds, 0).In(birth.Zone).Format("02/01/2006") }
	fmt.Fprintf(out.out, "[bien] La firma es de este registro.\nFolio %s · CLUES %s · cédula %s\nFirmada el %s, válida hasta el %s\nPaciente %s · %d medicamentos\n",
		claim.Folio, claim.CLUES, claim.Cedula, day(claim.Signed), day(claim.Expires), claim.Initials, claim.Count)
	for i, m := range claim.Items {
		fmt.Fprintf(out.out, "  %d. %s\n", i+1, m)
	}
	if time.Now().Unix() > claim.Expires {
		fmt.Fprintln(out.out, "[MAL] La receta venció.")
		return errNotValid
	}
	return nil
}

type prescriptionKeys struct {
	Storage storage `embed:""`
}

func (k *prescriptionKeys) Run(ctx context.Context, out streams, log *slog.Logger) (err error) {
	store, err := k.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	text, err := publicKeys(ctx, store.prescriptionKeys())
	if err != nil {
		return err
	}
	_, err = io.WriteString(out.out, string(text)+"\n")
	return err
}
