package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
)

// The groups that the store itself knows.
const (
	// GroupAdmins may do everything.
	GroupAdmins = "$admins"
	// GroupOps may look after the node and its persistent subscriptions.
	GroupOps = "$ops"
)

// Streams and types of users, as the store's own server has them.
const (
	userPrefix          = "$user-"
	userListStream      = "$users"
	userNoticesStream   = "$users-password-notifications"
	userListedType      = "$User"
	userCreatedType     = "$UserCreated"
	userUpdatedType     = "$UserUpdated"
	passwordChangedType = "$PasswordChanged"
	userACL             = `{"$acl":{"$w":"$admins","$d":"$admins","$mw":"$admins"}}`
)

// ErrUser refuses a user whose name, groups or password cannot be.
var ErrUser = errors.New("invalid user")

// User is somebody who may use a secure server.
type User struct {
	// Login is the name to log in with, FullName the one for people.
	Login, FullName string
	// Groups are what access control lists name beside logins.
	Groups []string
	// Disabled users cannot log in, nor can those without a password.
	Disabled, HasPassword bool
}

// Users looks after the users of a store: a stream each, and one that lists
// them. A server sees a change at the next call.
type Users struct {
	e *Engine
	h *hasher
}

// NewUsers answers the users of a store.
func NewUsers(e *Engine) *Users { return &Users{e: e, h: newHasher()} }

// account is a user as it is stored. Hash holds the cost and the sum.
type account struct {
	Login    string   `json:"loginName"`
	FullName string   `json:"fullName"`
	Salt     string   `json:"salt"`
	Hash     string   `json:"hash"`
	Disabled bool     `json:"disabled"`
	Groups   []string `json:"groups"`
}

// List answers all users, in the order in which they were made.
func (u *Users) List(ctx context.Context) ([]User, error) {
	logins, err := u.logins(ctx)
	if err != nil {
		return nil, err
	}
	var list []User
	for _, login := range logins {
		a, err := u.find(ctx, login)
		if err != nil {
			return nil, err
		}
		if a != nil {
			list = append(list, User{Login: a.Login, FullName: a.FullName, Groups: a.Groups, Disabled: a.Disabled, HasPassword: a.Hash != ""})
		}
	}
	return list, nil
}

// Set makes a user, or changes an existing one: its groups, its full name
// unless that is empty, its password, and whether it is disabled.
func (u *Users) Set(ctx context.Context, user User, password string) error {
	if err := user.check(); err != nil {
		return err
	}
	if len(password) < minPassword || len(password) > maxPassword {
		return fmt.Errorf("%w: a password has %d to %d bytes", ErrUser, minPassword, maxPassword)
	}
	a, err := u.find(ctx, user.Login)
	if err != nil {
		return err
	}
	next := account{Login: user.Login, FullName: user.FullName, Groups: user.Groups, Disabled: user.Disabled}
	if a != nil && next.FullName == "" {
		next.FullName = a.FullName
	}
	if next.Salt, next.Hash, err = u.h.hash(ctx, password); err != nil {
		return err
	}
	return u.store(ctx, next, a != nil)
}

// Disable keeps a user from logging in. It answers false when there is none.
func (u *Users) Disable(ctx context.Context, login string) (bool, error) {
	a, err := u.find(ctx, login)
	if err != nil || a == nil {
		return false, err
	}
	a.Disabled = true
	return true, u.store(ctx, *a, true)
}

// check refuses names that Basic authentication or a list of rights could
// mistake for something else.
func (user User) check() error {
	plain := func(s string) bool {
		return s != "" && len(s) <= 200 && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
	}
	switch l := user.Login; {
	case !plain(l), strings.HasPrefix(l, "$"), strings.Contains(l, ":"), l == anonymous:
		return fmt.Errorf("%w: the login %.40q", ErrUser, l)
	case slices.ContainsFunc(user.Groups, func(g string) bool { return !plain(g) || g == groupAll }):
		return fmt.Errorf("%w: the groups %q", ErrUser, user.Groups)
	}
	return nil
}

// find reads a user; nil when there is none.
func (u *Users) find(ctx context.Context, login string) (*account, error) {
	last, err := u.e.lastEvent(ctx, userPrefix+login)
	if err != nil || last == nil {
		return nil, err
	}
	var a account
	if broken := json.Unmarshal(last.Data, &a); broken != nil || a.Login != login {
		a = account{} // Not written by us; nobody logs in with it.
	}
	if a.Login == "" {
		return nil, nil
	}
	return &a, nil
}

// store writes a user, with its rights and its place in the list when it is new.
func (u *Users) store(ctx context.Context, a account, known bool) error {
	if !known {
		if err := u.write(ctx, metastream(userPrefix+a.Login), "$metadata", []byte(userACL), false); err != nil {
			return err
		}
	}
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("write user %s: %w", a.Login, err)
	}
	kind := userCreatedType
	if known {
		kind = userUpdatedType
	}
	if err := u.write(ctx, userPrefix+a.Login, kind, data, false); err != nil {
		return err
	}
	logins, err := u.logins(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(logins, a.Login) {
		if err := u.write(ctx, userListStream, userListedType, []byte(a.Login), true); err != nil {
			return err
		}
	}
	notice, err := json.Marshal(map[string]string{"loginName": a.Login})
	if err != nil {
		return fmt.Errorf("write user %s: %w", a.Login, err)
	}
	return u.write(ctx, userNoticesStream, passwordChangedType, notice, false)
}

func (u *Users) write(ctx context.Context, stream, kind string, data []byte, isBinary bool) error {
	_, err := u.e.AppendExpecting(ctx, stream, Any(), []eventstore.NewEvent{{ID: u.e.o.NewID(), Type: kind, Data: data, Binary: isBinary}})
	return err
}

// logins are those listed, each once.
func (u *Users) logins(ctx context.Context) (list []string, err error) {
	for r, err := range u.e.Stream(ctx, userListStream, Forwards, 0, NoLimit) {
		if errors.Is(err, eventstore.ErrStreamDeleted) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if login := string(r.Data); r.Type == userListedType && !slices.Contains(list, login) {
			list = append(list, login)
		}
	}
	return list, nil
}

// seeds are written into a new store before it is served, as the store's own
// server does; its clients look for them. Their ids are the log's own, so that
// a broken start goes on where it stopped.
func (u *Users) seed(ctx context.Context) error {
	listed, err := u.logins(ctx)
	if err != nil {
		return err
	}
	put := func(expected Expectation, stream, kind, data string, isBinary bool) {
		if err != nil {
			return
		}
		e := eventstore.NewEvent{ID: uuid.NewSHA1(u.e.LogID(), []byte(stream+" "+data)), Type: kind, Data: []byte(data), Binary: isBinary}
		_, err = u.e.AppendExpecting(ctx, stream, expected, []eventstore.NewEvent{e})
		if errors.As(err, new(*eventstore.WrongRevisionError)) || errors.Is(err, eventstore.ErrStreamDeleted) {
			err = nil // Somebody wrote there already.
		}
	}
	for _, a := range defaultAccounts() {
		if slices.Contains(listed, a.Login) {
			continue
		}
		text, errText := json.Marshal(a)
		if errText != nil {
			return fmt.Errorf("write user %s: %w", a.Login, errText)
		}
		put(NoStream(), metastream(userNoticesStream), "$metadata", `{"$maxAge":3600}`, false)
		put(NoStream(), metastream(userListStream), "$metadata", userACL, false)
		put(NoStream(), metastream(userPrefix+a.Login), "$metadata", userACL, false)
		put(NoStream(), userPrefix+a.Login, userCreatedType, string(text), false)
		put(Any(), userListStream, userListedType, a.Login, true)
	}
	return err
}

// givePasswords lets the default accounts in that have no password yet.
func (u *Users) givePasswords(ctx context.Context, first func(login string) (string, error)) error {
	for _, d := range defaultAccounts() {
		a, err := u.find(ctx, d.Login)
		if err != nil {
			return err
		}
		if a == nil || a.Hash != "" {
			continue
		}
		password, err := first(a.Login)
		if err != nil {
			return fmt.Errorf("first password of %s: %w", a.Login, err)
		}
		if err := u.Set(ctx, User{Login: a.Login, FullName: a.FullName, Groups: a.Groups, Disabled: a.Disabled}, password); err != nil {
			return fmt.Errorf("first password of %s: %w", a.Login, err)
		}
	}
	return nil
}

// defaultAccounts are those of the store's own server, without a password.
func defaultAccounts() []account {
	return []account{
		{Login: "admin", FullName: "Event Store Administrator", Groups: []string{GroupAdmins}},
		{Login: "ops", FullName: "Event Store Operations", Groups: []string{GroupOps}},
	}
}

func metastream(stream string) string { return "$$" + stream }

// lastEvent is a stream's last event that can be read; nil when there is none.
func (e *Engine) lastEvent(ctx context.Context, stream string) (*eventstore.Recorded, error) {
	for r, err := range e.Stream(ctx, stream, Backwards, NoLimit, 1) {
		switch {
		case errors.Is(err, eventstore.ErrStreamDeleted), errors.Is(err, ErrStreamName):
			return nil, nil
		case err != nil:
			return nil, err
		}
		return &r, nil
	}
	return nil, nil
}
