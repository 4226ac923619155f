package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"time"

	"github.com/hostfold/hostfold/eventstore/node/probe"
)

// A figure counts only when what was acknowledged outlives a kill -9. So what
// is measured runs in a child process, this very binary, which the benchmark
// kills in the middle of its work.

// task is what a child is told first.
type task struct {
	// Append is the folder of the engine that the child serves for row 1a.
	Append string `json:"append,omitempty"`
	// CatchUp is the folder of the log that the child's lane follows for row 2,
	// Database where its rows are.
	CatchUp  string `json:"catch_up,omitempty"`
	Database string `json:"database,omitempty"`
}

// Child is the work of a child process: it reads what to do from in.
func Child(ctx context.Context, in io.Reader, out io.Writer) error {
	orders := json.NewDecoder(in)
	var t task
	if err := orders.Decode(&t); err != nil {
		return fmt.Errorf("read what to do: %w", err)
	}
	if t.Append != "" {
		return probe.ServeAppends(ctx, t.Append, io.MultiReader(orders.Buffered(), in), out)
	}
	return followUntilKilled(ctx, t)
}

// child is a process that will be killed.
type child struct {
	process *exec.Cmd
	in      io.WriteCloser
	orders  *json.Encoder
	answers *json.Decoder
}

// startChild starts this binary again with a task. The task goes in by a pipe:
// other people's eyes see arguments.
func startChild(ctx context.Context, t task) (*child, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{process: exec.CommandContext(ctx, binary, "bench", "--child")}
	c.process.Stderr = os.Stderr
	in, err := c.process.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.process.Start(); err != nil {
		return nil, fmt.Errorf("start a process to kill: %w", err)
	}
	c.in, c.orders, c.answers = in, json.NewEncoder(in), json.NewDecoder(out)
	if err := c.orders.Encode(t); err != nil {
		return nil, errors.Join(err, c.kill())
	}
	return c, nil
}

// kill ends the process without a word, as a power switch would.
func (c *child) kill() error {
	err := c.process.Process.Kill()
	if err != nil {
		return fmt.Errorf("kill: %w", err)
	}
	var killed *exec.ExitError
	if err := c.process.Wait(); !errors.As(err, &killed) || killed.Exited() {
		return fmt.Errorf("the process ended before it was killed: %w", err)
	}
	return nil
}

// end lets the process finish.
func (c *child) end() error { return errors.Join(c.in.Close(), c.process.Wait()) }

// appender is the engine of row 1a in a child process.
type appender struct {
	*child
	dir string
	// kills is how often it was killed under load, acknowledged how many of its
	// appends were acknowledged before and found after.
	kills        int
	acknowledged uint64
}

func (w *world) startAppender(ctx context.Context, dir string) (*appender, error) {
	a := &appender{dir: dir}
	return a, a.open(ctx)
}

// open starts the process and hears what survived.
func (a *appender) open(ctx context.Context) error {
	c, err := startChild(ctx, task{Append: a.dir})
	if err != nil {
		return err
	}
	a.child = c
	var s probe.Survived
	if err := a.answers.Decode(&s); err != nil {
		return fmt.Errorf("open the engine after %d kills: %w", a.kills, errors.Join(err, a.process.Wait()))
	}
	a.acknowledged = s.Acknowledged
	return nil
}

// run is one turn.
func (a *appender) run(writers int, length time.Duration) (f probe.Figures, err error) {
	if err := a.orders.Encode(probe.Order{Writers: writers, Length: length}); err != nil {
		return f, err
	}
	return f, a.answers.Decode(&f)
}

// killUnder kills the process under the load of some writers, and opens the
// engine anew, which refuses a loss.
func (a *appender) killUnder(ctx context.Context, writers int) error {
	if _, err := a.run(writers, 0); err != nil {
		return err
	}
	select {
	case <-time.After(50*time.Millisecond + rand.N(200*time.Millisecond)):
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := a.kill(); err != nil {
		return err
	}
	a.kills++
	return a.open(ctx)
}

// line says what outlived the kills.
func (a *appender) line() line {
	return line{
		row: "1a", what: fmt.Sprintf("kill -9 under load %d times: %d acknowledged, all found again", a.kills, a.acknowledged),
		wall: "-", cpu: "-", target: "none lost", verdict: verdict(true),
	}
}
