package mailtext_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/contact"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/impersonation"
	"github.com/hostfold/hostfold/domain/invoice"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/seller"
	"github.com/hostfold/hostfold/domain/user"
)

var writer = mailtext.Writer{Base: "https://portal.example.com"}

func TestAMailAboutAnInvoiceSaysWhatIsDueInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	inv := invoice.Invoice{
		Account: "acc_1", Number: "F2026-000001", IssuedOn: "2026-03-01", DueOn: "2026-03-31",
		Content: invoice.Content{Seller: seller.Details{Name: "Hostfold SAS"}, Totals: invoice.Totals{Gross: money.EUR(123456)}},
	}
	for locale, want := range map[user.Locale][]string{
		user.French:  {"Bonjour Zoé & Cie,", "F2026-000001 du 1er mars 2026", "1\u202f234,56\u00a0€ TTC", "le 31 mars 2026"},
		user.English: {"Hello Zoé & Cie,", "F2026-000001 of 1 March 2026", "€1,234.56 including VAT", "by 31 March 2026"},
	} {
		m, err := writer.InvoiceIssued("usr_1", user.User{Email: "zoe@example.com", Name: "Zoé & Cie", Locale: locale, Verified: true}, "inv_1", inv)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range append(want, "https://portal.example.com/portal/acc_1/invoices/inv_1") {
			if !strings.Contains(m.Text, w) {
				t.Errorf("%s: %q is not in:\n%s", locale, w, m.Text)
			}
		}
		if !strings.Contains(m.Subject, "F2026-000001") || strings.Contains(m.Subject, "\n") || m.Recipient != "zoe@example.com" || m.Account != "acc_1" {
			t.Errorf("head of the mail: %+v", m)
		}
		if !strings.Contains(m.HTML, "Zoé &amp; Cie") || !strings.Contains(m.HTML, `<a href="https://portal.example.com/portal/acc_1/invoices/inv_1"`) || !strings.Contains(m.HTML, `lang="`+string(locale)+`"`) {
			t.Errorf("html of the mail:\n%s", m.HTML)
		}
	}
}

func TestAPaidInvoiceAsksForNothing(t *testing.T) {
	t.Parallel()
	m, err := writer.InvoiceIssued("usr_1", user.User{Name: "Zoé", Locale: user.French}, "inv_1", invoice.Invoice{
		Number: "F2026-000001", IssuedOn: "2026-03-01", DueOn: "2026-03-31",
		Content: invoice.Content{Totals: invoice.Totals{Gross: money.EUR(0)}},
	})
	if err != nil || strings.Contains(m.Text, "régler") {
		t.Errorf("%v:\n%s", err, m.Text)
	}
}

func TestTheRegistrationNoticeLeadsToTheLogIn(t *testing.T) {
	t.Parallel()
	for _, locale := range []user.Locale{user.French, user.English} {
		m, err := writer.RegistrationNotice("usr_1", user.User{Email: "zoe@example.com", Name: "Zoé", Locale: locale})
		if err != nil || !strings.Contains(m.Text, "https://portal.example.com/portal/login\n") || m.Template != "registration_notice" {
			t.Errorf("%v: %+v", err, m)
		}
	}
}

func TestMailsWithASecretLeadToAPageThatTakesIt(t *testing.T) {
	t.Parallel()
	for _, locale := range []user.Locale{user.French, user.English} {
		u := user.User{Email: "zoe@example.com", Name: "Zoé", Locale: locale, Verified: true}
		verify, err1 := writer.VerifyEmail("usr_1", u)
		change, err2 := writer.ChangeEmail("usr_1", u, "new@example.com")
		reset, err3 := writer.ResetPassword("usr_1", u)
		factors, err4 := writer.FactorReset("usr_1", u, "zoe@example.org", time.Date(2026, 3, 1, 9, 5, 0, 0, time.UTC))
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
		if factors.Recipient != "zoe@example.org" || !strings.Contains(factors.Text, "09:05 UTC") {
			t.Errorf("%+v", factors)
		}
		for page, m := range map[string]message.Queued{"verify-email": verify, "verify-email#": change, "reset-password": reset, "stop-reset": factors} {
			link := "https://portal.example.com/portal/" + strings.TrimSuffix(page, "#") + "#" + mailtext.Secret
			if !mailtext.HasLink(m.Template) || !strings.Contains(m.Text, "\n"+link+"\n") || !strings.Contains(m.HTML, `<a href="`+link+`"`) || strings.Contains(m.Text, "Zoé") != (m.Recipient == u.Email) {
				t.Errorf("%s in %s: %+v", page, locale, m)
			}
		}
		if change.Recipient != "new@example.com" || reset.Recipient != "zoe@example.com" {
			t.Errorf("sent to %s and %s", change.Recipient, reset.Recipient)
		}
	}
}

func TestNoticesHaveNoSecret(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 9, 5, 0, 0, time.UTC)
	for locale, want := range map[user.Locale][]string{
		user.French:  {"1er mars 2026 à 09:05 UTC", "Firefox sous Linux", "un programme inconnu"},
		user.English: {"1 March 2026 at 09:05 UTC", "Firefox on Linux", "an unknown program"},
	} {
		u := user.User{Email: "zoe@example.com", Name: "Zoé", Locale: locale, Verified: true}
		password, err1 := writer.PasswordChanged("usr_1", u, at)
		device, err2 := writer.NewDevice("usr_1", u, user.NewDeviceSeen{Browser: "Firefox", System: "Linux", IP: "192.0.2.7"}, at)
		unknown, err3 := writer.NewDevice("usr_1", u, user.NewDeviceSeen{}, at)
		changed, err4 := writer.EmailChanged("usr_1", u, "old@example.com")
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
		for _, m := range []message.Queued{password, device, unknown, changed} {
			if mailtext.HasLink(m.Template) || strings.Contains(m.Text, mailtext.Secret) {
				t.Errorf("%+v has a secret", m)
			}
		}
		if !strings.Contains(password.Text, want[0]) || !strings.Contains(device.Text, want[1]) || !strings.Contains(device.Text, "192.0.2.7") || !strings.Contains(unknown.Text, want[2]) {
			t.Errorf("%s:\n%s\n%s\n%s", locale, password.Text, device.Text, unknown.Text)
		}
		if changed.Recipient != "old@example.com" || strings.Contains(changed.Text, "zoe@example.com") {
			t.Errorf("the old address hears %+v", changed)
		}
	}
}

func TestAStaffMemberIsToldOfItsRole(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 9, 5, 0, 0, time.UTC)
	for locale, want := range map[user.Locale]map[delegation.Role]string{
		user.French:  {delegation.RoleAdmin: "« administrateur »", delegation.RoleBilling: "« facturation »", delegation.RoleSupport: "« assistance »", delegation.RoleAuditor: "« auditeur »", "": "plus aucun rôle"},
		user.English: {delegation.RoleAdmin: `"administrator"`, delegation.RoleBilling: `"billing"`, delegation.RoleSupport: `"support"`, delegation.RoleAuditor: `"auditor"`, "": "no role with us"},
	} {
		u := user.User{Email: "zoe@example.com", Name: "Zoé", Locale: locale, Verified: true}
		for role, words := range want {
			for before, times := range map[time.Time]int{{}: 1, at.Add(-3 * time.Second): 2} {
				m, err := writer.StaffRole("usr_1", u, role, at, before)
				if err != nil || !strings.Contains(m.Text, words) || !strings.Contains(m.Text, "09:05:00 UTC") || m.Recipient != u.Email || m.Subject == "" {
					t.Errorf("%s %s: %+v, %v", locale, role, m, err)
				}
				if strings.Count(m.Text, "2026") != times || strings.Contains(m.Text, "09:04:57 UTC") != (times == 2) {
					t.Errorf("%s %s after %v: %s", locale, role, before, m.Text)
				}
			}
		}
	}
}

func TestAStrangerDoesNotSpeakThroughOurMails(t *testing.T) {
	t.Parallel()
	for _, u := range []user.User{
		{Email: "zoe@example.com", Name: "https://evil.example/#" + mailtext.Secret, Locale: user.French, Verified: true},
		{Email: "zoe@example.com", Name: "https://evil.example/#" + mailtext.Secret, Locale: user.French},
	} {
		m, err := writer.ResetPassword("usr_1", u)
		if err != nil || strings.Count(m.Text, mailtext.Secret) != 1 || strings.Contains(m.Text, "evil") {
			t.Errorf("%v: %s", err, m.Text)
		}
		// Nor does who owned an account before, or acts for it: its owner may have
		// chosen none of its names.
		for name, shown := range map[string]string{"refund at evil.example": "acc_1", "Martin & Fils": "Martin & Fils"} {
			if !u.Verified {
				shown = "acc_1"
			}
			of := mailtext.About{Account: "acc_1", Name: name}
			closing, err1 := writer.AccountClosing("usr_1", u, of, mailtext.ClosingRequested, nil)
			taken, err2 := writer.TransferNotice("usr_1", u, of, mailtext.TransferTaken, mailtext.TransferFacts{})
			ticket, err3 := writer.TicketAnswered("usr_1", u, of, "tkt_1", "ABC-123456")
			acting, err4 := writer.Impersonation("usr_1", u, name, impersonation.Started{Account: "acc_1", Reason: "seen"}, time.Time{})
			if err := errors.Join(err1, err2, err3, err4); err != nil {
				t.Fatal(err)
			}
			for _, m := range []message.Queued{closing, taken, ticket, acting} {
				if strings.Contains(m.Subject+m.Text+m.HTML, "evil") || !strings.Contains(m.Text, shown) {
					t.Errorf("%s of %s: %s %s", m.Template, name, m.Subject, m.Text)
				}
			}
		}
	}
}

func TestWhoWantsOrHadAnAddressDoesNotSpeakThere(t *testing.T) {
	t.Parallel()
	for _, locale := range []user.Locale{user.French, user.English} {
		u := user.User{Email: "eve@example.com", Name: "Eve Won", Locale: locale, Verified: true}
		wanted, err1 := writer.ChangeEmail("usr_1", u, "stranger@example.org")
		had, err2 := writer.EmailChanged("usr_1", u, "stranger@example.org")
		warned, err3 := writer.FactorReset("usr_1", u, "stranger@example.org", time.Date(2026, 3, 1, 9, 5, 0, 0, time.UTC))
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		for _, m := range []message.Queued{wanted, had, warned} {
			if m.Recipient != "stranger@example.org" || m.Locale != string(locale) || strings.Contains(m.Subject+m.Text+m.HTML, u.Name) {
				t.Errorf("to %s we write %s", m.Recipient, m.Text)
			}
		}
		// An address is as long as a sentence, of words that its owner chooses.
		if strings.Contains(wanted.Subject+wanted.Text+wanted.HTML, u.Email) {
			t.Errorf("who wants an address says there: %s", wanted.Text)
		}
	}
}

func TestNamesInMailsToStrangersAreNames(t *testing.T) {
	t.Parallel()
	ask := func(name string) string {
		t.Helper()
		d := delegation.Delegation{Account: "acc_1", Email: "carol@example.com", Invitation: "ivt_1", OpenUntil: time.Date(2026, 3, 1, 9, 5, 0, 0, time.UTC)}
		invited, err1 := writer.DelegationInvitation("msg_1", d, user.User{Name: name, Email: "by@example.com", Locale: user.English, Verified: true}, name)
		contacted, err2 := writer.ContactVerification("ctc_1", contact.Contact{Account: "acc_1", Details: contact.Details{Email: "carol@example.com"}}, name, user.French, d.OpenUntil)
		if err := errors.Join(err1, err2); err != nil || !strings.Contains(invited.Text, "by@example.com") {
			t.Errorf("%v: %s", err, invited.Text)
		}
		return invited.Subject + invited.Text + invited.HTML + contacted.Subject + contacted.Text + contacted.HTML
	}
	for _, name := range []string{"Élodie O’Hara-Dupont", "Martin & Fils S.A.R.L.", "株式会社", "Agence 44 (Nantes), SAS"} {
		if text := ask(name); !strings.Contains(text, name) || strings.Contains(text, "acc_1") {
			t.Errorf("%q is not in %s", name, text)
		}
	}
	for _, name := range []string{
		"https://evil", "see evil.example", "evil。example", "pay@evil", "call 0800 12 34 56", strings.Repeat("refund ", 12), "__secret__ .evil", "a\u202eb",
	} {
		if text := ask(name); strings.Contains(text, name) || strings.Contains(text, "evil") || !strings.Contains(text, "acc_1") {
			t.Errorf("%q speaks in %s", name, text)
		}
	}
}

func TestOwnersHearOfAnOffer(t *testing.T) {
	t.Parallel()
	u := user.User{Email: "zoe@example.com", Name: "Zoé", Verified: true}
	of := mailtext.About{Account: "acc_1", Name: "Martin SARL"}
	facts := mailtext.TransferFacts{Until: time.Date(2026, 3, 1, 9, 5, 0, 0, time.UTC)}
	texts := map[string]bool{}
	for _, locale := range []user.Locale{user.French, user.English} {
		u.Locale = locale
		offered, err := writer.OwnershipTransfer("acc_1", account.Transfer{ID: "otr_1", Email: "ana@example.com", OpenUntil: facts.Until}, u, "Martin SARL")
		if err != nil || offered.Recipient != "ana@example.com" || offered.User != "otr_1" || !mailtext.HasLink(offered.Template) ||
			!strings.Contains(offered.Text, "\nhttps://portal.example.com/portal/transfer#"+mailtext.Secret+"\n") || !strings.Contains(offered.Text, "Zoé (zoe@example.com)") {
			t.Errorf("%v: %+v", err, offered)
		}
		for step, link := range map[mailtext.TransferStep]string{
			mailtext.TransferProposed: "/acc_1/transfer\n", mailtext.TransferDeclined: "/acc_1/transfer\n", mailtext.TransferExpired: "/acc_1/transfer\n",
			mailtext.TransferGiven: "/portal\n", mailtext.TransferTaken: "/acc_1/account\n",
		} {
			for _, facts.Keeps = range []bool{false, true} {
				m, err := writer.TransferNotice("usr_1", u, of, step, facts)
				if err != nil || !strings.Contains(m.Text, "Martin SARL") || !strings.Contains(m.Text, link) || mailtext.HasLink(m.Template) || (m.Account == "") != (step == mailtext.TransferGiven) {
					t.Errorf("%s in %s: %v: %+v", step, locale, err, m)
				}
				if step == mailtext.TransferProposed && !strings.Contains(m.Text, "2026") {
					t.Errorf("%s", m.Text)
				}
				texts[m.Subject+m.Text] = true
			}
		}
		left, err := writer.DelegateLeft("usr_1", u, of)
		if err != nil || !strings.Contains(left.Subject, "Martin SARL") || !strings.Contains(left.Text, "/acc_1/users\n") {
			t.Errorf("%v: %+v", err, left)
		}
	}
	if len(texts) != 2*(3+2*2) {
		t.Errorf("%d texts", len(texts))
	}
}

func TestAChangeOfSecondFactorsIsTold(t *testing.T) {
	t.Parallel()
	u := user.User{Email: "zoe@example.com", Name: "Zoé", Verified: true}
	subjects := map[string]bool{}
	for _, locale := range []user.Locale{user.French, user.English} {
		u.Locale = locale
		for what, want := range map[mailtext.FactorChange]string{
			mailtext.TOTPOn: "", mailtext.TOTPOff: "", mailtext.CodesNew: "", mailtext.CodeUsed: ": 4.",
			mailtext.PasskeyAdded: ": Téléphone <b>.", mailtext.PasskeyRemoved: "",
			mailtext.PasskeyCopied: "", mailtext.ResetStopped: "", mailtext.FactorsRemoved: "", mailtext.TakenOver: "",
		} {
			m, err := writer.SecondFactor("usr_1", u, mailtext.FactorNotice{What: what, Passkey: "Téléphone <b>", Left: 4}, time.Date(2026, 3, 1, 9, 5, 0, 0, time.UTC))
			if err != nil || !strings.Contains(m.Text, want) || !strings.Contains(m.Text, "2026") || !strings.Contains(m.Text, "https://portal.example.com/portal/login") || strings.Contains(m.HTML, "<b>") {
				t.Errorf("%s in %s: %v: %+v", what, locale, err, m)
			}
			subjects[m.Subject] = true
		}
	}
	if len(subjects) != 20 {
		t.Errorf("the subjects are %v", subjects)
	}
}
