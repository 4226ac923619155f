package vault_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/commands/vault/vaulttest"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/apitoken"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/eventstore"
)

// tell writes facts to a stream, as commands do.
func (w world) tell(t *testing.T, stream string, facts ...domain.Event) {
	t.Helper()
	codec, err := eventstore.NewCodec(catalog.Types()...)
	if err != nil {
		t.Fatal(err)
	}
	next := uint64(0)
	for _, err := range w.store.ReadStream(t.Context(), stream, 0) {
		if err == nil { // else there is none yet
			next++
		}
	}
	for _, e := range facts {
		stored, err := codec.WithKeys(w.vault).Encode(t.Context(), stream, uuid.New(), e, eventstore.Metadata{Actor: system})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.Append(t.Context(), stream, eventstore.After(next), stored); err != nil {
			t.Fatal(err)
		}
		next++
	}
}

// TestAVaultOlderThanItsLogIsRefusedForWhatPeopleLogInWith lets one thing more
// happen between the copies of vault and log.
func TestAVaultOlderThanItsLogIsRefusedForWhatPeopleLogInWith(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for what, c := range map[string]struct {
		// vault and log are what is told to each.
		vault  func(context.Context, *vault.Vault) error
		stream string
		log    []domain.Event
		// want is in the refusal, "" for none.
		want string
	}{
		"a changed password": {
			func(ctx context.Context, v *vault.Vault) error {
				return v.AddCredential(ctx, "cred_2", "usr_1", "the password of now")
			}, "user-usr_1", []domain.Event{user.PasswordChanged{Credential: "cred_2"}}, "lacks 1 passwords, 0 second factors, 0 sets of recovery codes and 0 API tokens that the event log names (usr_1)",
		},
		"codes of an app": {
			func(ctx context.Context, v *vault.Vault) error {
				_, err := v.AddTOTP(ctx, "totp_1", "usr_1")
				return err
			}, "user-usr_1", []domain.Event{user.TOTPEnrolled{Secret: "totp_1"}, user.TOTPConfirmed{Secret: "totp_1"}}, "lacks 0 passwords, 1 second factors,",
		},
		"a passkey": {nil, "user-usr_1", []domain.Event{user.PasskeyAdded{Passkey: "psk_1", Name: "key"}}, "lacks 0 passwords, 1 second factors,"},
		"recovery codes": {
			func(ctx context.Context, v *vault.Vault) error {
				_, err := v.AddRecoveryCodes(ctx, "rec_1", "usr_1")
				return err
			}, "user-usr_1", []domain.Event{user.RecoveryCodesRegenerated{Codes: "rec_1"}}, "1 sets of recovery codes",
		},
		"a token": {
			func(ctx context.Context, v *vault.Vault) error { _, err := v.AddAPIToken(ctx, "tok_1"); return err }, "apitoken-tok_1", []domain.Event{apitoken.Issued{Account: "acc_1", User: "usr_1", Name: "x", Permissions: []domain.Permission{"*"}}}, "1 API tokens that the event log names (usr_1)",
		},

		"a passkey that was removed again": {nil, "user-usr_1", []domain.Event{user.PasskeyAdded{Passkey: "psk_1", Name: "key"}, user.PasskeyRemoved{Passkey: "psk_1"}}, ""},
		"a token that was revoked": {nil, "apitoken-tok_1", []domain.Event{
			apitoken.Issued{Account: "acc_1", User: "usr_1", Name: "x", Permissions: []domain.Permission{"*"}}, apitoken.Revoked{Account: "acc_1", User: "usr_1"},
		}, ""},
		"a user that is closed": {nil, "user-usr_1", []domain.Event{user.PasswordChanged{Credential: "cred_2"}, user.Closed{}}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if err := w.vault.AddCredential(t.Context(), "cred_1", "usr_1", "the password of before"); err != nil {
				t.Fatal(err)
			}
			w.tell(t, "user-usr_1", user.Registered{Email: "a@example.com", Name: "A", Locale: "en", Credential: "cred_1"})
			old := copyOf(t, w.pool)
			if c.vault != nil {
				if err := c.vault(t.Context(), w.vault); err != nil {
					t.Fatal(err)
				}
			}
			w.tell(t, c.stream, c.log...)
			fresh := vaulttest.Database(t)
			err := old.load(t, fresh, w.store, w.file)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			lost, older := errors.AsType[*vault.LostLoginsError](err)
			if !older || !strings.Contains(err.Error(), c.want) || lost.Last.Before(now) {
				t.Fatalf("%v", err)
			}
			if c.vault != nil {
				if err := copyOf(t, w.pool).load(t, fresh, w.store, w.file); err != nil {
					t.Errorf("the vault that belongs to the log: %v", err)
				}
			}
		})
	}
}

// TestALostPasswordIsSaidAtEveryStartUntilItIsAccepted restores tables without
// hostfold, as an operator of Postgres may.
func TestALostPasswordIsSaidAtEveryStartUntilItIsAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tell(t, "user-usr_1", user.Registered{Email: "a@example.com", Name: "A", Locale: "en", Credential: "cred_1"})
	_, err := w.vault.Compare(t.Context())
	if _, older := errors.AsType[*vault.LostLoginsError](err); !older {
		t.Errorf("served: %v", err)
	}
	if found, err := w.vault.Mismatches(t.Context()); err != nil || len(found) != 1 || !strings.Contains(found[0], "lacks 1 passwords") {
		t.Errorf("the doctor says %v, %v", found, err)
	}
	keys, err := vault.OpenKeyFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	accepting, err := vault.Open(t.Context(), vault.Config{Pool: w.pool, Wrapper: keys, Store: w.store, Clock: time.Now, Hashing: vaulttest.Cheap, AcceptLost: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := accepting.Compare(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestWhatTheVaultForgotItselfIsNotLost cuts short what gives rows up before
// the log knows.
func TestWhatTheVaultForgotItselfIsNotLost(t *testing.T) {
	t.Parallel()
	t.Run("of who is being erased", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.tell(t, "user-usr_1", user.Registered{Email: "a@example.com", Name: "A", Locale: "en", Credential: "cred_1"})
		w.tell(t, "privacy-usr_1", privacy.RequestSubmitted{}, privacy.RequestAccepted{})
		if _, err := w.vault.Compare(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("before a crash", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.tell(t, "user-usr_1", user.Registered{Email: "a@example.com", Name: "A", Locale: "en", Credential: "cred_1"}, user.PasskeyAdded{Passkey: "psk_1", Name: "key"})
		if err := w.vault.AddCredential(t.Context(), "cred_1", "usr_1", "a password"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.vault.Compare(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
