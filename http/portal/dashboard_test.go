package portal_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDashboardShowsTheSeed(t *testing.T) {
	t.Parallel()
	s := seeded(t)

	page := s.logIn(t, "pierre@example.com").get("/portal")

	if page.status != 200 || page.path != "/portal/"+s.account {
		t.Fatalf("%d at %s: %s", page.status, page.path, page.text("main"))
	}
	for selector, want := range map[string][]string{
		"title":                             {"Tableau de bord · hostfold"},
		"nav.menu a":                        {"Tableau de bord", "Services", "Domaines", "Facturation", "Assistance"},
		"nav.menu a[aria-current]":          {"Tableau de bord"},
		"#bell .count":                      {"1"},
		"#counters b":                       {"2", "6", "3", "0"},
		"#counters .label":                  {"Services", "Domaines", "Factures impayées", "Demande"},
		"#active-services h2":               {"Services actifs"},
		"#active-services .title":           {"Hébergement Web - VPS-5", "Hébergement Web - VPS-5"},
		"#active-services .grow p":          {"hst-test.eu", "hst-test.fr"},
		"#active-services .badge":           {"Actif", "Actif"},
		"#active-services .btn":             {"Gérer hst-test.eu", "Gérer hst-test.fr"},
		"#latest-tickets h2":                {"Dernières demandes"},
		"#latest-tickets .title":            {"#HPJ-613904 - Test de ticket"},
		"#latest-tickets .badge":            {"Fermé"},
		"#latest-tickets p":                 {"Dernière mise à jour : 20/11/2022 (12:13)"},
		"#recent-news h2":                   {"Actualités récentes"},
		"#recent-news .title":               {"État des services", "Certificats SSL", "Noms de domaines"},
		"#recent-news time":                 {"8 janvier 2023", "5 janvier 2023", "30 décembre 2022"},
		"#profile h2":                       {"Pierre Lannoy"},
		"#profile .where":                   {"France"},
		"#profile .btn":                     {"Mettre à jour"},
		"#account-menu .sheet > a":          {"Compte", "Mot de passe", "Sécurité", "Vos données", "Contacts de domaine", "Utilisateurs", "Historique", "Jetons d’API", "Changer de compte", "Actualités"},
		"#account-menu form[action] button": {"Clair", "Sombre", "Auto", "Se déconnecter"},
	} {
		if diff := cmp.Diff(want, page.texts(selector)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", selector, diff)
		}
	}
}
