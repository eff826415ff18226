package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/message"
)

// hl7tools manage who sends messages, and those that could not be written.
type hl7tools struct {
	Sender senderCommands `cmd:"" help:"Manage the systems that send HL7 v2 messages."`
	Dead   deadCommands   `cmd:"" help:"Look at messages that could not be written, try them again, and drop them."`
}

type senderCommands struct {
	Add    senderAdd    `cmd:"" help:"Register a sender from a YAML or JSON file, in place of one of the same name. Servers take it up within seconds."`
	Show   senderShow   `cmd:"" help:"Print a sender as JSON."`
	List   senderList   `cmd:"" help:"List the senders."`
	Remove senderRemove `cmd:"" help:"Forget a sender."`
}

// withSenders opens the store of a command that manages senders.
func withSenders(ctx context.Context, s storage, log *slog.Logger, f func(*message.Directory) error) error {
	store, err := s.open(ctx, log)
	if err != nil {
		return err
	}
	d := &message.Directory{State: store.engine}
	if err = d.Refresh(ctx); err == nil {
		if err = s.recordCommand(ctx, store, log); err == nil {
			err = f(d)
		}
	}
	return errors.Join(err, store.Close())
}

type senderAdd struct {
	Storage    storage  `embed:""`
	File       string   `arg:"" help:"File that says who it is, as which app it writes, and what its codes mean." type:"existingfile"`
	ConceptMap []string `help:"FHIR ConceptMap whose codes are added to those of the file." placeholder:"FILE" type:"existingfile"`
}

func (c *senderAdd) Run(ctx context.Context, out streams, log *slog.Logger) error {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	var raw any
	if err := yaml.Unmarshal(text, &raw); err != nil && !errors.Is(err, io.EOF) {
		return usagef("%s: %v", c.File, err)
	}
	asJSON, err := json.Marshal(raw)
	if err != nil {
		return usagef("%s: %v", c.File, err)
	}
	s, err := message.ParseSender(asJSON)
	if err != nil {
		return usagef("%s: %v", c.File, err)
	}
	for _, file := range c.ConceptMap {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		n, err := s.Tables.AddConceptMap(text)
		if err != nil {
			return usagef("--concept-map %s: %v", file, err)
		}
		fmt.Fprintf(out.err, "%s: %d codes\n", file, n)
	}
	return withSenders(ctx, c.Storage, log, func(d *message.Directory) error { return d.Save(ctx, s) })
}

type senderShow struct {
	Storage storage `embed:""`
	Name    string  `arg:"" help:"Name of the sender."`
}

func (c *senderShow) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return withSenders(ctx, c.Storage, log, func(d *message.Directory) error {
		for _, s := range d.All() {
			if s.Name == c.Name {
				text, err := json.MarshalIndent(s, "", "  ")
				if err == nil {
					_, err = fmt.Fprintf(out.out, "%s\n", text)
				}
				return err
			}
		}
		return usagef("there is no sender %s: see amate message sender list", c.Name)
	})
}

type senderList struct {
	Storage storage `embed:""`
}

func (c *senderList) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return withSenders(ctx, c.Storage, log, func(d *message.Directory) error {
		w := tabwriter.NewWriter(out.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tCLIENT\tNETWORKS\tAPPLICATIONS")
		for _, s := range d.All() {
			var apps []string
			for _, a := range s.Applications {
				apps = append(apps, a.Application+"^"+a.Facility)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Name, s.Client, strings.Join(s.Networks, " "), strings.Join(apps, " "))
		}
		return w.Flush()
	})
}

type senderRemove struct {
	Storage storage `embed:""`
	Name    string  `arg:"" help:"Name of the sender."`
}

func (c *senderRemove) Run(ctx context.Context, log *slog.Logger) error {
	return withSenders(ctx, c.Storage, log, func(d *message.Directory) error { return d.Remove(ctx, c.Name) })
}

type deadCommands struct {
	List deadList `cmd:"" help:"List messages that could not be written, the oldest first."`
	Show deadShow `cmd:"" help:"Print one of them as it came. It holds data of patients."`
	Drop deadDrop `cmd:"" help:"Remove some of them for good."`

	Replay deadReplay `cmd:"" help:"Ask the running servers to try some of them again, the oldest first."`
}

// withLetters opens the store of a command that looks at dead letters.
func withLetters(ctx context.Context, s storage, log *slog.Logger, f func(*message.Letters) error) error {
	store, err := s.open(ctx, log)
	if err != nil {
		return err
	}
	if err = s.recordCommand(ctx, store, log); err == nil {
		err = f(&message.Letters{State: store.engine})
	}
	return errors.Join(err, store.Close())
}

type deadList struct {
	Storage storage `embed:""`
	Sender  string  `help:"Only those of a sender." placeholder:"NAME"`
}

func (c *deadList) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return withLetters(ctx, c.Storage, log, func(l *message.Letters) error {
		all, err := l.List(ctx, c.Sender)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(out.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tRECEIVED\tSENDER\tCONTROL\tKIND\tTRIED\tWHY")
		for _, one := range all {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", one.ID, one.Received.Format(time.RFC3339), one.Sender, one.Control, one.Kind, one.Tried, one.Why)
		}
		return w.Flush()
	})
}

type deadShow struct {
	Storage storage `embed:""`
	ID      string  `arg:"" help:"Id of the dead letter."`
}

func (c *deadShow) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return withLetters(ctx, c.Storage, log, func(l *message.Letters) error {
		one, err := l.Get(ctx, c.ID)
		if fhir.CodeOf(err) == fhir.NotFound {
			return usagef("there is no dead letter %s: see amate message dead list", c.ID)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out.out, strings.ReplaceAll(string(one.Content), "\r", "\n"))
		return err
	})
}

type deadDrop struct {
	Storage storage  `embed:""`
	ID      []string `arg:"" help:"Ids of dead letters."`
}

func (c *deadDrop) Run(ctx context.Context, log *slog.Logger) error {
	return withLetters(ctx, c.Storage, log, func(l *message.Letters) error {
		for _, id := range c.ID {
			if err := l.Drop(ctx, id); err != nil {
				return err
			}
		}
		return nil
	})
}

type deadReplay struct {
	Storage storage  `embed:""`
	ID      []string `arg:"" optional:"" help:"Ids of dead letters; all when not given."`
	Sender  string   `help:"Only those of a sender." placeholder:"NAME"`
}

func (c *deadReplay) Run(ctx context.Context, log *slog.Logger) error {
	return withLetters(ctx, c.Storage, log, func(l *message.Letters) error { return l.Ask(ctx, c.Sender, c.ID) })
}
