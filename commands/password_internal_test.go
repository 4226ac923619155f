package commands

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hostfold/hostfold/domain"
)

func TestWhichPasswordsAreTaken(t *testing.T) {
	t.Parallel()
	passwords := Passwords{Words: []string{"Nuage du Nord", "nuage-du-nord.example"}, Breached: breached(t, "velvet walrus ladder two", "another one of theirs")}
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

		"velvet walrus ladder two": "breached",

		"nuage-nord-nuage!!": "too_easy",
		"NuageDuNordNuage":   "too_easy",

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
		if err := passwords.check(&c, "new", password, "zoe.martin@example.com", "Zoé Martin"); err != nil {
			t.Fatal(err)
		}
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

// breached is a list of stolen passwords.
func breached(t *testing.T, passwords ...string) *Breached {
	t.Helper()
	var lines []string
	for i, p := range passwords {
		lines = append(lines, fmt.Sprintf("%X:%d", sha1.Sum([]byte(p)), i+1))
	}
	slices.Sort(lines)
	path := filepath.Join(t.TempDir(), "breached.txt")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\r\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := OpenBreached(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAStolenPasswordIsFoundWhereverItStands(t *testing.T) {
	t.Parallel()
	var all []string
	for i := range 257 {
		all = append(all, fmt.Sprint("password number ", i))
	}
	for _, n := range []int{1, 2, 3, 257} {
		b := breached(t, all[:n]...)
		for i, p := range all {
			if has, err := b.Has(p); err != nil || has != (i < n) {
				t.Errorf("%q in a list of %d: %v, %v", p, n, has, err)
			}
		}
	}
	if has, err := (*Breached)(nil).Has(all[0]); err != nil || has {
		t.Error("no list has one", err)
	}
	odd := filepath.Join(t.TempDir(), "odd.txt")
	if err := os.WriteFile(odd, []byte("correct horse battery staple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{odd, odd + ".missing"} {
		if _, err := OpenBreached(path); err == nil {
			t.Errorf("%s is taken for a list", path)
		}
	}
}
