package vault

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/eventstore"
)

// LoginsFor is how many months a log-in is remembered.
const LoginsFor = 12

// network is the purpose of the keys of addresses of machines, one per month.
const network = eventstore.Network

func loginsSince(now time.Time) time.Time { return now.AddDate(0, -LoginsFor, 0) }

// Outcome is what a log-in came to.
type Outcome string

// The outcomes of a log-in that is remembered.
const (
	LoginSuccess       Outcome = "success"
	LoginWrongPassword Outcome = "wrong_password"
	LoginWrongFactor   Outcome = "wrong_second_factor"
	LoginLocked        Outcome = "locked"
)

// PastLogin is a log-in of a user, or an attempt at one.
type PastLogin struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	Outcome Outcome   `json:"outcome" enum:"success,wrong_password,wrong_second_factor,locked"`
	Device  string    `json:"device" doc:"The browser and the system, in English words."`
	Browser string    `json:"browser" doc:"The browser's name; empty when it did not tell."`
	System  string    `json:"system" doc:"The operating system's name; empty when it was not told."`
	IP      string    `json:"ip" doc:"The address that it came from."`
}

// NoteLogin remembers a log-in of a user; "" is nobody, for whom the work is
// the same and nothing is kept.
func (v *Vault) NoteLogin(ctx context.Context, userID string, from Client, outcome Outcome) error {
	name, err := draw(16)
	if err != nil {
		return err
	}
	id := "lgn_" + hex.EncodeToString(name)
	key, ip, err := v.sealIP(ctx, id, from.IP)
	if err != nil {
		return err
	}
	_, err = v.pool.Exec(ctx, `
		INSERT INTO vault.login (id, user_id, at, outcome, browser, system, ip_key, ip_sealed, observed)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
		WHERE $2 <> ''`, id, userID, v.clock(), outcome, from.Browser, from.System, key, ip, outcome == LoginSuccess)
	return away("note a log-in", err)
}

// Logins are a user's log-ins before a time and id, the newest first.
func (v *Vault) Logins(ctx context.Context, userID string, before time.Time, beforeID string, limit int) ([]PastLogin, error) {
	rows, err := v.pool.Query(ctx, `
		SELECT id, at, outcome, browser, system, ip_key, ip_sealed
		FROM vault.login
		WHERE user_id = $1 AND (at, id) < ($2, $3) AND at > $4
		ORDER BY at DESC, id DESC
		LIMIT $5`, userID, before, beforeID, loginsSince(v.clock()), limit)
	if err != nil {
		return nil, away("list log-ins", err)
	}
	type loginRow struct {
		ID              string
		At              time.Time
		Outcome         Outcome
		Browser, System string
		IPKey           string
		IPSealed        []byte
	}
	kept, err := pgx.CollectRows(rows, pgx.RowToStructByName[loginRow])
	if err != nil {
		return nil, away("list log-ins", err)
	}
	all := make([]PastLogin, len(kept))
	for i, r := range kept {
		ip, err := v.openIP(ctx, r.ID, r.IPKey, r.IPSealed)
		if err != nil {
			return nil, err
		}
		all[i] = PastLogin{ID: r.ID, At: r.At, Outcome: r.Outcome, Device: words(r.Browser, r.System), Browser: r.Browser, System: r.System, IP: ip}
	}
	return all, nil
}

// deleteLogins leaves the last one of each user that can log in.
const deleteLogins = `
	DELETE FROM vault.login l
	WHERE at <= $1
	  AND NOT (outcome = 'success'
	           AND EXISTS (SELECT 1 FROM vault.credential c WHERE c.user_id = l.user_id)
	           AND NOT EXISTS (SELECT 1 FROM vault.login n
	                           WHERE n.user_id = l.user_id AND n.outcome = 'success' AND (n.at, n.id) > (l.at, l.id)))`

// LastLogin is when a user last logged in.
type LastLogin struct {
	UserID string
	At     time.Time
}

// Unused are the users that can log in and have neither done so since a time nor
// got a password, who has not come for longest first. Who never logged in got its
// first password when it registered.
func (v *Vault) Unused(ctx context.Context, since time.Time) ([]LastLogin, error) {
	rows, err := v.pool.Query(ctx, `
		SELECT user_id, max(at) AS at
		FROM (SELECT user_id, created_at AS at FROM vault.credential
		      UNION ALL
		      SELECT user_id, at FROM vault.login WHERE outcome = 'success') t
		WHERE EXISTS (SELECT 1 FROM vault.credential c WHERE c.user_id = t.user_id)
		GROUP BY user_id
		HAVING max(at) < $1
		ORDER BY 2, 1`, since)
	if err != nil {
		return nil, away("look who does not log in", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[LastLogin])
	return found, away("look who does not log in", err)
}

// Failures are the failed log-ins of one user in one hour.
type Failures struct {
	UserID string
	Hour   time.Time
	Count  int
}

// Unobserved are the failures of hours that are over and were not noted yet.
func (v *Vault) Unobserved(ctx context.Context) ([]Failures, error) {
	rows, err := v.pool.Query(ctx, `
		SELECT user_id, date_trunc('hour', at, 'UTC') AS hour, count(*) AS count
		FROM vault.login
		WHERE at < $1 AND NOT observed
		GROUP BY 1, 2
		ORDER BY 2, 1
		LIMIT 1000`, v.clock().Truncate(time.Hour))
	if err != nil {
		return nil, away("count failed log-ins", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Failures])
	return found, away("count failed log-ins", err)
}

// Observed marks failures as noted.
func (v *Vault) Observed(ctx context.Context, f Failures) error {
	_, err := v.pool.Exec(ctx, `
		UPDATE vault.login
		SET observed = true
		WHERE user_id = $1 AND at >= $2 AND at < $3 AND NOT observed`, f.UserID, f.Hour, f.Hour.Add(time.Hour))
	return away("mark failed log-ins", err)
}

// sealIP encrypts an address of a row with the key of the month.
func (v *Vault) sealIP(ctx context.Context, row, ip string) (key string, sealed []byte, err error) {
	k, err := v.KeyFor(ctx, v.clock().Format("2006-01"), network)
	if err != nil {
		return "", nil, err
	}
	nonce, err := draw(k.AEAD.NonceSize())
	if err != nil {
		return "", nil, err
	}
	return k.ID, k.AEAD.Seal(nonce, nonce, []byte(ip), []byte(row)), nil
}

// openIP decrypts an address; that of a month whose key is gone is Erased.
func (v *Vault) openIP(ctx context.Context, row, key string, sealed []byte) (string, error) {
	k, err := v.KeyByID(ctx, key)
	if errors.Is(err, eventstore.ErrErased) {
		return eventstore.Erased, nil
	}
	if err != nil {
		return "", err
	}
	n := k.AEAD.NonceSize()
	if len(sealed) < n {
		return "", errors.New("an address in the vault is damaged")
	}
	ip, err := k.AEAD.Open(nil, sealed[:n], sealed[n:], []byte(row))
	if err != nil {
		return "", errors.New("an address in the vault does not open with its key")
	}
	return string(ip), nil
}
