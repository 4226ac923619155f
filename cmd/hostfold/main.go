// Command hostfold is the one binary: the portal's server, its embedded event
// store and its tools. It reads the configuration, opens the parts and wires
// them together; it must hold no rule and no SQL of the business. Start at
// cli.go (the commands), wire.go (every dependency on one page) and folder.go
// (what is kept on disk).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	_ "time/tzdata" // the seller's time zone, on machines without zone files

	"github.com/alecthomas/kong"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	dropEmpty()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// dropEmpty makes an option that is set to nothing the same as one not set.
func dropEmpty() {
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if value == "" && (strings.HasPrefix(name, "HOSTFOLD_") || slices.Contains([]string{"DATABASE_URL", "ESDB_URL", "SMTP_URL"}, name)) {
			_ = os.Unsetenv(name) // a name that exists can be unset
		}
	}
}

// run parses the arguments and runs the command they name.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	var c cli
	var asked *int // set when kong wants to leave: --help
	parser, err := kong.New(&c,
		kong.Name("hostfold"),
		kong.Description("The event-sourced core of a web-hosting customer portal. Every option is also an environment variable."),
		kong.DefaultEnvars("HOSTFOLD"),
		kong.Writers(out, errs),
		kong.Exit(func(status int) { asked = &status }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(&console{in: in, out: out, errs: errs}),
	)
	if err != nil {
		fmt.Fprintln(errs, "hostfold:", err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if asked != nil {
		return *asked
	}
	if err != nil {
		command := "hostfold"
		if wrong, ok := errors.AsType[*kong.ParseError](err); ok && wrong.Context.Selected() != nil {
			command = wrong.Context.Selected().FullPath()
		}
		fmt.Fprintf(errs, "hostfold: %v\nRun \"%s --help\" to see how it is used.\n", err, command)
		return exitUsage
	}
	if err := parsed.Run(&c.Globals); err != nil {
		if errors.Is(err, errUsage) {
			fmt.Fprintln(errs, "hostfold:", err)
			return exitUsage
		}
		fmt.Fprintln(errs, "hostfold:", full(err))
		return exitFailed
	}
	return exitOK
}

// errUsage marks arguments that kong could not refuse by itself.
var errUsage = errors.New("wrong use")
