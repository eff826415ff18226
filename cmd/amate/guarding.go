package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/label"
	"github.com/amate-health/amate/authz/rbac"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/rest"
)

// guarding says by which rules requests are decided.
type guarding struct {
	Policy      string        `help:"Folder with the files of a role policy, read again on SIGHUP. Without it, the one stored by 'amate policy set', or the default." placeholder:"DIR" type:"path"`
	NeedConsent []string      `help:"Purposes of use for which a record is shown only if its patient permits it, such as HRESCH. For others it is shown unless the patient refuses." placeholder:"CODE"`
	Labels      string        `help:"Table of the codes that get security labels as they are written, as CSV; the default one covers HIV, mental health, reproductive health, addiction and violence. 'none' labels nothing." placeholder:"FILE" type:"path"`
	BreakGlass  time.Duration `help:"How long a token for emergency access may be good at most." default:"1h"`
}

// Where a stored policy is kept.
const (
	policyKind = "policy"
	policyKey  = "role"
)

// policyEvery is how often a server looks whether another policy was stored.
const policyEvery = 10 * time.Second

// storedPolicy returns the files of the stored policy, and its version; the default
// ones and 0 when none is stored.
func storedPolicy(ctx context.Context, state authz.State) (fs.FS, int64, error) {
	e, err := state.Entry(ctx, policyKind, policyKey)
	if fhir.CodeOf(err) == fhir.NotFound {
		return rbac.Embedded(), 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	var texts rbac.Texts
	if err := json.Unmarshal(e.Value, &texts); err != nil {
		return nil, 0, err
	}
	return texts, e.Version, nil
}

// warnOfRoles tells of roles that the stored policy does not have. They are no error:
// a server may have another policy (--policy), or get one.
func warnOfRoles(ctx context.Context, state authz.State, log *slog.Logger, roles ...string) error {
	p, _, err := new(guarding).load(ctx, state)
	if err != nil {
		return err
	}
	var known []string
	for _, r := range p.Roles {
		known = append(known, r.Name)
	}
	for _, role := range roles {
		if !slices.Contains(known, role) {
			log.Warn("the policy of this database has no such role: it opens nothing there", "role", role, "known", strings.Join(known, " "))
		}
	}
	return nil
}

// load reads the policy in force.
func (g *guarding) load(ctx context.Context, state authz.State) (*rbac.Policy, int64, error) {
	if g.Policy != "" {
		p, err := rbac.Load(os.DirFS(g.Policy))
		return p, 0, err
	}
	files, version, err := storedPolicy(ctx, state)
	if err != nil {
		return nil, 0, err
	}
	p, err := rbac.Load(files)
	return p, version, err
}

// open makes the guard of a store, and keeps it in step with its policy until ctx ends.
func (g *guarding) open(ctx context.Context, store *opened, base string, log *slog.Logger) error {
	policy, version, err := g.load(ctx, store)
	if err == nil {
		store.labels, err = g.labels()
	}
	if err != nil {
		return usagef("%v", err)
	}
	broken := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "amate_emergency_access_total", Help: "Requests by which somebody broke the glass: consents did not bind them.",
	}, []string{"interaction"})
	whole := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "amate_identified_access_total", Help: "Requests of views and exports by those who see in them who people are, and not a record at a time.",
	}, []string{"operation"})
	guard := authz.NewGuard(authz.GuardConfig{
		Store: store.engine, Base: base, Policy: policy, NeedConsent: g.NeedConsent, BreakGlass: g.BreakGlass, Seen: store.Feed().Seen,
		Alarm: func(ctx context.Context, p *authz.Principal, req *rest.Request) {
			broken.WithLabelValues(string(req.Interaction)).Inc()
			log.LogAttrs(ctx, slog.LevelWarn, "EMERGENCY ACCESS", slog.String("principal", p.ID), slog.String("client", p.Client),
				slog.String("interaction", string(req.Interaction)), slog.String("type", req.Type))
		},
		Whole: func(ctx context.Context, p *authz.Principal, req *rest.Request) {
			whole.WithLabelValues(req.Operation).Inc()
			log.LogAttrs(ctx, slog.LevelWarn, "IDENTIFIED DATA", slog.String("principal", p.ID), slog.String("client", p.Client),
				slog.String("operation", req.Operation), slog.String("type", req.Type))
		},
	})
	go g.follow(ctx, guard, store, version, log)
	store.guarded, store.alarms = guard, []prometheus.Collector{broken, whole}
	return nil
}

// labels reads the table of security labels.
func (g *guarding) labels() (*label.Rules, error) {
	switch filepath.Base(g.Labels) { // a path was made of it
	case ".":
		return label.Default(), nil
	case "none":
		return nil, nil
	}
	in, err := os.Open(g.Labels)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return label.Read(in)
}

// follow puts another policy in place on SIGHUP, and when one is stored. One that is
// wrong leaves the old one in force.
func (g *guarding) follow(ctx context.Context, guard *authz.Guard, state authz.State, version int64, log *slog.Logger) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	tick := time.NewTicker(policyEvery)
	defer tick.Stop()
	for {
		asked := false
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			asked = true
		case <-tick.C:
		}
		if !asked && g.Policy != "" {
			continue // files are read when somebody says that they are complete
		}
		if !asked {
			_, now, err := storedPolicy(ctx, state)
			if err != nil || now == version {
				continue
			}
		}
		policy, now, err := g.load(ctx, state)
		if err != nil {
			log.Error("the role policy is wrong; the one before stays in force", "error", err)
			continue
		}
		guard.Replace(policy)
		version = now
		log.Info("another role policy is in force", "rules", len(policy.Rules))
	}
}

// heed tells the guard of what was written.
func heed(guard *authz.Guard, results []bundle.Result) {
	for i := range results {
		guard.Written(&results[i].Resource)
		for _, ref := range results[i].Deleted {
			guard.Written(&fhir.Resource{Ref: ref})
		}
	}
}

// policies shows and stores role policies.
type policies struct {
	Show   policyShow   `cmd:"" help:"Print the role policy as a table: who may do what, with which records, without which elements."`
	Check  policyCheck  `cmd:"" help:"Say whether the files of a role policy are right."`
	Export policyExport `cmd:"" help:"Write the files of the role policy into a folder, to be changed there."`
	Set    policySet    `cmd:"" help:"Store a role policy in the database. Servers take it up within seconds."`
	Reset  policyReset  `cmd:"" help:"Forget the stored role policy: the default one is in force again."`
}

// policyFrom says which policy a command is about.
type policyFrom struct {
	Storage storage `embed:""`
	Policy  string  `help:"Folder with the files of a policy, instead of the one that is stored." placeholder:"DIR" type:"path"`
	Default bool    `help:"The default policy, without looking into the database."`
}

func (f *policyFrom) files(ctx context.Context, log *slog.Logger) (files fs.FS, err error) {
	switch {
	case f.Policy != "":
		return os.DirFS(f.Policy), nil
	case f.Default:
		return rbac.Embedded(), nil
	}
	err = f.Storage.withState(ctx, log, func(state authz.State) error {
		files, _, err = storedPolicy(ctx, state)
		return err
	})
	return files, err
}

// withState opens the store of a command that reads or writes small state.
func (s storage) withState(ctx context.Context, log *slog.Logger, f func(authz.State) error) error {
	store, err := s.open(ctx, log)
	if err != nil {
		return err
	}
	return errors.Join(f(store), store.Close())
}

type policyShow struct {
	From     policyFrom `embed:""`
	English  bool       `help:"In English; else in Spanish."`
	Markdown bool       `help:"As a table in Markdown."`
}

func (c *policyShow) Run(ctx context.Context, out streams, log *slog.Logger) error {
	files, err := c.From.files(ctx, log)
	if err != nil {
		return err
	}
	p, err := rbac.Load(files)
	if err != nil {
		return usagef("%v", err)
	}
	in := rbac.Spanish
	if c.English {
		in = rbac.English
	}
	text := p.Markdown(in)
	if !c.Markdown {
		text = plainTable(p.Table(in))
	}
	_, err = out.out.Write([]byte(text))
	return err
}

// plainTable writes each rule as a paragraph: the cells are too long for columns.
func plainTable(table [][]string) string {
	var b strings.Builder
	for _, row := range table[1:] {
		for i, cell := range row {
			if cell != "" {
				b.WriteString(table[0][i] + ": " + cell + "\n")
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

type policyCheck struct {
	Dir string `arg:"" help:"Folder with the files." type:"existingdir"`
}

func (c *policyCheck) Run() error {
	if _, err := rbac.Load(os.DirFS(c.Dir)); err != nil {
		return usagef("%v", err)
	}
	return nil
}

type policyExport struct {
	From policyFrom `embed:""`
	Dir  string     `arg:"" help:"Folder to write to; it must not exist yet." type:"path"`
}

func (c *policyExport) Run(ctx context.Context, log *slog.Logger) error {
	files, err := c.From.files(ctx, log)
	if err != nil {
		return err
	}
	if err := os.Mkdir(c.Dir, 0o755); err != nil {
		return err
	}
	for _, name := range rbac.Files() {
		text, err := fs.ReadFile(files, name)
		if err == nil {
			err = os.WriteFile(filepath.Join(c.Dir, name), text, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type policySet struct {
	Storage storage `embed:""`
	Dir     string  `arg:"" help:"Folder with the files." type:"existingdir"`
}

func (c *policySet) Run(ctx context.Context, log *slog.Logger) error {
	if _, err := rbac.Load(os.DirFS(c.Dir)); err != nil {
		return usagef("%v", err)
	}
	texts := rbac.Texts{}
	for _, name := range rbac.Files() {
		text, err := fs.ReadFile(os.DirFS(c.Dir), name)
		if err != nil {
			return err
		}
		texts[name] = string(text)
	}
	value, err := json.Marshal(texts)
	if err != nil {
		return err
	}
	return c.Storage.withState(ctx, log, func(state authz.State) error {
		_, version, err := storedPolicy(ctx, state)
		if err != nil {
			return err
		}
		return state.Put(ctx, fhir.Entry{Kind: policyKind, Key: policyKey, Version: version, Value: value})
	})
}

type policyReset struct {
	Storage storage `embed:""`
}

func (c *policyReset) Run(ctx context.Context, log *slog.Logger) error {
	return c.Storage.withState(ctx, log, func(state authz.State) error { return state.Remove(ctx, policyKind, policyKey, 0) })
}
