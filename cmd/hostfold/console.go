package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// console is where a command talks to a person: results on out, what happens
// meanwhile on errs.
type console struct {
	in        io.Reader
	out, errs io.Writer

	mu     sync.Mutex
	bar    *progressbar.ProgressBar
	what   string
	spoken time.Time
}

// terms is what a command may do with its caller's terminal; a command that a
// running server does for somebody else talks through frames (control.go).
type terms interface {
	io.Writer
	// Say tells one thing in one sentence.
	Say(text string)
	// Step tells how far long work has come; total 0 means unknown.
	Step(what string, done, total uint64)
}

// Write writes a result.
func (c *console) Write(p []byte) (int, error) { return c.out.Write(p) }

// Say prints a line for people.
func (c *console) Say(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finish()
	fmt.Fprintln(c.errs, text)
}

// Step draws a bar on a terminal, and elsewhere a line every five seconds and
// one at the end.
func (c *console) Step(what string, done, total uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ended := total > 0 && done >= total
	if !c.terminal() {
		now := time.Now()
		if what != c.what || ended || now.Sub(c.spoken) >= 5*time.Second {
			c.what, c.spoken = what, now
			fmt.Fprintln(c.errs, stepLine(what, done, total))
		}
		return
	}
	if c.bar == nil || c.what != what {
		c.finish()
		c.what = what
		size := int64(total)
		if total == 0 {
			size = -1
		}
		c.bar = progressbar.NewOptions64(size,
			progressbar.OptionSetWriter(c.errs), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionThrottle(65*time.Millisecond), progressbar.OptionSetWidth(30))
	}
	_ = c.bar.Set64(int64(done)) // a bar that cannot be drawn is no loss
	if ended {
		c.finish()
	}
}

func (c *console) finish() {
	if c.bar != nil {
		_ = c.bar.Exit() // a bar that cannot be drawn is no loss
		fmt.Fprintln(c.errs)
		c.bar = nil
	}
}

func stepLine(what string, done, total uint64) string {
	if total == 0 {
		return fmt.Sprintf("%s: %d", what, done)
	}
	return fmt.Sprintf("%s: %d of %d", what, done, total)
}
