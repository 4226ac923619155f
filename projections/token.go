package projections

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/eventstore"
)

// Token says how far a read must have come to show a write. Every write
// answers one; its text is opaque.
type Token struct {
	LogID    uuid.UUID
	Position eventstore.Position
}

// errToken refuses a text that is no token of this log.
var errToken = &domain.Error{
	Kind: domain.KindInvalid, Code: "invalid_consistency_token",
	Detail: "The Consistency-Token is not one that this system has given.",
}

// String is the token's text, "" for the zero token.
func (t Token) String() string {
	if t == (Token{}) {
		return ""
	}
	b := binary.AppendUvarint(t.LogID[:], t.Position.Commit)
	return base64.RawURLEncoding.EncodeToString(binary.AppendUvarint(b, t.Position.Prepare))
}

// ParseToken reads a token's text; "" is the zero token, which asks for nothing.
func ParseToken(s string) (Token, error) {
	if s == "" {
		return Token{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) < len(uuid.UUID{}) {
		return Token{}, errToken
	}
	var t Token
	b = b[copy(t.LogID[:], b):]
	commit, n := binary.Uvarint(b)
	if n <= 0 {
		return Token{}, errToken
	}
	prepare, m := binary.Uvarint(b[n:])
	if m <= 0 || n+m != len(b) {
		return Token{}, errToken
	}
	t.Position = eventstore.Position{Commit: commit, Prepare: prepare}
	return t, nil
}
