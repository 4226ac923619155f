package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/domain/creditnote"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/inspection"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// exportFormat is the version of an export's layout.
const exportFormat = 1

// exportTries is how often a moment is looked for at which every read model
// shows the same history.
const exportTries = 50

// errBusy says that an account changes all the time.
var errBusy = &domain.Error{Kind: domain.KindUnavailable, Code: "export_busy", Detail: "Too much is changing right now; try again later."}

// Export is everything held about one account or one user, read at one
// position of the log. It holds a database transaction until Close.
type Export struct {
	feed     *Feed
	tx       pgx.Tx
	grants   delegation.Grants
	position eventstore.Position
	madeAt   time.Time
}

// Export opens an export of an account's data for its owner, or of the
// caller's own data for account "". Every read model then shows the account as
// it was at one position.
func (f *Feed) Export(ctx context.Context, g delegation.Grants, account string, now time.Time) (*Export, error) {
	if err := MayExport(g, account); err != nil {
		return nil, err
	}
	at, err := f.store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the end of the log: %w (%w)", domain.ErrUnavailable, err)
	}
	models := exportedOf(account)
	for range exportTries {
		for _, name := range models {
			if err := f.reader.lanes.Wait(ctx, name, at); err != nil {
				return nil, fmt.Errorf("wait for %s: %w (%w)", name, domain.ErrUnavailable, err)
			}
		}
		x := &Export{feed: f, grants: g, madeAt: now.UTC(), position: at}
		if x.tx, err = f.reader.db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}); err != nil {
			return nil, fmt.Errorf("begin an export: %w (%w)", domain.ErrUnavailable, err)
		}
		still, err := x.still(ctx, account, models)
		if still && err == nil {
			return x, nil
		}
		if err = errors.Join(err, x.Close()); err != nil {
			return nil, err
		}
		at = x.position
	}
	return nil, errBusy
}

// MayExport refuses whoever may not export what an account holds or, without
// one, what is held about itself.
func MayExport(g delegation.Grants, account string) error {
	if account == "" {
		return allow(g, "", delegation.Self, delegation.Resource{Kind: "user", ID: g.User})
	}
	return allow(g, account, delegation.Owner, delegation.Resource{Kind: "account", ID: account})
}

// exportedOf are the models that an export reads.
func exportedOf(account string) []string {
	if account == "" {
		return []string{"logins", "accounts", "contacts", "mails", "erasures", "delegations", RightsModel, InspectionsModel}
	}
	return []string{"accounts", "services", "domain_names", "contacts", "invoices", "credit_notes", "tickets", "notifications", "delegations", RightsModel, EventsModel}
}

// still reports whether all models show what is exported at the export's
// position. All have come so far; one that went on has saved where it is. The
// position then moves to the furthest, when nothing of the account lies between.
func (x *Export) still(ctx context.Context, account string, models []string) (bool, error) {
	var last, events pointer
	err := x.tx.QueryRow(ctx, `
		SELECT h.commit_pos, h.prepare_pos, coalesce(e.commit_pos, 0), coalesce(e.prepare_pos, 0)
		FROM (SELECT commit_pos, prepare_pos FROM feed.lane WHERE name = ANY($1) ORDER BY 1 DESC, 2 DESC LIMIT 1) h
		LEFT JOIN feed.lane e ON e.name = $2`, models, EventsModel).Scan(&last.Commit, &last.Prepare, &events.Commit, &events.Prepare)
	if err != nil {
		return false, fmt.Errorf("read the positions of an export: %w (%w)", domain.ErrUnavailable, err)
	}
	waited := x.position
	if !waited.Before(last.position()) {
		return true, nil
	}
	x.position = last.position()
	if account == "" || events.position().Before(last.position()) {
		return false, nil
	}
	var moved bool
	err = x.tx.QueryRow(ctx, `
		SELECT EXISTS (
			SELECT 1 FROM read.event_pointer
			WHERE account = $1 AND (commit_pos, prepare_pos) > ($2, $3))`, account, int64(waited.Commit), int64(waited.Prepare)).Scan(&moved) //nolint:gosec // lanes refuse what does not fit
	return !moved, err
}

// Close ends the export.
func (x *Export) Close() error {
	return x.tx.Rollback(context.Background())
}

// document writes one JSON object member by member, so that nothing large is
// ever held. Its last member says that it is complete.
type document struct {
	w   io.Writer
	n   int
	err error
}

func (d *document) raw(text string) {
	if d.err == nil {
		_, d.err = io.WriteString(d.w, text)
	}
}

func (d *document) value(v any) {
	text, err := json.Marshal(v)
	if d.err == nil {
		d.err = err
	}
	d.raw(string(text))
}

func (d *document) name(name string) {
	if d.n++; d.n > 1 {
		d.raw(",\n")
	}
	d.value(name)
	d.raw(":")
}

func (d *document) member(name string, v any) {
	d.name(name)
	d.value(v)
}

// list writes a member that is a list; each is called until it has no more.
func (d *document) list(name string, each func(add func(v any)) error) {
	d.name(name)
	d.raw("[")
	n := 0
	err := each(func(v any) {
		if n++; n > 1 {
			d.raw(",\n")
		}
		d.value(v)
	})
	if d.err == nil {
		d.err = err
	}
	d.raw("]")
}

func (x *Export) begin(w io.Writer, kind string) *document {
	d := &document{w: w}
	d.raw("{")
	d.member("format", exportFormat)
	d.member("kind", kind)
	d.member("log_id", x.feed.reader.logID)
	d.member("position", x.position)
	d.member("made_at", x.madeAt)
	return d
}

func (d *document) end() error {
	d.member("complete", true)
	d.raw("}\n")
	return d.err
}

// Account writes all that is held about an account.
func (x *Export) Account(ctx context.Context, account string, w io.Writer) error {
	d := x.begin(w, "account")
	section[AccountRow](ctx, x, d, "account", `SELECT `+accountColumns+` FROM read.account WHERE id = $1`, account, nil)
	section[ServiceRow](ctx, x, d, "services", `SELECT `+serviceColumns+` FROM read.service WHERE account = $1 ORDER BY created_at, id`, account, nil)
	section[DomainNameRow](ctx, x, d, "domains", `SELECT `+domainNameColumns+` FROM read.domain_name WHERE account = $1 ORDER BY created_at, id`, account, nil)
	section(ctx, x, d, "contacts", `SELECT `+contactColumns+` FROM read.contact WHERE account = $1 ORDER BY created_at, id`, account, exportedContact)
	section[InvoiceRow](ctx, x, d, "invoices", `SELECT `+invoiceColumns+`, seller, buyer FROM read.invoice WHERE account = $1 AND number <> '' ORDER BY created_at, id`, account, nil)
	section(ctx, x, d, "credit_notes", `SELECT `+creditNoteColumns+` FROM read.credit_note WHERE account = $1 AND number <> '' ORDER BY created_at, id`, account,
		func(row CreditNoteRow) (any, error) { return x.creditNote(ctx, row) })
	section[ticketExport](ctx, x, d, "tickets", `
		SELECT `+ticketColumns+`,
		       (SELECT coalesce(jsonb_agg(jsonb_build_object('author', m.author, 'message', m.message, 'at', m.at) ORDER BY m.number), '[]')
		        FROM read.ticket_message m WHERE m.ticket = t.id) AS messages
		FROM read.ticket t
		WHERE account = $1
		ORDER BY created_at, id`, account, nil)
	section[DelegationRow](ctx, x, d, "delegations", `SELECT `+delegationColumns+` FROM read.delegation WHERE account = $1 ORDER BY created_at, id`, account, nil)
	section[APITokenRow](ctx, x, d, "api_tokens", `SELECT `+programColumns+` FROM read.api_token WHERE account = $1 ORDER BY created_at, id`, account, nil)
	section[TransferRow](ctx, x, d, "ownership_transfers", `SELECT `+transferColumns+` FROM read.ownership_transfer WHERE account = $1 ORDER BY created_at, id`, account, nil)
	section[NotificationRow](ctx, x, d, "notifications", `SELECT id, account, class, title, body, related, read_at, created_at, stream_revision FROM read.notification WHERE account = $1 ORDER BY created_at, id`, account, nil)
	d.list("events", func(add func(any)) error { return x.events(ctx, account, add) })
	d.list("history", func(add func(any)) error {
		streams, err := x.said(ctx, account)
		if err != nil {
			return err
		}
		return x.history(ctx, add, streams...)
	})
	return d.end()
}

// ticketExport is a ticket with its messages in one row.
type ticketExport struct {
	TicketRow
	Messages json.RawMessage `db:"messages" json:"messages"`
}

// contactExport is a contact with the ids of the domain names that have it.
type contactExport struct {
	ContactRow
	Domains []string `json:"domains"`
}

func exportedContact(row ContactRow) (any, error) {
	return contactExport{row, append([]string{}, row.Domains...)}, nil
}

// section writes rows one by one; change, which may be nil, makes what is
// written of each.
func section[R any](ctx context.Context, x *Export, d *document, name, sql, of string, change func(R) (any, error)) {
	d.list(name, func(add func(any)) error {
		rows, err := x.tx.Query(ctx, sql, of)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			row, err := pgx.RowToStructByName[R](rows)
			if err != nil {
				return fmt.Errorf("export %s: %w", name, err)
			}
			var v any = row
			if change != nil {
				if v, err = change(row); err != nil {
					return err
				}
			}
			add(v)
		}
		return rows.Err()
	})
}

// events writes the account's public events, in the order of the log.
func (x *Export) events(ctx context.Context, account string, add func(any)) error {
	var after pointer
	for {
		rows, err := x.tx.Query(ctx, `
			SELECT commit_pos, prepare_pos, account, type, stream, revision
			FROM read.event_pointer
			WHERE account = $1 AND (commit_pos, prepare_pos) > ($2, $3)
			ORDER BY commit_pos, prepare_pos
			LIMIT $4`, account, after.Commit, after.Prepare, MaxEvents)
		if err != nil {
			return fmt.Errorf("export events: %w", err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowToStructByName[pointer])
		if err != nil || len(found) == 0 {
			return err
		}
		page, err := x.feed.page(ctx, x.grants, found)
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			add(e)
		}
		after = found[len(found)-1]
	}
}

// ownAddress is the address of the user $1, in lower case, when it was proven
// whole: by its mail and its password together.
const ownAddress = `(SELECT lower(email) FROM read.login WHERE id = $1 AND email_verified AND NOT email_apart)`

// User writes all that is held about the caller; kept is what is kept outside
// of the log and its read models, such as sessions, by name.
func (x *Export) User(ctx context.Context, kept map[string]any, w io.Writer) error {
	d := x.begin(w, "user")
	section(ctx, x, d, "profile", `SELECT `+loginColumns+` FROM read.login WHERE id = $1`, x.grants.User, func(row LoginRow) (any, error) {
		return exportedLogin{LoginRow: row, Passkeys: row.Passkeys}, nil
	})
	section[AccountRow](ctx, x, d, "own_accounts", `SELECT `+accountColumns+` FROM read.account WHERE owner = $1 ORDER BY created_at, id`, x.grants.User, nil)
	// Contacts with the caller's address, of whatever account: both have proven
	// that whoever reads its mail is meant.
	section[ContactRow](ctx, x, d, "contacts", `
		SELECT `+contactColumns+`
		FROM read.contact
		WHERE email_verified AND email <> '[erased]'
		  AND lower(email) = `+ownAddress+`
		ORDER BY created_at, id`, x.grants.User, nil)
	// What the caller holds on others' accounts, and what its address was offered:
	// who took an invitation may have another address by now.
	section(ctx, x, d, "delegations", `
		SELECT `+delegationColumns+`
		FROM read.delegation
		WHERE holder = $1
		   OR holder = '' AND email <> '[erased]' AND lower(email) = `+ownAddress+`
		ORDER BY created_at, id`, x.grants.User, func(row DelegationRow) (any, error) { return ofAccount[DelegationRow]{row.Account, row}, nil })
	section(ctx, x, d, "ownership_transfers", `
		SELECT `+transferColumns+`
		FROM read.ownership_transfer
		WHERE email <> '[erased]' AND lower(email) = `+ownAddress+`
		ORDER BY created_at, id`, x.grants.User, func(row TransferRow) (any, error) { return ofAccount[TransferRow]{row.Account, row}, nil })
	section(ctx, x, d, "api_tokens", `SELECT `+programColumns+` FROM read.api_token WHERE holder = $1 ORDER BY created_at, id`,
		x.grants.User, func(row APITokenRow) (any, error) { return ofAccount[APITokenRow]{row.Account, row}, nil })
	d.list("history", func(add func(any)) error { return x.history(ctx, add, user.Decider.Category+"-"+x.grants.User) })
	section[ErasureRow](ctx, x, d, "erasure", `SELECT `+erasureColumns+` FROM read.erasure WHERE id = $1`, x.grants.User, func(row ErasureRow) (any, error) {
		return row.own(), nil
	})
	section[InspectionRow](ctx, x, d, "inspections", `
		SELECT `+inspectionColumns+`
		FROM read.inspection
		WHERE person = $1 OR person = '`+inspection.Everybody+`' AND at >= (SELECT since FROM read.person WHERE id = $1)
		ORDER BY at, id`, x.grants.User, nil)
	section(ctx, x, d, "mails", `
		SELECT id, user_id, template, status, queued_at, sent_at, stream_revision
		FROM read.mail
		WHERE user_id = $1
		ORDER BY queued_at, id`, x.grants.User, func(row MailRow) (any, error) { return x.mail(ctx, row) })
	d.member("kept", kept)
	return d.end()
}

// ofAccount is a row with the account that it is of.
type ofAccount[R any] struct {
	Account string `json:"account"`
	Of      R      `json:"of"`
}

// saying is what an event of the log says of people.
type saying struct {
	Stream string            `json:"stream"`
	Type   string            `json:"type"`
	At     time.Time         `json:"at"`
	Said   map[string]string `json:"said"`
}

// history writes what the events of some streams have said of people, former
// names and addresses among it, which no row has any more.
func (x *Export) history(ctx context.Context, add func(any), streams ...string) error {
	for _, stream := range streams {
		for r, err := range x.feed.store.ReadStream(ctx, stream, 0) {
			if err != nil {
				return fmt.Errorf("export %s: %w (%w)", stream, domain.ErrUnavailable, err)
			}
			if x.position.Before(r.Position) {
				break
			}
			e, m, err := x.feed.codec.Decode(ctx, r)
			if err != nil {
				return fmt.Errorf("export %s: %w", stream, err)
			}
			said, err := x.feed.codec.Personal(e)
			if err != nil {
				return fmt.Errorf("export %s: %w", stream, err)
			}
			if len(said) > 0 {
				add(saying{stream, e.EventType(), m.OccurredAt, said})
			}
		}
	}
	return nil
}

// said are the streams of an account that say of people what is changed later.
func (x *Export) said(ctx context.Context, id string) ([]string, error) {
	rows, err := x.tx.Query(ctx, `SELECT '`+contact.Decider.Category+`-' || id FROM read.contact WHERE account = $1 ORDER BY created_at, id`, id)
	if err != nil {
		return nil, fmt.Errorf("export contacts: %w", err)
	}
	contacts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return append([]string{account.Decider.Category + "-" + id}, contacts...), err
}

// exportedCreditNote is a credit note with whom it was made out to.
type exportedCreditNote struct {
	CreditNoteRow
	Buyer *invoice.Buyer `json:"buyer,omitempty"`
}

func (x *Export) creditNote(ctx context.Context, row CreditNoteRow) (any, error) {
	full := exportedCreditNote{CreditNoteRow: row}
	err := x.log().each(ctx, creditnote.Decider.Category+"-"+row.ID, func(e domain.Event) {
		if asked, ok := e.(creditnote.IssueRequested); ok {
			full.Buyer = &asked.Content.Buyer
		}
	})
	return full, err
}

// log is where an export finds what no row has.
func (x *Export) log() archive { return archive{store: x.feed.store, codec: x.feed.codec} }

// exportedLogin is a user with the names of its passkeys.
type exportedLogin struct {
	LoginRow
	Passkeys []Passkey `json:"passkeys"`
}

// exportedMail is a mail with its words.
type exportedMail struct {
	MailRow
	Recipient string `json:"recipient"`
	Subject   string `json:"subject"`
	Text      string `json:"text"`
}

func (x *Export) mail(ctx context.Context, row MailRow) (any, error) {
	full := exportedMail{MailRow: row}
	err := x.log().each(ctx, message.Decider.Category+"-"+row.ID, func(e domain.Event) {
		if q, ok := e.(message.Queued); ok {
			full.Recipient, full.Subject, full.Text = q.Recipient, q.Subject, q.Text
		}
	})
	return full, err
}
