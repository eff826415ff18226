package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/rights"
	"github.com/amate-health/amate/fhir/rest"
)

// birthLedger is the ledger of births, as both engines keep it.
type birthLedger interface {
	birth.Rows
	TakeFolios(ctx context.Context, facility string, year int, count int64) (fhir.FolioRange, error)
	AddFolios(ctx context.Context, r fhir.FolioRange, alone bool) error
	FolioRanges(ctx context.Context, facility string) ([]fhir.FolioRange, error)
	AddOldBirths(ctx context.Context, all []fhir.OldBirth) (int, error)
	OldBirths(ctx context.Context, year int, after fhir.OldBirth, limit int) ([]fhir.OldBirth, error)
}

// certifying says how births are certified.
type certifying struct {
	Seals        string `help:"Folder of the keys by which establishments seal certificates of birth: CLUES.cer and CLUES.key (PKCS #8, not encrypted), or default.cer and default.key for all others. Without it nothing is sealed." placeholder:"DIR" type:"existingdir"`
	FoliosRanges bool   `help:"Give out folios only of ranges that were allocated (amate birth folios allocate). Without it, an establishment that has none gets its own: CLUES-yy-nnnnn."`
}

// birthStore writes what operations certify, in one transaction with its audit, and tells
// the audit trail of it.
type birthStore struct{ *opened }

// Apply implements birth.Store.
func (s birthStore) Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	recorded := *b
	if len(b.Changes) > 0 {
		rest.Recorded(ctx, &recorded)
	}
	results, err := s.opened.Apply(ctx, &recorded)
	for i := range results {
		rest.Touched(ctx, results[i].Resource)
	}
	return results, err
}

// birthOperations certify births, and take certificates through their life.
func (o *opened) birthOperations() []operation.Operation { return birth.Operations(o.birthConfig()) }

func (o *opened) birthConfig() birth.Config {
	cfg := birth.Config{
		Store: birthStore{o}, Maker: o.maker, AnyRevocation: o.signing.AnyRevocation, Zone: o.office.zone,
		OnlyRanges: o.certifying.FoliosRanges, Seal: o.certifying.seal(o.log), Merged: o.mergedInto,
		Carry: func(ctx context.Context, from, to string) ([]fhir.Entry, error) {
			return rights.Carry(ctx, o.engine, from, to, time.Time{})
		},
	}
	if o.signing.Trust != "" {
		cfg.Trust = (&trusting{settings: o.signing, log: o.log}).now
	}
	return cfg
}

// seal returns what finds the key of an establishment. Files are read when they are used,
// so that a key can be replaced while the server runs.
func (c *certifying) seal(log *slog.Logger) func(clues string) *sign.Signer {
	if c.Seals == "" {
		return nil
	}
	return func(clues string) *sign.Signer {
		if len(identity.Check(identity.SystemCLUES, clues, time.Now())) > 0 {
			return nil // it names a file
		}
		for _, name := range []string{clues, "default"} {
			signer, err := readSigner(filepath.Join(c.Seals, name+".cer"), filepath.Join(c.Seals, name+".key"))
			if err == nil {
				return signer
			}
			if !errors.Is(err, fs.ErrNotExist) {
				log.Error("the key of a seal cannot be read", "establishment", clues, "error", err)
			}
		}
		return nil
	}
}

// births works with certificates of birth.
type births struct {
	Export birthExport `cmd:"" help:"Write the births of a year as SINAC publishes them: CSV of 64 columns, without identities."`
	Import birthImport `cmd:"" help:"Load published files of births of earlier years (SINAC; the names of columns of 2017 to 2019 as well), without identities."`
	Folios folios      `cmd:"" help:"Allocate and list folios of certificates."`
	Report birthReport `cmd:"" help:"Report how soon and how completely the births of a year were certified."`
	Verify birthVerify `cmd:"" help:"Check the paper, the QR code or the signed document of a certificate, without a connection."`
	Keys   paperKeys   `cmd:"" help:"Show, and take back, the keys that the QR codes of certificates are signed by."`
}

// folios works with ranges of folios.
type folios struct {
	Allocate foliosAllocate `cmd:"" help:"Allocate a range of folios to an establishment, or to one of its offline nodes."`
	List     foliosList     `cmd:"" help:"List the ranges of folios."`
}

type foliosAllocate struct {
	Storage storage `embed:""`
	Clues   string  `help:"CLUES of the establishment." required:"" placeholder:"CLUES"`
	Count   int64   `help:"How many folios." required:"" placeholder:"N"`
	Year    int     `help:"Year of the certificates; this one, when left out." placeholder:"YYYY"`
	Prefix  string  `help:"What the folios begin with, where they were assigned from outside. Without it they are taken from the establishment's own." placeholder:"TEXT"`
	First   int64   `help:"First number behind --prefix." default:"1"`
	Width   int     `help:"Digits of the number behind --prefix." default:"6"`
	Node    string  `help:"Offline node that gives them out by itself. Without it, the server does." placeholder:"NAME"`
}

var nodeName = regexp.MustCompile(`^[A-Za-z0-9._-]{0,64}$`)

func (f *foliosAllocate) Run(ctx context.Context, out streams, log *slog.Logger) (err error) {
	f.Clues = strings.ToUpper(strings.TrimSpace(f.Clues))
	now := time.Now().In(birth.Zone)
	switch problems := identity.Check(identity.SystemCLUES, f.Clues, now); {
	case len(problems) > 0 && !problems[0].Warning:
		return usagef("--clues %s: %s", f.Clues, problems[0].Text)
	case f.Count < 1:
		return usagef("--count %d: at least 1", f.Count)
	case !nodeName.MatchString(f.Node):
		return usagef("--node %s: letters, digits, points and hyphens", f.Node)
	case f.Prefix == "" && f.Node == "":
		return usagef("give --node, for whom the folios are, or --prefix, when they were assigned from outside")
	}
	if f.Year == 0 {
		f.Year = now.Year()
	}
	store, err := f.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	r, err := f.allocate(ctx, store)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out.out, "%s %s\n", birth.FolioOf(&r, r.First), birth.FolioOf(&r, r.Last))
	return err
}

// allocate makes the range: of its own, or a part of the establishment's.
func (f *foliosAllocate) allocate(ctx context.Context, store birthLedger) (fhir.FolioRange, error) {
	r := fhir.FolioRange{Facility: f.Clues, Year: f.Year, Prefix: f.Prefix, Width: f.Width, First: f.First, Last: f.First + f.Count - 1, Node: f.Node}
	if f.Prefix == "" {
		own := birth.OwnRange(f.Clues, f.Year)
		taken, err := store.TakeFolios(ctx, f.Clues, f.Year, f.Count)
		if fhir.CodeOf(err) == fhir.NotFound {
			if err := store.AddFolios(ctx, own, false); err != nil {
				return r, err
			}
			taken, err = store.TakeFolios(ctx, f.Clues, f.Year, f.Count)
		}
		if err != nil {
			return r, err
		}
		r.Prefix, r.Width, r.First, r.Last = taken.Prefix, taken.Width, taken.Next, taken.Next+f.Count-1
	}
	r.Next = r.First
	r.ID = fmt.Sprintf("%s %d", r.Prefix, r.First)
	if err := birth.CheckFolios(&r); err != nil {
		return r, err
	}
	return r, store.AddFolios(ctx, r, f.Prefix != "")
}

type foliosList struct {
	Storage storage `embed:""`
	Clues   string  `help:"CLUES of the establishment; all, when left out." placeholder:"CLUES"`
}

func (f *foliosList) Run(ctx context.Context, out streams, log *slog.Logger) (err error) {
	store, err := f.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	all, err := store.FolioRanges(ctx, strings.ToUpper(f.Clues))
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "CLUES\tYEAR\tFIRST\tLAST\tLEFT\tNODE")
	for i := range all {
		r := &all[i]
		left := fmt.Sprint(r.Last - r.Next + 1)
		if r.Node != "" {
			left = "-" // the node knows
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", r.Facility, r.Year, birth.FolioOf(r, r.First), birth.FolioOf(r, r.Last), left, r.Node)
	}
	return w.Flush()
}
