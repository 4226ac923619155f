package esdb_test

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/esdb"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

// frame is one frame of HTTP/2 and where it lies.
type frame struct {
	kind       byte
	stream     uint32
	start, end int
}

const (
	dataFrame    = 0
	headersFrame = 1
)

// framesOf reads whole frames.
func framesOf(b []byte) (list []frame) {
	for at := 0; at+9 <= len(b); {
		size := int(b[at])<<16 | int(b[at+1])<<8 | int(b[at+2])
		end := min(at+9+size, len(b))
		list = append(list, frame{b[at+3], binary.BigEndian.Uint32(b[at+5:]) &^ (1 << 31), at, end})
		at = end
	}
	return list
}

// cutAt is a place in an append at which the connection is cut: after so many
// bytes in one direction.
type cutAt struct {
	class, stream string
	bytes         int
}

// placesIn finds the places of every class in an append that was listened to;
// nil when something else was sent beside it.
func placesIn(up, down []byte) (places []cutAt) {
	isCall := func(f frame) bool { return f.stream != 0 && (f.kind == dataFrame || f.kind == headersFrame) }
	sent, heard := framesOf(up), framesOf(down)
	sent = slices.DeleteFunc(sent, func(f frame) bool { return !isCall(f) })
	heard = slices.DeleteFunc(heard, func(f frame) bool { return !isCall(f) })
	if len(sent) != 4 || len(heard) < 2 || sent[0].stream != sent[3].stream || heard[0].stream != heard[len(heard)-1].stream {
		return nil
	}
	within := func(class, stream string, start, end int) {
		step := max(1, (end-start)/3)
		if soak {
			step = 1
		}
		for at := start; at < end; at += step {
			places = append(places, cutAt{class, stream, at})
		}
	}
	within("before the headers", "upstream", sent[0].start, sent[0].start+1)
	within("within the headers", "upstream", sent[0].start+1, sent[0].end)
	within("within the options", "upstream", sent[1].start, sent[1].end)
	within("within the proposed message", "upstream", sent[2].start, sent[2].end)
	within("within the half-close", "upstream", sent[3].start, sent[3].end)
	within("after the half-close", "upstream", sent[3].end, sent[3].end+1)
	within("before the reply", "downstream", heard[0].start, heard[0].start+1)
	within("within the reply", "downstream", heard[0].start+1, heard[len(heard)-1].end)
	return places
}

// TestResetWithinAnAppend cuts the connection at every kind of place in an
// append, in a soak at every byte: the event is stored once.
func TestResetWithinAnAppend(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t)
	w := newWire(t, n.Address)
	p := newProxy(t, w.l.Addr().String())
	s := openWith(t, esdb.Config{URL: p.URL, Deadline: 20 * time.Second})
	count := uint64(0)
	write := func() {
		a := appendAt(t, s, "s", count, events(1, "x.happened.v1")...)
		if a.Revision != count {
			t.Fatalf("revision %d, want %d", a.Revision, count)
		}
		count++
		if last, err := n.Engine.LastRevision(t.Context(), "s"); err != nil || last != a.Revision {
			t.Fatalf("the stream ends at %d (%v), want %d", last, err, a.Revision)
		}
	}
	write()
	var places []cutAt
	for range 100 {
		if places = placesIn(w.listen(write)); places != nil {
			break
		}
	}
	if places == nil {
		t.Fatal("no append was alone on the connection")
	}
	t.Logf("%d places", len(places))
	hits := map[string]int{}
	for _, place := range places {
		for range 10 { // An answer may have been quicker than the cut.
			p.spoil("limit_data", place.stream, `"bytes":%d`, place.bytes)
			if place.stream == "upstream" {
				p.spoil("latency", "downstream", `"latency":1000`) // Else the answer to a whole append overtakes the cut.
			}
			if cureOnceCut(p, s, write) {
				hits[place.class]++
				break
			}
		}
	}
	for _, place := range places {
		if hits[place.class] == 0 {
			t.Errorf("no append was cut %s", place.class)
		}
	}
	t.Logf("appends that were cut: %v", hits)
	var last *eventstore.Recorded
	for r, err := range n.Engine.ReadStream(t.Context(), "s", 0) {
		if err != nil || last != nil && r.ID == last.ID {
			t.Fatalf("%s is stored twice (%v)", r.ID, err)
		}
		last = &r
	}
}

// cureOnceCut runs f and mends the connection as soon as the client has lost
// it, for the next generation is to get through. It reports whether it was lost.
func cureOnceCut(p *proxy, s *esdb.Store, f func()) (cut bool) {
	over, cured := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(cured)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for running := true; running && !cut; {
			select {
			case <-tick.C:
				cut = s.Ready() != nil
			case <-over:
				running = false
			}
		}
		p.cure()
	}()
	f()
	close(over)
	<-cured
	return cut
}
