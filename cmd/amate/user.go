package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/people"
	"github.com/amate-health/amate/authz/smart"
	"github.com/amate-health/amate/fhir"
)

// users manages the accounts of people. The server may be running meanwhile.
type users struct {
	Add      userAdd      `cmd:"" help:"Add an account. Without --password-stdin it prints a link with which the person chooses a password."`
	List     userList     `cmd:"" help:"List the accounts."`
	Lock     userLock     `cmd:"" help:"Lock an account: its sessions and tokens end at once."`
	Unlock   userUnlock   `cmd:"" help:"Unlock an account."`
	Password userPassword `cmd:"" help:"Print a link with which the person chooses a new password, or set one that they must change."`
	Codes    userCodes    `cmd:"" help:"Turn one-time codes off and remove passkeys, for somebody who has lost the device."`
	Link     userLink     `cmd:"" help:"Link an account to its Practitioner, Patient or RelatedPerson."`
	Role     userRole     `cmd:"" help:"Give an account a role, or take it away."`
	Remove   userRemove   `cmd:"" help:"Remove an account."`
}

// userAt is what the commands about one account share.
type userAt struct {
	Storage storage `embed:""`
	Login   string  `arg:"" help:"What the person types to sign in."`
}

// with finds the account, and lets f work on it.
func (u *userAt) with(ctx context.Context, log *slog.Logger, f func(*access, *people.Account) error) error {
	return u.Storage.withAccess(ctx, log, "", func(a *access) error {
		account, err := a.people.Find(ctx, u.Login)
		if fhir.CodeOf(err) == fhir.NotFound {
			return usagef("there is no account %q: see amate user list", u.Login)
		}
		if err != nil {
			return err
		}
		return f(a, account)
	})
}

// end ends the sessions and tokens of an account.
func (a *access) end(ctx context.Context, account string) error {
	return errors.Join(smart.EndAccount(ctx, a.state, a.revocations, a.people, account), a.revocations.Holder(ctx, account))
}

type userAdd struct {
	userAt
	Name          string   `help:"Name of the person, for administrators."`
	Role          []string `help:"Role, such as clinician; more than one by a comma." required:""`
	Org           string   `help:"CLUES of the establishment that the person works for." placeholder:"CLUES"`
	Link          string   `help:"The person's resource, such as Practitioner/1." placeholder:"REFERENCE"`
	Patients      []string `help:"Ids of the patients in the person's care, for a parent or guardian." placeholder:"ID"`
	PasswordStdin bool     `help:"Read a first password from standard input. The person has to change it."`
}

func (u *userAdd) Run(ctx context.Context, out streams, log *slog.Logger) error {
	password, err := passwordFrom(u.PasswordStdin, out)
	if err != nil {
		return err
	}
	return u.Storage.withAccess(ctx, log, "", func(a *access) error {
		if err := warnOfRoles(ctx, a.state, log, u.Role...); err != nil {
			return err
		}
		account := &people.Account{Login: u.Login, Name: u.Name, Roles: u.Role, Org: u.Org, User: u.Link, Patients: u.Patients, MustChange: password != ""}
		err := a.people.Add(ctx, account, password)
		if code := fhir.CodeOf(err); code == fhir.Invalid || code == fhir.Conflict {
			return usagef("%v", err)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(out.out, "Added %s.\n", u.Login)
		if password != "" {
			return nil
		}
		return a.printReset(ctx, out, account)
	})
}

// printReset prints the link with which somebody chooses a password.
func (a *access) printReset(ctx context.Context, out streams, account *people.Account) error {
	secret, err := a.people.Reset(ctx, account.ID)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out.out, "Give %s this link. It is good once, for a day:\n\n  %s/account/reset?%s\n\n",
		account.Login, a.minter.Issuer, url.Values{"secret": {secret}}.Encode())
	return err
}

// passwordFrom reads a password from standard input, without showing it.
func passwordFrom(stdin bool, out streams) (string, error) {
	if !stdin {
		return "", nil
	}
	if fd := int(os.Stdin.Fd()); term.IsTerminal(fd) {
		fmt.Fprint(out.err, "Password: ")
		text, err := term.ReadPassword(fd)
		fmt.Fprintln(out.err)
		return string(text), err
	}
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", usagef("--password-stdin: standard input is empty")
	}
	return line, nil
}

type userList struct {
	Storage storage `embed:""`
}

func (u *userList) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return u.Storage.withAccess(ctx, log, "", func(a *access) error {
		w := tabwriter.NewWriter(out.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "LOGIN\tROLES\tLINKED TO\tORGANISATION\tSIGNS IN BY\tSTATE\tADDED")
		const page = 200
		for after := ""; ; {
			all, err := a.people.List(ctx, after, page)
			if err != nil {
				return err
			}
			for _, one := range all {
				after = one.ID
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", one.Login, strings.Join(one.Roles, ","), dash(one.User), dash(one.Org), ways(one), state(one), days(one.Created))
			}
			if len(all) < page {
				return w.Flush()
			}
		}
	})
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// ways says by what somebody can sign in.
func ways(a *people.Account) string {
	var all []string
	if a.Password != "" {
		all = append(all, "password")
	}
	if a.Secret != "" {
		all = append(all, "code")
	}
	if n := len(a.Passkeys); n > 0 {
		all = append(all, fmt.Sprintf("%d passkeys", n))
	}
	return dash(strings.Join(all, "+"))
}

func state(a *people.Account) string {
	switch {
	case a.Locked:
		return "locked"
	case a.MustChange:
		return "must change password"
	case a.Password == "" && len(a.Passkeys) == 0:
		return "invited"
	}
	return "active"
}

type userLock struct{ userAt }

func (u *userLock) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return u.with(ctx, log, func(a *access, account *people.Account) error {
		if _, err := a.people.Change(ctx, account.ID, func(one *people.Account) error { one.Locked = true; return nil }); err != nil {
			return err
		}
		if err := a.end(ctx, account.ID); err != nil {
			return err
		}
		_, err := fmt.Fprintf(out.out, "Locked %s.\n", u.Login)
		return err
	})
}

type userUnlock struct{ userAt }

func (u *userUnlock) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return u.with(ctx, log, func(a *access, account *people.Account) error {
		_, err := a.people.Change(ctx, account.ID, func(one *people.Account) error { one.Locked = false; return nil })
		if err == nil {
			fmt.Fprintf(out.out, "Unlocked %s.\n", u.Login)
		}
		return err
	})
}

type userPassword struct {
	userAt
	PasswordStdin bool `help:"Set this password, from standard input, which the person has to change."`
}

func (u *userPassword) Run(ctx context.Context, out streams, log *slog.Logger) error {
	password, err := passwordFrom(u.PasswordStdin, out)
	if err != nil {
		return err
	}
	return u.with(ctx, log, func(a *access, account *people.Account) error {
		if password == "" {
			return a.printReset(ctx, out, account)
		}
		err := a.people.SetPassword(ctx, account.ID, password, true)
		if fhir.CodeOf(err) == fhir.Invalid {
			return usagef("%v", err)
		}
		if err == nil {
			err = a.end(ctx, account.ID)
		}
		if err == nil {
			fmt.Fprintf(out.out, "Changed the password of %s, who has to change it at the next sign-in.\n", u.Login)
		}
		return err
	})
}

type userCodes struct{ userAt }

func (u *userCodes) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return u.with(ctx, log, func(a *access, account *people.Account) error {
		_, err := a.people.Change(ctx, account.ID, func(one *people.Account) error {
			one.Secret, one.Step, one.Passkeys = "", 0, nil
			return nil
		})
		if err == nil {
			err = a.end(ctx, account.ID)
		}
		if err == nil {
			fmt.Fprintf(out.out, "%s signs in with the password alone until new codes or passkeys are set up.\n", u.Login)
		}
		return err
	})
}

type userLink struct {
	userAt
	To       string   `arg:"" help:"The person's resource, such as Practitioner/1; - for none."`
	Org      *string  `help:"CLUES of the establishment that the person works for." placeholder:"CLUES"`
	Patients []string `help:"Ids of the patients in the person's care, for a parent or guardian." placeholder:"ID"`
}

func (u *userLink) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return u.change(ctx, out, log, func(one *people.Account) {
		one.User = strings.TrimPrefix(u.To, "-")
		if u.Org != nil {
			one.Org = *u.Org
		}
		if u.Patients != nil {
			one.Patients = u.Patients
		}
	})
}

// change changes whom an account speaks for. What it holds from before ends, since
// tokens say it.
func (u *userAt) change(ctx context.Context, out streams, log *slog.Logger, f func(*people.Account)) error {
	return u.with(ctx, log, func(a *access, account *people.Account) error {
		changed, err := a.people.Change(ctx, account.ID, func(one *people.Account) error { f(one); return nil })
		if fhir.CodeOf(err) == fhir.Invalid {
			return usagef("%v", err)
		}
		if err == nil {
			err = a.end(ctx, account.ID)
		}
		if err == nil {
			fmt.Fprintf(out.out, "%s: %s, %s, %s\n", changed.Login, dash(strings.Join(changed.Roles, ",")), dash(changed.User), dash(changed.Org))
		}
		return err
	})
}

type userRole struct {
	userAt
	Role string `arg:"" help:"Role, such as clinician."`
	Take bool   `help:"Take the role away."`
}

func (u *userRole) Run(ctx context.Context, out streams, log *slog.Logger) error {
	if !u.Take {
		warn := func(state authz.State) error { return warnOfRoles(ctx, state, log, u.Role) }
		if err := u.Storage.withState(ctx, log, warn); err != nil {
			return err
		}
	}
	return u.change(ctx, out, log, func(one *people.Account) {
		one.Roles = slices.DeleteFunc(one.Roles, func(r string) bool { return r == u.Role })
		if !u.Take {
			one.Roles = append(one.Roles, u.Role)
		}
	})
}

type userRemove struct{ userAt }

func (u *userRemove) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return u.with(ctx, log, func(a *access, account *people.Account) error {
		if err := a.end(ctx, account.ID); err != nil {
			return err
		}
		err := a.people.Remove(ctx, account.ID)
		if err == nil {
			fmt.Fprintf(out.out, "Removed %s.\n", u.Login)
		}
		return err
	})
}
