package commandtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/keystest"
	"github.com/hostfold/hostfold/eventstore/node" //nolint:depguard // this package is for tests
)

// Engine opens the real engine on an in-memory file system.
func Engine(t *testing.T) *node.Engine {
	t.Helper()
	e, err := node.Open("node", node.Options{FS: vfs.NewMem(), CacheBytes: 4 << 20})
	if err != nil {
		t.Fatalf("open the engine: %v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close the engine: %v", err)
		}
	})
	return e
}

// Dispatcher runs commands on a store with keys kept in memory and a clock
// that stands at Noon. The types are those that the test writes.
func Dispatcher(t *testing.T, store eventstore.Store, types ...domain.Type) *commands.Dispatcher {
	t.Helper()
	codec, err := eventstore.NewCodec(types...)
	if err != nil {
		t.Fatalf("make the codec: %v", err)
	}
	return &commands.Dispatcher{
		Store: store, Codec: codec.WithKeys(keystest.New()), Clock: func() time.Time { return Noon }, Rand: rand.Reader,
		Pepper: vault.NewPepper([]byte("the pepper of tests")),
	}
}

// Call is a new request of the owner of account acc_1.
func Call() commands.Call {
	return commands.Call{
		CommandID: uuid.New(), Actor: domain.Actor{Kind: domain.ActorUser, ID: "usr_1"}, Account: "acc_1",
		Grants: delegation.Grants{User: "usr_1", Accounts: map[string]delegation.Grant{"acc_1": {Owner: true}}},
	}
}

// StaffCall is a new request of a staff member under an account's path.
func StaffCall(account string) commands.Call {
	return commands.Call{
		CommandID: uuid.New(), Actor: domain.Actor{Kind: domain.ActorStaff, ID: "usr_staff"}, Account: account,
		Grants: delegation.Grants{User: "usr_staff", Role: delegation.RoleAdmin},
	}
}

// SystemCall is a new request of a part of the system.
func SystemCall() commands.Call {
	return commands.Call{
		CommandID: uuid.New(), Actor: domain.Actor{Kind: domain.ActorSystem, ID: "test"},
		Grants: delegation.Grants{System: true},
	}
}

// Faulty is a store whose appends fail on request; everything else is the real
// store's.
type Faulty struct {
	eventstore.Store

	mu     sync.Mutex
	faults []Fault
	// Appends counts the appends that reached the store.
	appends int
}

// Fault is asked before an append and, when Written is set, makes it fail
// after it was written. It answers nil to let the append be.
type Fault struct {
	// Written says that the events are durable when the error is answered.
	Written bool
	Fails   func(stream string, events []eventstore.NewEvent) error
	// Times is how often it fails; 0 is for ever.
	Times int
}

// Fail adds a fault.
func (f *Faulty) Fail(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fault.Times == 0 {
		fault.Times = -1
	}
	f.faults = append(f.faults, fault)
}

// Heal removes all faults.
func (f *Faulty) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// Appends is how many appends reached the store.
func (f *Faulty) Appends() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.appends
}

// Append fails before, fails after, or appends.
func (f *Faulty) Append(ctx context.Context, stream string, expected eventstore.Expected, events ...eventstore.NewEvent) (eventstore.Appended, error) {
	err, written := f.fault(stream, events)
	if err != nil && !written {
		return eventstore.Appended{}, err
	}
	done, appendErr := f.Store.Append(ctx, stream, expected, events...)
	if err != nil && appendErr == nil {
		return eventstore.Appended{}, err
	}
	return done, appendErr
}

func (f *Faulty) fault(stream string, events []eventstore.NewEvent) (err error, written bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.faults {
		fault := &f.faults[i]
		if fault.Times == 0 {
			continue
		}
		if err := fault.Fails(stream, events); err != nil {
			fault.Times--
			if fault.Written {
				f.appends++
			}
			return fmt.Errorf("injected: %w", err), fault.Written
		}
	}
	f.appends++
	return nil, false
}
