package portal

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

//go:embed locales
var localeFiles embed.FS

// locales are the languages that the pages speak; the first is spoken when
// nothing is known of the reader.
var locales = []string{"fr", "en"}

// typeset puts the spaces that a language's typography wants where a catalogue
// has plain ones: in French a line never begins with a sign of punctuation.
var typeset = map[string]*strings.Replacer{
	"fr": strings.NewReplacer(" :", "\u00a0:", " ;", "\u202f;", " ?", "\u202f?", " !", "\u202f!", "« ", "«\u00a0", " »", "\u00a0»"),
	"en": strings.NewReplacer(),
}

// words are the catalogue of one language.
type words struct {
	locale    string
	localizer *i18n.Localizer
}

func loadWords() (map[string]*words, error) {
	bundle := i18n.NewBundle(language.French)
	bundle.RegisterUnmarshalFunc("json", json.Unmarshal)
	out := map[string]*words{}
	for _, locale := range locales {
		name := "locales/" + locale + ".json"
		content, err := localeFiles.ReadFile(name)
		if err == nil {
			_, err = bundle.ParseMessageFileBytes([]byte(typeset[locale].Replace(string(content))), name)
		}
		if err != nil {
			return nil, fmt.Errorf("catalogue %s: %w", locale, err)
		}
	}
	for _, locale := range locales {
		out[locale] = &words{locale: locale, localizer: i18n.NewLocalizer(bundle, locale)}
	}
	return out, nil
}

// text is the message of a key; data are pairs of name and value.
func (w *words) text(key string, data ...string) (string, error) {
	fields := map[string]string{}
	for i := 0; i+1 < len(data); i += 2 {
		fields[data[i]] = data[i+1]
	}
	s, err := w.localizer.Localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: fields})
	if err != nil {
		return "", fmt.Errorf("words for %q in %s: %w", key, w.locale, err)
	}
	return s, nil
}

// textOr is the message of a key, or that of another when there is none.
func (w *words) textOr(key, other string, data ...string) string {
	if s, err := w.text(key, data...); err == nil {
		return s
	}
	s, err := w.text(other, data...)
	if err != nil {
		return other
	}
	return s
}

// count is the message of a key for a number of things.
func (w *words) count(key string, n int) (string, error) {
	s, err := w.localizer.Localize(&i18n.LocalizeConfig{
		MessageID: key, PluralCount: n, TemplateData: map[string]string{"N": w.integer(n)},
	})
	if err != nil {
		return "", fmt.Errorf("words for %q in %s: %w", key, w.locale, err)
	}
	return s, nil
}

// known is the locale of ours that a text such as "fr-CA" asks for, "" for none.
func known(locale string) string {
	tag, err := language.Parse(locale)
	if err != nil {
		return ""
	}
	base, _ := tag.Base()
	for _, l := range locales {
		if base.String() == l {
			return l
		}
	}
	return ""
}

// accepted is the locale that a browser prefers.
func accepted(r *http.Request) string {
	tags, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return locales[0]
	}
	for _, tag := range tags {
		if l := known(tag.String()); l != "" {
			return l
		}
	}
	return locales[0]
}
