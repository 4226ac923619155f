package portal_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"
)

func TestPages(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	base := "/portal/" + s.account
	for name, c := range map[string]struct {
		path string
		want map[string][]string
	}{
		"services": {"/services", map[string][]string{
			"#list .badge":       {"Actif", "Actif"},
			"nav [aria-current]": {"Services"},
			"#list .btn .out":    {"hst-test.fr", "hst-test.eu"},
		}},
		"a service": {"/services/" + s.services[0], map[string][]string{
			"h1":        {"Hébergement Web - VPS-5 Actif"},
			"#facts dt": {"État", "Produit", "Période", "Renouvellement"},
		}},
		"domains": {"/domains", map[string][]string{
			"#list thead th":            {"Domaine", "Enregistré le", "Expire le", "État"},
			"#list .badge":              {"Actif", "Actif", "Actif", "Actif", "Actif", "Actif"},
			"#list tr:first-child time": {"26 août 2022", "26 août 2027"},
		}},
		"unpaid invoices": {"/invoices?status=unpaid", map[string][]string{
			"#list tbody th":       {"F" + s.year() + "-000004", "F" + s.year() + "-000003", "F" + s.year() + "-000002"},
			"#list .badge":         {"Impayée", "Impayée", "Payée en partie"},
			".tabs [aria-current]": {"Impayées"},
		}},
		"an invoice paid in part": {"/invoices/" + s.part, map[string][]string{
			"#invoice tbody th":                {"Hébergement Web - VPS-5, hst-test.eu du 26 août 2026 au 25 août 2027", "Livre blanc"},
			".totals dd":                       {"1 234,50 €", "241,72 €", "1 476,22 €", "976,22 €"},
			".sums tbody td":                   {"5,5 %", "35,70 €", "1,96 €", "20 %", "1 198,80 €", "239,76 €"},
			"#invoice > table:last-of-type td": {"1er novembre 2026", "VIR 7781", "500,00 €"},
			".legal p":                         {"Hostfold Démo, SAS au capital de 10 000,00 € · SIREN 123456782 · RCS Lille · TVA FR32123456782 · facturation@example.com"},
		}},
		"tickets": {"/tickets", map[string][]string{"#list .title": {"#HPJ-613904 - Test de ticket"}}},
		"news":    {"/news", map[string][]string{"#list .title": {"État des services", "Certificats SSL", "Noms de domaines"}}},
		"new ticket": {"/tickets/new", map[string][]string{
			"#department option":   {"Technique", "Facturation", "Commercial"},
			"#priority [selected]": {"Normale"},
			"#service option":      {"Aucun", "Hébergement Web - VPS-5 (hst-test.fr)", "Hébergement Web - VPS-5 (hst-test.eu)"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := b.get(base + c.path)
			if page.status != http.StatusOK {
				t.Fatalf("%d: %s", page.status, page.text("body"))
			}
			for selector, want := range c.want {
				got := page.texts(selector)
				for i := range got {
					got[i] = spaces.Replace(got[i])
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", selector, diff)
				}
			}
		})
	}
}

// spaces makes the spaces of French amounts plain.
var spaces = strings.NewReplacer("\u202f", " ", "\u00a0", " ")

func TestPagesAreStrict(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	page := b.get("/portal")

	policy := page.header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("policy %q", policy)
	}
	if got := page.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("a page may be kept: %q", got)
	}
	if n := page.Find("[style], style, script:not([src]), [onclick], [onload]").Length(); n != 0 {
		t.Errorf("%d inline styles or scripts", n)
	}
	page.Find("link[href], script[src]").Each(func(_ int, e *goquery.Selection) {
		path := e.AttrOr("href", e.AttrOr("src", ""))
		file := b.get(path)
		if file.status != http.StatusOK || !strings.Contains(file.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %s", path, file.status, file.header.Get("Cache-Control"))
		}
	})
	if file := b.get("/portal/assets/portal.css"); file.status != http.StatusNotFound {
		t.Errorf("a name without its hash answers %d", file.status)
	}
}

func TestPagesAnswerHeadLikeGet(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	b := s.logIn(t, "pierre@example.com")
	live := b.get("/portal/"+s.account).Find(`meta[name="live"]`).AttrOr("content", "")
	if head := b.send(http.MethodHead, live, nil); head.status != http.StatusOK || head.header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("HEAD of a page's stream answered %d %v", head.status, head.header)
	}
	for _, path := range []string{"/", "/portal/login", "/portal/" + s.account, "/portal/" + s.account + "/invoices", "/portal/nothing"} {
		if got, want := b.send(http.MethodHead, path, nil).status, b.get(path).status; got != want {
			t.Errorf("HEAD %s answered %d, GET %d", path, got, want)
		}
	}
}
