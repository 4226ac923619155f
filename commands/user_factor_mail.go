package commands

import (
	"github.com/hostfold/hostfold/commands/mailtext"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// factorNotice is what a mail says of a fact about second factors; ok is false
// for any other.
func factorNotice(fact user.Event) (n mailtext.FactorNotice, ok bool) {
	switch e := fact.(type) {
	case user.TOTPConfirmed:
		n.What = mailtext.TOTPOn
	case user.TOTPDisabled:
		n.What = mailtext.TOTPOff
	case user.RecoveryCodesRegenerated:
		n.What = mailtext.CodesNew
	case user.RecoveryCodeUsed:
		n.What, n.Left = mailtext.CodeUsed, e.Left
	case user.PasskeyAdded:
		n.What, n.Passkey = mailtext.PasskeyAdded, e.Name
	case user.PasskeyRemoved:
		n.What = mailtext.PasskeyRemoved
	case user.PasskeyCopySuspected:
		n.What = mailtext.PasskeyCopied
	case user.FactorResetCancelled:
		n.What = mailtext.ResetStopped
	case user.FactorsReset:
		n.What = mailtext.FactorsRemoved
		if e.Reset == "" {
			n.What = mailtext.TakenOver
		}
	default:
		return n, false
	}
	if n.Passkey == eventstore.Erased {
		n.Passkey = ""
	}
	return n, true
}
