package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"time"

	"github.com/amate-health/amate/authz/audit"
)

// trail look into the audit trail.
type trail struct {
	Verify trailVerify `cmd:"" help:"Find rows of the audit trail that were changed, removed, reordered or cut off. Exits with 1 when there are any."`
	Export trailExport `cmd:"" help:"Print the audit trail as AuditEvents, one a line."`
	Expire trailExpire `cmd:"" help:"Drop the months of the audit trail that are past their time. Each leaves a signed checkpoint."`
	Key    trailKey    `cmd:"" help:"Print the public key that verifies the checkpoints of this server."`
}

// errUnsound ends a verification that found faults.
var errUnsound = errors.New("the audit trail is not sound")

type trailVerify struct {
	Storage storage  `embed:""`
	Key     string   `help:"File of the key that signed the checkpoints; the default is audit-key.pem in --data." placeholder:"FILE" type:"path"`
	Trust   []string `help:"Files of further public keys (PEM), of other servers." placeholder:"FILE" type:"path"`
	Copies  string   `help:"File with copies of checkpoints, such as a log of the server, which the database must agree with." placeholder:"FILE" type:"path"`
}

// jws is a checkpoint within a line of a log.
var jws = regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}`)

func (v *trailVerify) Run(ctx context.Context, out streams, log *slog.Logger) error {
	trusted, err := v.keys()
	if err != nil {
		return err
	}
	copies, err := v.copies()
	if err != nil {
		return err
	}
	store, err := v.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer store.Close()
	report, err := audit.Verify(ctx, store, trusted, copies)
	if err != nil {
		return err
	}
	for _, f := range report.Faults {
		fmt.Fprintln(out.out, f)
	}
	fmt.Fprintf(out.out, "%d events in %d months, %d checkpoints; %d events since the newest checkpoint; %d months dropped by policy; %d faults\n",
		report.Events, report.Months, report.Checkpoints, report.Unsigned, report.Dropped, len(report.Faults))
	if len(report.Faults) > 0 {
		return errUnsound
	}
	return nil
}

// keys returns those that a checkpoint may be signed with.
func (v *trailVerify) keys() (keys []audit.PublicKey, err error) {
	file := (&auditing{Key: v.Key}).keyFile(v.Storage)
	if _, err := os.Stat(file); err == nil {
		signer, err := audit.LoadSigner(file)
		if err != nil {
			return nil, err
		}
		keys = append(keys, signer.Public())
	}
	for _, name := range v.Trust {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		some, err := audit.ParsePublicKeys(raw)
		if err != nil {
			return nil, usagef("--trust %s: %v", name, err)
		}
		keys = append(keys, some...)
	}
	if keys == nil {
		return nil, usagef("no key to verify checkpoints with: there is no %s, and --trust names none", file)
	}
	return keys, nil
}

func (v *trailVerify) copies() ([][]byte, error) {
	if v.Copies == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(v.Copies)
	if err != nil {
		return nil, err
	}
	found := jws.FindAll(raw, -1)
	if found == nil {
		return nil, usagef("--copies %s: there is no checkpoint in it", v.Copies)
	}
	return found, nil
}

type trailExport struct {
	Storage storage   `embed:""`
	From    time.Time `help:"Only events from this day on." format:"2006-01-02" placeholder:"DATE"`
	Until   time.Time `help:"Only events before this day." format:"2006-01-02" placeholder:"DATE"`
	Patient string    `help:"Only events about this patient." placeholder:"ID"`
	BaseURL string    `help:"The public FHIR base, which the events name as their source." default:"http://127.0.0.1:8080/fhir" placeholder:"URL"`
}

func (e *trailExport) Run(ctx context.Context, out streams, log *slog.Logger) error {
	store, err := e.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer store.Close()
	w := bufio.NewWriter(out.out)
	err = audit.Export(ctx, store, store, e.BaseURL, e.Patient, e.From, e.Until, func(event []byte) error {
		_, err := w.Write(append(event, '\n'))
		return err
	})
	return errors.Join(err, w.Flush())
}

type trailExpire struct {
	Storage storage `embed:""`
	Key     string  `help:"File of the key that signs checkpoints; the default is audit-key.pem in --data." placeholder:"FILE" type:"path"`
	Keep    int     `help:"How many whole months to keep, beside this one." default:"60" placeholder:"MONTHS"`
}

func (e *trailExpire) Run(ctx context.Context, out streams, log *slog.Logger) error {
	if e.Keep < 1 {
		return usagef("--keep %d: at least one month is kept", e.Keep)
	}
	signer, err := audit.LoadSigner((&auditing{Key: e.Key}).keyFile(e.Storage))
	if err != nil {
		return err
	}
	store, err := e.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer store.Close()
	now := time.Now().UTC()
	first := time.Date(now.Year(), now.Month()-time.Month(e.Keep), 1, 0, 0, 0, 0, time.UTC)
	dropped, err := audit.Expire(ctx, store, signer, first.Year()*100+int(first.Month()), now)
	for _, m := range dropped {
		fmt.Fprintf(out.out, "dropped %d\n", m)
	}
	return err
}

type trailKey struct {
	Storage storage `embed:""`
	Key     string  `help:"File of the key; the default is audit-key.pem in --data." placeholder:"FILE" type:"path"`
}

func (k *trailKey) Run(out streams) error {
	file := (&auditing{Key: k.Key}).keyFile(k.Storage)
	if _, err := os.Stat(file); err != nil {
		return err
	}
	signer, err := audit.LoadSigner(file)
	if err != nil {
		return err
	}
	pem, err := signer.Public().PEM()
	if err != nil {
		return err
	}
	_, err = out.out.Write(pem)
	return err
}
