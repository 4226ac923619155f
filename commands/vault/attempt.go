package vault

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
)

// Action is something that may not be tried without limit. The limits are
// told to operators in docs/security.md.
type Action string

// What is limited, and whose attempts are counted together.
const (
	// loginPair is one source at one address, loginSource one source at all
	// addresses, loginAddress all unknown devices at one address, and
	// loginDevice one known device at its address.
	loginPair    Action = "login pair"
	loginSource  Action = "login source"
	loginAddress Action = "login address"
	loginDevice  Action = "login device"
	// Register is a registration, of one source.
	Register Action = "register"
	// RequestReset is asking for a mail to set a new password, of one source.
	RequestReset Action = "request reset"
	// ResetMail is such a mail, to one address.
	ResetMail Action = "reset mail"
	// UseToken is following a mailed link, of one source.
	UseToken Action = "use token"
	// factorSource is one source's second factors, factorUser the codes that
	// unknown devices try on one user, factorDevice those of one known device.
	// OwnFactor is a logged-in user's second factor.
	factorSource Action = "factor source"
	factorUser   Action = "factor user"
	factorDevice Action = "factor device"
	OwnFactor    Action = "own factor"
	// PasskeyOptions is asking for what a passkey signs, of one source.
	PasskeyOptions Action = "passkey options"
	// OwnPassword is a logged-in user's proof of its password.
	OwnPassword Action = "own password"
	// OwnMail is a mail that a logged-in user asks for, or the erasure of its data.
	OwnMail Action = "own mail"
	// ContactMail is a mail that asks somebody to be a contact, to one address;
	// ContactMails are all of one account's.
	ContactMail  Action = "contact mail"
	ContactMails Action = "contact mails"
	// invitationTo is a mail that asks somebody to act for an account, to one
	// address; invitationsBy are all that one user, invitationsOf all that one
	// account has sent.
	invitationTo  Action = "invitation to"
	invitationsBy Action = "invitations by"
	invitationsOf Action = "invitations of"
	// NewDevice is the notice of a new device, to one user.
	NewDevice Action = "new device"
)

// rule is how often an action may be tried.
type rule struct {
	// free attempts are taken at once. After them each has to wait for the one
	// before: first, then twice as long each time, at most most.
	free        int
	first, most time.Duration
	// quiet is how long after the last wait the count begins anew.
	quiet time.Duration
}

func (a Action) rule() rule {
	switch a {
	case loginPair, OwnPassword:
		return rule{free: 5, first: time.Second, most: 15 * time.Minute, quiet: time.Hour}
	case factorUser, factorDevice, OwnFactor:
		// Of a million codes three hold at a time: so few tries a day find one in
		// centuries.
		return rule{free: 10, first: time.Minute, most: 6 * time.Hour, quiet: 24 * time.Hour}
	case PasskeyOptions:
		return rule{free: 200, first: time.Second, most: 10 * time.Second, quiet: 10 * time.Minute}
	case loginDevice:
		return rule{free: 10, first: time.Second, most: 15 * time.Minute, quiet: time.Hour}
	case loginSource, factorSource, UseToken:
		return rule{free: 30, first: time.Second, most: 15 * time.Minute, quiet: time.Hour}
	case loginAddress:
		return rule{free: 50, first: time.Second, most: 15 * time.Minute, quiet: 24 * time.Hour}
	case Register:
		return rule{free: 20, first: time.Minute, most: time.Hour, quiet: time.Hour}
	case RequestReset:
		return rule{free: 10, first: time.Minute, most: 15 * time.Minute, quiet: time.Hour}
	case ResetMail:
		return rule{free: 1, first: 15 * time.Minute, most: 15 * time.Minute}
	case ContactMail:
		return rule{free: 3, first: time.Hour, most: 24 * time.Hour, quiet: 24 * time.Hour}
	case invitationTo:
		return rule{free: 5, first: time.Hour, most: 24 * time.Hour, quiet: 24 * time.Hour}
	case invitationsBy:
		return rule{free: 30, first: time.Minute, most: time.Hour, quiet: 24 * time.Hour}
	case invitationsOf:
		return rule{free: 50, first: time.Minute, most: time.Hour, quiet: 24 * time.Hour}
	case ContactMails:
		return rule{free: 100, first: time.Minute, most: time.Hour, quiet: 24 * time.Hour}
	case OwnMail, NewDevice:
		return rule{free: 5, first: time.Minute, most: time.Hour, quiet: 24 * time.Hour}
	}
	return rule{free: 1, first: time.Second, most: 15 * time.Minute, quiet: time.Hour}
}

// knownFor is how long a device stays known after its last log-in.
const knownFor = 180 * 24 * time.Hour

// ErrLimited says that there were too many attempts.
var ErrLimited = &domain.Error{Kind: domain.KindLimited, Code: "too_many_attempts", Detail: "Too many attempts; try again later."}

// LimitedError is ErrLimited with the time to wait.
type LimitedError struct {
	RetryAfter time.Duration
	// Why says in ErrLimited's place what there was too much of, nil nothing.
	Why *domain.Error
}

// Error is the refusal's text.
func (e *LimitedError) Error() string { return e.Unwrap().Error() }

// Unwrap is the refusal.
func (e *LimitedError) Unwrap() error {
	if e.Why != nil {
		return e.Why
	}
	return ErrLimited
}

// Attempt is one try, counted before it is made, so that many at once cannot
// all slip through.
type Attempt struct {
	// Own are the counters of this very party, Shared those that others move, too.
	Own, Shared []Taken
	// At is when it was counted.
	At time.Time
	// device and agent are what the attempt came from, as Login's known devices are kept.
	device, agent []byte
	// before is the attempt at the password that a second factor's follows.
	before *Attempt
}

// Taken is a counter that an attempt moved on, and where to.
type Taken struct {
	Who []byte
	N   int
}

// After is a second factor's attempt with that at the password before it, of the
// same challenge: the success of one is that of both.
func (a Attempt) After(password Attempt) Attempt {
	a.before = &password
	return a
}

// counter is one of an attempt's counters.
type counter struct {
	who []byte
	rule
	// shared is true for one that others move, too.
	shared bool
}

func (v *Vault) counter(action Action, who ...string) counter {
	return counter{who: v.pepper.sum("attempt", append([]string{string(action)}, who...)...), rule: action.rule()}
}

// sharing is a counter that others move, too.
func (v *Vault) sharing(action Action, who ...string) counter {
	c := v.counter(action, who...)
	c.shared = true
	return c
}

// Try counts an attempt of somebody at an action; *LimitedError when there were
// too many. Who is a user's id, or an address.
func (v *Vault) Try(ctx context.Context, action Action, who string) (Attempt, error) {
	return v.count(ctx, Attempt{}, v.counter(action, who))
}

// TrySource counts an attempt of a source at an action; *LimitedError when there
// were too many.
func (v *Vault) TrySource(ctx context.Context, action Action, ip string) (Attempt, error) {
	return v.count(ctx, Attempt{}, v.sources(action, ip)...)
}

// TryLogin counts a log-in of an address; *LimitedError when there were too
// many. A device from which the address was logged in to before has a counter
// of its own, so that neither strangers nor neighbours on its network keep the
// owner out.
func (v *Vault) TryLogin(ctx context.Context, from Client, email string) (Attempt, error) {
	a, known, err := v.visit(ctx, from, email)
	if err != nil {
		return a, err
	}
	if known {
		return v.count(ctx, a, v.counter(loginDevice, from.Device, email))
	}
	source := Source(from.IP)
	return v.count(ctx, a, append(v.sources(loginSource, from.IP), v.sharing(loginAddress, email), v.counter(loginPair, source, email))...)
}

// TryFactor counts a second factor of a user that has an address. A code can be
// guessed: it counts for the user, too, or for the known device that it comes
// from. A recovery code or a passkey cannot: whatever strangers do, who has one
// gets in.
func (v *Vault) TryFactor(ctx context.Context, from Client, email, userID string, guessable bool) (Attempt, error) {
	a, known, err := v.visit(ctx, from, email)
	if err != nil {
		return a, err
	}
	source := v.sources(factorSource, from.IP)
	switch {
	case !guessable:
		return v.count(ctx, a, source...)
	case known:
		return v.count(ctx, a, v.counter(factorDevice, from.Device, userID))
	}
	return v.count(ctx, a, append(source, v.sharing(factorUser, userID))...)
}

// visit is an attempt at an address that is not counted yet, and whether it
// comes from a device that is known there.
func (v *Vault) visit(ctx context.Context, from Client, email string) (a Attempt, known bool, err error) {
	a = v.visitOf(from, email)
	known, err = v.knows(ctx, a.device)
	return a, known && from.Device != "", err
}

func (v *Vault) visitOf(from Client, email string) Attempt {
	return Attempt{
		device: v.pepper.sum("device", from.Device, email),
		agent:  v.pepper.sum("agent", Source(from.IP), from.Browser, from.System, email),
	}
}

// TryInvitation counts a mail by which a user asks an address to act for an
// account: for each of the three, *LimitedError when one had too many. Which
// one is not told.
func (v *Vault) TryInvitation(ctx context.Context, userID, account, email string) (Attempt, error) {
	return v.count(ctx, Attempt{}, v.counter(invitationsOf, account), v.counter(invitationsBy, userID), v.counter(invitationTo, email))
}

// TryReset counts a request to mail a link to an address, unless it comes from
// a device that is known there: a neighbour on its network does not keep the
// owner from its mail.
func (v *Vault) TryReset(ctx context.Context, from Client, email string) (Attempt, error) {
	_, known, err := v.visit(ctx, from, email)
	if err != nil || known {
		return Attempt{}, err
	}
	return v.TrySource(ctx, RequestReset, from.IP)
}

func (v *Vault) knows(ctx context.Context, device []byte) (known bool, err error) {
	err = v.pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM vault.known_device WHERE who = $1 AND seen_at > $2)`,
		device, v.clock().Add(-knownFor)).Scan(&known)
	return known, away("look for a known device", err)
}

// Succeeded forgets the failures of who has made an attempt, and takes the
// attempt itself back where others are counted too.
func (v *Vault) Succeeded(ctx context.Context, a Attempt) error {
	who := make([][]byte, len(a.Own))
	for i, t := range a.Own {
		who[i] = t.Who
	}
	_, err := v.pool.Exec(ctx, `DELETE FROM vault.attempt WHERE who = ANY($1)`, who)
	if err != nil {
		return away("forget failed attempts", err)
	}
	if err := v.takeBack(ctx, a.At, a.Shared); err != nil || a.before == nil {
		return err
	}
	return v.Succeeded(ctx, *a.before)
}

// TakeBack uncounts an attempt of which nothing was learnt, so that those who
// try while the store is away are not shut out when it is back.
func (v *Vault) TakeBack(ctx context.Context, a Attempt) error {
	return v.takeBack(ctx, a.At, slices.Concat(a.Shared, a.Own))
}

// takeBack uncounts what an attempt took at a time, in the order in which count
// did. The wait that it caused is over; one that others have caused since is not.
func (v *Vault) takeBack(ctx context.Context, at time.Time, taken []Taken) error {
	who, n := make([][]byte, len(taken)), make([]int, len(taken))
	for i, t := range taken {
		who[i], n[i] = t.Who, t.N
	}
	_, err := v.pool.Exec(ctx, `
		WITH held AS (
			SELECT t.who, t.n
			FROM unnest($1::bytea[], $2::int[]) WITH ORDINALITY AS t (who, n, i) JOIN vault.attempt USING (who)
			ORDER BY t.i
			FOR UPDATE OF attempt)
		UPDATE vault.attempt AS a
		SET count = a.count - 1, open_at = CASE WHEN a.count = t.n THEN least(a.open_at, $3) ELSE a.open_at END
		FROM held AS t
		WHERE a.who = t.who AND a.count > 0`, who, n, at)
	return away("take an attempt back", err)
}

// count adds one to each counter of an attempt, or to none and refuses when one
// of them has to wait. An attempt that is refused does not prolong anybody's wait. The
// counters come in an order that is always the same, shared ones first, so that
// two attempts do not wait for each other.
func (v *Vault) count(ctx context.Context, a Attempt, counters ...counter) (Attempt, error) {
	now := v.clock()
	counted := a
	counted.At = now
	err := pgx.BeginFunc(ctx, v.pool, func(tx pgx.Tx) error {
		for _, c := range counters {
			open := now
			if c.free <= 1 {
				open = now.Add(c.first)
			}
			var n int
			err := tx.QueryRow(ctx, `
				INSERT INTO vault.attempt AS a (who, count, open_at, ends_at)
				VALUES ($1, 1, $3, $3::timestamptz + make_interval(secs => $7))
				ON CONFLICT (who) DO UPDATE SET
					(count, open_at, ends_at) = (
						SELECT next.n, next.open_at, next.open_at + make_interval(secs => $7)
						FROM (
							SELECT 1 AS n, $3::timestamptz AS open_at
							WHERE a.ends_at <= $2
							UNION ALL
							SELECT a.count + 1, $2 + make_interval(secs => CASE
								WHEN a.count + 1 < $4 THEN 0
								ELSE least($5 * power(2, least(a.count + 1 - $4, 30)), $6) END)
							WHERE a.ends_at > $2
						) next)
				WHERE a.open_at <= $2 OR a.count < $4 OR a.ends_at <= $2
				RETURNING count`,
				c.who, now, open, c.free, c.first.Seconds(), c.most.Seconds(), c.quiet.Seconds()).Scan(&n)
			if err == nil {
				if taken := (Taken{c.who, n}); c.shared {
					counted.Shared = append(counted.Shared, taken)
				} else {
					counted.Own = append(counted.Own, taken)
				}
				continue
			}
			if !errors.Is(err, pgx.ErrNoRows) {
				return err
			}
			var until time.Time
			if err := tx.QueryRow(ctx, `SELECT open_at FROM vault.attempt WHERE who = $1`, c.who).Scan(&until); err != nil {
				return err
			}
			return &LimitedError{RetryAfter: max(until.Sub(now), time.Second)}
		}
		return nil
	})
	if limited, ok := errors.AsType[*LimitedError](err); ok {
		return a, limited
	}
	if err != nil {
		return a, away("count an attempt", err)
	}
	return counted, nil
}

// sources are the counters of a source. Of IPv6 addresses some have a network of
// many sources for themselves, so there is one for all of that, too.
func (v *Vault) sources(action Action, ip string) []counter {
	source := v.sharing(action, Source(ip))
	addr, err := netip.ParseAddr(ip)
	if err != nil || addr.Unmap().Is4() {
		return []counter{source}
	}
	all := source
	all.who, all.rule = v.pepper.sum("attempt", string(action)+" network", within(addr, 48)), all.wide()
	return []counter{all, source}
}

// wide is the rule of many sources that may be one customer's, or a thousand
// people's who have a telephone: more at once, and waits that keep nobody out.
func (r rule) wide() rule {
	r.free, r.most = 10*r.free, min(r.most, time.Minute)
	return r
}

// Source is what counts as one source of attempts: an IPv4 address, or an IPv6
// network of the size that one link gets.
func Source(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	if addr = addr.Unmap(); addr.Is4() {
		return addr.String()
	}
	return within(addr, 64)
}

// within is the network of an IPv6 address that has so many bits.
func within(addr netip.Addr, bits int) string {
	prefix, err := addr.WithZone("").Prefix(bits)
	if err != nil {
		return addr.String()
	}
	return prefix.String()
}
