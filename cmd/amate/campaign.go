package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/immunization/campaign"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/job"
)

// campaignDesk lists who is due, counts coverage and makes plans.
func (o *opened) campaignDesk() *campaign.Desk {
	known := &facilities{engine: o.engine}
	return &campaign.Desk{
		Store: o, Library: o.forecasts().Library, Zone: o.zone(), Now: time.Now, Facility: known.of,
		Below: func(ctx context.Context, clues string) ([]string, error) {
			return establishmentsBelow(ctx, o.engine, clues)
		},
	}
}

// campaignOperations are those of vaccination campaigns.
func (o *opened) campaignOperations() []operation.Operation { return o.campaignDesk().Operations() }

// mostBelow bounds the establishments that are part of one.
const mostBelow = 5000

// establishmentsBelow returns how an establishment is named in rows of vaccination, and
// those that are part of it, down to four levels: a state, its jurisdictions, their units
// and what these have of their own.
func establishmentsBelow(ctx context.Context, e engine, clues string) ([]string, error) {
	names, seen := []string{clues}, map[string]bool{}
	ask := func(name, value string) ([]fhir.Ref, error) {
		q, err := search.Parse("Organization", []search.Param{{Name: name, Value: value}}, search.Options{})
		if err != nil {
			return nil, err
		}
		q.Restriction, q.Count = search.Unrestricted, 500
		var found []fhir.Ref
		for {
			page, err := e.Search(ctx, q)
			if err != nil {
				return nil, err
			}
			for i := range page.Matches {
				ref := page.Matches[i].Ref.Current()
				if seen[ref.ID] {
					continue
				}
				seen[ref.ID] = true
				found = append(found, ref)
				names = append(names, cluesIn(page.Matches[i].JSON, ref.String()))
			}
			if q.After = page.Next; q.After == "" || len(names) > mostBelow {
				return found, nil
			}
		}
	}
	level, err := ask("identifier", identity.SystemCLUES+"|"+clues)
	for depth := 0; err == nil && depth < 4 && len(level) > 0; depth++ {
		var next []fhir.Ref
		for _, ref := range level {
			below, fault := ask("partof", ref.String())
			next, err = append(next, below...), errors.Join(err, fault)
		}
		level = next
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

// cluesIn is the CLUES of an Organization; otherwise what else rows name it by.
func cluesIn(organization []byte, otherwise string) string {
	doc, err := element.Parse(organization)
	if err != nil {
		return otherwise
	}
	for n := range doc.Items(0, "identifier") {
		if doc.TextAt(n, "system") == identity.SystemCLUES {
			return strings.TrimSpace(doc.TextAt(n, "value"))
		}
	}
	return otherwise
}

// reminding says whether people are reminded of vaccinations.
type reminding struct {
	Days int `name:"immunization-reminders" help:"Keep a CommunicationRequest for each child under ten for whom a vaccine is due, or will be within so many days, for an application that follows $$changes or a subscription. 0 keeps none." default:"0" placeholder:"DAYS"`
}

const (
	reminderJob  = "immunization-reminders"
	remindEvery  = 24 * time.Hour
	remindAgain  = 20 * time.Second // while what is due is still worked out
	remindAtHour = 3                // in the morning, when recommendations of the day are mostly made
)

// handleReminders lets this process keep reminders.
func (o *opened) handleReminders(ctx context.Context, r reminding) error {
	if r.Days < 0 || r.Days > 366 {
		return usagef("--immunization-reminders: 0 to 366 days")
	}
	if r.Days == 0 {
		return nil
	}
	o.jobs.Handle(reminderJob, 1, func(ctx context.Context, t *job.Task) error {
		if ready, err := o.forecastsReady(ctx); err != nil || !ready {
			if err == nil {
				err = &job.Again{At: time.Now().Add(remindAgain)}
			}
			return err
		}
		keeper := &campaign.Reminders{
			Store: o.engine, Write: rightsStore{o}.Apply, Maker: o.maker, Zone: o.zone(), Now: time.Now, Days: r.Days, Log: o.log,
		}
		done, err := keeper.Run(ctx)
		t.Progress(int64(done.Written), 0, fmt.Sprintf("written: %d, revoked: %d, refused: %d", done.Written, done.Revoked, done.Refused))
		if err != nil {
			return err
		}
		return &job.Again{At: nextNight(time.Now().In(o.zone()))}
	})
	return o.stand(ctx, reminderJob)
}

// forecastsReady reports whether what is due today is known of all Patients.
func (o *opened) forecastsReady(ctx context.Context) (bool, error) {
	e, err := o.Entry(ctx, forecastJob, forecastPlace)
	if fhir.CodeOf(err) == fhir.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var at forecastState
	if err := json.Unmarshal(e.Value, &at); err != nil {
		return false, err
	}
	return at.Print == o.schedules.print && at.Day >= int32(schedule.DateOf(time.Now().In(o.zone()))), nil
}

// nextNight is when the reminders of the next day are kept.
func nextNight(now time.Time) time.Time {
	at := time.Date(now.Year(), now.Month(), now.Day(), remindAtHour, 0, 0, 0, now.Location())
	if !at.After(now) {
		at = at.Add(remindEvery)
	}
	return at
}

// asking is what the commands of a campaign have in common.
type asking struct {
	Storage  storage     `embed:""`
	Schedule forecasting `embed:""`

	Facility     string   `help:"Only people of this establishment." placeholder:"CLUES"`
	Municipality string   `help:"Only people who live there: key of INEGI." placeholder:"NNNNN"`
	State        string   `help:"Only people who live there: key of INEGI." placeholder:"NN"`
	Vaccine      []string `help:"Only these vaccine groups, such as MMR or hexavalente; coverage of antigens too, such as Measles." placeholder:"NAME"`
	Date         string   `help:"Day, YYYY-MM-DD; today when left out." placeholder:"DATE"`
}

// run performs an operation as it would be over HTTP, for whoever holds the data.
func (a *asking) run(ctx context.Context, out streams, log *slog.Logger, name, media string, more url.Values) (err error) {
	schedules, err := a.Schedule.open()
	if err != nil {
		return err
	}
	o, err := a.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	o.schedules = schedules
	if err := a.Storage.recordCommand(ctx, o, log); err != nil {
		return err
	}
	var params []search.Param
	add := func(name string, values ...string) {
		for _, v := range values {
			if v != "" {
				params = append(params, search.Param{Name: name, Value: v})
			}
		}
	}
	add("facility", a.Facility)
	add("municipality", a.Municipality)
	add("state", a.State)
	add("date", a.Date)
	add("vaccine", a.Vaccine...)
	for name, values := range more {
		add(name, values...)
	}
	for _, op := range o.campaignOperations() {
		if op.Name != name {
			continue
		}
		answer, err := op.Run(ctx, &operation.Call{In: operation.NewInputs(params, nil), Restriction: search.Unrestricted, Media: media})
		if err != nil {
			return err
		}
		_, err = out.out.Write(append(answer.Raw, answer.JSON...))
		return err
	}
	return fmt.Errorf("there is no operation %s", name)
}

// immunizationDue lists who is due.
type immunizationDue struct {
	Asking asking `embed:""`
	Status string `help:"due (overdue or not), overdue, or due-by with --by." enum:"due,overdue,due-by" default:"due"`
	By     string `help:"Last day of due-by." placeholder:"DATE"`
	MinAge int    `help:"Least age, in months." default:"0"`
	MaxAge int    `help:"Greatest age, in months." default:"119"`
	NDJSON bool   `help:"Print JSON, a line for each dose, and not CSV."`
}

func (c *immunizationDue) Run(ctx context.Context, out streams, log *slog.Logger) error {
	media := "text/csv"
	if c.NDJSON {
		media = "application/x-ndjson"
	}
	return c.Asking.run(ctx, out, log, "immunization-due", media, url.Values{
		"status": {c.Status}, "by": {c.By}, "min-age": {strconv.Itoa(c.MinAge)}, "max-age": {strconv.Itoa(c.MaxAge)},
	})
}

// immunizationCoverage counts coverage.
type immunizationCoverage struct {
	Asking     asking   `embed:""`
	By         []string `help:"Parts of the population: year, month (of birth), state, municipality, facility, sex." placeholder:"PART"`
	BornFrom   string   `help:"Born from this year, month or day on." placeholder:"DATE"`
	BornUntil  string   `help:"Born until this year, month or day." placeholder:"DATE"`
	Sex        string   `help:"Only female or male." enum:",female,male" default:""`
	Population bool     `help:"Against the population that was loaded, not against who is registered."`
	JSON       bool     `help:"Print a MeasureReport, and not CSV."`
}

func (c *immunizationCoverage) Run(ctx context.Context, out streams, log *slog.Logger) error {
	more := url.Values{"by": c.By, "born-from": {c.BornFrom}, "born-until": {c.BornUntil}, "sex": {c.Sex}}
	if c.Population {
		more.Set("denominator", "population")
	}
	media := "text/csv"
	if c.JSON {
		media = ""
	}
	return c.Asking.run(ctx, out, log, "immunization-coverage", media, more)
}

// immunizationDenominator loads populations that coverage is counted against.
type immunizationDenominator struct {
	Storage storage `embed:""`
	File    string  `arg:"" help:"CSV with a head: year (of birth), population, and where they are known municipality (key of INEGI, of a municipality or state) and sex (female, male). What was loaded of the same years before is replaced." type:"existingfile"`
}

func (c *immunizationDenominator) Run(ctx context.Context, out streams, log *slog.Logger) (err error) {
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	entries, err := campaign.ReadPopulations(f, filepath.Base(c.File))
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	o, err := c.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	for i := range entries {
		was, err := o.Entry(ctx, entries[i].Kind, entries[i].Key)
		if err != nil && fhir.CodeOf(err) != fhir.NotFound {
			return err
		}
		entries[i].Version = was.Version
	}
	if err := o.Put(ctx, entries...); err != nil {
		return err
	}
	for i := range entries {
		fmt.Fprintf(out.out, "population of those born in %s is loaded\n", entries[i].Key)
	}
	return nil
}
