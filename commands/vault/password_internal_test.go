package vault

import (
	"strings"
	"testing"

	"github.com/hostfold/hostfold/domain"
)

func TestMorePasswordsThanCanWaitAreRefused(t *testing.T) {
	t.Parallel()
	h, err := newHasher(Hashing{KiB: 64, Passes: 1, Threads: 1, AtOnce: 2})
	if err != nil {
		t.Fatal(err)
	}
	for range cap(h.queue) {
		h.queue <- struct{}{}
	}
	if _, _, err := h.check(t.Context(), h.dummy, "x"); domain.KindOf(err) != domain.KindUnavailable {
		t.Errorf("one more than can wait: %v", err)
	}
	if len(h.queue) != cap(h.queue) {
		t.Error("who was sent away took somebody's place")
	}
	<-h.queue
	if _, _, err := h.check(t.Context(), h.dummy, "x"); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}

func TestAHashCostsWhatOWASPAsksFor(t *testing.T) {
	t.Parallel()
	h, err := newHasher(Hashing{}) // as in production
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(h.dummy, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hashes are %s", h.dummy)
	}
	again, err := h.hash(t.Context(), "nobody has this password")
	if err != nil || again == h.dummy {
		t.Errorf("the same password has the same hash: %s, %v", again, err)
	}
}
