package portal

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	portalhttp "github.com/hostfold/hostfold/http"
)

// What a stolen session must not do waits until the viewer has proven itself
// again. The page that asks for that is sent to the address that asked, and
// carries the form that had to wait, but for its passwords.

// The fields of the page of confirmation. All begin alike, so that they are
// told from those of the form that it carries.
const (
	confirmNext      = "confirm"
	confirmPassword  = "confirm_password"
	confirmCode      = "confirm_code"
	confirmPasskey   = "confirm_passkey"
	confirmChallenge = "confirm_challenge"
)

// What follows a confirmation, as the field confirmNext says.
const (
	// nextPage shows the page that was asked for.
	nextPage = "page"
	// nextForm goes on with the form.
	nextForm = "form"
	// nextAgain shows the form again: its passwords have to be typed once more.
	nextAgain = "again"
)

// secretFields are never sent back to a browser.
var secretFields = []string{"password", "current", "new"}

// confirmPage asks the viewer to prove itself.
type confirmPage struct {
	// To is where the page is sent, Next what follows, Back where to go instead.
	To, Next, Back string
	Carried        []carried
	// Password is true for who has no second factor; Code and Passkey are the
	// ways of who has one. Recovery is true when only recovery codes are codes:
	// the passkey comes first then.
	Password, Code, Passkey, Recovery bool
}

// carried is a field of the form that waits.
type carried struct{ Name, Value string }

// mustConfirm asks for a confirmation unless there was one lately.
func (v *visit) mustConfirm() error {
	if v.caller.Grants.Fresh.Enough(v.me.SecondFactor) {
		return nil
	}
	return commands.ErrConfirm
}

// mustConfirmFactor is mustConfirm for a form that asks for the password
// itself: who has no second factor proves nothing more.
func (v *visit) mustConfirmFactor() error {
	if !v.me.SecondFactor {
		return nil
	}
	return v.mustConfirm()
}

// confirm is the page that only asks, and leads on to where it is told.
func (p *pages) confirm(v *visit) error {
	waits := v.caller.Grants.Unproven && v.me.SecondFactor // staff, for their rights
	if waits || v.mustConfirm() != nil {
		return commands.ErrConfirm
	}
	see(v.w, v.r, ours(v.query("return")))
	return nil
}

// askToConfirm answers what had to wait with the page that asks.
func (p *pages) askToConfirm(v *visit) {
	next, status := nextPage, http.StatusOK
	if v.r.Method == http.MethodPost {
		next, status = nextForm, http.StatusForbidden
	}
	if err := p.showConfirm(v, status, next, v.r.PostForm); err != nil {
		p.fail(v.w, v.r, v, err)
	}
}

func (p *pages) showConfirm(v *visit, status int, next string, values url.Values) error {
	factors := v.me.SecondFactors
	body := confirmPage{
		To: v.r.URL.RequestURI(), Next: next, Back: v.page.Base,
		Password: !v.me.SecondFactor, Code: factors.TOTP || factors.RecoveryCodesLeft > 0,
		Passkey: factors.Passkeys > 0 && p.Dispatcher.Passkeys != nil, Recovery: !factors.TOTP,
	}
	for name, all := range values {
		switch {
		case strings.HasPrefix(name, confirmNext):
		case slices.Contains(secretFields, name):
			body.Next = nextAgain
		default:
			for _, value := range all {
				body.Carried = append(body.Carried, carried{name, value})
			}
		}
	}
	slices.SortStableFunc(body.Carried, func(a, b carried) int { return strings.Compare(a.Name, b.Name) })
	return p.show(v, status, "confirm", "security", v.title("confirm.title"), body)
}

// received takes a form. One that comes with a confirmation has its sender
// confirmed first; show is the page of the form, nil for one without secrets.
func (p *pages) received(do, show func(*visit) error) func(*visit) error {
	return func(v *visit) error {
		if _, err := v.input(); err != nil {
			return err
		}
		next := v.r.PostForm.Get(confirmNext)
		if next == "" {
			return do(v)
		}
		if err := p.confirmViewer(v); err != nil {
			return p.confirmAgain(v, next, err)
		}
		for name := range v.r.PostForm {
			if strings.HasPrefix(name, confirmNext) {
				v.r.PostForm.Del(name)
			}
		}
		switch {
		case next == nextForm:
			return do(v)
		case next == nextAgain && show != nil:
			v.page.Form, v.page.Done = form{values: v.r.PostForm}, "done.confirmed"
			return show(v)
		}
		see(v.w, v.r, v.r.URL.RequestURI())
		return nil
	}
}

// confirmViewer proves who the viewer is, and finds anew what it may do.
func (p *pages) confirmViewer(v *visit) error {
	typed := func(name string) string { return v.r.PostForm.Get(name) }
	ask := commands.Confirm{UserID: v.caller.Grants.User, Session: v.caller.Session}
	switch {
	case typed(confirmPasskey) != "":
		ask.Passkey, ask.Challenge = json.RawMessage(typed(confirmPasskey)), typed(confirmChallenge)
	case !v.me.SecondFactor:
		ask.Password = typed(confirmPassword)
	default:
		ask.Factor = commands.FactorOf(typed(confirmCode))
	}
	return p.confirmSession(v, ask)
}

// confirmSession confirms, and finds anew who the viewer is and what it may do.
func (p *pages) confirmSession(v *visit, ask commands.Confirm) error {
	done, err := p.Dispatcher.Confirm(v.r.Context(), p.FormCall(v.r, v.caller, "", nil), ask)
	if err != nil {
		return err
	}
	p.GoOn(v.w, v.r, done)
	v.caller, err = p.Authenticate(v.r)
	return err
}

// confirmAgain asks once more, and says what was wrong.
func (p *pages) confirmAgain(v *visit, next string, err error) error {
	switch domain.KindOf(err) { //nolint:exhaustive // the rest says itself on the page
	case domain.KindMissing, domain.KindInternal, domain.KindUnauthenticated:
		return err
	}
	portalhttp.Note(v.r.Context(), err)
	if refused, ok := errors.AsType[*domain.Error](err); ok && len(refused.Fields) > 0 {
		at := *refused
		at.Fields = slices.Clone(refused.Fields)
		for i, f := range at.Fields {
			at.Fields[i].Field = confirmCode
			if f.Field == "password" {
				at.Fields[i].Field = confirmPassword
			}
		}
		err = &at
	}
	v.page.Form.explain(v.words, err, confirmCode, confirmPassword)
	return p.showConfirm(v, portalhttp.Status(err), next, v.r.PostForm)
}

// factorFirst is where staff are led whose rights wait for a second factor: to
// set one up, or to show the one that they have.
func (p *pages) factorFirst(v *visit) string {
	to := alonePath + "/security/second-factor"
	if v.me.SecondFactor {
		to = alonePath + "/confirm"
	}
	return to + "?" + url.Values{"return": {v.r.URL.RequestURI()}}.Encode()
}
