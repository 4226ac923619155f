package commands

import (
	"context"
	"encoding/base32"
	"fmt"
	"strings"

	"github.com/pquerna/otp/totp"
	"rsc.io/qr"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/user"
)

// EnrolTOTP asks for a secret that an app makes one-time codes of.
type EnrolTOTP struct {
	UserID string `json:"-"`
}

// EnrolledTOTP is such a secret; it is told this once.
type EnrolledTOTP struct {
	Secret string `json:"secret" doc:"Base32, to be typed into the app where no picture can be read."`
	URL    string `json:"otpauth_url" doc:"What the picture says."`
	QR     string `json:"qr_svg" doc:"An SVG picture for the app's camera."`
}

// EnrolTOTP draws the secret. It is no factor until a code of it was given;
// one that was drawn before and not confirmed holds no more.
func (d *Dispatcher) EnrolTOTP(ctx context.Context, call Call, cmd EnrolTOTP) (Receipt, EnrolledTOTP, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	u, _, err := d.self(ctx, call, cmd.UserID)
	if err != nil {
		return Receipt{}, EnrolledTOTP{}, err
	}
	enrol := enrolTOTP{cmd.UserID, NewID(call.CommandID, "otp")}
	if _, err := enrol.Decide(u, Env{}); err != nil {
		return Receipt{}, EnrolledTOTP{}, err
	}
	if err := RequireFresh(call, u); err != nil {
		return Receipt{}, EnrolledTOTP{}, err
	}
	if u.PendingTOTP != "" {
		if err := d.Vault.ReleaseFactor(ctx, u.PendingTOTP); err != nil {
			return Receipt{}, EnrolledTOTP{}, err
		}
	}
	secret, err := d.Vault.AddTOTP(ctx, enrol.secret, cmd.UserID)
	if err != nil {
		return Receipt{}, EnrolledTOTP{}, err
	}
	receipt, err := Execute(ctx, d, call, enrol)
	if err != nil {
		return Receipt{}, EnrolledTOTP{}, err
	}
	shown, err := picture(d.Brand, u.Email, secret)
	return receipt, shown, err
}

type enrolTOTP struct{ user, secret string }

func (c enrolTOTP) Target() user.Target         { return user.Decider.At(c.user) }
func (enrolTOTP) Permission() domain.Permission { return delegation.Self }

func (c enrolTOTP) Decide(u user.User, _ Env) ([]user.Event, error) { return u.EnrolTOTP(c.secret) }

// picture shows a secret to an app.
func picture(brand, email, secret string) (EnrolledTOTP, error) {
	material, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		return EnrolledTOTP{}, fmt.Errorf("read a secret: %w", err)
	}
	if brand == "" {
		brand = "hostfold"
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: strings.ReplaceAll(brand, ":", " "), AccountName: email, Secret: material})
	if err != nil {
		return EnrolledTOTP{}, fmt.Errorf("write a secret for an app: %w", err)
	}
	svg, err := qrSVG(key.URL())
	return EnrolledTOTP{Secret: secret, URL: key.URL(), QR: svg}, err
}

// PendingTOTP is the secret that waits for its first code, for the page that
// shows it; found is false when none does. Like asking for one, it is for a
// caller that has proven itself lately.
func (d *Dispatcher) PendingTOTP(ctx context.Context, call Call, id string) (shown EnrolledTOTP, found bool, err error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	u, _, err := d.self(ctx, call, id)
	if err == nil {
		err = RequireFresh(call, u)
	}
	if err != nil || u.PendingTOTP == "" {
		return EnrolledTOTP{}, false, err
	}
	secret, found, err := d.Vault.TOTPSecret(ctx, u.PendingTOTP)
	if err != nil || !found {
		return EnrolledTOTP{}, false, err
	}
	shown, err = picture(d.Brand, u.Email, secret)
	return shown, err == nil, err
}

// quietZone is the white border that cameras need, in modules (ISO 18004).
const quietZone = 4

// qrSVG draws a text as a QR code: one path of black runs, on white, whatever
// the page's colours are.
func qrSVG(text string) (string, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", fmt.Errorf("draw a QR code: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			run := 0
			for x+run < code.Size && code.Black(x+run, y) {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", x+quietZone, y+quietZone, run, run)
				x += run
			}
		}
	}
	side := code.Size + 2*quietZone
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[1]d" shape-rendering="crispEdges" role="img">`+
		`<path fill="#fff" d="M0 0h%[1]dv%[1]dH0z"/><path fill="#000" d="%[2]s"/></svg>`, side, path.String()), nil
}

// RecoveryCodes are codes for whoever loses every other second factor.
type RecoveryCodes struct {
	Codes []string `json:"recovery_codes" doc:"Each opens the door once. They are told this once: keep them in a safe place."`
}

// ConfirmTOTP gives the first code.
type ConfirmTOTP struct {
	UserID string `json:"-"`
	// Session is the one that asks: it has proven the factor with this.
	Session string `json:"-"`
	Code    string `json:"code" maxLength:"20" doc:"The code that the app shows."`
}

// ConfirmTOTP turns one-time codes on and answers recovery codes, which are
// told this once.
func (d *Dispatcher) ConfirmTOTP(ctx context.Context, call Call, cmd ConfirmTOTP) (Receipt, RecoveryCodes, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	u, _, err := d.self(ctx, call, cmd.UserID)
	if err != nil {
		return Receipt{}, RecoveryCodes{}, err
	}
	confirm := confirmTOTP{cmd.UserID, u.PendingTOTP, NewID(call.CommandID, "rcs")}
	if _, err := confirm.Decide(u, Env{}); err != nil {
		return Receipt{}, RecoveryCodes{}, err
	}
	pending := u
	pending.TOTP, pending.Reset = u.PendingTOTP, user.FactorReset{} // it proves no factor that was there before
	if err := d.proveOwn(ctx, call, cmd.UserID, pending, Factor{TOTP: cmd.Code}, "", "code"); err != nil {
		return Receipt{}, RecoveryCodes{}, err
	}
	codes, err := d.Vault.AddRecoveryCodes(ctx, confirm.codes, cmd.UserID)
	if err != nil {
		return Receipt{}, RecoveryCodes{}, err
	}
	receipt, err := d.whileSession(ctx, call, cmd.UserID, cmd.Session, func(call Call) (Receipt, error) {
		if err := d.release(ctx, u.Recovery.Codes); err != nil {
			return Receipt{}, err
		}
		return Execute(ctx, d, call, confirm)
	})
	if err != nil {
		return Receipt{}, RecoveryCodes{}, err
	}
	return receipt, RecoveryCodes{codes}, d.confirmed(ctx, cmd.UserID, cmd.Session, true)
}

type confirmTOTP struct{ user, secret, codes string }

func (c confirmTOTP) Target() user.Target         { return user.Decider.At(c.user) }
func (confirmTOTP) Permission() domain.Permission { return delegation.Self }

func (c confirmTOTP) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.ConfirmTOTP(c.secret, c.codes)
}

// DisableTOTP turns one-time codes off.
type DisableTOTP struct {
	UserID string `json:"-"`
	Code   string `json:"code,omitempty" maxLength:"40" doc:"A one-time code or a recovery code; not needed when the session was confirmed with a second factor in the last ten minutes."`
}

// DisableTOTP needs a second factor of this moment. With the last one, staff's
// rights go from the user's sessions.
func (d *Dispatcher) DisableTOTP(ctx context.Context, call Call, cmd DisableTOTP) (Receipt, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	u, _, err := d.self(ctx, call, cmd.UserID)
	if err != nil {
		return Receipt{}, err
	}
	events, err := u.DisableTOTP()
	if err != nil {
		return Receipt{}, err
	}
	if err := d.freshOrCode(ctx, call, cmd.UserID, u, cmd.Code); err != nil {
		return Receipt{}, err
	}
	return d.giveUp(ctx, cmd.UserID, u, events, func() (Receipt, error) { return Execute(ctx, d, call, disableTOTP{cmd.UserID}) })
}

type disableTOTP struct{ user string }

func (c disableTOTP) Target() user.Target         { return user.Decider.At(c.user) }
func (disableTOTP) Permission() domain.Permission { return delegation.Self }

func (disableTOTP) Decide(u user.User, _ Env) ([]user.Event, error) { return u.DisableTOTP() }

// freshOrCode is RequireFresh for what may bring a code with it.
func (d *Dispatcher) freshOrCode(ctx context.Context, call Call, id string, u user.User, code string) error {
	if code == "" || !u.HasSecondFactor() {
		return RequireFresh(call, u)
	}
	return d.proveOwn(ctx, call, id, u, FactorOf(code), "", "code")
}

// giveUp takes factors away as events are about to say: the vault's rows may go
// then, and if none is left, staff's rights go from the user's sessions.
func (d *Dispatcher) giveUp(ctx context.Context, id string, u user.User, events []user.Event, change func() (Receipt, error)) (Receipt, error) {
	after := u
	for _, e := range events {
		after = user.Decider.Evolve(after, e)
	}
	stays := map[string]bool{}
	for _, row := range FactorRows(after) {
		stays[row] = true
	}
	for _, row := range FactorRows(u) {
		if !stays[row] {
			if err := d.release(ctx, row); err != nil {
				return Receipt{}, err
			}
		}
	}
	if after.HasSecondFactor() {
		return change()
	}
	if err := d.Vault.WeakenSessions(ctx, id); err != nil {
		return Receipt{}, err
	}
	receipt, err := change()
	if err != nil {
		return Receipt{}, err
	}
	return receipt, d.Vault.WeakenSessions(ctx, id) // of a session that was confirmed meanwhile
}

// release lets the vault delete a row once no stream names it.
func (d *Dispatcher) release(ctx context.Context, row string) error {
	if row == "" {
		return nil
	}
	return d.Vault.ReleaseFactor(ctx, row)
}

// RegenerateRecoveryCodes asks for new recovery codes.
type RegenerateRecoveryCodes struct {
	UserID string `json:"-"`
	// Session is the one that asks.
	Session string `json:"-"`
	Code    string `json:"code,omitempty" maxLength:"40" doc:"A one-time code or a recovery code; not needed when the session was confirmed with a second factor in the last ten minutes."`
}

// RegenerateRecoveryCodes answers new recovery codes, told this once; those
// before hold no more.
func (d *Dispatcher) RegenerateRecoveryCodes(ctx context.Context, call Call, cmd RegenerateRecoveryCodes) (Receipt, RecoveryCodes, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	u, _, err := d.self(ctx, call, cmd.UserID)
	if err != nil {
		return Receipt{}, RecoveryCodes{}, err
	}
	change := regenerateCodes{cmd.UserID, NewID(call.CommandID, "rcs")}
	if _, err := change.Decide(u, Env{}); err != nil {
		return Receipt{}, RecoveryCodes{}, err
	}
	if err := d.freshOrCode(ctx, call, cmd.UserID, u, cmd.Code); err != nil {
		return Receipt{}, RecoveryCodes{}, err
	}
	codes, err := d.Vault.AddRecoveryCodes(ctx, change.codes, cmd.UserID)
	if err != nil {
		return Receipt{}, RecoveryCodes{}, err
	}
	receipt, err := d.whileSession(ctx, call, cmd.UserID, cmd.Session, func(call Call) (Receipt, error) {
		if err := d.release(ctx, u.Recovery.Codes); err != nil {
			return Receipt{}, err
		}
		return Execute(ctx, d, call, change)
	})
	return receipt, RecoveryCodes{codes}, err
}

type regenerateCodes struct{ user, codes string }

func (c regenerateCodes) Target() user.Target         { return user.Decider.At(c.user) }
func (regenerateCodes) Permission() domain.Permission { return delegation.Self }

func (c regenerateCodes) Decide(u user.User, _ Env) ([]user.Event, error) {
	return u.RegenerateRecoveryCodes(c.codes)
}
