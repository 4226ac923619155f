package eventstore

import (
	"context"
	"crypto/cipher"
	"errors"

	"github.com/hostfold/hostfold/domain"
)

// Purpose is why personal data are kept; each has its own key per subject, so
// that it can be erased on its own date.
type Purpose string

// The purposes. Network data (addresses of machines) have no subject of their
// own: one key per month covers everybody's.
const (
	Profile  Purpose = "profile"
	Fiscal   Purpose = "fiscal"
	Identity Purpose = "identity"
	Network  Purpose = "network"
)

// Erased is what a personal field reads as once its key was destroyed.
const Erased = "[erased]"

// Key encrypts the personal data of one subject for one purpose.
type Key struct {
	// ID names the key in every field that it encrypted.
	ID   string
	AEAD cipher.AEAD
}

// Keys holds the keys of personal data; commands/vault implements it.
type Keys interface {
	// KeyFor is the key for new data of a subject. It is made when there is
	// none, and durable and announced in the log before it is answered. It
	// answers ErrErased when the subject's key was destroyed.
	KeyFor(ctx context.Context, subject string, purpose Purpose) (Key, error)
	// KeyByID is the key that encrypted a field, ErrErased when it was destroyed.
	KeyByID(ctx context.Context, id string) (Key, error)
}

// ErrErased says that a key was destroyed: what it encrypted reads as Erased.
var ErrErased = errors.New("key destroyed")

// ErrSubjectErased refuses to write new personal data of an erased subject.
var ErrSubjectErased = domain.Conflict("subject_erased", "The data of this person were erased; nothing can be added.")
