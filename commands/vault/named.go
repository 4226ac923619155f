package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain/apitoken"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// LostLoginsError says that the vault is older than its log: it lacks what
// people log in with, or programs call with, that the log says holds.
type LostLoginsError struct {
	Passwords, Factors, RecoveryCodes, Tokens int
	// Users are the ids of those concerned.
	Users []string
	// Last is when the newest of it was made.
	Last time.Time
}

// Error says which backup is needed, and what can be done without one.
func (e *LostLoginsError) Error() string {
	const most = 5
	who := strings.Join(e.Users[:min(len(e.Users), most)], ", ")
	if more := len(e.Users) - most; more > 0 {
		who = fmt.Sprintf("%s and %d more", who, more)
	}
	return fmt.Sprintf("the vault lacks %d passwords, %d second factors, %d sets of recovery codes and %d API tokens that the event log names (%s), the newest made at %s: "+
		"restore a backup of the vault taken after that time; if there is none, go on with --accept-lost-logins: these users then reset their passwords by mail, "+
		"have staff reset their second factors, and make new tokens; nothing was changed",
		e.Passwords, e.Factors, e.RecoveryCodes, e.Tokens, who, e.Last.UTC().Format(time.RFC3339))
}

// kind is what a row of the vault is good for.
type kind int

const (
	password kind = iota
	factor
	recoveryCodes
	token
)

// named is a row of the vault that the log says holds.
type named struct {
	kind kind
	user string
	at   time.Time
}

// blind is who has no key: personal data read as erased.
type blind struct{}

func (blind) KeyFor(context.Context, string, eventstore.Purpose) (eventstore.Key, error) {
	return eventstore.Key{}, eventstore.ErrErased
}

func (blind) KeyByID(context.Context, string) (eventstore.Key, error) {
	return eventstore.Key{}, eventstore.ErrErased
}

// lost looks for rows that the log names and db does not hold. Only what was
// named after everything that is in the vault counts: a vault that is older
// lacks its last part, and a row that was given up just before a crash is not
// the last sign of life.
func lost(ctx context.Context, db querier, store eventstore.Store) error {
	// What the log names is read before the rows are, and once more: between
	// the two somebody may have given something up.
	var gone map[string]named
	for range 2 {
		all, err := namedRows(ctx, store)
		if err != nil {
			return err
		}
		kept, last, err := loginRows(ctx, db)
		if err != nil {
			return err
		}
		still := map[string]named{}
		for id, n := range all {
			if _, before := gone[id]; !kept[id] && n.at.After(last) && (gone == nil || before) {
				still[id] = n
			}
		}
		if len(still) == 0 {
			return nil
		}
		gone = still
	}
	e := &LostLoginsError{}
	for _, n := range gone {
		switch n.kind {
		case password:
			e.Passwords++
		case factor:
			e.Factors++
		case recoveryCodes:
			e.RecoveryCodes++
		case token:
			e.Tokens++
		}
		e.Users = append(e.Users, n.user)
		if n.at.After(e.Last) {
			e.Last = n.at
		}
	}
	slices.Sort(e.Users)
	e.Users = slices.Compact(e.Users)
	return e
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// loginRows are the ids of what people log in with, and the time of the last
// thing that the vault was told. A vault of an older version has fewer tables.
func loginRows(ctx context.Context, db querier) (kept map[string]bool, last time.Time, err error) {
	const doing = "read what people log in with"
	rows, _ := db.Query(ctx, `SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'vault'`)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, last, away(doing, err)
	}
	var parts []string
	for _, part := range []struct{ table, rows string }{
		{"credential", `SELECT id, created_at FROM vault.credential`},
		{"factor", `SELECT id, created_at FROM vault.factor`},
		{"api_token", `SELECT id, created_at FROM vault.api_token`},
		{"subject_key", `SELECT '', max(created_at) FROM vault.subject_key HAVING count(*) > 0`},
		{"session", `SELECT '', max(used_at) FROM vault.session HAVING count(*) > 0`},
		{"login", `SELECT '', max(at) FROM vault.login HAVING count(*) > 0`},
	} {
		if slices.Contains(tables, part.table) {
			parts = append(parts, part.rows)
		}
	}
	rows, _ = db.Query(ctx, strings.Join(parts, " UNION ALL "))
	kept = map[string]bool{}
	var (
		id string
		at time.Time
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &at}, func() error {
		kept[id] = true
		if at.After(last) {
			last = at
		}
		return nil
	})
	return kept, last, away(doing, err)
}

// logins is what the log says of users, of their API tokens and of who is
// erased, as far as the vault has rows for it.
type logins struct {
	users  map[string]user.User
	tokens map[string]apitoken.Token
	erased map[string]privacy.Subject
	at     map[string]time.Time // when rows were named
}

// namedRows folds users and API tokens, up to the end of the log.
func namedRows(ctx context.Context, store eventstore.Store) (map[string]named, error) {
	codec, err := eventstore.NewCodec(slices.Concat(user.Decider.Types, apitoken.Decider.Types, privacy.Decider.Types)...)
	if err != nil {
		return nil, err
	}
	l := logins{map[string]user.User{}, map[string]apitoken.Token{}, map[string]privacy.Subject{}, map[string]time.Time{}}
	filter := eventstore.Filter{Streams: []string{user.Decider.Category + "-", apitoken.Decider.Category + "-", privacy.Decider.Category + "-"}}
	if err := follow(ctx, store, filter, func(r eventstore.Recorded) error {
		return l.take(ctx, codec.WithKeys(blind{}), r)
	}); err != nil {
		return nil, err
	}
	all := map[string]named{}
	for id, u := range l.users {
		if s := l.erased[id]; u.IsClosed || s.Status == privacy.StatusAccepted || s.Status == privacy.StatusCompleted {
			continue // of these the vault may have forgotten all
		}
		add := func(k kind, row string) {
			if row != "" {
				all[row] = named{k, id, l.at[row]}
			}
		}
		add(password, u.Credential)
		add(factor, u.TOTP)
		add(recoveryCodes, u.Recovery.Codes)
		for _, p := range u.Passkeys {
			add(factor, p.ID)
		}
	}
	for id, t := range l.tokens {
		if t.User != "" && !t.IsRevoked {
			all[id] = named{token, t.User, l.at[id]}
		}
	}
	return all, nil
}

// take folds one event. Its personal data are not needed.
func (l logins) take(ctx context.Context, codec *eventstore.Codec, r eventstore.Recorded) error {
	if strings.HasPrefix(r.Type, "$") || eventstore.Foreign(r) {
		return nil // the store's own, or another program's
	}
	fact, m, err := codec.Decode(ctx, r)
	if err != nil {
		return unread(r, err)
	}
	name := func(row string) { l.at[row] = m.RecordedAt }
	switch e := fact.(type) {
	case user.Event:
		l.users[m.AggregateID] = user.Decider.Evolve(l.users[m.AggregateID], e)
		switch e := e.(type) {
		case user.Registered:
			name(e.Credential)
		case user.PasswordChanged:
			name(e.Credential)
		case user.TOTPConfirmed:
			name(e.Secret)
		case user.PasskeyAdded:
			name(e.Passkey)
		case user.RecoveryCodesRegenerated:
			name(e.Codes)
		}
	case apitoken.Event:
		l.tokens[m.AggregateID] = apitoken.Decider.Evolve(l.tokens[m.AggregateID], e)
		if _, issued := e.(apitoken.Issued); issued {
			name(m.AggregateID)
		}
	case privacy.Event:
		l.erased[m.AggregateID] = privacy.Decider.Evolve(l.erased[m.AggregateID], e)
	}
	return nil
}

// unread says that an event cannot be read by this version.
func unread(r eventstore.Recorded, err error) error {
	return fmt.Errorf("read revision %d of %s: %w; "+
		"run the version of hostfold that wrote it, or restore a backup of the event store from before it; nothing was changed", r.Revision, r.Stream, err)
}

// follow gives every event that the filter lets pass, up to the end of the log.
func follow(ctx context.Context, store eventstore.Store, filter eventstore.Filter, take func(eventstore.Recorded) error) (err error) {
	sub, err := store.Subscribe(ctx, eventstore.Start, filter)
	if err != nil {
		return away("read the log", err)
	}
	defer func() { err = errors.Join(err, sub.Close()) }()
	head, err := store.Head(ctx)
	if err != nil {
		return away("read the end of the log", err)
	}
	for through := eventstore.Start; through.Before(head); {
		batch, err := sub.Next(ctx, 1000)
		if err != nil {
			return away("read the log", err)
		}
		through = batch.Through
		for _, r := range batch.Events {
			if err := take(r); err != nil {
				return err
			}
		}
	}
	return nil
}
