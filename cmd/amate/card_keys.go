package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/amate-health/amate/fhir/registry/key"
)

// cards works with vaccination cards.
type cards struct {
	Verify cardVerify `cmd:"" help:"Verify a SMART Health Card, without a connection."`
	Keys   cardKeys   `cmd:"" help:"Show, replace and take back the keys that cards are signed by."`
}

type cardKeys struct {
	List   cardKeysList   `cmd:"" help:"List the keys."`
	Rotate cardKeysRotate `cmd:"" help:"Make a new key, which signs from now on. The old ones stay published: what they signed is good."`
	Retire cardKeysRetire `cmd:"" help:"End the time of a key: it signs nothing more, and its private part is destroyed. What it signed is good, unless --compromised."`
}

type cardKeysList struct {
	Storage storage `embed:""`
}

func (k *cardKeysList) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return k.Storage.withCardKeys(ctx, out, log, func(*key.Ring) error { return nil })
}

type cardKeysRotate struct {
	Storage storage `embed:""`
}

func (k *cardKeysRotate) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return k.Storage.withCardKeys(ctx, out, log, func(r *key.Ring) error { return r.Rotate(ctx) })
}

type cardKeysRetire struct {
	Storage     storage `embed:""`
	Key         string  `arg:"" help:"Id of the key (kid)." placeholder:"KID"`
	Compromised bool    `help:"It got into wrong hands: it is published no more, and no card that it signed is believed."`
}

func (k *cardKeysRetire) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return k.Storage.withCardKeys(ctx, out, log, func(r *key.Ring) error {
		if k.Compromised {
			return r.Revoke(ctx, k.Key, time.Now())
		}
		return r.Retire(ctx, k.Key)
	})
}

// withCardKeys does something with the keys of cards, on record, and lists them. Servers
// notice within a minute.
func (s storage) withCardKeys(ctx context.Context, out streams, log *slog.Logger, f func(*key.Ring) error) (err error) {
	store, err := s.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	ring := store.cardKeys()
	if err := f(ring); err != nil {
		return err
	}
	keys, err := ring.Keys(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "KID\tFROM\tUNTIL\tSTATE")
	for i, k := range keys {
		state := "published"
		switch {
		case !k.Revoked.IsZero():
			state = "compromised"
		case i == len(keys)-1 && k.Signs() && time.Now().Before(k.Until):
			state = "signing"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", k.ID, k.From.Format(time.RFC3339), k.Until.Format(time.RFC3339), state)
	}
	return w.Flush()
}
