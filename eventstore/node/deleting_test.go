package node_test

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
)

// setMetadata sets the metadata of the stream "s".
func setMetadata(t *testing.T, e *node.Engine, text string) eventstore.Appended {
	t.Helper()
	out, err := e.AppendExpecting(t.Context(), "$$s", node.Any(), []eventstore.NewEvent{
		{ID: uuid.New(), Type: "$metadata", Data: []byte(text)},
	})
	if err != nil {
		t.Fatalf("set metadata: %v", err)
	}
	return out
}

// metadataText is the text of its metadata.
func metadataText(t *testing.T, e *node.Engine) string {
	t.Helper()
	list := streamOf(t, e, "$$s")
	if len(list) != 1 {
		t.Fatalf("the metastream reads %d events", len(list))
	}
	return string(list[0].Data)
}

func revisionsOf(list []eventstore.Recorded) []uint64 {
	numbers := make([]uint64, len(list))
	for i, r := range list {
		numbers[i] = r.Revision
	}
	return numbers
}

// answered puts an answer into a word.
func answered(out eventstore.Appended, err error) any {
	var wrong *eventstore.WrongRevisionError
	switch {
	case errors.As(err, &wrong):
		return []any{"wrong", int64(wrong.Actual)}
	case errors.Is(err, eventstore.ErrStreamDeleted):
		return "deleted"
	case err != nil:
		return err.Error()
	}
	return out.Revision
}

func TestDeleteHidesAStreamUntilItIsWrittenTo(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	e := d.open(t)
	appendTo(t, e, "s", 5)
	out, err := e.Delete(t.Context(), "s", node.Revision(4))
	if err != nil || out.Revision != 0 || out.Position.Commit != 6 {
		t.Fatalf("delete answered %+v, %v", out, err)
	}
	for range 2 { // as it stands, and after reopening
		if list := streamOf(t, e, "s"); len(list) != 0 {
			t.Fatalf("%d events of a deleted stream are read", len(list))
		}
		if text := metadataText(t, e); text != `{"$tb":9223372036854775807}` {
			t.Fatalf("metadata %s", text)
		}
		m, revision, err := e.Metadata(t.Context(), "s")
		if err != nil || revision != 0 || !m.Deleted() {
			t.Fatalf("metadata are %+v at %d, %v", m, revision, err)
		}
		if n := len(collect(t, e.ReadAll(t.Context(), eventstore.Start))); n != 6 {
			t.Fatalf("the log holds %d events, want 6", n)
		}
		e = d.reopen(t, e)
	}
	if out := appendTo(t, e, "s", 2); out.Revision != 6 || out.Position.Commit != 8 {
		t.Fatalf("append answered %+v", out)
	}
	if diff := cmp.Diff([]uint64{5, 6}, revisionsOf(streamOf(t, e, "s"))); diff != "" {
		t.Fatal(diff)
	}
	if text := metadataText(t, e); text != `{"$tb":5}` {
		t.Fatalf("metadata %s", text)
	}
}

func TestWhatASoftDeletedStreamAccepts(t *testing.T) {
	t.Parallel()
	old, fresh := newEvents(3), newEvents(4)
	wrong := func(n int64) any { return []any{"wrong", n} }
	cases := map[string]struct {
		expected node.Expectation
		events   []eventstore.NewEvent
		want     any
		reads    []uint64
	}{
		"any":                                    {node.Any(), fresh, uint64(6), []uint64{3, 4, 5, 6}},
		"any with what was written already":      {node.Any(), old, uint64(2), nil},
		"any with nothing":                       {node.Any(), nil, uint64(2), []uint64{}},
		"no stream":                              {node.NoStream(), fresh[:1], uint64(3), []uint64{3}},
		"no stream with more than it held":       {node.NoStream(), fresh, uint64(6), []uint64{3, 4, 5, 6}},
		"no stream with nothing":                 {node.NoStream(), nil, uint64(2), []uint64{}},
		"no stream with what it held":            {node.NoStream(), old, uint64(2), nil},
		"no stream with half of what it held":    {node.NoStream(), []eventstore.NewEvent{old[0], fresh[0]}, wrong(2), nil},
		"no stream with what it held, and more":  {node.NoStream(), append(old[:3:3], fresh[0]), wrong(2), nil},
		"its last revision":                      {node.Revision(2), fresh, uint64(6), []uint64{3, 4, 5, 6}},
		"its last revision with nothing":         {node.Revision(2), nil, uint64(2), []uint64{}},
		"an earlier revision":                    {node.Revision(1), fresh[:1], wrong(2), nil},
		"an earlier revision with what followed": {node.Revision(1), old[2:], uint64(2), nil},
		"a later revision":                       {node.Revision(7), fresh, wrong(2), nil},
		"stream exists":                          {node.StreamExists(), fresh, "deleted", nil},
		"stream exists with nothing":             {node.StreamExists(), nil, "deleted", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := inMemory(t)
			if _, err := e.AppendExpecting(t.Context(), "s", node.NoStream(), old); err != nil {
				t.Fatal(err)
			}
			setMetadata(t, e, `{"b":"<&>","$tb":9223372036854775807,"$cacheControl":7}`)
			if diff := cmp.Diff(c.want, answered(e.AppendExpecting(t.Context(), "s", c.expected, c.events))); diff != "" {
				t.Error(diff)
			}
			want := `{"$cacheControl":7,"$tb":3,"b":"<&>"}`
			if c.reads == nil {
				want = `{"b":"<&>","$tb":9223372036854775807,"$cacheControl":7}`
			}
			if diff := cmp.Diff(want, metadataText(t, e)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(append([]uint64{}, c.reads...), revisionsOf(streamOf(t, e, "s"))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNewMetadataBringADeletedStreamBack(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	e := d.open(t)
	appendTo(t, e, "s", 3)
	if _, err := e.Delete(t.Context(), "s", node.Any()); err != nil {
		t.Fatal(err)
	}
	out := setMetadata(t, e, `{"$maxCount":5}`)
	if out.Revision != 1 {
		t.Errorf("metadata were written at %d", out.Revision)
	}
	m, revision, err := e.Metadata(t.Context(), "s")
	if err != nil || revision != 2 || m.TruncateBefore != 3 || m.MaxCount != 5 {
		t.Errorf("metadata are %+v at %d, %v", m, revision, err)
	}
	e = d.reopen(t, e)
	if diff := cmp.Diff(uint64(4), answered(e.AppendExpecting(t.Context(), "s", node.StreamExists(), newEvents(2)))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]uint64{3, 4}, revisionsOf(streamOf(t, e, "s"))); diff != "" {
		t.Error(diff)
	}
	if _, err := e.Delete(t.Context(), "s", node.Any()); err != nil {
		t.Fatal(err)
	}
	setMetadata(t, e, "no metadata at all")
	if diff := cmp.Diff([]uint64{0, 1, 2, 3, 4}, revisionsOf(streamOf(t, e, "s"))); diff != "" {
		t.Error(diff)
	}
}

func TestDeletionsDecideByTheStreamsState(t *testing.T) {
	t.Parallel()
	type engine = *node.Engine
	none := func(*testing.T, engine) {}
	events := func(t *testing.T, e engine) { t.Helper(); appendTo(t, e, "s", 3) }
	metadata := func(t *testing.T, e engine) { t.Helper(); setMetadata(t, e, `{"$maxCount":3}`) }
	deleted := func(t *testing.T, e engine) {
		t.Helper()
		appendTo(t, e, "s", 3)
		if _, err := e.Delete(t.Context(), "s", node.Any()); err != nil {
			t.Fatal(err)
		}
	}
	tombstoned := func(t *testing.T, e engine) {
		t.Helper()
		if _, err := e.Tombstone(t.Context(), "s", node.Any()); err != nil {
			t.Fatal(err)
		}
	}
	const closed = uint64(math.MaxInt64)
	wrong := func(n int64) any { return []any{"wrong", n} }
	cases := []struct {
		name              string
		given             func(*testing.T, engine)
		expected          node.Expectation
		delete, tombstone any
	}{
		{"no stream, any", none, node.Any(), wrong(-1), closed},
		{"no stream, no stream", none, node.NoStream(), wrong(-1), closed},
		{"no stream, exists", none, node.StreamExists(), wrong(-1), wrong(-1)},
		{"no stream, a revision", none, node.Revision(0), wrong(-1), wrong(-1)},
		{"events, any", events, node.Any(), uint64(0), closed},
		{"events, no stream", events, node.NoStream(), wrong(2), wrong(2)},
		{"events, exists", events, node.StreamExists(), uint64(0), closed},
		{"events, the last", events, node.Revision(2), uint64(0), closed},
		{"events, an earlier", events, node.Revision(1), wrong(2), wrong(2)},
		{"events, a later", events, node.Revision(3), wrong(2), wrong(2)},
		{"events, none", events, node.Revision(math.MaxUint64), wrong(2), wrong(2)},
		{"metadata, any", metadata, node.Any(), uint64(1), closed},
		{"metadata, no stream", metadata, node.NoStream(), uint64(1), closed},
		{"metadata, exists", metadata, node.StreamExists(), uint64(1), closed},
		{"metadata, a revision", metadata, node.Revision(math.MaxUint64), wrong(-1), wrong(-1)},
		{"deleted, any", deleted, node.Any(), uint64(1), closed},
		{"deleted, no stream", deleted, node.NoStream(), uint64(1), closed},
		{"deleted, the last", deleted, node.Revision(2), uint64(1), closed},
		{"deleted, exists", deleted, node.StreamExists(), "deleted", "deleted"},
		{"tombstoned, any", tombstoned, node.Any(), "deleted", "deleted"},
		{"tombstoned, no stream", tombstoned, node.NoStream(), "deleted", "deleted"},
		{"tombstoned, the last", tombstoned, node.Revision(closed), "deleted", "deleted"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for name, does := range map[string]struct {
				call func(engine) (eventstore.Appended, error)
				want any
			}{
				"delete":    {func(e engine) (eventstore.Appended, error) { return e.Delete(t.Context(), "s", c.expected) }, c.delete},
				"tombstone": {func(e engine) (eventstore.Appended, error) { return e.Tombstone(t.Context(), "s", c.expected) }, c.tombstone},
			} {
				e := inMemory(t)
				c.given(t, e)
				if diff := cmp.Diff(does.want, answered(does.call(e))); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
		})
	}
}

func TestATombstoneEndsAStreamForEver(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	e := d.open(t)
	list := newEvents(2)
	if _, err := e.AppendExpecting(t.Context(), "s", node.NoStream(), list); err != nil {
		t.Fatal(err)
	}
	setMetadata(t, e, `{"$maxCount":3}`)
	out, err := e.Tombstone(t.Context(), "s", node.Revision(1))
	if err != nil || out.Position.Commit != 4 {
		t.Fatalf("tombstone answered %+v, %v", out, err)
	}
	for range 2 {
		for _, stream := range []string{"s", "$$s"} {
			for _, x := range []node.Expectation{node.Any(), node.NoStream(), node.StreamExists(), node.Revision(1)} {
				if got := answered(e.AppendExpecting(t.Context(), stream, x, list)); got != "deleted" {
					t.Errorf("append to %s expecting %s answered %v", stream, x, got)
				}
			}
			for _, way := range []node.Direction{node.Forwards, node.Backwards} {
				var failed error
				for _, failed = range e.Stream(t.Context(), stream, way, 0, 1) {
				}
				if !errors.Is(failed, eventstore.ErrStreamDeleted) {
					t.Errorf("reading %s answered %v", stream, failed)
				}
			}
		}
		if m, revision, err := e.Metadata(t.Context(), "s"); err != nil || revision != eventstore.NoRevision || m.MaxCount != 0 {
			t.Errorf("metadata are %+v at %d, %v", m, revision, err)
		}
		e = d.reopen(t, e)
	}
	log := collect(t, e.ReadAll(t.Context(), eventstore.Start))
	if last := log[len(log)-1]; len(log) != 4 || last.Type != "$streamDeleted" || last.Stream != "s" || last.Revision != math.MaxInt64 {
		t.Errorf("the log ends with %+v", last)
	}
	if got := answered(e.AppendExpecting(t.Context(), "s", node.Any(), nil)); got != uint64(math.MaxInt64) {
		t.Errorf("an empty append answered %v", got)
	}
}

// TestDeletionsInOneGroup submits what depends on each other without waiting,
// so that it is decided on events that are not written yet.
func TestDeletionsInOneGroup(t *testing.T) {
	t.Parallel()
	disk := disturb(newDisk(t).fs)
	e := open(t, "node", node.Options{FS: disk})
	disk.held.Lock()
	first, err := e.Submit(t.Context(), "other", node.Any(), newEvents(1))
	if err != nil {
		t.Fatal(err)
	}
	<-disk.reached
	var tickets []*node.Ticket
	submitted := func(ticket *node.Ticket, err error) {
		if err != nil {
			t.Fatal(err)
		}
		tickets = append(tickets, ticket)
	}
	submitted(e.Submit(t.Context(), "s", node.NoStream(), newEvents(3)))
	submitted(e.SubmitDelete(t.Context(), "s", node.Revision(2)))
	submitted(e.Submit(t.Context(), "s", node.StreamExists(), newEvents(1)))
	submitted(e.Submit(t.Context(), "s", node.NoStream(), newEvents(1)))
	submitted(e.Submit(t.Context(), "$$s", node.Revision(1), newEvents(1)))
	submitted(e.SubmitTombstone(t.Context(), "s", node.Revision(3)))
	submitted(e.Submit(t.Context(), "$$s", node.Any(), newEvents(1)))
	disk.held.Unlock()
	if _, err := first.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := make([]any, len(tickets))
	for i, ticket := range tickets {
		got[i] = answered(ticket.Wait(t.Context()))
	}
	want := []any{uint64(2), uint64(0), "deleted", uint64(3), uint64(2), uint64(math.MaxInt64), "deleted"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestMetastreamsCannotBeDeleted(t *testing.T) {
	t.Parallel()
	e := inMemory(t)
	setMetadata(t, e, `{}`)
	for _, does := range []func() (eventstore.Appended, error){
		func() (eventstore.Appended, error) { return e.Delete(t.Context(), "$$s", node.Any()) },
		func() (eventstore.Appended, error) { return e.Tombstone(t.Context(), "$$s", node.Any()) },
	} {
		if _, err := does(); !errors.Is(err, node.ErrMetastream) {
			t.Errorf("answered %v", err)
		}
	}
	for _, name := range []string{"", "$$", "$all", "$$$$s"} {
		if _, err := e.Delete(t.Context(), name, node.Any()); !errors.Is(err, node.ErrStreamName) {
			t.Errorf("delete %q answered %v", name, err)
		}
	}
	if _, err := e.AppendExpecting(t.Context(), "$$$$s", node.Any(), newEvents(1)); !errors.Is(err, node.ErrStreamName) {
		t.Errorf("metadata of metadata: %v", err)
	}
}
