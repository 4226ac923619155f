package commands

import (
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
)

// authorise asks delegation.Can. What the caller may not even see is missing,
// what it sees but may not touch is denied.
func authorise(call Call, p domain.Permission, r delegation.Resource) error {
	if delegation.Can(call.Grants, call.Account, p, r) {
		return nil
	}
	switch {
	case call.Grants.User == "":
		return domain.ErrUnauthenticated
	case call.Account != "" && !delegation.Sees(call.Grants, call.Account):
		return delegation.Hidden(call.Grants)
	case call.Account != "" && !delegation.Reaches(call.Grants, call.Account, r):
		return domain.Missing(r.Noun())
	case p == delegation.Self:
		return domain.Missing(r.Kind)
	default:
		return delegation.Refusal(call.Grants, call.Account, p, r)
	}
}

// mayAdd refuses to make another thing of a kind that the caller may touch only
// chosen ones of. Whoever lacks the permission is left to authorise.
func mayAdd(call Call, p domain.Permission) error {
	if delegation.Can(call.Grants, call.Account, p, delegation.ListOf(p)) && delegation.Reach(call.Grants, call.Account, p) != nil {
		return domain.ErrDenied.With("Your access is limited to chosen things; you cannot add another one.")
	}
	return nil
}

// ownerOf is the account that owns an aggregate, "" when none does. An account
// owns itself.
func ownerOf[S any, E domain.Event](target domain.Target[S, E], state S) string {
	if target.Decider.Category == account.Decider.Category {
		return target.ID
	}
	if owned, ok := any(state).(domain.Owned); ok {
		return owned.OwnerAccount()
	}
	return ""
}

// owns reports whether what an account owns may be touched by the call: it is
// nobody's, or that of the call's path. Staff and system parts may come
// without an account, since their permission is not bound to one.
func owns(call Call, owner string) bool {
	if owner == "" || owner == call.Account {
		return true
	}
	return call.Account == "" && (call.Grants.System || delegation.IsStaff(call.Grants))
}

// hidden is the answer for a thing of another account: the very one that a
// thing which does not exist gets, so that existence does not leak.
func hidden[S any, E domain.Event](cmd Command[S, E], env Env, kind string) error {
	var nothing S
	if _, err := cmd.Decide(nothing, env); domain.KindOf(err) == domain.KindMissing {
		return err
	}
	return domain.Missing(kind)
}
