package http

import (
	"net/http"
	"sync"
	"time"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/domain"
)

// Pace bounds how much one user asks for, and how many streams it keeps open,
// with all its sessions and API tokens together. People never come near it; a program that does is told when to go
// on. Each process counts for itself. It may be used by many goroutines.
type Pace struct {
	perMinute int
	clock     func() time.Time

	mu      sync.Mutex
	callers map[string]spent
	open    map[string]int
}

// spent is what a caller has used up of its allowance at a time.
type spent struct {
	calls float64
	at    time.Time
}

// A write costs as much as some reads. Half of what a minute allows may come at
// once.
const (
	costOfRead  = 1
	costOfWrite = 4
)

// NewPace allows each user so many reads a minute; 0 is no limit.
func NewPace(perMinute int, clock func() time.Time) *Pace {
	return &Pace{perMinute: perMinute, clock: clock, callers: map[string]spent{}, open: map[string]int{}}
}

// rate is what a second allows, burst what may come at once.
func (p *Pace) rate() float64  { return float64(p.perMinute) / 60 }
func (p *Pace) burst() float64 { return float64(p.perMinute) / 2 }

// take lets a request of a user pass, or answers a *vault.LimitedError. What is
// refused costs nothing.
func (p *Pace) take(user string, r *http.Request) error {
	if p == nil || p.perMinute <= 0 || user == "" {
		return nil
	}
	cost := float64(costOfWrite)
	if reads(r) {
		cost = costOfRead
	}
	now := p.clock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(now)
	of := p.callers[user]
	calls := max(0, of.calls-p.rate()*now.Sub(of.at).Seconds()) + cost
	if over := calls - p.burst(); over > 0 {
		return &vault.LimitedError{RetryAfter: time.Duration(over / p.rate() * float64(time.Second))}
	}
	p.callers[user] = spent{calls, now}
	return nil
}

// streamsAtOnce is how many streams and long polls each user may have open.
// Browsers open one for each page that is looked at.
const streamsAtOnce = 20

// errStreams says that a user has too many streams open.
var errStreams = &domain.Error{Kind: domain.KindLimited, Code: "streams_open", Detail: "Too many event streams and long polls are open already; end one of them."}

// Hold takes one of a user's streams, which release gives back, or refuses.
func (p *Pace) Hold(user string) (release func(), err error) {
	if p == nil {
		return func() {}, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[user] >= streamsAtOnce {
		return nil, errStreams
	}
	p.open[user]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.open[user]--; p.open[user] == 0 {
			delete(p.open, user)
		}
	}, nil
}

// pacedCallers is how many callers are remembered before those that have nothing
// used up any more are looked for.
const pacedCallers = 1000

func (p *Pace) forget(now time.Time) {
	if len(p.callers) < pacedCallers {
		return
	}
	for user, of := range p.callers {
		if of.calls <= p.rate()*now.Sub(of.at).Seconds() {
			delete(p.callers, user)
		}
	}
}
