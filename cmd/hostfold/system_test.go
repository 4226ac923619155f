package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The whole-system tests drive the binary as its users do and kill it at
// random moments. What it was told has happened must have happened, once.
//
// HOSTFOLD_TEST_SEED repeats a run's choices; HOSTFOLD_TEST_KILLS sets the
// number of kills (10 by default, 50 in make soak).
func TestNothingAcknowledgedIsLostOrDoneTwiceWhenTheProcessIsKilled(t *testing.T) {
	mails := startSMTP(t)
	p := newPortal(t, "SMTP_URL="+mails.URL())
	p.Start(t)
	survive(t, p, mails, victim{"hostfold", func(t *testing.T) {
		t.Helper()
		p.Kill(t)
		p.Start(t)
	}})
}

// victim is a process that is killed and started again.
type victim struct {
	name string
	kill func(t *testing.T)
}

// mailWorkers is how many jobs a server runs at the same time.
const mailWorkers = 8

// survive works with the portal while its processes are killed in turns, and
// checks what is left.
func survive(t *testing.T, p *portal, mails *mailServer, victims ...victim) {
	t.Helper()
	seed, kills := number(t, "HOSTFOLD_TEST_SEED", uint64(time.Now().UnixNano())), int(number(t, "HOSTFOLD_TEST_KILLS", 10))
	t.Logf("seed %d, %d kills: repeat with HOSTFOLD_TEST_SEED=%d", seed, kills, seed)
	w := newWorld(t, p, seed)

	const workers = 8
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(i)+1))
			for !stop.Load() {
				w.Act(rng)
			}
		})
	}

	rng := rand.New(rand.NewPCG(seed, 0))
	unanswered := 0
	for k := range kills {
		if k%len(victims) == 0 {
			rng.Shuffle(len(victims), func(i, j int) { victims[i], victims[j] = victims[j], victims[i] })
		}
		// Let some requests through, a random number of them, then kill.
		w.WaitAnswered(t, w.Answered()+20+rng.IntN(60))
		<-time.After(time.Duration(rng.IntN(3000)) * time.Microsecond) // a moment at random
		if n := w.InFlight(); n > 0 {
			unanswered++
		}
		one := victims[k%len(victims)]
		one.kill(t)
		t.Logf("kill %d of %d, %s: %d answers so far", k+1, kills, one.name, w.Answered())
	}
	w.WaitAnswered(t, w.Answered()+20)
	stop.Store(true)
	wg.Wait()
	if unanswered*2 < kills {
		t.Errorf("only %d of %d kills fell while a request was unanswered", unanswered, kills)
	}
	if t.Failed() {
		t.Logf("the portal's log:\n%s", p.log)
		return
	}
	t.Logf("%d writes acknowledged, %d kills with a request unanswered", w.Writes(), unanswered)

	w.CheckRepeats(t)
	w.CheckReads(t)
	history := exportHistory(t, p)
	w.CheckHistory(t, history)
	checkNumbers(t, w.numbers("issue"), "F")
	checkNumbers(t, w.numbers("credit"), "A")
	p.Run(t, "", "audit", "verify")

	t.Run("a rebuild from zero gives the same rows", func(t *testing.T) {
		p.Run(t, "", "projections", "verify")
	})
	t.Run("every issued invoice and every link was mailed, and only a kill doubles a mail", func(t *testing.T) {
		mails.WaitFor(t, len(w.numbers("issue"))+len(w.customers)) // each of them got a link, too
		// A kill finds at most one mail of each of the server's workers between
		// acceptance and the fact that it was sent.
		if doubled := mails.Doubled(); doubled > kills*mailWorkers {
			t.Errorf("%d mails were doubled by %d kills", doubled, kills)
		} else if most := mails.Most(); most > kills+1 {
			t.Errorf("a mail was accepted %d times, with %d kills", most, kills)
		} else {
			t.Logf("%d mails accepted, %d of them doubled by %d kills", mails.Accepted(), doubled, kills)
		}
	})
	t.Run("without every schema but vault the next start gives the same rows and sends nothing", func(t *testing.T) {
		w.AwaitMails(t, mails)
		before, accepted := p.Checksums(t), mails.Accepted()
		p.DropDerived(t)
		p.Start(t)
		p.Run(t, "", "projections", "verify") // waits until they have caught up
		if after := p.Checksums(t); !equal(before, after) {
			t.Errorf("read models differ after a start from the log alone\nbefore: %v\nafter:  %v", before, after)
		}
		if now := mails.Accepted(); now != accepted {
			t.Errorf("%d mails were sent again", now-accepted)
		}
	})
}

func number(t *testing.T, name string, unset uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return unset
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// checkNumbers wants 1..n without gap or twin.
func checkNumbers(t *testing.T, numbers []string, letter string) {
	t.Helper()
	seen := map[string]int{}
	for _, n := range numbers {
		seen[n]++
	}
	for i := range numbers {
		want := fmt.Sprintf("%s%d-%06d", letter, time.Now().Year(), i+1)
		if seen[want] != 1 {
			t.Errorf("number %s was given %d times among %d", want, seen[want], len(numbers))
		}
	}
}

// historyLine is one line of the audit export.
type historyLine struct {
	Stream   string          `json:"stream"`
	Revision uint64          `json:"revision"`
	Type     string          `json:"type"`
	Data     json.RawMessage `json:"data"`
}

// answer is what a request got in the end.
type answer struct {
	Status int
	Header http.Header
	Body   map[string]any
}
