package commands

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trustelem/zxcvbn"

	"github.com/hostfold/hostfold/domain"
)

// The lengths of a password in characters. NIST SP 800-63B asks for 15 where a
// password is all there is and for 8 beside a second factor, ASVS 5 for 8 at
// least and 64 allowed. It may have any characters; no kinds are asked for.
const (
	shortestPassword = 12
	longestPassword  = 128
	// strongEnough is zxcvbn's "safely unguessable": over 10^8 guesses, also
	// when the guesser knows the passwords that are in every list.
	strongEnough = 3
)

// Passwords says which passwords are refused beside those that are easy to guess
// anywhere.
type Passwords struct {
	// Words are those that somebody guesses here first: the company's name and
	// address, its products. Texts are taken apart.
	Words []string
	// Breached is a list of stolen passwords, nil for none beside zxcvbn's own.
	Breached *Breached
}

// check refuses passwords that are short, stolen or easily guessed, by who knows
// what the person said of itself, too. An error says that the list of stolen
// ones cannot be read.
func (p Passwords) check(c *domain.Check, field, password string, said ...string) error {
	n := utf8.RuneCountInString(password)
	c.Because(utf8.ValidString(password), field, "not_text", "must be UTF-8 text")
	c.Because(n > 0, field, "empty", "must not be empty")
	c.Because(n >= shortestPassword, field, "too_short", fmt.Sprintf("must have at least %d characters", shortestPassword))
	c.Because(n <= longestPassword, field, "too_long", fmt.Sprintf("must have at most %d characters", longestPassword))
	if n < shortestPassword || n > longestPassword {
		return nil
	}
	stolen, err := p.Breached.Has(password)
	if err != nil {
		return err
	}
	c.Because(!stolen, field, "breached", "is on a list of stolen passwords; choose another one")
	// What the person said counts for nothing, and what is like it for little.
	rest := strings.ToLower(password)
	known := []string{"hostfold"}
	for _, text := range slices.Concat(said, p.Words) {
		for _, word := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			if known = append(known, word); len(word) > 2 {
				rest = strings.ReplaceAll(rest, word, "")
			}
		}
	}
	// Beyond 64 bytes guessing costs much and tells nothing new.
	strength := zxcvbn.PasswordStrength(rest[:min(len(rest), 64)], known)
	c.Because(strength.Score >= strongEnough, field, "too_easy", "is too easy to guess; add words that do not belong together")
	return nil
}
