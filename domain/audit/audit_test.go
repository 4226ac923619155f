package audit_test

import (
	"testing"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/audit"
	"github.com/hostfold/hostfold/domain/domaintest"
)

func TestAnExportBeginsOnceAndSaysWhatItReads(t *testing.T) {
	t.Parallel()
	decrypt := func(what string) func(audit.Export) ([]audit.Event, error) {
		return func(x audit.Export) ([]audit.Event, error) { return x.Decrypt(what) }
	}
	c := domaintest.For(t, audit.Decider)
	c.When(decrypt("all")).Then(audit.DecryptionStarted{What: "all"}).
		When(decrypt("all")).Refused(domain.Conflict("export_started", ""))
	c.When(decrypt("")).RefusedField("what")
}
