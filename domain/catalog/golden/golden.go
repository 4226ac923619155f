// Package golden is what pins the events: the JSON of each version of each, for
// as long as there are logs that have it, and which of their fields are personal.
//
// It must not be imported but by tests. `make golden` adds files and edits none,
// but for personal.txt.
package golden

import "embed"

// Files are <event type>.json for each event, as its data stands in the log, and
// personal.txt: a line for each personal field, with the event's type, the
// field's path, whose it is and the purpose of the key that encrypts it.
//
//go:embed *.json personal.txt
var Files embed.FS
