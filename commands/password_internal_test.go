package commands

import (
	"errors"
	"strings"
	"testing"

	"github.com/hostfold/hostfold/domain"
)

func TestWhichPasswordsAreTaken(t *testing.T) {
	t.Parallel()
	for password, reason := range map[string]string{
		"tulip bridge copper nine":     "",
		"correct horse battery staple": "",
		"Fenêtre-ouverte-sur-1-jardin": "",

		"日本語のパスワード長い文字列": "",

		strings.Repeat("tulip bridge ", 9):                "",
		"zoe.martin@example.com tulip bridge copper nine": "",

		"":                                  "empty",
		"x7!Kd9#Lm2$":                       "too_short",
		strings.Repeat("tulip bridge ", 10): "too_long",
		"tulip bridge\xff copper":           "not_text",

		"password1234":     "too_easy",
		"aaaaaaaaaaaaaaaa": "too_easy",
		"qwertyuiop12":     "too_easy",
		"abcdefghijklmn":   "too_easy",
		"201120122013":     "too_easy",
		"zoé.martin.zoé":   "too_easy",
		"ZoeMartin2024!":   "too_easy",
		"hostfoldhostfold": "too_easy",
		strings.Repeat("zoemartin", 5) + "azerty": "too_easy",
	} {
		var c domain.Check
		checkPassword(&c, "new", password, "zoe.martin@example.com", "Zoé Martin")
		got := ""
		if e, ok := errors.AsType[*domain.Error](c.Err()); ok {
			got = e.Fields[0].Reason
			if e.Fields[0].Field != "new" || e.Fields[0].Message == "" {
				t.Errorf("%q: %+v", password, e.Fields)
			}
		}
		if got != reason {
			t.Errorf("%q is refused as %q, not %q", password, got, reason)
		}
	}
}
