package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/feed"
)

// rightsLane is the lane that requests depend on: never old rights.
const rightsLane = "rights"

// rightsLag is how far behind the rights may be while the store answers.
const rightsLag = 5 * time.Second

// storePatience is how long the store has to say that it is there.
const storePatience = 500 * time.Millisecond

// partsDetail is how every part does.
type partsDetail struct {
	Store    storeDetail    `json:"store"`
	Database databaseDetail `json:"database"`
	Lanes    []feed.Status  `json:"lanes"`
}

type storeDetail struct {
	Kind  string               `json:"kind"`
	LogID string               `json:"log_id"`
	Head  *eventstore.Position `json:"head,omitempty"`
	Error string               `json:"error,omitempty"`
}

type databaseDetail struct {
	Private bool   `json:"private"`
	Used    int32  `json:"used"`
	Limit   int32  `json:"limit"`
	Error   string `json:"error,omitempty"`
}

// detail asks every part.
func (p *parts) detail(ctx context.Context) *partsDetail {
	stat := p.pool.Stat()
	d := &partsDetail{
		Store:    storeDetail{Kind: "embedded node", LogID: p.logID.String()},
		Database: databaseDetail{Private: p.private() != nil, Used: stat.AcquiredConns(), Limit: stat.MaxConns()},
		Lanes:    p.runner.Status(),
	}
	if p.client != nil {
		d.Store.Kind = "esdb"
	}
	// A store that is away takes all the time it is given, and the database is
	// still to be asked.
	short, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	if head, err := p.store.Head(short); err != nil {
		d.Store.Error = err.Error()
	} else {
		d.Store.Head = &head
	}
	if err := p.pool.Ping(ctx); err != nil {
		d.Database.Error = "it does not answer"
	}
	return d
}

// degraded names what does not work.
func (d *partsDetail) degraded() []string {
	var names []string
	if d.Store.Error != "" {
		names = append(names, "store")
	}
	if d.Database.Error != "" {
		names = append(names, "database")
	}
	for _, l := range d.Lanes {
		if l.State == feed.Halted || l.State == feed.Standby && l.Error != "" {
			names = append(names, "lane "+l.Lane)
		}
	}
	return names
}

// vital is nil when requests can be answered: Postgres answers, and the rights
// are those in force.
func (p *parts) vital(ctx context.Context) error {
	if err := p.pool.Ping(ctx); err != nil {
		return errors.New("the database does not answer")
	}
	s, err := p.runner.LaneStatus(rightsLane)
	switch {
	case errors.Is(err, feed.ErrUnknownLane):
		return nil
	case err != nil:
		return fmt.Errorf("ask the lane of rights: %w", err)
	case s.State == feed.Halted:
		return errors.New("the lane of rights is halted: " + s.Error)
	case !s.StoreAway && s.Behind > rightsLag:
		return fmt.Errorf("the lane of rights is %s behind", s.Behind.Round(time.Second))
	}
	return nil
}

// settle waits until every lane reads, and until the rights are those in force.
func (p *parts) settle(ctx context.Context) error {
	head, err := p.store.Head(ctx)
	for p.client != nil && errors.Is(err, eventstore.ErrUnavailable) && ctx.Err() == nil {
		head, err = p.store.Head(ctx) // the store went away again
	}
	if err != nil {
		return fmt.Errorf("read the end of the log: %w", err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	starting := func(s feed.Status) bool { return s.State == feed.Starting }
	for slices.ContainsFunc(p.runner.Status(), starting) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	if err := p.runner.Wait(ctx, rightsLane, head); err != nil && !errors.Is(err, feed.ErrUnknownLane) && !errors.Is(err, feed.ErrHalted) {
		return fmt.Errorf("wait for the rights: %w", err)
	}
	return nil
}
