package portal_test

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/projections"
)

// The scripts are part of the test, so that go test runs again when they have
// changed, and only then, wherever the project lies.
//
//go:embed browsertest/*.cjs
var scripts embed.FS

// TestInABrowser runs browsertest/check.cjs against a house with the seed.
// `make test` installs what it needs and sets HOSTFOLD_BROWSER_TESTS, NODE_PATH
// and, where it is not on the path, HOSTFOLD_CHROMIUM.
func TestInABrowser(t *testing.T) {
	t.Parallel()
	if os.Getenv("HOSTFOLD_BROWSER_TESTS") == "" {
		t.Skip("make test runs the browser tests")
	}
	s := seeded(t)
	check(t, "check.cjs", s.scene(t))
}

// TestPasskeysInABrowser runs browsertest/passkey.cjs, with an authenticator
// that Chromium makes up. Browsers make passkeys for localhost, and not for an
// address of digits.
func TestPasskeysInABrowser(t *testing.T) {
	t.Parallel()
	if os.Getenv("HOSTFOLD_BROWSER_TESTS") == "" {
		t.Skip("make test runs the browser tests")
	}
	h := openAt(t, "localhost")
	registers := func(email string, locale user.Locale) string {
		return must[commands.Receipt](t)(h.dispatcher.RegisterUser(t.Context(), system(""), commands.RegisterUser{
			Email: email, Password: password, Name: "Zoé Martin", Locale: locale, Vouched: true,
		})).ID
	}
	registers("pierre@example.com", user.French)
	keepers := map[user.Locale]string{user.French: "zoe@example.com", user.English: "zoe@example.org"}
	account := ""
	for locale, email := range keepers {
		account = h.opens(t, registers(email, locale), "Zoé Martin")
	}
	h.hire(t, "support", delegation.RoleSupport)
	scene, err := json.Marshal(map[string]any{
		"url": h.url, "email": "pierre@example.com", "keepers": keepers, "account": account, "staff": "support@example.com", "password": password, "chromium": chromium(t),
		"screenshots": os.Getenv("HOSTFOLD_SCREENSHOTS"), "only": os.Getenv("HOSTFOLD_ONLY"),
	})
	if err != nil {
		t.Fatal(err)
	}
	check(t, "passkey.cjs", string(scene))
}

// check runs a script of checks on a scene and reports each.
func check(t *testing.T, script, scene string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, scripts); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", filepath.Join(dir, "browsertest", script))
	cmd.Env = append(os.Environ(), "HOSTFOLD_SCENE="+scene)
	var faults bytes.Buffer
	cmd.Stderr = &faults

	out, err := cmd.Output()
	if err != nil {
		t.Errorf("the checks broke off: %v\n%s", err, faults.String())
	}
	checked := 0
	for line := range bytes.Lines(out) {
		var check struct{ Name, Error string }
		if err := json.Unmarshal(line, &check); err != nil {
			t.Errorf("not a check: %s", line)
			continue
		}
		checked++
		t.Run(check.Name, func(t *testing.T) {
			if check.Error != "" {
				t.Error(check.Error)
			}
		})
	}
	if checked == 0 {
		t.Error("nothing was checked")
	}
}

// chromium is where the browser is.
func chromium(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("HOSTFOLD_CHROMIUM"); path != "" {
		return path
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("there is no chromium: run make test, or set HOSTFOLD_CHROMIUM")
	}
	return path
}

// scene tells the checks what there is.
func (s *seed) scene(t *testing.T) string {
	t.Helper()
	news, err := s.Reader.News(t.Context(), delegation.Grants{}, projections.Page{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if err := errors.Join(
		s.dispatcher.MailVerification(ctx, system(""), uuid.New(), time.Now(), s.other),
		s.dispatcher.MailReset(ctx, system(""), uuid.New(), time.Now(), s.other),
	); err != nil {
		t.Fatal(err)
	}
	verified, unverified := s.contact(t, "Zoé Martin", true), s.contact(t, "Agence du Port — Élodie Ravel-Castelnau de Montfort", false)
	must[commands.Receipt](t)(s.dispatcher.SetDomainContacts(ctx, system(s.account), commands.SetDomainContacts{Domain: "hst-test.eu", Owner: verified, Tech: unverified}))
	if err := s.dispatcher.MailContactVerification(ctx, system(""), uuid.New(), time.Now(), unverified); err != nil {
		t.Fatal(err)
	}
	s.hire(t, "admin", delegation.RoleAdmin)
	member := must[commands.CreatedStaff](t)(s.dispatcher.CreateStaff(ctx, system(""), commands.CreateStaff{
		RegisterUser: commands.RegisterUser{Email: "support@example.com", Password: password, Name: "Maximilienne de la Tour-Saint-Germain", Locale: "fr"}, Role: delegation.RoleSupport,
	})).ID
	s.Settle()
	b, err := json.Marshal(map[string]any{
		"user": s.user, "lost": s.lost(t), "staff": "admin@example.com", "member": member,
		"domain": "hst-test.eu", "contact": verified, "unverified": unverified, "verifyContact": s.secret(t, mailtext.ContactVerification),
		"url": s.url, "email": "pierre@example.com", "password": password, "chromium": chromium(t),
		"account": s.account, "service": s.services[0], "invoice": s.part, "ticket": s.ticket, "news": news.Items[0].ID,
		"invitation": s.invite(t, s.logIn(t, "pierre@example.com"), "anna@example.com"),
		"offer":      s.offer(t, s.logIn(t, "pierre@example.com"), "anna@example.com", true),
		"verify":     s.secret(t, mailtext.VerifyEmail), "reset": s.secret(t, mailtext.ResetPassword),
		// For people: a folder for screenshots, a part of a check's name.
		"screenshots": os.Getenv("HOSTFOLD_SCREENSHOTS"), "only": os.Getenv("HOSTFOLD_ONLY"),
		"texts": []string{
			"Tableau de bord", "Services", "Domaines", "Facturation", "Assistance", "2 Services", "6 Domaines",
			"3 Factures impayées", "Services actifs", "Hébergement Web - VPS-5", "hst-test.eu", "hst-test.fr", "Actif", "Gérer",
			"Dernières demandes", "#HPJ-613904 - Test de ticket", "Fermé", "Dernière mise à jour : 20/11/2022 (12:13)",
			"Actualités récentes", "État des services", "8 janvier 2023", "Certificats SSL", "5 janvier 2023",
			"Noms de domaines", "30 décembre 2022", "Pierre Lannoy", "France", "Mettre à jour",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// lost is a user who has one-time codes.
func (s *seed) lost(t *testing.T) string {
	t.Helper()
	id := must[commands.Receipt](t)(s.dispatcher.RegisterUser(t.Context(), system(""), commands.RegisterUser{
		Email: "lost@example.com", Password: password, Name: "Élodie Ravel-Castelnau de Montfort", Locale: "fr", Vouched: true,
	})).ID
	s.enrolled(t, id)
	s.Settle()
	return id
}
