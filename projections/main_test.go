package projections_test

import (
	"testing"

	"github.com/hostfold/hostfold/projections/projectiontest"
)

func TestMain(m *testing.M) { projectiontest.Main(m) }
