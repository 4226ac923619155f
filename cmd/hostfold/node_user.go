package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hostfold/hostfold/eventstore/node"
)

// nodeUserCmd looks after the users of an event store. The folder is opened
// under its lock, so the store must not be served meanwhile.
type nodeUserCmd struct {
	Set     nodeUserSetCmd     `cmd:"" help:"Make a user, or change password and groups. The password is asked for."`
	List    nodeUserListCmd    `cmd:"" help:"Print every user with groups and state."`
	Disable nodeUserDisableCmd `cmd:"" help:"Keep a user from logging in; setting the user lets him in again."`
}

// nodeUserSetCmd makes or changes a user.
type nodeUserSetCmd struct {
	Name          string   `arg:"" help:"Name to log in with."`
	FullName      string   `help:"Name for people." placeholder:"NAME"`
	Groups        []string `help:"Groups, such as $admins or $ops; without any, the user gets at what is open to everybody." placeholder:"GROUP,…"`
	PasswordStdin bool     `help:"Read the password from standard input, one line."`
}

// Run asks for the password and writes the user.
func (s *nodeUserSetCmd) Run(ctx context.Context, g *Globals, c *console) error {
	ask := staffCreateCmd{PasswordStdin: s.PasswordStdin}
	password, err := ask.ask(c)
	if err != nil {
		return err
	}
	return withUsers(g, c, func(u *node.Users) error {
		if err := u.Set(ctx, node.User{Login: s.Name, FullName: s.FullName, Groups: s.Groups}, password); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c, "user %s is set\n", s.Name)
		return err
	})
}

// nodeUserListCmd prints the users.
type nodeUserListCmd struct{}

// Run prints a line for each user.
func (nodeUserListCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return withUsers(g, c, func(u *node.Users) error {
		list, err := u.List(ctx)
		for _, user := range list {
			state := "enabled"
			switch {
			case user.Disabled:
				state = "disabled"
			case !user.HasPassword:
				state = "without password"
			}
			if _, err := fmt.Fprintf(c, "%s\t%s\t%s\t%s\n", user.Login, state, strings.Join(user.Groups, ","), user.FullName); err != nil {
				return err
			}
		}
		return err
	})
}

// nodeUserDisableCmd disables a user.
type nodeUserDisableCmd struct {
	Name string `arg:"" help:"Name that the user logs in with."`
}

// Run disables the user.
func (d *nodeUserDisableCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return withUsers(g, c, func(u *node.Users) error {
		found, err := u.Disable(ctx, d.Name)
		if err == nil && !found {
			err = fmt.Errorf("there is no user %q; nothing was changed", d.Name)
		}
		if err == nil {
			_, err = fmt.Fprintf(c, "user %s is disabled\n", d.Name)
		}
		return err
	})
}

// withUsers opens the data folder's event store for a change of its users.
func withUsers(g *Globals, c *console, work func(*node.Users) error) error {
	f, engine, err := openStoreFolder(g, node.Options{Logger: g.logger(c)})
	if err != nil {
		return err
	}
	return errors.Join(work(node.NewUsers(engine)), engine.Close(), f.Close())
}
