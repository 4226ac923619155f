package node

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/eventstore"
)

func TestVerifyFindsWhatDoesNotAgree(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		spoil func(b *pebble.Batch) error
		says  string
	}{
		"nothing":             {func(*pebble.Batch) error { return nil }, ""},
		"a lost record":       {func(b *pebble.Batch) error { return b.Delete(logKey(3), nil) }, "position 4 follows 2"},
		"a lost entry":        {func(b *pebble.Batch) error { return b.Delete(appendStreamKey(nil, "s-1", 1), nil) }, "goes from revision 0 to 2"},
		"a lost last entry":   {func(b *pebble.Batch) error { return b.Delete(appendStreamKey(nil, "s-2", 2), nil) }, "6 records, the streams have 5"},
		"an entry astray":     {func(b *pebble.Batch) error { return b.Set(appendStreamKey(nil, "s-1", 2), positionValue(4), nil) }, `holds revision 0 of "s-2"`},
		"an entry cut off":    {func(b *pebble.Batch) error { return b.Set(appendStreamKey(nil, "s-1", 2), []byte{1}, nil) }, "entry has 1 bytes"},
		"a record cut off":    {func(b *pebble.Batch) error { return b.Set(logKey(2), []byte{1}, nil) }, "position 2: record is damaged"},
		"a lost last record":  {func(b *pebble.Batch) error { return b.Delete(logKey(6), nil) }, "the log ends at 5"},
		"positions backwards": {func(b *pebble.Batch) error { return b.Set(appendStreamKey(nil, "s-2", 1), positionValue(4), nil) }, "does not come after"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := Open("node", Options{FS: vfs.NewMem()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = e.Close() })
			for _, stream := range []string{"s-1", "s-2"} {
				for range 3 {
					event := eventstore.NewEvent{ID: uuid.New(), Type: "t", Data: []byte("{}")}
					if _, err := e.AppendExpecting(t.Context(), stream, Any(), []eventstore.NewEvent{event}); err != nil {
						t.Fatal(err)
					}
					if err := e.WriteEntries(); err != nil {
						t.Fatal(err)
					}
				}
			}
			b := e.db.NewBatch()
			if err := errors.Join(c.spoil(b), b.Commit(nil)); err != nil {
				t.Fatal(err)
			}
			v, err := e.Verify(t.Context(), nil)
			if c.says == "" {
				if err != nil || v.Events != 6 || v.Streams != 2 {
					t.Fatalf("a sound store: %+v, %v", v, err)
				}
				return
			}
			if !errors.Is(err, ErrUnsound) || !strings.Contains(strings.Join(v.Findings, "\n"), c.says) {
				t.Fatalf("found %v, %q; want %q", err, v.Findings, c.says)
			}
		})
	}
}
