package vault

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
)

// Life is how long a session lasts.
type Life struct {
	// Whole is from log-in to the end, Idle from one use to the next.
	Whole, Idle time.Duration
}

// LifeOf is the life of a customer's or of a staff member's session
// (docs/security.md).
func LifeOf(staff bool) Life {
	if staff {
		return Life{Whole: 12 * time.Hour, Idle: time.Hour}
	}
	return Life{Whole: 14 * 24 * time.Hour, Idle: 3 * 24 * time.Hour}
}

// usedEvery is how exactly a session's last use is kept, so that reading pages
// does not write a row each time.
const usedEvery = time.Minute

// MaxSessions is how many sessions a user has at the same time: with one more,
// that which was not used for longest ends.
const MaxSessions = 50

// Session is one log-in of a user.
type Session struct {
	ID     string `json:"id"`
	UserID string `json:"-"`
	// Device is the browser and the system in English words.
	Device    string    `json:"device" doc:"The browser and the system, in English words."`
	Browser   string    `json:"browser" doc:"The browser's name; empty when it did not tell."`
	System    string    `json:"system" doc:"The operating system's name; empty when it was not told."`
	IP        string    `json:"ip" doc:"The address that the log-in came from."`
	CreatedAt time.Time `json:"created_at"`
	UsedAt    time.Time `json:"used_at" doc:"The last use, to the minute."`
	ExpiresAt time.Time `json:"expires_at" doc:"The end, unless it is not used for long before."`
	Proof     `json:"-"`
	// Acts is as whom the session acts, for staff.
	Acts Impersonation `json:"-"`
}

// Proof is how a session's user has proven who it is.
type Proof struct {
	// StaffRights is true when a staff member's rights hold in the session: a
	// second factor was shown, or the store is the demo's.
	StaffRights bool
	// PasswordAt is when the password was last proven, FactorAt when a second
	// factor was after the log-in; both may be nil.
	PasswordAt, FactorAt *time.Time
}

// FreshFor is how long what a user proves in its session lasts for what a
// stolen session must not do.
const FreshFor = 10 * time.Minute

// Fresh reports whether the password, or a second factor, was proven lately.
func (p Proof) Fresh(now time.Time) (password, factor bool) {
	lately := func(at *time.Time) bool { return at != nil && now.Sub(*at) < FreshFor }
	return lately(p.PasswordAt), lately(p.FactorAt)
}

// sessionRow is a row of vault.session.
type sessionRow struct {
	ID, UserID, Browser, System  string
	IPKey                        string
	IPSealed                     []byte
	CreatedAt, UsedAt, ExpiresAt time.Time
	Proof
	Impersonation
}

func (r sessionRow) session(ip string) Session {
	return Session{
		ID: r.ID, UserID: r.UserID, Device: words(r.Browser, r.System), Browser: r.Browser, System: r.System, IP: ip,
		CreatedAt: r.CreatedAt, UsedAt: r.UsedAt, ExpiresAt: r.ExpiresAt, Proof: r.Proof, Acts: r.Impersonation,
	}
}

// words are a device in English words.
func words(browser, system string) string {
	switch {
	case browser != "" && system != "":
		return browser + " on " + system
	case browser+system != "":
		return browser + system
	}
	return "Unknown device"
}

// ErrNoSession says that a token or an id stands for no open session.
var ErrNoSession = domain.ErrUnauthenticated

// OpenSession makes a session and its token, which is told once: only its hash
// is kept.
func (v *Vault) OpenSession(ctx context.Context, userID string, from Client, life Life, proof Proof) (token string, s Session, err error) {
	secret, err := draw(32)
	if err != nil {
		return "", Session{}, err
	}
	id, err := draw(16)
	if err != nil {
		return "", Session{}, err
	}
	token = base64.RawURLEncoding.EncodeToString(secret)
	now := v.clock()
	row := sessionRow{
		ID: "ses_" + hex.EncodeToString(id), UserID: userID, Browser: from.Browser, System: from.System,
		CreatedAt: now, UsedAt: now, ExpiresAt: now.Add(life.Whole), Proof: proof,
	}
	if row.IPKey, row.IPSealed, err = v.sealIP(ctx, row.ID, from.IP); err != nil {
		return "", Session{}, err
	}
	_, err = v.pool.Exec(ctx, `
		INSERT INTO vault.session (id, token_hash, user_id, browser, system, ip_key, ip_sealed, created_at, used_at, expires_at, idle_for, staff_rights, password_at, factor_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, $11, $12, $13)`,
		row.ID, hashToken(token), row.UserID, row.Browser, row.System, row.IPKey, row.IPSealed, now, row.ExpiresAt, life.Idle,
		proof.StaffRights, proof.PasswordAt, proof.FactorAt)
	if err != nil {
		return "", Session{}, away("open a session", err)
	}
	_, err = v.pool.Exec(ctx, `
		DELETE FROM vault.session
		WHERE id IN (
			SELECT id
			FROM vault.session
			WHERE user_id = $1 AND id <> $2
			ORDER BY used_at DESC, id
			OFFSET $3)`, row.UserID, row.ID, MaxSessions-1)
	return token, row.session(from.IP), away("end the oldest session", err)
}

func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

const sessionColumns = `id, user_id, browser, system, ip_key, ip_sealed, created_at, used_at, expires_at, staff_rights, password_at, factor_at, impersonation, acts_for, acts_until`

// AboutUser queues a statement about a session's user, to be answered in the
// same round trip: user is an SQL expression of his id, and args are what it
// takes as $1 and on. Without an open session it is null.
type AboutUser func(b *pgx.Batch, user string, args ...any)

// Session is the open session of a token, ErrNoSession without one; its address
// is left sealed. What is asked about its user is answered before it returns,
// unless it answers an error.
func (v *Vault) Session(ctx context.Context, token string, ask ...AboutUser) (Session, error) {
	const open = `vault.session WHERE token_hash = $1 AND expires_at > $2 AND used_at + idle_for > $2`
	var (
		b    pgx.Batch
		kept []sessionRow
		hash = hashToken(token)
		now  = v.clock()
	)
	b.Queue(`SELECT `+sessionColumns+` FROM `+open, hash, now).Query(func(rows pgx.Rows) (err error) {
		kept, err = pgx.CollectRows(rows, pgx.RowToStructByName[sessionRow])
		return err
	})
	for _, about := range ask {
		about(&b, `(SELECT user_id FROM `+open+`)`, hash, now)
	}
	if err := v.pool.SendBatch(ctx, &b).Close(); err != nil {
		return Session{}, away("read a session", err)
	}
	if len(kept) == 0 {
		return Session{}, ErrNoSession
	}
	row := kept[0]
	if now.Sub(row.UsedAt) < usedEvery {
		return row.session(""), nil
	}
	row.UsedAt = now
	_, err := v.pool.Exec(ctx, `UPDATE vault.session SET used_at = $2 WHERE id = $1`, row.ID, now)
	return row.session(""), away("note a session's use", err)
}

// ConfirmSession notes that a session's user has proven itself again, with a
// second factor or, without one, with the password. A second factor gives staff
// their rights.
func (v *Vault) ConfirmSession(ctx context.Context, userID, id string, factor, staff bool) error {
	_, err := v.confirmSession(ctx, userID, id, factor, staff, nil)
	if errors.Is(err, ErrNoSession) {
		return nil // it has ended meanwhile
	}
	return err
}

// RenewSession is ConfirmSession, and gives the session another token with it,
// told once: that of before is over, so that whoever had it gains nothing by the
// proof.
func (v *Vault) RenewSession(ctx context.Context, userID, id string, factor, staff bool) (token string, expires time.Time, err error) {
	secret, err := draw(32)
	if err != nil {
		return "", time.Time{}, err
	}
	token = base64.RawURLEncoding.EncodeToString(secret)
	expires, err = v.confirmSession(ctx, userID, id, factor, staff, hashToken(token))
	return token, expires, err
}

// confirmSession keeps the token when hash is nil.
func (v *Vault) confirmSession(ctx context.Context, userID, id string, factor, staff bool, hash []byte) (expires time.Time, err error) {
	err = v.pool.QueryRow(ctx, `
		UPDATE vault.session
		SET password_at = CASE WHEN $3 THEN password_at ELSE $4 END,
			factor_at = CASE WHEN $3 THEN $4 ELSE factor_at END,
			staff_rights = staff_rights OR ($3 AND $6),
			token_hash = coalesce($5, token_hash)
		WHERE id = $1 AND user_id = $2
		RETURNING expires_at`, id, userID, factor, v.clock(), hash, staff).Scan(&expires)
	if errors.Is(err, pgx.ErrNoRows) {
		return time.Time{}, ErrNoSession
	}
	return expires, away("confirm a session", err)
}

// WeakenSessions takes staff's rights from a user's sessions: it is about to
// be without a second factor.
func (v *Vault) WeakenSessions(ctx context.Context, userID string) error {
	_, err := v.pool.Exec(ctx, `UPDATE vault.session SET staff_rights = false, factor_at = NULL WHERE user_id = $1`, userID)
	return away("take rights from sessions", err)
}

// Sessions lists a user's open sessions, the newest first.
func (v *Vault) Sessions(ctx context.Context, userID string) ([]Session, error) {
	rows, err := v.pool.Query(ctx, `
		SELECT `+sessionColumns+`
		FROM vault.session
		WHERE user_id = $1 AND expires_at > $2 AND used_at + idle_for > $2
		ORDER BY created_at DESC, id`, userID, v.clock())
	if err != nil {
		return nil, away("list sessions", err)
	}
	kept, err := pgx.CollectRows(rows, pgx.RowToStructByName[sessionRow])
	if err != nil {
		return nil, away("list sessions", err)
	}
	open := make([]Session, len(kept))
	for i, row := range kept {
		ip, err := v.openIP(ctx, row.ID, row.IPKey, row.IPSealed)
		if err != nil {
			return nil, err
		}
		open[i] = row.session(ip)
	}
	return open, nil
}

// WhileSession does something while a session of a user is open, ErrNoSession
// when it is not: whoever ends the session waits until that is done, so that what
// a session did was there before its end. As each keeps a connection, two are
// done at a time.
func (v *Vault) WhileSession(ctx context.Context, userID, id string, do func() error) error {
	select {
	case v.whiles <- struct{}{}:
		defer func() { <-v.whiles }()
	case <-ctx.Done():
		return away("keep a session open", ctx.Err())
	}
	tx, err := v.pool.Begin(ctx)
	if err != nil {
		return away("keep a session open", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // it has changed nothing
	var open bool
	err = tx.QueryRow(ctx, `
		SELECT expires_at > $3 AND used_at + idle_for > $3
		FROM vault.session
		WHERE id = $1 AND user_id = $2
		FOR KEY SHARE`, id, userID, v.clock()).Scan(&open)
	switch {
	case errors.Is(err, pgx.ErrNoRows), err == nil && !open:
		return ErrNoSession
	case err != nil:
		return away("keep a session open", err)
	}
	return do()
}

// EndSession deletes one session of a user; it holds for the next request, in
// every process. Another user's session is missing.
func (v *Vault) EndSession(ctx context.Context, userID, id string) error {
	tag, err := v.pool.Exec(ctx, `DELETE FROM vault.session WHERE id = $1 AND user_id = $2`, id, userID)
	if err != nil {
		return away("end a session", err)
	}
	if tag.RowsAffected() == 0 {
		return domain.Missing("session")
	}
	return nil
}

// EndSessions deletes a user's sessions except one, "" for none.
func (v *Vault) EndSessions(ctx context.Context, userID, except string) error {
	_, err := v.pool.Exec(ctx, `DELETE FROM vault.session WHERE user_id = $1 AND id <> $2`, userID, except)
	return away("end sessions", err)
}

// Clean deletes what is over: sessions, counters, devices, mailed links, and
// log-ins older than LoginsFor; of the last one of a user that can log in the day
// stays, see Unused.
func (v *Vault) Clean(ctx context.Context) error {
	now := v.clock()
	for _, c := range []struct {
		what, sql string
		before    time.Time
	}{
		{"sessions", `DELETE FROM vault.session WHERE expires_at <= $1 OR used_at + idle_for <= $1`, now},
		// It waits for nobody who counts, or the two might wait for each other.
		{"attempts", `DELETE FROM vault.attempt WHERE who IN (SELECT who FROM vault.attempt WHERE ends_at <= $1 FOR UPDATE SKIP LOCKED)`, now},
		{"devices", `DELETE FROM vault.known_device WHERE seen_at <= $1`, now.Add(-knownFor)},
		{"challenges", `DELETE FROM vault.challenge WHERE expires_at <= $1`, now},
		{"mailed links", `DELETE FROM vault.mail_token WHERE expires_at <= $1`, now},
		{"log-ins", deleteLogins, loginsSince(now)},
		{"log-ins", `UPDATE vault.login SET browser = '', system = '', ip_sealed = '' WHERE at <= $1 AND ip_sealed <> ''`, loginsSince(now)},
	} {
		if _, err := v.pool.Exec(ctx, c.sql, c.before); err != nil {
			return away("delete old "+c.what, err)
		}
	}
	return v.cleanNetworkKeys(ctx)
}

// cleanNetworkKeys destroys the keys of months whose log-ins are all gone: the
// addresses in their events can be read no more.
func (v *Vault) cleanNetworkKeys(ctx context.Context) error {
	oldest := loginsSince(v.clock()).Format("2006-01")
	rows, err := v.pool.Query(ctx, `
		SELECT subject
		FROM vault.subject_key
		WHERE purpose = $1 AND destroyed_at IS NULL AND subject < $2
		ORDER BY subject`, network, oldest)
	if err != nil {
		return away("look for old keys", err)
	}
	months, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return away("look for old keys", err)
	}
	for _, month := range months {
		if err := v.DestroyKey(ctx, month, network, "retention", domain.Actor{Kind: domain.ActorSystem, ID: "vault"}); err != nil {
			return err
		}
	}
	return nil
}
