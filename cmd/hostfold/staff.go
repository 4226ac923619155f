package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/user"
)

// staffCmd looks after staff members.
type staffCmd struct {
	Create      staffCreateCmd      `cmd:"" help:"Make a staff member, who logs in like a user. The password is asked for."`
	ResetFactor staffResetFactorCmd `cmd:"" help:"Remove every second factor of a staff member who lost them all, at once. It is recorded, and the member is told by mail."`
	List        staffListCmd        `cmd:"" help:"Print who works for the company: id, e-mail address, role, and whether a second factor is on."`
	Role        staffRoleCmd        `cmd:"" help:"Give a staff member another role."`
	Deactivate  staffDeactivateCmd  `cmd:"" help:"End a staff member's work; its sessions end. The user stays. There is always an admin left."`
}

// staffCreateCmd makes a staff member.
type staffCreateCmd struct {
	Backends      `json:"-"`
	Email         string          `help:"E-mail address to log in with." required:"" placeholder:"ADDRESS"`
	Name          string          `help:"Name." required:"" placeholder:"NAME"`
	Role          delegation.Role `help:"Role: admin, billing, support or auditor." required:"" enum:"admin,billing,support,auditor" placeholder:"ROLE"`
	Locale        user.Locale     `help:"Language: fr or en." default:"fr" enum:"fr,en"`
	PasswordStdin bool            `help:"Read the password from standard input, one line." json:"-"`
	// Password goes to the server over loopback, behind its secret.
	Password string `kong:"-"`
}

// Run asks for the password and creates here or in the running server.
func (s *staffCreateCmd) Run(ctx context.Context, g *Globals, c *console) error {
	var err error
	if s.Password, err = s.ask(c); err != nil {
		return err
	}
	return runTool(ctx, g, s.Backends, c, "staff-create", s)
}

func (s *staffCreateCmd) ask(c *console) (string, error) {
	if s.PasswordStdin {
		line, err := bufio.NewReader(c.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	f, ok := c.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return "", fmt.Errorf("%w: there is no terminal to ask for the password; give it with --password-stdin", errUsage)
	}
	first, err := prompt(f, c, "Password: ")
	if err != nil {
		return "", err
	}
	second, err := prompt(f, c, "Again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ; nothing was changed")
	}
	return first, nil
}

func prompt(f *os.File, c *console, text string) (string, error) {
	fmt.Fprint(c.errs, text)
	answer, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(c.errs)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return string(answer), nil
}

// inForce waits until the rights lane has passed all that is written.
func (p *parts) inForce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	head, err := p.store.Head(ctx)
	if err == nil {
		err = p.runner.Wait(ctx, rightsLane, head)
	}
	if err != nil {
		return fmt.Errorf("the rights are written, but not in force yet: %w; see \"hostfold projections list\"", err)
	}
	return nil
}

func (s *staffCreateCmd) work(ctx context.Context, p *parts, t terms) error {
	made, err := p.dispatcher.CreateStaff(ctx, commandLine(), commands.CreateStaff{
		RegisterUser: commands.RegisterUser{Email: s.Email, Password: s.Password, Name: s.Name, Locale: s.Locale},
		Role:         s.Role,
	})
	if err != nil {
		return refusal(err)
	}
	if err := p.answerInForce(ctx); err != nil {
		return err
	}
	if made.Existing {
		t.Say("The address belongs to a user already, who keeps name and password and logs in again: its sessions have ended.")
	}
	if _, err := fmt.Fprintf(t, "staff member %s has the role %s\n", made.ID, s.Role); err != nil {
		return err
	}
	t.Say("Outside the demo staff need a second factor: the role counts once the first log-in has set one up (one-time codes or a passkey).")
	return nil
}

// staffResetFactorCmd removes a staff member's second factors.
type staffResetFactorCmd struct {
	Backends `json:"-"`
	Email    string `help:"E-mail address of the staff member." required:"" placeholder:"ADDRESS"`
	Reason   string `help:"Why, for the record." default:"asked for on the machine" placeholder:"TEXT"`
}

// Run resets here or in the running server.
func (s *staffResetFactorCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return runTool(ctx, g, s.Backends, c, "staff-reset-factor", s)
}

func (s *staffResetFactorCmd) work(ctx context.Context, p *parts, t terms) error {
	id, err := Person{User: s.Email}.id(ctx, p)
	if err != nil {
		return err
	}
	if _, err := p.dispatcher.ResetStaffFactors(ctx, commandLine(), commands.ResetStaffFactors{UserID: id, Reason: s.Reason}); err != nil {
		return refusal(err)
	}
	if _, err := fmt.Fprintf(t, "the second factors of staff member %s are removed, its sessions ended\n", id); err != nil {
		return err
	}
	t.Say("The password alone logs in, and the role counts again once a new second factor is set up.")
	return nil
}
