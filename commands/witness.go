package commands

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/inspection"
)

// Witness records what staff look at of customers, before they are answered:
// without a record there is no answer.
type Witness struct {
	dispatcher *Dispatcher

	mu sync.Mutex
	// known holds what was recorded a moment ago, by reader: most pages show
	// what the one before did.
	known map[string]map[inspection.Sight]time.Time
}

// NewWitness makes a Witness that writes through the dispatcher.
func NewWitness(d *Dispatcher) *Witness {
	return &Witness{dispatcher: d, known: map[string]map[inspection.Sight]time.Time{}}
}

// A sight that was recorded is known for a minute; the reader's stream knows it
// for the rest of inspection.Window. At most so many readers are remembered.
const (
	knownSight   = time.Minute
	knownReaders = 1000
)

// Saw records the sights of a staff member.
func (w *Witness) Saw(ctx context.Context, g delegation.Grants, sights []inspection.Sight) error {
	now := w.dispatcher.Clock()
	sights = w.unknown(g.User, sights, now)
	if len(sights) == 0 {
		return nil
	}
	id, err := uuid.NewRandomFromReader(w.dispatcher.Rand)
	if err != nil {
		return fmt.Errorf("draw an id: %w", err)
	}
	call := Call{
		CommandID: id, Actor: domain.Actor{Kind: domain.ActorStaff, ID: g.User},
		Grants: delegation.Grants{System: true, Accounts: g.Accounts}, // which say for whom the reader acts
	}
	if _, err := Execute(ctx, w.dispatcher, call, recordSights{reader: g.User, day: now, sights: sights}); err != nil {
		return fmt.Errorf("record what is looked at: %w", err)
	}
	w.learn(g.User, sights, now)
	return nil
}

// unknown are the sights that were not recorded a moment ago.
func (w *Witness) unknown(reader string, sights []inspection.Sight, now time.Time) []inspection.Sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	var left []inspection.Sight
	for _, s := range sights {
		if at, ok := w.known[reader][s]; !ok || now.Sub(at) >= knownSight {
			left = append(left, s)
		}
	}
	return left
}

func (w *Witness) learn(reader string, sights []inspection.Sight, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.known) >= knownReaders {
		clear(w.known)
	}
	of := w.known[reader]
	if of == nil || len(of) >= knownReaders {
		of = map[inspection.Sight]time.Time{}
		w.known[reader] = of
	}
	for _, s := range sights {
		of[s] = now
	}
}

// RecordReading records what the command line is about to read; nothing is read
// without it.
func (d *Dispatcher) RecordReading(ctx context.Context, call Call, sights []inspection.Sight) error {
	_, err := Execute(ctx, d, call, recordSights{reader: call.Actor.ID, day: d.Clock(), sights: sights})
	return err
}

type recordSights struct {
	reader string
	day    time.Time
	sights []inspection.Sight
}

func (c recordSights) Target() inspection.Target {
	return inspection.Decider.At(inspection.ID(c.reader, c.day))
}
func (recordSights) Permission() domain.Permission { return delegation.System }

// A day's stream may grow long; the state tells a repeat.
func (recordSights) keepsState() {}

func (c recordSights) Decide(d inspection.Day, env Env) ([]inspection.Event, error) {
	return d.Look(c.sights, env.Now), nil
}
