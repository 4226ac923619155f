package portal

import (
	"encoding/json"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func catalogue(t *testing.T, locale string) map[string]any {
	t.Helper()
	content, err := localeFiles.ReadFile("locales/" + locale + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(content, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCataloguesHaveTheSameKeys(t *testing.T) {
	t.Parallel()
	fr, en := catalogue(t, "fr"), catalogue(t, "en")
	if diff := cmp.Diff(slices.Sorted(maps.Keys(fr)), slices.Sorted(maps.Keys(en))); diff != "" {
		t.Errorf("keys of fr (-) and en (+):\n%s", diff)
	}
	for key := range fr {
		_, plural := fr[key].(map[string]any)
		if _, other := en[key].(map[string]any); plural != other {
			t.Errorf("%s is a plural in one language only", key)
		}
	}
}

func TestTemplatesUseKeysThatExist(t *testing.T) {
	t.Parallel()
	keys := catalogue(t, "fr")
	used := regexp.MustCompile(`\{\{(?:t|n) "([a-z_.]+)"`)
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := templateFiles.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range used.FindAllSubmatch(content, -1) {
			if _, ok := keys[string(match[1])]; !ok {
				t.Errorf("%s: no words for %q", file, match[1])
			}
		}
	}
}

func TestFrenchSignsOfPunctuationBeginNoLine(t *testing.T) {
	t.Parallel()
	all, err := loadWords()
	if err != nil {
		t.Fatal(err)
	}
	plain := regexp.MustCompile(` [:;?!»]|« `)
	for key, value := range catalogue(t, "fr") {
		if _, ok := value.(string); !ok {
			continue
		}
		if said, err := all["fr"].text(key); err != nil || plain.MatchString(said) {
			t.Errorf("%s: %q, %v", key, said, err)
		}
	}
	if said := all["fr"].textOr("passkey.rename.title", "", "Name", "x"); said != "Renommer «\u00a0x\u00a0»" {
		t.Errorf("%q", said)
	}
}

func TestPluralsFollowTheLanguage(t *testing.T) {
	t.Parallel()
	all, err := loadWords()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		locale string
		n      int
		want   string
	}{
		{"fr", 0, "0 notification non lue"},
		{"fr", 1, "1 notification non lue"},
		{"fr", 2, "2 notifications non lues"},
		{"fr", 1_000_000, "1\u202f000\u202f000 notifications non lues"},
		{"en", 0, "0 unread notifications"},
		{"en", 1, "1 unread notification"},
		{"en", 12_345, "12,345 unread notifications"},
	} {
		got, err := all[c.locale].count("notifications.unread", c.n)
		if err != nil || got != c.want {
			t.Errorf("%s, %d: %q, %v; want %q", c.locale, c.n, got, err, c.want)
		}
	}
}

func TestLanguageIsTheOneThatTheBrowserPrefers(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"":                            "fr",
		"en-GB,en;q=0.9,fr;q=0.8":     "en",
		"fr-CA":                       "fr",
		"de-DE,de;q=0.9,en;q=0.5":     "en",
		"de":                          "fr",
		"fr;q=0.4, en;q=0.8, *;q=0.1": "en",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.Header.Set("Accept-Language", header)
		if got := accepted(r); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}
