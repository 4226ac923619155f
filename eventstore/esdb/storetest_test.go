package esdb_test

import (
	"os"
	"testing"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
	"github.com/hostfold/hostfold/eventstore/storetest"
)

// TestStore runs the suite against a real store when HOSTFOLD_TEST_ESDB_URL
// names one, else against the node's server.
func TestStore(t *testing.T) {
	t.Parallel()
	url := os.Getenv("HOSTFOLD_TEST_ESDB_URL")
	if url == "" {
		url = nodetest.Start(t).URL
	}
	s := open(t, url)
	storetest.Run(t, func(*testing.T) eventstore.Store { return s })
}
