package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/staff"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// staffListCmd prints the staff members.
type staffListCmd struct {
	Backends `json:"-"`
}

// Run lists here or in the running server.
func (s *staffListCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return runTool(ctx, g, s.Backends, c, "staff-list", s)
}

// work reads the log rather than a read model, which may be behind without a
// server.
func (s *staffListCmd) work(ctx context.Context, p *parts, t terms) error {
	var ids []string
	for r, err := range p.store.ReadAll(ctx, eventstore.Start) {
		if err != nil {
			return fmt.Errorf("read history: %w", err)
		}
		if id, ok := strings.CutPrefix(r.Stream, staff.Decider.Category+"-"); ok && r.Revision == 0 {
			ids = append(ids, id)
		}
	}
	out := tabwriter.NewWriter(t, 0, 0, 2, ' ', 0)
	for _, id := range ids {
		m, err := commands.Load(ctx, p.dispatcher.Streams(), staff.Decider.At(id))
		if err != nil {
			return err
		}
		u, err := commands.Load(ctx, p.dispatcher.Streams(), user.Decider.At(id))
		if err != nil {
			return err
		}
		role, factor := string(m.Role), "second factor"
		if m.Role == "" {
			role = "deactivated"
		}
		if !u.HasSecondFactor() {
			factor = "no second factor"
		}
		if _, err := fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", id, u.Email, role, factor); err != nil {
			return err
		}
	}
	return out.Flush()
}

// staffRoleCmd gives another role.
type staffRoleCmd struct {
	Backends `json:"-"`
	Person
	Role delegation.Role `arg:"" help:"Role: admin, billing, support or auditor." enum:"admin,billing,support,auditor"`
}

// Run assigns here or in the running server.
func (s *staffRoleCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return runTool(ctx, g, s.Backends, c, "staff-role", s)
}

func (s *staffRoleCmd) work(ctx context.Context, p *parts, t terms) error {
	id, err := s.id(ctx, p)
	if err == nil {
		_, err = p.dispatcher.AssignStaffRole(ctx, commandLine(), commands.AssignStaffRole{MemberID: id, Role: s.Role})
	}
	if err != nil {
		return refusal(err)
	}
	if err := p.answerInForce(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t, "staff member %s has the role %s\n", id, s.Role)
	return err
}

// staffDeactivateCmd ends a staff member's work.
type staffDeactivateCmd struct {
	Backends `json:"-"`
	Person
}

// Run deactivates here or in the running server.
func (s *staffDeactivateCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return runTool(ctx, g, s.Backends, c, "staff-deactivate", s)
}

func (s *staffDeactivateCmd) work(ctx context.Context, p *parts, t terms) error {
	id, err := s.id(ctx, p)
	if err == nil {
		_, err = p.dispatcher.DeactivateStaff(ctx, commandLine(), commands.DeactivateStaff{MemberID: id})
	}
	if err != nil {
		return refusal(err)
	}
	if err := p.answerInForce(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t, "%s is no staff member any more\n", id)
	return err
}

// answerInForce waits, in a server, until changed rights are in force: what is
// answered is.
func (p *parts) answerInForce(ctx context.Context) error {
	if !p.serving {
		return nil
	}
	return p.inForce(ctx)
}
