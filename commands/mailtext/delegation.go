package mailtext

import (
	"strings"
	"unicode"

	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/message"
	"github.com/hostfold/hostfold/domain/user"
)

// DelegationInvitation asks the person with an address, who may have no log-in
// yet, to act for an account. It is written in the language of whoever asks, and
// encrypted by the key of id.
func (w Writer) DelegationInvitation(id string, d delegation.Delegation, by user.User, accountName string) (message.Queued, error) {
	m, err := w.write(DelegationInvitation, delegationInvitationVersion, id, user.User{Email: d.Email, Locale: by.Locale}, map[string]any{
		"By": named(by.Name, ""), "Email": by.Email, "Account": named(accountName, d.Account), "Link": w.secretLink("invitation"),
		"Until": dayOf(d.OpenUntil, by.Locale),
	})
	m.Account = d.Account
	return m, err
}

// DelegateLeft tells an account's owner that a delegate gave its rights up. The
// mail is under the owner's key: it does not name the delegate, who may be erased
// before the owner is; the page does.
func (w Writer) DelegateLeft(id string, u user.User, of About) (message.Queued, error) {
	return w.about(DelegateLeft, delegateLeftVersion, id, u, of, map[string]any{"Link": w.link("portal", of.Account, "users")})
}

// named is a name in a mail: a stranger may have chosen it. Where it could be read as anything else, a link, an address, a number to
// call, something else stands in its place.
func named(name, instead string) string {
	name = plain(name)
	digits, letters := 0, 0
	for i, r := range name {
		switch {
		case unicode.IsDigit(r):
			digits++
		case r == '.' && isHost(name[i+1:]):
			return instead
		case !unicode.IsLetter(r) && !unicode.IsMark(r) && !strings.ContainsRune(" .,&'’()+-", r):
			return instead
		}
		letters++
	}
	if digits > 4 || letters > 60 {
		return instead
	}
	return name
}

// isHost reports whether what follows a dot makes a host of it: S.A. is none.
func isHost(after string) bool {
	letters := strings.IndexFunc(after, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) })
	if letters < 0 {
		letters = len(after)
	}
	return letters > 1 && len([]rune(after[:letters])) > 1
}
