package commands

import (
	"context"
	"errors"
	"sync"

	"github.com/hostfold/hostfold/domain/apitoken"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/domainname"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/ticket"
)

// holdings finds what accounts hold in the log, since no index of ours is the
// truth. The log is read by one at a time, for all who wait by the time that it
// begins: a thousand accounts that close at once cost a read or two.
type holdings struct {
	mu   sync.Mutex
	next *holdingsRead
	// turn holds one token while somebody reads.
	turn chan struct{}
}

// holdingsRead is one read of the log, and what came of it.
type holdingsRead struct {
	accounts []string
	done     chan struct{}
	found    map[string]map[string][]string
	err      error
}

// of are the ids of an account's streams by category, as the log is after the
// call: those that its closing depends on, its delegations and its API tokens.
func (h *holdings) of(ctx context.Context, d *Dispatcher, account string) (map[string][]string, error) {
	for {
		read, turn := h.join(account)
		select {
		case turn <- struct{}{}:
			h.lead(ctx, d, read)
			<-turn
		case <-read.done:
		case <-ctx.Done():
			return nil, storeError("read what an account holds", ctx.Err())
		}
		if errors.Is(read.err, context.Canceled) && ctx.Err() == nil {
			continue // whoever read it for all of us was stopped
		}
		return read.found[account], read.err
	}
}

// join has an account looked for by the next read.
func (h *holdings) join(account string) (*holdingsRead, chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.turn == nil {
		h.turn = make(chan struct{}, 1)
	}
	if h.next == nil {
		h.next = &holdingsRead{done: make(chan struct{})}
	}
	h.next.accounts = append(h.next.accounts, account)
	return h.next, h.turn
}

// lead reads for all who have joined, unless that was done.
func (h *holdings) lead(ctx context.Context, d *Dispatcher, read *holdingsRead) {
	h.mu.Lock()
	if h.next != read {
		h.mu.Unlock()
		return
	}
	h.next = nil
	h.mu.Unlock()
	read.found, read.err = d.streamsByAccount(ctx, read.accounts, []string{
		hosting.Decider.Category, domainname.Decider.Category, invoice.Decider.Category, ticket.Decider.Category, delegation.Decider.Category, apitoken.Decider.Category,
	}, nil)
	close(read.done)
}
