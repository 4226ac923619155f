package node

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
	"google.golang.org/grpc/codes"
)

const (
	minPassword = 8
	maxPassword = 1024
	// hashesAtOnce bounds the hashes that run at the same time, and so their
	// memory; hashesWaiting those who wait for their turn.
	hashesAtOnce  = 2
	hashesWaiting = 64
)

var errTooBusy = &refusal{code: codes.Unavailable, text: "Server Is Too Busy"}

// hashCost is the cost of one argon2id hash.
type hashCost struct {
	kib, passes uint32
	threads     uint8
}

// defaultCost is OWASP's first recommendation for argon2id.
var defaultCost = hashCost{kib: 19 * 1024, passes: 2, threads: 1}

// hasher makes and checks password hashes, a few at a time.
type hasher struct {
	busy    chan struct{}
	waiting atomic.Int32
}

func newHasher() *hasher { return &hasher{busy: make(chan struct{}, hashesAtOnce)} }

// sum computes a hash when it is its turn.
func (h *hasher) sum(ctx context.Context, password, salt []byte, c hashCost, size int) ([]byte, error) {
	if h.waiting.Add(1) > hashesWaiting {
		h.waiting.Add(-1)
		return nil, errTooBusy
	}
	defer h.waiting.Add(-1)
	select {
	case h.busy <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.busy }()
	return argon2.IDKey(password, salt, c.passes, c.kib, c.threads, uint32(size)), nil //nolint:gosec // Small.
}

// hash makes what is stored of a password.
func (h *hasher) hash(ctx context.Context, password string) (salt, hash string, err error) {
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		return "", "", err
	}
	sum, err := h.sum(ctx, []byte(password), raw, defaultCost, 32)
	if err != nil {
		return "", "", err
	}
	b64 := base64.RawStdEncoding
	return b64.EncodeToString(raw), fmt.Sprintf("argon2id v=%d m=%d,t=%d,p=%d %s", argon2.Version,
		defaultCost.kib, defaultCost.passes, defaultCost.threads, b64.EncodeToString(sum)), nil
}

// check compares a password with what is stored. Without an account, or with
// one that cannot log in, the work is the same and the answer no.
func (h *hasher) check(ctx context.Context, a *account, password string) (bool, error) {
	salt, want, cost, ok := a.parse()
	if ok = ok && len(password) <= maxPassword; !ok {
		salt, want, cost = make([]byte, 16), make([]byte, 32), defaultCost
		password = password[:min(len(password), maxPassword)]
	}
	got, err := h.sum(ctx, []byte(password), salt, cost, len(want))
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1 && ok, err
}

// parse reads what is stored of a password. It may have been written by
// anybody who had the rights, so its cost is bounded.
func (a *account) parse() (salt, sum []byte, c hashCost, ok bool) {
	if a == nil || a.Disabled {
		return nil, nil, c, false
	}
	var version int
	var text string
	if n, err := fmt.Sscanf(a.Hash, "argon2id v=%d m=%d,t=%d,p=%d %s", &version, &c.kib, &c.passes, &c.threads, &text); err != nil || n != 5 {
		return nil, nil, c, false
	}
	salt, err := base64.RawStdEncoding.DecodeString(a.Salt)
	if err != nil {
		return nil, nil, c, false
	}
	if sum, err = base64.RawStdEncoding.DecodeString(text); err != nil {
		return nil, nil, c, false
	}
	ok = version == argon2.Version && len(salt) >= 8 && len(salt) <= 64 && len(sum) >= 16 && len(sum) <= 64 &&
		c.kib >= 8 && c.kib <= 256<<10 && c.passes >= 1 && c.passes <= 16 && c.threads >= 1 && c.threads <= 16
	return salt, sum, c, ok
}
