package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/inspection"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/projections"
)

// auditCmd is for those who replay history and prove that nothing was changed.
type auditCmd struct {
	Replay auditReplayCmd `cmd:"" help:"Print an aggregate's state after each of its events."`
	Export auditExportCmd `cmd:"" help:"Write all history but the store's own streams ($…) as JSON lines; the last line holds log id, count and SHA-256."`
	Verify auditVerifyCmd `cmd:"" help:"Check that history is whole."`
}

// auditReplayCmd prints how a state came about.
type auditReplayCmd struct {
	Backends `json:"-"`
	Stream   string `help:"Stream to replay, such as invoice-inv_0123." required:"" placeholder:"CATEGORY-ID"`
	Until    string `help:"Stop after this revision, or before this time (RFC 3339)." placeholder:"REVISION|TIME"`
	Decrypt  bool   `help:"Show personal data in clear. What is read is recorded, and this too."`
}

// Run replays here or in the running server.
func (a *auditReplayCmd) Run(ctx context.Context, g *Globals, c *console) error {
	if _, err := parseUntil(a.Until); err != nil {
		return err
	}
	return runTool(ctx, g, a.Backends, c, "audit-replay", a)
}

// until is where a replay stops.
type until struct {
	revision uint64
	time     time.Time
}

func parseUntil(text string) (until, error) {
	u := until{revision: eventstore.NoRevision}
	if text == "" {
		return u, nil
	}
	if r, err := strconv.ParseUint(text, 10, 64); err == nil {
		u.revision = r
		return u, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return u, fmt.Errorf("%w: --until is %q: give a revision such as 3, or a time such as 2026-01-31T12:00:00Z", errUsage, text)
	}
	u.time = t
	return u, nil
}

func (u until) past(m eventstore.Meta) bool {
	return m.Revision > u.revision || !u.time.IsZero() && m.RecordedAt.After(u.time)
}

// replayed is one line of a replay.
type replayed struct {
	Revision   uint64       `json:"revision"`
	Type       string       `json:"type"`
	OccurredAt time.Time    `json:"occurred_at"`
	RecordedAt time.Time    `json:"recorded_at"`
	Actor      domain.Actor `json:"actor"`
	Command    string       `json:"command"`
	Event      domain.Event `json:"event"`
	State      any          `json:"state"`
}

func (a *auditReplayCmd) work(ctx context.Context, p *parts, t terms) error {
	stop, err := parseUntil(a.Until)
	if err != nil {
		return err
	}
	category, _, _ := strings.Cut(a.Stream, "-")
	evolve, known := folds()[category]
	if !known {
		return fmt.Errorf("the stream %q is none of hostfold's; give one such as invoice-inv_…", a.Stream)
	}
	codec, err := p.reading(ctx, a.Decrypt, a.Stream)
	if err != nil {
		return err
	}
	var state any
	next := uint64(0)
	for r, err := range p.store.ReadStream(ctx, a.Stream, 0) {
		if err != nil {
			return fmt.Errorf("read %s: %w", a.Stream, err)
		}
		if r.Revision != next {
			return fmt.Errorf("replay %s: revision %d follows %d events: %w; restore the store from a backup", a.Stream, r.Revision, next, eventstore.ErrHistoryTruncated)
		}
		e, m, err := codec.Decode(ctx, r)
		if err != nil {
			return err
		}
		next++
		if stop.past(m) {
			break
		}
		state = evolve(state, e)
		line, err := json.Marshal(replayed{
			Revision: m.Revision, Type: m.Type, OccurredAt: m.OccurredAt, RecordedAt: m.RecordedAt,
			Actor: m.Actor, Command: m.Command, Event: e, State: state,
		})
		if err != nil {
			return fmt.Errorf("print %s: %w", a.Stream, err)
		}
		if _, err := t.Write(append(hide(line, a.Decrypt), '\n')); err != nil {
			return fmt.Errorf("print %s: %w", a.Stream, err)
		}
	}
	if next == 0 {
		return fmt.Errorf("the stream %s holds nothing", a.Stream)
	}
	return nil
}

// encrypted is what personal data read as when they are not decrypted.
const encrypted = "[encrypted]"

func hide(line []byte, decrypt bool) []byte {
	if decrypt {
		return line
	}
	return []byte(strings.ReplaceAll(string(line), eventstore.Erased, encrypted))
}

// closedKeys opens nothing: what is personal reads as if it were erased.
type closedKeys struct{}

func (closedKeys) KeyFor(context.Context, string, eventstore.Purpose) (eventstore.Key, error) {
	return eventstore.Key{}, eventstore.ErrErased
}

func (closedKeys) KeyByID(context.Context, string) (eventstore.Key, error) {
	return eventstore.Key{}, eventstore.ErrErased
}

// reading is a codec that reads personal data in clear or does not, after
// recording that a stream, or all of them, is read: in the history of the account
// that owns it, or of the person that it names, or of everybody.
func (p *parts) reading(ctx context.Context, decrypt bool, what string) (*eventstore.Codec, error) {
	call, account := commandLine(), inspection.Everybody
	sights := []inspection.Sight{{Account: inspection.Everybody, What: delegation.StaffAudit}}
	if what != everyStream {
		var err error
		if account, sights, err = p.readOf(ctx, what); err != nil {
			return nil, err
		}
	}
	if err := p.dispatcher.RecordReading(ctx, call, sights); err != nil {
		return nil, fmt.Errorf("record what is read: %w", err)
	}
	if !decrypt {
		return p.codec.WithKeys(closedKeys{}), nil
	}
	call = commandLine()
	call.Account = account
	if _, err := commands.Execute(ctx, p.dispatcher, call, commands.StartDecryption{What: what}); err != nil {
		return nil, fmt.Errorf("record the decryption: %w", err)
	}
	return p.codec, nil
}

// everyStream is what an export reads.
const everyStream = "all"

// readOf is whose history a stream is: the account that it belongs to, "" for
// none, and all that whoever reads it looks at.
func (p *parts) readOf(ctx context.Context, stream string) (account string, sights []inspection.Sight, err error) {
	for r, err := range p.store.ReadStream(ctx, stream, 0) {
		if err != nil {
			return "", nil, fmt.Errorf("read %s: %w", stream, err)
		}
		m, err := eventstore.MetaOf(r)
		if err != nil {
			return "", nil, err
		}
		if r.Revision == 0 {
			account = m.Account
		}
		for _, s := range projections.SightsOf(m.Account, r.Stream, r.Data) {
			if s.Account != inspection.Everybody && !slices.Contains(sights, s) {
				sights = append(sights, s)
			}
		}
	}
	return account, sights, nil
}

// auditExportCmd writes all of history.
type auditExportCmd struct {
	Backends `json:"-"`
	Output   string `help:"File to write, by default standard output. An existing file is not replaced." type:"path" json:"-"`
	Decrypt  bool   `help:"Write personal data in clear. That all is read is recorded, and this too."`
}

// Run exports here or in the running server.
func (a *auditExportCmd) Run(ctx context.Context, g *Globals, c *console) error {
	if a.Output == "" {
		return runTool(ctx, g, a.Backends, c, "audit-export", a)
	}
	file, err := os.OpenFile(a.Output, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	to := &console{in: c.in, out: file, errs: c.errs}
	err = runTool(ctx, g, a.Backends, to, "audit-export", a)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(a.Output))
	}
	return nil
}

// exported is one line of an export.
type exported struct {
	Position   eventstore.Position `json:"position"`
	Stream     string              `json:"stream"`
	Revision   uint64              `json:"revision"`
	ID         uuid.UUID           `json:"id"`
	Type       string              `json:"type"`
	RecordedAt time.Time           `json:"recorded_at"`
	Data       json.RawMessage     `json:"data"`
	Metadata   json.RawMessage     `json:"metadata"`
}

// trailer is the last line: the digest is that of all lines before it.
type trailer struct {
	LogID  uuid.UUID `json:"log_id"`
	Count  uint64    `json:"count"`
	SHA256 string    `json:"sha256"`
}

func (a *auditExportCmd) work(ctx context.Context, p *parts, t terms) error {
	head, err := p.store.Head(ctx)
	if err != nil {
		return err
	}
	codec, err := p.reading(ctx, a.Decrypt, everyStream)
	if err != nil {
		return err
	}
	digest := sha256.New()
	out := bufio.NewWriterSize(t, 256<<10)
	lines := io.MultiWriter(out, digest)
	var count uint64
	var clear map[string]bool
	if a.Decrypt {
		clear = ownCategories()
	}
	for r, err := range p.store.ReadAll(ctx, eventstore.Start) {
		if err != nil {
			return fmt.Errorf("read history: %w", err)
		}
		if head.Before(r.Position) {
			break
		}
		if strings.HasPrefix(r.Stream, "$") {
			continue // the store's own, such as its users
		}
		line, err := exportLine(ctx, codec, r, clear)
		if err != nil {
			return err
		}
		if _, err := lines.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("write the export: %w", err)
		}
		if count++; count%5000 == 0 {
			t.Step("events exported", count, 0)
		}
	}
	end, err := json.Marshal(trailer{LogID: p.logID, Count: count, SHA256: hex.EncodeToString(digest.Sum(nil))})
	if err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	_, err = out.Write(append(end, '\n'))
	return errors.Join(err, out.Flush())
}

// exportLine is an event as it is exported; clear are the categories of streams
// whose personal data are decrypted.
func exportLine(ctx context.Context, codec *eventstore.Codec, r eventstore.Recorded, clear map[string]bool) ([]byte, error) {
	data := r.Data
	if category, _, _ := strings.Cut(r.Stream, "-"); clear[category] && !r.Binary {
		var err error
		if data, err = codec.Decrypt(ctx, r); err != nil {
			return nil, fmt.Errorf("decrypt event %s: %w", r.ID, err)
		}
	}
	line := exported{Position: r.Position, Stream: r.Stream, Revision: r.Revision, ID: r.ID, Type: r.Type, RecordedAt: r.RecordedAt, Data: raw(data), Metadata: raw(r.Metadata)}
	text, err := json.Marshal(line)
	if err != nil {
		return nil, fmt.Errorf("write event %s: %w", r.ID, err)
	}
	return text, nil
}

// raw is JSON as it stands, and anything else as base64 in a string.
func raw(data []byte) json.RawMessage {
	if json.Valid(data) {
		return data
	}
	text, err := json.Marshal(data)
	if err != nil {
		return nil // bytes always have a text form
	}
	return text
}
