package commands

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/series"
	"github.com/hostfold/hostfold/eventstore"
)

// allocate is the second append of an issue: the number of a document whose
// content is frozen. The year of the series is that of the day on which it was
// frozen, where the seller is, and no later clock changes it: else an issue
// that is finished in January could get a second number.
func (d *Dispatcher) allocate(ctx context.Context, call Call, kind series.Kind, document, zone string, frozen eventstore.Meta) (series.Allocation, error) {
	if frozen.EventID == uuid.Nil {
		return series.Allocation{}, fmt.Errorf("number %s: its content is not frozen", document)
	}
	frozenOn, err := domain.In(zone, frozen.OccurredAt)
	if err != nil {
		return series.Allocation{}, err
	}
	env, err := d.env(call)
	if err != nil {
		return series.Allocation{}, err
	}
	today, err := domain.In(zone, env.Now)
	if err != nil {
		return series.Allocation{}, err
	}
	year := frozenOn.Year()
	cmd := allocateNumber{
		kind: kind, year: year, document: document,
		today: min(today, domain.DateOf(year, 12, 31)), got: new(series.Allocation),
	}
	// Nobody owns a series: it is written under no account.
	step := call.Step("allocate")
	step.Account = ""
	if _, err := Execute(ctx, d, step, cmd); err != nil {
		return series.Allocation{}, err
	}
	return *cmd.got, nil
}

type allocateNumber struct {
	kind     series.Kind
	year     int
	document string
	today    domain.Date
	// got is told what the document has in the end; reading the whole series
	// again for it would cost more the longer the year is.
	got *series.Allocation
}

func (c allocateNumber) Target() series.Target       { return series.Decider.At(series.ID(c.kind, c.year)) }
func (allocateNumber) Permission() domain.Permission { return delegation.System }

// keepsState says that the fold of a series is kept: it has one event for each
// document of the year, and no personal data.
func (allocateNumber) keepsState() {}

func (c allocateNumber) Decide(s series.Series, _ Env) ([]series.Event, error) {
	events, err := s.Allocate(c.kind, c.year, c.document, c.today)
	*c.got, _ = s.Of(c.document)
	for _, e := range events {
		if n, ok := e.(series.NumberAllocated); ok {
			*c.got = series.Allocation{Number: n.Number, IssueDate: n.IssueDate}
		}
	}
	return events, err
}
