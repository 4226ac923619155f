package vault

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/hostfold/hostfold/domain"
)

// Hashing is the cost of one argon2id hash.
type Hashing struct {
	// KiB is the memory, Passes the passes over it, Threads the lanes.
	KiB     uint32
	Passes  uint32
	Threads uint8
	// AtOnce bounds the hashes that run at the same time, and so the memory.
	AtOnce int
}

// defaultHashing is OWASP's first recommendation for argon2id.
var defaultHashing = Hashing{KiB: 19 * 1024, Passes: 2, Threads: 1, AtOnce: 2}

// hasher makes and checks password hashes, a few at a time.
type hasher struct {
	cost Hashing
	busy chan struct{}
	// queue holds those at work and those that wait for them.
	queue chan struct{}
	// dummy is checked when there is no user, so that the work is equal.
	dummy string
}

func newHasher(cost Hashing) (*hasher, error) {
	if cost == (Hashing{}) {
		cost = defaultHashing
	}
	h := &hasher{cost: cost, busy: make(chan struct{}, cost.AtOnce), queue: make(chan struct{}, cost.AtOnce*(1+waiting))}
	var err error
	h.dummy, err = h.hash(context.Background(), "nobody has this password")
	return h, err
}

// waiting is how many may wait for each hash that runs. More would wait for
// longer than people do, and hold memory for nothing.
const waiting = 32

func (h *hasher) enter(ctx context.Context) (func(), error) {
	select {
	case h.queue <- struct{}{}:
	default:
		return nil, fmt.Errorf("wait to check a password: %w (too many wait)", domain.ErrUnavailable)
	}
	select {
	case h.busy <- struct{}{}:
		return func() { <-h.busy; <-h.queue }, nil
	case <-ctx.Done():
		<-h.queue
		return nil, fmt.Errorf("wait to check a password: %w (%w)", domain.ErrUnavailable, ctx.Err())
	}
}

// hash makes a PHC string.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	salt, err := draw(16)
	if err != nil {
		return "", err
	}
	sum := argon2.IDKey([]byte(password), salt, h.cost.Passes, h.cost.KiB, h.cost.Threads, 32)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.KiB, h.cost.Passes, h.cost.Threads,
		b64.EncodeToString(salt), b64.EncodeToString(sum)), nil
}

// check compares a password with a PHC string. Outdated is true when the
// string was made at a lower cost than today's.
func (h *hasher) check(ctx context.Context, phc, password string) (ok, outdated bool, err error) {
	var version int
	var cost Hashing
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, false, errors.New("a password hash in the vault has an unknown form")
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false, false, fmt.Errorf("a password hash in the vault has version %q", parts[2])
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &cost.KiB, &cost.Passes, &cost.Threads); err != nil {
		return false, false, fmt.Errorf("read the cost of a password hash: %w", err)
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, false, fmt.Errorf("read the salt of a password hash: %w", err)
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil {
		return false, false, fmt.Errorf("read a password hash: %w", err)
	}
	leave, err := h.enter(ctx)
	if err != nil {
		return false, false, err
	}
	defer leave()
	got := argon2.IDKey([]byte(password), salt, cost.Passes, cost.KiB, cost.Threads, uint32(len(want))) //nolint:gosec // 32
	return subtle.ConstantTimeCompare(got, want) == 1, cost.KiB < h.cost.KiB || cost.Passes < h.cost.Passes, nil
}
