// Package mailtext writes the words of mails, in French and English: one text
// template per mail and language, of which the HTML form is made, so that the
// two never differ.
//
// It must not send anything: what it writes is queued as an event and sent by
// commands/effects/mail. A changed text gets a new version number.
package mailtext

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/bojanz/currency"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/user"
)

//go:embed templates
var templates embed.FS

// The templates, each with the version of its words.
const (
	InvoiceIssued      = "invoice_issued"
	RegistrationNotice = "registration_notice"
	VerifyEmail        = "verify_email"
	ChangeEmail        = "change_email"
	EmailChanged       = "email_changed"
	ResetPassword      = "reset_password"
	PasswordChanged    = "password_changed"
	NewDevice          = "new_device"
	SecondFactor       = "second_factor"
	// DelegationInvitation asks a person to act for an account.
	DelegationInvitation = "delegation_invitation"
	// DelegateLeft tells an account's owner that a delegate is one no more.
	DelegateLeft   = "delegate_left"
	ServiceChanged = "service_changed"
	TicketAnswered = "ticket_answered"
	NewsPublished  = "news_published"
	// ContactVerification asks whether a person wants to be a domain contact.
	ContactVerification = "contact_verification"
	// FactorReset warns a user that its second factors are about to be removed.
	FactorReset = "factor_reset"
	// Impersonation tells an account's owner that staff act for the account.
	Impersonation  = "impersonation"
	AccountClosing = "account_closing"
	// OwnershipTransfer asks a person to own an account, TransferNotice tells
	// owners what happened to such an offer.
	OwnershipTransfer = "ownership_transfer"
	TransferNotice    = "transfer_notice"
	// StaffRole tells a user that it was hired or dismissed.
	StaffRole = "staff_role"

	invoiceIssuedVersion      = 2
	registrationNoticeVersion = 2
	verifyEmailVersion        = 1
	changeEmailVersion        = 3
	emailChangedVersion       = 1
	resetPasswordVersion      = 1
	passwordChangedVersion    = 1
	newDeviceVersion          = 1
	secondFactorVersion       = 5
	factorResetVersion        = 1

	delegationInvitationVersion = 2

	serviceChangedVersion      = 1
	ticketAnsweredVersion      = 1
	newsPublishedVersion       = 1
	contactVerificationVersion = 1
	impersonationVersion       = 1
	accountClosingVersion      = 1
	ownershipTransferVersion   = 1
	transferNoticeVersion      = 1
	delegateLeftVersion        = 1
	staffRoleVersion           = 2
)

// Secret stands in a mail's words for the secret of its link. Only the job that
// sends the mail puts the secret there.
const Secret = "__secret__"

// HasLink reports whether the mails of a template have a link with a secret.
func HasLink(template string) bool {
	switch template {
	case VerifyEmail, ChangeEmail, ResetPassword, DelegationInvitation, OwnershipTransfer, ContactVerification, FactorReset:
		return true
	}
	return false
}

// Writer writes mails. Its zero value writes links without a host.
type Writer struct {
	// Base is the public URL that every link begins with, without a slash at
	// its end.
	Base string
}

// RegistrationNotice tells a user that somebody tried to register with its address.
func (w Writer) RegistrationNotice(id string, u user.User) (message.Queued, error) {
	return w.write(RegistrationNotice, registrationNoticeVersion, id, u, map[string]any{"Link": w.link("portal", "login")})
}

// InvoiceIssued tells the owner of an account of a new invoice.
func (w Writer) InvoiceIssued(id string, u user.User, invoiceID string, inv invoice.Invoice) (message.Queued, error) {
	m, err := w.write(InvoiceIssued, invoiceIssuedVersion, id, u, map[string]any{
		"Number": inv.Number, "Seller": inv.Content.Seller.Name,
		"IssuedOn": day(inv.IssuedOn, u.Locale), "DueOn": day(inv.DueOn, u.Locale),
		"Due": inv.Gross().Sign() > 0, "Total": amount(inv.Gross(), u.Locale),
		"Link": w.link("portal", inv.Account, "invoices", invoiceID),
	})
	m.Account = inv.Account
	return m, err
}

// VerifyEmail asks a user to prove that it reads the mail of its address.
func (w Writer) VerifyEmail(id string, u user.User) (message.Queued, error) {
	return w.write(VerifyEmail, verifyEmailVersion, id, u, map[string]any{"Link": w.secretLink("verify-email")})
}

// ChangeEmail asks the same of the address that a user wants to change to.
func (w Writer) ChangeEmail(id string, u user.User, address string) (message.Queued, error) {
	return w.write(ChangeEmail, changeEmailVersion, id, elsewhere(u, address), map[string]any{"Link": w.secretLink("verify-email")})
}

// EmailChanged tells the address that a user had that it is no longer the user's.
func (w Writer) EmailChanged(id string, u user.User, previous string) (message.Queued, error) {
	return w.write(EmailChanged, emailChangedVersion, id, elsewhere(u, previous), map[string]any{})
}

// elsewhere is a user under an address that it wants, or had. Who reads its mail
// may be a stranger, so the user is no more known there than by its language.
func elsewhere(u user.User, address string) user.User {
	return user.User{Email: address, Locale: u.Locale}
}

// ResetPassword lets who reads a user's mail set a new password.
func (w Writer) ResetPassword(id string, u user.User) (message.Queued, error) {
	return w.write(ResetPassword, resetPasswordVersion, id, u, map[string]any{"Link": w.secretLink("reset-password")})
}

// PasswordChanged tells a user that its password was changed.
func (w Writer) PasswordChanged(id string, u user.User, at time.Time) (message.Queued, error) {
	return w.write(PasswordChanged, passwordChangedVersion, id, u, map[string]any{
		"At": moment(at, u.Locale), "Link": w.link("portal", "login"),
	})
}

// NewDevice tells a user of a log-in from a device that it never used before.
func (w Writer) NewDevice(id string, u user.User, seen user.NewDeviceSeen, at time.Time) (message.Queued, error) {
	return w.write(NewDevice, newDeviceVersion, id, u, map[string]any{
		"At": moment(at, u.Locale), "Browser": seen.Browser, "System": seen.System, "IP": seen.IP,
		"Link": w.link("portal", "login"),
	})
}

// FactorChange is what happened to a user's second factors.
type FactorChange string

// What a user hears of its second factors.
const (
	TOTPOn         FactorChange = "totp_on"
	TOTPOff        FactorChange = "totp_off"
	CodesNew       FactorChange = "codes_new"
	CodeUsed       FactorChange = "code_used"
	PasskeyAdded   FactorChange = "passkey_added"
	PasskeyRemoved FactorChange = "passkey_removed"
	PasskeyCopied  FactorChange = "passkey_copied"
	ResetStopped   FactorChange = "reset_stopped"
	FactorsRemoved FactorChange = "factors_removed"
	TakenOver      FactorChange = "taken_over"
)

// FactorNotice is such a change: the name of a passkey, "" if it is not known,
// or how many recovery codes are left.
type FactorNotice struct {
	What    FactorChange
	Passkey string
	Left    int
}

// SecondFactor tells a user of a change of its second factors.
func (w Writer) SecondFactor(id string, u user.User, n FactorNotice, at time.Time) (message.Queued, error) {
	return w.write(SecondFactor, secondFactorVersion, id, u, map[string]any{
		"What": string(n.What), "Passkey": strings.ReplaceAll(n.Passkey, Secret, ""), "Left": n.Left,
		"At": moment(at, u.Locale), "Link": w.link("portal", "login"),
	})
}

// StaffRole tells a user that it became a staff member in a role, or is none any
// more, "", and since when the contrary was so, the zero time for never. With
// that each mail tells what came first, in whatever order they are read.
func (w Writer) StaffRole(id string, u user.User, role delegation.Role, at, before time.Time) (message.Queued, error) {
	data := map[string]any{"Role": string(role), "At": second(at, u.Locale), "Link": w.link("portal", "login")}
	if !before.IsZero() {
		data["Before"] = second(before, u.Locale)
	}
	return w.write(StaffRole, staffRoleVersion, id, u, data)
}

// FactorReset warns an address of a user that all second factors are removed at
// a time, and lets who reads it stop that.
func (w Writer) FactorReset(id string, u user.User, address string, due time.Time) (message.Queued, error) {
	if address != u.Email {
		u = elsewhere(u, address)
	}
	return w.write(FactorReset, factorResetVersion, id, u, map[string]any{
		"Due": moment(due, u.Locale), "Link": w.secretLink("stop-reset"),
	})
}

// write fills a template. The first line of a template is the subject.
func (w Writer) write(name string, version int, id string, u user.User, data map[string]any) (message.Queued, error) {
	// The name of a user whose address is not verified may have been chosen by
	// a stranger, to speak to the address's owner through our mail. It stays when
	// the owner has taken the log-in over, so a name has to be one anyway.
	if u.Verified {
		data["Name"] = named(u.Name, "")
	}
	locale := u.Locale
	if !locale.Valid() {
		locale = user.French
	}
	t, err := texttemplate.ParseFS(templates, "templates/"+name+"."+string(locale)+".txt")
	if err != nil {
		return message.Queued{}, fmt.Errorf("read the mail %s: %w", name, err)
	}
	var text bytes.Buffer
	if err := t.Execute(&text, data); err != nil {
		return message.Queued{}, fmt.Errorf("write the mail %s: %w", name, err)
	}
	subject, body, _ := strings.Cut(text.String(), "\n\n")
	m := message.Queued{
		User: id, Template: name, Version: version, Locale: string(locale), Recipient: u.Email,
		Subject: subject, Text: body,
	}
	m.HTML, err = html(string(locale), subject, body)
	return m, err
}

// link is a page of the portal.
func (w Writer) link(parts ...string) string {
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return w.Base + "/" + strings.Join(parts, "/")
}

// secretLink is a page of the portal that takes the secret of the mail. It
// stands behind #, which browsers do not send: no log of any server has it.
func (w Writer) secretLink(page string) string { return w.link("portal", page) + "#" + Secret }

var layout = template.Must(template.New("mail").Parse(`<!doctype html>
<html lang="{{.Locale}}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Subject}}</title></head>
<body style="margin:0;padding:24px;background:#f4f6fa;color:#1d273b;font-family:system-ui,-apple-system,'Segoe UI',sans-serif;font-size:16px;line-height:1.5">
<div style="max-width:560px;margin:0 auto;padding:24px;background:#fff;border:1px solid #dce1e7;border-radius:6px">
{{range .Paragraphs}}<p style="margin:0 0 16px">{{range $i, $l := .}}{{if $i}}<br>{{end}}{{if $l.Link}}<a href="{{$l.Text}}" style="color:#0054a6">{{$l.Text}}</a>{{else}}{{$l.Text}}{{end}}{{end}}</p>
{{end}}</div>
</body>
</html>
`))

type line struct {
	Text string
	Link bool
}

// html lays a text out: paragraphs at empty lines, a line that is an address
// as a link.
func html(locale, subject, text string) (string, error) {
	var paragraphs [][]line
	for p := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		var lines []line
		for l := range strings.SplitSeq(p, "\n") {
			lines = append(lines, line{Text: l, Link: strings.HasPrefix(l, "https://") || strings.HasPrefix(l, "http://")})
		}
		paragraphs = append(paragraphs, lines)
	}
	var b bytes.Buffer
	err := layout.Execute(&b, map[string]any{"Locale": locale, "Subject": subject, "Paragraphs": paragraphs})
	if err != nil {
		return "", fmt.Errorf("lay the mail out: %w", err)
	}
	return b.String(), nil
}

// amount is a sum of money as people of the language write it.
func amount(a money.Amount, l user.Locale) string {
	parsed, err := currency.NewAmount(a.Decimal(), a.Currency())
	if err != nil {
		return a.String()
	}
	return currency.NewFormatter(currency.NewLocale(string(l))).Format(parsed)
}

var frenchMonths = [...]string{
	"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre",
}

// day is a date as people of the language write it.
func day(d domain.Date, l user.Locale) string {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return string(d)
	}
	if l == user.English {
		return t.Format("2 January 2006")
	}
	first := strconv.Itoa(t.Day())
	if t.Day() == 1 {
		first = "1er"
	}
	return fmt.Sprintf("%s %s %d", first, frenchMonths[t.Month()-1], t.Year())
}

// moment is a time as people of the language write it, in UTC.
func moment(t time.Time, l user.Locale) string { return clock(t, "15:04", l) }

// second is a moment to the second, for what may follow another thing at once.
func second(t time.Time, l user.Locale) string { return clock(t, "15:04:05", l) }

func clock(t time.Time, layout string, l user.Locale) string {
	t = t.UTC()
	date := day(domain.DateOf(t.Year(), t.Month(), t.Day()), l)
	if l == user.English {
		return date + " at " + t.Format(layout) + " UTC"
	}
	return date + " à " + t.Format(layout) + " UTC"
}
