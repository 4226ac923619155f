package portal

import (
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain/user"
	portalhttp "github.com/hostfold/hostfold/http"
	"github.com/hostfold/hostfold/projections"
)

// factorsCard is what the page of security shows of the second factors.
type factorsCard struct {
	projections.SecondFactors
	// On is true when a password alone does not log in.
	On bool
	// Few is true when recovery codes run out.
	Few  bool
	Keys []portalhttp.OwnPasskey
	// Reset is the reset that waits, or the last one that took effect; nil
	// without one.
	Reset *projections.FactorReset
	// Passkeys is true where passkeys can be made.
	Passkeys bool
}

// fewCodes is from how many recovery codes on the page asks for new ones.
const fewCodes = 3

func (p *pages) factorsCard(v *visit) (factorsCard, error) {
	keys, err := p.PasskeysOf(v.r.Context(), v.me)
	return factorsCard{
		SecondFactors: v.me.SecondFactors, On: v.me.SecondFactor, Few: v.me.SecondFactors.RecoveryCodesLeft <= fewCodes,
		Keys: keys, Passkeys: p.Dispatcher.Passkeys != nil, Reset: v.me.FactorReset,
	}, err
}

// keepFactors cancels the reset of the viewer's second factors.
func (p *pages) keepFactors(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	receipt, err := execute(p, v, in, commands.KeepOwnFactors{UserID: v.caller.Grants.User})
	if err != nil {
		return p.refusedFactor(v, in, err)
	}
	return p.written(v, receipt.Position, v.path("security"), "factors_kept", "logins")
}

// factorPage is a step of setting a second factor up, or of taking it away.
type factorPage struct {
	// Staff is true for who has to have one.
	Staff, Passkeys bool
	// Return is where to go when it is done.
	Return string
	// QR and Secret are shown to an app.
	QR     template.HTML
	Secret string
	// Title and Lead say what goes away, To takes it.
	Title, Lead, Submit, To string
	Last                    bool
}

// codesPage shows recovery codes, this once.
type codesPage struct {
	Codes  []string
	Return string
	// Lead says what they came with.
	Lead string
}

// back is where the steps of setting a factor up lead to in the end.
func (v *visit) back() string {
	if to := v.r.FormValue("return"); to != "" {
		return ours(to)
	}
	return v.path("security")
}

// on is a page of the visited account that keeps where to go in the end.
func (v *visit) on(elements ...string) string {
	to := v.path(elements...)
	if v.r.FormValue("return") != "" {
		to += "?" + url.Values{"return": {v.back()}}.Encode()
	}
	return to
}

// secondFactor offers the kinds of second factors to who has none.
func (p *pages) secondFactor(v *visit) error {
	if v.me.SecondFactor {
		see(v.w, v.r, v.back())
		return nil
	}
	return p.show(v, http.StatusOK, "second_factor", "security", v.title("factor.title"), factorPage{
		Staff: v.caller.Grants.Unproven, Passkeys: p.Dispatcher.Passkeys != nil, Return: v.r.FormValue("return"),
	})
}

// totp shows the secret that waits for its first code.
func (p *pages) totp(v *visit) error { return p.showTOTP(v, http.StatusOK) }

func (p *pages) showTOTP(v *visit, status int) error {
	if v.me.SecondFactors.TOTP {
		see(v.w, v.r, v.path("security"))
		return nil
	}
	shown, found, err := p.Dispatcher.PendingTOTP(v.r.Context(), p.FormCall(v.r, v.caller, "", nil), v.caller.Grants.User)
	if err != nil {
		return err
	}
	if !found {
		see(v.w, v.r, v.on("security", "second-factor"))
		return nil
	}
	return p.show(v, status, "totp", "security", v.title("totp.title"), factorPage{
		Return: v.r.FormValue("return"), Secret: spaced(shown.Secret), QR: template.HTML(shown.QR), //nolint:gosec // we drew it
	})
}

// spaced is a secret in groups that people can copy.
func spaced(secret string) string {
	var groups []string
	for len(secret) > 4 {
		groups, secret = append(groups, secret[:4]), secret[4:]
	}
	return strings.Join(append(groups, secret), " ")
}

// enrolTOTP draws a secret and leads to the page that shows it.
func (p *pages) enrolTOTP(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	in.key = ""
	ask := commands.EnrolTOTP{UserID: v.caller.Grants.User}
	call, err := p.call(v, in, ask)
	if err == nil {
		_, _, err = p.Dispatcher.EnrolTOTP(v.r.Context(), call, ask)
	}
	if err != nil {
		return p.refusedFactor(v, in, err)
	}
	see(v.w, v.r, v.on("security", "totp"))
	return nil
}

// refusedFactor says on the page of security why nothing was changed.
func (p *pages) refusedFactor(v *visit, in input, err error) error {
	status, err := p.refused(v, in, err)
	if err != nil {
		return err
	}
	return p.showSecurity(v, status)
}

// confirmTOTP turns one-time codes on and shows the recovery codes, this once.
func (p *pages) confirmTOTP(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	in.key = ""
	ask := commands.ConfirmTOTP{UserID: v.caller.Grants.User, Session: v.caller.Session, Code: strings.ReplaceAll(in.value("code"), " ", "")}
	var receipt commands.Receipt
	var made commands.RecoveryCodes
	call, err := p.call(v, in, ask)
	if err == nil {
		receipt, made, err = p.Dispatcher.ConfirmTOTP(v.r.Context(), call, ask)
	}
	if err != nil {
		in.values.Del("code")
		status, err := p.refused(v, in, err, "code")
		if err != nil {
			return err
		}
		return p.showTOTP(v, status)
	}
	p.await(v.r.Context(), receipt.Position, "logins")
	return p.showCodes(v, "codes.lead.totp", made.Codes)
}

func (p *pages) showCodes(v *visit, lead string, codes []string) error {
	return p.show(v, http.StatusOK, "codes", "security", v.title("codes.title"), codesPage{Codes: codes, Return: v.back(), Lead: v.title(lead)})
}

// newCodes shows new recovery codes, this once.
func (p *pages) newCodes(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	in.key = ""
	ask := commands.RegenerateRecoveryCodes{UserID: v.caller.Grants.User, Session: v.caller.Session}
	var receipt commands.Receipt
	var made commands.RecoveryCodes
	call, err := p.call(v, in, ask)
	if err == nil {
		receipt, made, err = p.Dispatcher.RegenerateRecoveryCodes(v.r.Context(), call, ask)
	}
	if err != nil {
		return p.refusedFactor(v, in, err)
	}
	p.await(v.r.Context(), receipt.Position, "logins")
	return p.showCodes(v, "codes.lead.new", made.Codes)
}

// totpOff asks whether one-time codes are to be turned off.
func (p *pages) totpOff(v *visit) error {
	if !v.me.SecondFactors.TOTP {
		see(v.w, v.r, v.path("security"))
		return nil
	}
	if err := v.mustConfirm(); err != nil {
		return err
	}
	return p.show(v, http.StatusOK, "factor_off", "security", v.title("totp.off"), factorPage{
		Title: v.title("totp.off"), Lead: v.title("totp.off.lead"), Submit: v.title("totp.off.submit"),
		To: v.path("security", "totp", "off"), Last: v.me.SecondFactors.Passkeys == 0, Staff: v.caller.Grants.Role != "",
	})
}

func (p *pages) disableTOTP(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ask := commands.DisableTOTP{UserID: v.caller.Grants.User}
	var receipt commands.Receipt
	call, err := p.call(v, in, ask)
	if err == nil {
		receipt, err = p.Dispatcher.DisableTOTP(v.r.Context(), call, ask)
	}
	if err != nil {
		return p.refusedFactor(v, in, err)
	}
	return p.written(v, receipt.Position, v.path("security"), "totp_off", "logins")
}

// newPasskey shows the form with which a browser makes a passkey.
func (p *pages) newPasskey(v *visit) error {
	if err := v.mustConfirm(); err != nil {
		return err
	}
	return p.showNewPasskey(v, http.StatusOK)
}

func (p *pages) showNewPasskey(v *visit, status int) error {
	return p.show(v, status, "passkey_new", "security", v.title("passkey.add"), factorPage{
		Passkeys: p.Dispatcher.Passkeys != nil, Return: v.r.FormValue("return"),
	})
}

// addPasskey keeps a passkey. With the first second factor come recovery codes,
// which are shown this once.
func (p *pages) addPasskey(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	in.key = ""
	ask := commands.AddPasskey{
		UserID: v.caller.Grants.User, Session: v.caller.Session,
		Challenge: in.value("challenge"), Name: in.value("name"), Passkey: json.RawMessage(in.value("passkey")),
	}
	var receipt commands.Receipt
	var made commands.AddedPasskey
	call, err := p.call(v, in, ask.Name) // what the browser made is no JSON until it is checked
	if err == nil {
		receipt, made, err = p.Dispatcher.AddPasskey(v.r.Context(), call, ask)
	}
	if err != nil {
		in.values.Del("passkey")
		in.values.Del("challenge")
		status, err := p.refused(v, in, err, "name", "passkey")
		if err != nil {
			return err
		}
		return p.showNewPasskey(v, status)
	}
	if len(made.RecoveryCodes) == 0 {
		return p.written(v, receipt.Position, v.path("security"), "passkey_added", "logins")
	}
	p.await(v.r.Context(), receipt.Position, "logins")
	return p.showCodes(v, "codes.lead.passkey", made.RecoveryCodes)
}

// ownPasskey is the name of the viewer's passkey in the address.
func (v *visit) ownPasskey() (name string, err error) {
	for _, k := range v.me.Passkeys {
		if k.ID == v.id() {
			return k.Name, nil
		}
	}
	return "", user.ErrNoPasskey
}

// passkeyName shows the form with another name for a passkey.
func (p *pages) passkeyName(v *visit) error { return p.showPasskeyName(v, http.StatusOK) }

func (p *pages) showPasskeyName(v *visit, status int) error {
	name, err := v.ownPasskey()
	if err != nil {
		return err
	}
	return p.show(v, status, "passkey_name", "security", v.title("passkey.rename.title", "Name", name), factorPage{
		Title: name, To: v.path("security", "passkeys", v.id(), "name"),
	})
}

func (p *pages) renamePasskey(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ask := commands.RenamePasskey{UserID: v.caller.Grants.User, PasskeyID: v.id(), Name: in.value("name")}
	var receipt commands.Receipt
	call, err := p.call(v, in, ask)
	if err == nil {
		receipt, err = p.Dispatcher.RenamePasskey(v.r.Context(), call, ask)
	}
	if err != nil {
		status, err := p.refused(v, in, err, "name")
		if err != nil {
			return err
		}
		return p.showPasskeyName(v, status)
	}
	return p.written(v, receipt.Position, v.path("security"), "passkey_renamed", "logins")
}

// passkeyOff asks whether a passkey is to be removed.
func (p *pages) passkeyOff(v *visit) error {
	name, err := v.ownPasskey()
	if err != nil {
		return err
	}
	if err := v.mustConfirm(); err != nil {
		return err
	}
	title := v.title("passkey.remove.title", "Name", name)
	return p.show(v, http.StatusOK, "factor_off", "security", title, factorPage{
		Title: title, Lead: v.title("passkey.remove.lead"), Submit: v.title("passkey.remove.submit"),
		To: v.path("security", "passkeys", v.id(), "remove"), Staff: v.caller.Grants.Role != "",
		Last: v.me.SecondFactors.Passkeys == 1 && !v.me.SecondFactors.TOTP,
	})
}

func (p *pages) removePasskey(v *visit) error {
	in, err := v.input()
	if err != nil {
		return err
	}
	ask := commands.RemovePasskey{UserID: v.caller.Grants.User, PasskeyID: v.id()}
	var receipt commands.Receipt
	call, err := p.call(v, in, ask)
	if err == nil {
		receipt, err = p.Dispatcher.RemovePasskey(v.r.Context(), call, ask)
	}
	if err != nil {
		return p.refusedFactor(v, in, err)
	}
	return p.written(v, receipt.Position, v.path("security"), "passkey_removed", "logins")
}
