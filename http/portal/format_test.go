package portal

import (
	"embed"
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/money"
)

func TestDatesAndMoneyAreInTheFormOfTheLanguage(t *testing.T) {
	t.Parallel()
	fr, en := prints{"fr", time.UTC}, prints{"en", time.UTC}
	at := time.Date(2022, 11, 20, 12, 13, 0, 0, time.UTC)
	text := func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		return s
	}
	for _, c := range []struct{ got, want string }{
		{fr.stamp(at), "20/11/2022 (12:13)"},
		{en.stamp(at), "20 Nov 2022 (12:13)"},
		{text(fr.day(at)), "20 novembre 2022"},
		{text(fr.day(domain.Date("2026-02-01"))), "1er février 2026"},
		{text(en.day(domain.Date("2026-02-01"))), "1 February 2026"},
		{text(fr.iso(domain.Date("2026-02-01"))), "2026-02-01"},
		{text(fr.iso(at)), "2022-11-20T12:13:00Z"},
		{text(fr.money(money.EUR(123450))), "1\u202f234,50\u00a0€"},
		{text(en.money(money.EUR(123450))), "€1,234.50"},
		{text(fr.money(money.EUR(-5))), "-0,05\u00a0€"},
		{fr.percent(money.Rate("5.5")), "5,5\u00a0%"},
		{en.percent(money.Rate("20")), "20%"},
		{fr.decimal(money.Quantity("2.5")), "2,5"},
		{phone("+33612345678"), "+33\u00a06\u00a012\u00a034\u00a056\u00a078"},
		{phone("+4930123456"), "+4930123456"},
		{phone("[erased]"), "[erased]"},
		{fr.country("DE"), "Allemagne"},
		{en.country("DE"), "Germany"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestCountriesAreInTheOrderOfTheirNames(t *testing.T) {
	t.Parallel()
	all := prints{"fr", time.UTC}.countries()
	if len(all) < 240 || all[0].Name != "Afghanistan" {
		t.Fatalf("%d countries, first %q", len(all), all[0].Name)
	}
	for i, c := range all {
		if c.Name == "États-Unis" && !strings.HasPrefix(all[i+1].Name, "Éthiopie") {
			t.Errorf("after États-Unis comes %s", all[i+1].Name)
		}
	}
}

func TestMarkdownKeepsNoHTMLOfItsOwn(t *testing.T) {
	t.Parallel()
	got, err := markdown("Hello *you* <script>alert(1)</script> [x](javascript:alert(1))")
	if err != nil {
		t.Fatal(err)
	}
	if s := string(got); strings.Contains(s, "<script") || strings.Contains(s, "javascript:") || !strings.Contains(s, "<em>you</em>") {
		t.Error(s)
	}
}

func TestInitials(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"Pierre Lannoy": "PL", "émile": "É", "": "?", "Anne Marie Le Goff": "AG"} {
		if got := initials(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// TestPasswordsAreMaskedAndFilledIn reads the templates: passwords are typed
// masked, by people or by what keeps passwords for them.
func TestPasswordsAreMaskedAndFilledIn(t *testing.T) {
	t.Parallel()
	found := 0
	for _, input := range regexp.MustCompile(`<input[^>]*>`).FindAllString(source(t, templateFiles, "templates/*.html"), -1) {
		if !regexp.MustCompile(`name="(password|current|new|confirm_password)"`).MatchString(input) {
			continue
		}
		if found++; !strings.Contains(input, ` type="password"`) || !regexp.MustCompile(` autocomplete="(current|new)-password"`).MatchString(input) {
			t.Errorf("a password is typed into %s", input)
		}
	}
	if found < 9 {
		t.Errorf("%d fields were found", found)
	}
	if script := source(t, assetFiles, "assets/*.js"); strings.Contains(script, `"paste"`) || strings.Contains(script, `"copy"`) {
		t.Error("the script looks at what is pasted")
	}
}

// TestTheScriptTouchesNoMarkup reads the pages' script: what it is told becomes
// text, and it keeps nothing.
func TestTheScriptTouchesNoMarkup(t *testing.T) {
	t.Parallel()
	script := source(t, assetFiles, "assets/*.js")
	for _, word := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "setHTML", "createContextualFragment", "srcdoc", "eval(", "new Function", "localStorage", "sessionStorage", "indexedDB"} {
		if strings.Contains(script, word) {
			t.Errorf("the script has %s", word)
		}
	}
	if !strings.Contains(script, "textContent") {
		t.Error("that is not the script")
	}
}

// source is the text of all files whose path matches.
func source(t *testing.T, from embed.FS, paths string) string {
	t.Helper()
	files, err := fs.Glob(from, paths)
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s: %v", paths, err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := from.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
