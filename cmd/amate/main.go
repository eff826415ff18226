package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/amate-health/amate/fhir/registry/demo"
)

// commands is the command line. Every flag can also be given in the environment,
// as AMATE_ and its name, and in the file that --config names.
type commands struct {
	Config  configFile `help:"YAML file with further settings." placeholder:"FILE" type:"path"`
	Logging logging    `embed:"" prefix:"log-"`

	Serve        serve         `cmd:"" help:"Serve the FHIR API over HTTP."`
	Import       load          `cmd:"" help:"Load transaction bundles and NDJSON files."`
	Export       bulkExport    `cmd:"" help:"Write all that is stored into files, as NDJSON or Parquet."`
	Terminology  terms         `cmd:"" help:"Work with code systems."`
	Seed         seed          `cmd:"" help:"Make up a Mexican population, for trying things out."`
	Reindex      reindexing    `cmd:"" help:"Make the index of stored resources anew."`
	Migrate      migrate       `cmd:"" help:"Create the database, or bring it up to date."`
	Package      packages      `cmd:"" help:"Load and list implementation guides."`
	Message      hl7tools      `cmd:"" help:"Manage senders of HL7 v2 messages, and messages that could not be written."`
	Audit        trail         `cmd:"" help:"Verify, export and expire the audit trail."`
	Retention    retaining     `cmd:"" help:"Remove records whose time is over, for good."`
	Analytics    analysts      `cmd:"" help:"Manage the tables that are kept for analysts."`
	Token        bearer        `cmd:"" help:"Make an access token."`
	User         users         `cmd:"" help:"Manage the accounts of people."`
	Client       apps          `cmd:"" help:"Manage the apps and systems that may ask for tokens."`
	Policy       policies      `cmd:"" help:"Show, check and store the role policy."`
	Giis         exchange      `cmd:"" help:"Make and check the files that facilities owe the DGIS (GIIS)."`
	Directory    directories   `cmd:"" help:"Load the registries of health facilities and professionals."`
	Birth        births        `cmd:"" help:"Work with certificates of birth."`
	Prescription prescriptions `cmd:"" help:"Check prescriptions, and show the keys that their codes are signed by."`
	Card         cards         `cmd:"" help:"Verify vaccination cards, and manage the keys that they are signed by."`
	Identity     identities    `cmd:"" help:"Find the records of one person."`
	Immunization immunizations `cmd:"" help:"Run test cases of immunization schedules."`
	Opendata     openDatasets  `cmd:"" help:"Publish datasets that anybody may have, and check them."`
	Sign         signer        `cmd:"" help:"Sign a document with an e.firma, on the desk of who signs."`
	Verify       verifier      `cmd:"" help:"Verify the signature of a document, without a server."`
	Version      version       `cmd:"" help:"Print the version."`
}

// streams are where a command writes.
type streams struct {
	out io.Writer // what was asked for
	err io.Writer // logs and progress
}

// thisProgram is the file that runs, when it is amate and not its tests.
var thisProgram string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	thisProgram, _ = os.Executable() // where it is not known, queries of analysts run in this process
	os.Exit(run(ctx, os.Args[1:], streams{out: os.Stdout, err: os.Stderr}))
}

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1 // it was tried, and did not (wholly) succeed
	exitUsage  = 2 // it was not tried: the command line or the configuration is wrong
)

// exited carries the status with which help or a refusal to parse ends the program.
type exited int

// run performs one command line and returns the exit status.
func run(ctx context.Context, args []string, s streams) (status int) {
	defer func() {
		if code := recover(); code != nil {
			c, ok := code.(exited)
			if !ok {
				panic(code)
			}
			status = int(c)
		}
	}()
	var cmds commands
	parser, err := newParser(&cmds, s)
	if err != nil {
		fmt.Fprintln(s.err, "amate:", err)
		return exitUsage
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(s.err, "amate:", err)
		return exitUsage
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	log, flush := cmds.Logging.logger(s.err)
	parsed.Bind(s, log)
	err = parsed.Run()
	flush()
	var usage *usageError
	switch {
	case errors.As(err, &usage):
		fmt.Fprintln(s.err, "amate:", err)
		return exitUsage
	case errors.Is(err, errTold):
		return exitFailed
	case err != nil:
		fmt.Fprintln(s.err, "amate:", err)
		return exitFailed
	}
	return exitDone
}

// newParser returns the parser of the command line, filling in cmds.
func newParser(cmds *commands, s streams) (*kong.Kong, error) {
	return kong.New(cmds,
		kong.Name("amate"),
		kong.Description("A FHIR R4 server for the health records of a nation."),
		kong.DefaultEnvars("AMATE"),
		kong.Vars{"today": demo.ReferenceDate.Format(time.DateOnly), "publisher": openPublisher},
		kong.Writers(s.out, s.err),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.UsageOnError(),
	)
}

// errTold ends a command whose output has already said what failed.
var errTold = errors.New("it failed, as the output says")

// usageError is a command that cannot be carried out as it was given.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...)}
}
