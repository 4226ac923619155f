package portal

import (
	"time"

	portalhttp "github.com/hostfold/hostfold/http"
)

// Config is what the pages are made of.
type Config struct {
	// Config is the server's: sessions, commands, queries, time and ids.
	portalhttp.Config
	// Brand is the hosting company's name as the pages show it.
	Brand string
	// Zone is where times of day are shown for.
	Zone *time.Location
}
