package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/eventstore"
	portalhttp "github.com/hostfold/hostfold/http"
)

// doneKeys name the messages about what was just done.
var doneKeys = []string{
	"billing", "communication", "closing_asked", "closing_withdrawn",
	"transfer_proposed", "transfer_withdrawn", "owned",
	"account", "label", "ticket_opened", "ticket_replied", "ticket_closed", "ticket_reopened",
	"notification_read", "notifications_read", "password", "email_asked", "mail_sent", "session_ended",
	"invited", "delegation", "revoked", "joined", "token_revoked", "confirmed", "erasure_asked", "factors_kept", "totp_off", "passkey_added", "passkey_removed",
	"profile", "reset_asked", "reset_stopped", "member_hired", "member_role", "member_gone", "passkey_renamed", "erasure_withdrawn",
	"contact", "contact_added", "contact_archived", "contact_mailed", "domain_contacts",
}

// input is what a form sent, with its idempotency key.
type input struct {
	key    string
	values url.Values
}

func (v *visit) input() (input, error) {
	if err := v.r.ParseForm(); err != nil {
		return input{}, &domain.Error{Kind: domain.KindInvalid, Code: "malformed", Detail: "The form could not be read."}
	}
	return input{key: v.r.PostForm.Get("idempotency_key"), values: v.r.PostForm}, nil
}

func (in input) value(name string) string { return in.values.Get(name) }

// call is the command's call. The form's key makes a second click a repeat of
// the first.
func (p *pages) call(v *visit, in input, command any) (commands.Call, error) {
	body, err := json.Marshal(command)
	if err != nil {
		return commands.Call{}, fmt.Errorf("write the form down: %w", err)
	}
	return p.FormCall(v.r, v.caller, in.key, body), nil
}

// execute carries out a command on one stream.
func execute[C commands.Command[S, E], S any, E domain.Event](p *pages, v *visit, in input, c C) (commands.Receipt, error) {
	call, err := p.call(v, in, c)
	if err != nil {
		return commands.Receipt{}, err
	}
	return commands.Execute(v.r.Context(), p.Dispatcher, call, c)
}

// written waits until the read models show a write, shortly, and leads to the
// page that shows it. Should that take longer, the page brings itself up to
// date.
func (p *pages) written(v *visit, at eventstore.Position, to, done string, models ...string) error {
	p.await(v.r.Context(), at, models...)
	see(v.w, v.r, to+"?done="+done)
	return nil
}

// await waits shortly until read models show a write.
func (p *pages) await(ctx context.Context, at eventstore.Position, models ...string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	token := p.Reader.Token(at)
	for _, model := range models {
		if fresh, err := p.Reader.Wait(ctx, model, token); err != nil || !fresh {
			return
		}
	}
}

// refused keeps what was typed, for the page to show it again beside what is
// wrong with it. It answers err itself when no form can mend it.
func (p *pages) refused(v *visit, in input, err error, fields ...string) (status int, _ error) {
	if errors.Is(err, commands.ErrConfirm) {
		return 0, err // which has a page of its own
	}
	switch domain.KindOf(err) {
	case domain.KindMissing, domain.KindInternal, domain.KindUnauthenticated:
		return 0, err
	case domain.KindInvalid, domain.KindConflict, domain.KindDenied, domain.KindLimited, domain.KindStale, domain.KindUnavailable:
	}
	v.page.Form = form{values: in.values}
	v.page.Form.explain(v.words, err, fields...)
	if !slices.ContainsFunc(fields, v.page.Form.Error) && v.page.Form.Problem == "" {
		return http.StatusUnprocessableEntity, err
	}
	return portalhttp.Status(err), nil
}
