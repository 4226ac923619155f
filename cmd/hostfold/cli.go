package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"
)

// cli is every command with its options. A field's tag is its documentation.
type cli struct {
	Globals

	Serve       serveCmd       `cmd:"" help:"Run the portal: HTTP, projections, workers, and private servers for what is not configured."`
	Node        nodeGroup      `cmd:"" help:"Run the embedded event store alone, and look after it."`
	Migrate     migrateCmd     `cmd:"" help:"Bring the database schemas up to date."`
	Projections projectionsCmd `cmd:"" help:"Look after the read models."`
	Audit       auditCmd       `cmd:"" help:"Replay, export and verify history."`
	Privacy     privacyCmd     `cmd:"" help:"Erase a person's data, or forbid to."`
	Backup      backupCmd      `cmd:"" help:"Copy the event log and the vault, also while the server runs."`
	Restore     restoreCmd     `cmd:"" help:"Fill an empty data folder and an empty database from a backup."`
	Vault       vaultCmd       `cmd:"" help:"Look after the keys of personal data."`
	Staff       staffCmd       `cmd:"" help:"Look after staff members."`
	Seller      sellerCmd      `cmd:"" help:"Look after the seller that invoices name."`
	Doctor      doctorCmd      `cmd:"" help:"Check every dependency and say what to do."`
	Bench       benchCmd       `cmd:"" help:"Measure hostfold beside the limits of this machine."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

// Globals are the options of every command.
type Globals struct {
	Data     string `help:"Folder for everything hostfold keeps on disk." default:"./var" env:"HOSTFOLD_DATA" type:"path"`
	Log      string `help:"Log form: text or json; the default is text on a terminal and json elsewhere." enum:",text,json" default:"" env:"HOSTFOLD_LOG"`
	LogLevel string `help:"Least level that is logged: debug, info, warn or error." enum:"debug,info,warn,error" default:"info" env:"HOSTFOLD_LOG_LEVEL"`
}

// Backends say where events and rows live.
type Backends struct {
	DatabaseURL      string   `help:"Postgres (15 or newer) to use in place of the private one." placeholder:"postgres://…" env:"DATABASE_URL"`
	ESDBURL          string   `help:"EventStoreDB or KurrentDB to use in place of the embedded node." name:"esdb-url" placeholder:"esdb://…" env:"ESDB_URL"`
	AllowPlaintext   bool     `help:"Reach Postgres, the event store and the mail server on other machines, and serve on a network, without TLS that is checked." env:"HOSTFOLD_ALLOW_PLAINTEXT"`
	NodeReserve      byteSize `help:"Free disk space below which the embedded node takes no appends; reads go on." default:"256MiB" placeholder:"SIZE" env:"HOSTFOLD_NODE_RESERVE"`
	VaultKey         string   `help:"File with the master keys of the vault, readable by its owner only; servers on one database share it. The default is vault.key in the data folder." placeholder:"FILE" env:"HOSTFOLD_VAULT_KEY" type:"path"`
	AcceptLostLogins bool     `help:"Go on with a vault that is older than its log and lacks passwords, second factors or API tokens." env:"HOSTFOLD_ACCEPT_LOST_LOGINS"`
	Postgres         string   `help:"Folder with the binaries of the private Postgres; the default is to look for them." env:"HOSTFOLD_POSTGRES" type:"path"`
}

// logger writes to standard error, in colour for people and as JSON for machines.
func (g Globals) logger(c *console) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(g.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	form := g.Log
	if form == "" {
		form = "json"
		if c.terminal() {
			form = "text"
		}
	}
	if form == "text" {
		return slog.New(tint.NewTextHandler(c.errs, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !c.terminal()}))
	}
	return slog.New(slog.NewJSONHandler(c.errs, &slog.HandlerOptions{Level: level}))
}

// terminal reports whether a person reads standard error.
func (c *console) terminal() bool {
	f, ok := c.errs.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// quiet passes on warnings and errors only.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(atLeastWarn{log.Handler()}) }

type atLeastWarn struct{ slog.Handler }

// Enabled drops what is below a warning.
func (h atLeastWarn) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// WithAttrs keeps dropping.
func (h atLeastWarn) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeastWarn{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps dropping.
func (h atLeastWarn) WithGroup(name string) slog.Handler {
	return atLeastWarn{h.Handler.WithGroup(name)}
}
