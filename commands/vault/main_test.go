package vault_test

import (
	"testing"

	"github.com/hostfold/hostfold/commands/vault/vaulttest"
)

func TestMain(m *testing.M) { vaulttest.Main(m) }
