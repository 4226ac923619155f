package vault

import (
	"context"
	"errors"
	"hash/crc32"
	"math/big"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// The form of an API token: a prefix and a checksum, by which scanners of
// source code recognise one that was left there, around 32 random bytes.
const (
	apiTokenPrefix = "hfp_"
	apiTokenSecret = 43 // digits to base 62 of 32 bytes
	apiTokenSum    = 6  // and of a CRC-32
)

// IsAPIToken reports whether a text has the form of an API token, checksum
// included: what has not is none, without asking the database.
func IsAPIToken(s string) bool {
	rest, ok := strings.CutPrefix(s, apiTokenPrefix)
	if !ok || len(rest) != apiTokenSecret+apiTokenSum {
		return false
	}
	return rest[apiTokenSecret:] == sumOf(rest[:apiTokenSecret])
}

func sumOf(secret string) string {
	return digits(new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(secret)))), apiTokenSum)
}

// digits writes a number to base 62, with zeros before it.
func digits(n *big.Int, width int) string {
	text := n.Text(62)
	return strings.Repeat("0", width-len(text)) + text
}

// AddAPIToken makes the token of an id and keeps its hash. The token is told
// this once.
func (v *Vault) AddAPIToken(ctx context.Context, id string) (string, error) {
	random, err := draw(32)
	if err != nil {
		return "", err
	}
	secret := digits(new(big.Int).SetBytes(random), apiTokenSecret)
	token := apiTokenPrefix + secret + sumOf(secret)
	_, err = v.pool.Exec(ctx, `
		INSERT INTO vault.api_token (id, token_hash, created_at)
		VALUES ($1, $2, $3)`, id, hashToken(token), v.clock())
	return token, away("keep an API token", err)
}

// APIToken is the id of a token, ErrNoSession when there is none. What it may
// do, and whether it still may, is told by its stream.
func (v *Vault) APIToken(ctx context.Context, token string) (id string, err error) {
	if !IsAPIToken(token) {
		return "", ErrNoSession
	}
	now := v.clock()
	var used *time.Time
	err = v.pool.QueryRow(ctx, `SELECT id, used_at FROM vault.api_token WHERE token_hash = $1`, hashToken(token)).Scan(&id, &used)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", ErrNoSession
	}
	if err == nil && (used == nil || now.Sub(*used) >= usedEvery) {
		_, err = v.pool.Exec(ctx, `UPDATE vault.api_token SET used_at = $2 WHERE id = $1`, id, now)
	}
	return id, away("read an API token", err)
}

// APITokenUses answers when tokens were last used, to the minute; those that
// never were are absent.
func (v *Vault) APITokenUses(ctx context.Context, ids []string) (map[string]time.Time, error) {
	rows, err := v.pool.Query(ctx, `SELECT id, used_at FROM vault.api_token WHERE id = ANY($1) AND used_at IS NOT NULL`, ids)
	if err != nil {
		return nil, away("read the use of API tokens", err)
	}
	uses := make(map[string]time.Time)
	var (
		id string
		at time.Time
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &at}, func() error {
		uses[id] = at
		return nil
	})
	return uses, away("read the use of API tokens", err)
}

// DropAPIToken forgets a token.
func (v *Vault) DropAPIToken(ctx context.Context, id string) error {
	_, err := v.pool.Exec(ctx, `DELETE FROM vault.api_token WHERE id = $1`, id)
	return away("forget an API token", err)
}

// CleanAPITokens forgets the tokens whose streams say a day after they were
// made that they are good for nothing. Live answers what a stream says.
func (v *Vault) CleanAPITokens(ctx context.Context, live func(ctx context.Context, id string) (bool, error)) error {
	rows, err := v.pool.Query(ctx, `
		SELECT id
		FROM vault.api_token
		WHERE NOT kept AND created_at < $1
		LIMIT 1000`, v.clock().Add(-orphanAge))
	if err != nil {
		return away("look for orphaned API tokens", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return away("look for orphaned API tokens", err)
	}
	for _, id := range ids {
		ok, err := live(ctx, id)
		if err != nil {
			return err
		}
		if !ok {
			err = v.DropAPIToken(ctx, id)
		} else {
			_, err = v.pool.Exec(ctx, `UPDATE vault.api_token SET kept = true WHERE id = $1`, id)
		}
		if err != nil {
			return away("clean API tokens", err)
		}
	}
	return nil
}
