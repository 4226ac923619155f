package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// tool is a command that works on open parts: by itself under the folder's
// lock, or inside the server that holds it. Its exported fields travel.
type tool interface {
	work(ctx context.Context, p *parts, t terms) error
}

// runTool runs a tool in the server that holds the data folder, or here when
// no server does.
func runTool(ctx context.Context, g *Globals, b Backends, c *console, name string, t tool) error {
	f, err := openFolder(g.Data)
	if errors.Is(err, errLocked) {
		return askServer(ctx, g.Data, c, name, t)
	}
	if err != nil {
		return err
	}
	back, err := openBackends(ctx, g.logger(c), f, b, c)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	p, err := openHere(ctx, back)
	if err == nil {
		err = t.work(ctx, p, c)
	}
	return errors.Join(err, back.Close(), f.Close())
}

// openHere opens the parts for a command, which waits for no store.
func openHere(ctx context.Context, b *backends) (*parts, error) {
	if err := b.reach(ctx, toolPatience); err != nil {
		return nil, fmt.Errorf("the event store does not answer: %w; check ESDB_URL and that the server runs", err)
	}
	if err := b.migrate(ctx); err != nil {
		return nil, err
	}
	return openParts(ctx, b, newMetrics())
}

// toolPatience is how long the store has to answer a command.
const toolPatience = 5 * time.Second

// frame is one line of a control answer.
type frame struct {
	Out  string `json:"out,omitempty"`
	Say  string `json:"say,omitempty"`
	Step *step  `json:"step,omitempty"`
	// End is the last frame: "" in it means success.
	End *string `json:"end,omitempty"`
}

type step struct {
	What        string `json:"what"`
	Done, Total uint64
}

// askServer sends the tool to the running server and prints what it answers.
func askServer(ctx context.Context, dir string, c *console, name string, t tool) error {
	r, err := readRun(dir)
	if err != nil {
		return err
	}
	body, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("send %s to the server: %w", name, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.Admin+"/control/"+name, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("send %s to the server: %w", name, err)
	}
	req.Header.Set("Authorization", "Bearer "+r.Secret)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the server with process id %d does not answer on its admin address: %w", r.PID, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the running server does not take %q (status %d); is it another version?", name, res.StatusCode)
	}
	lines := bufio.NewReader(res.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return errors.New("the server went away before it was done; nothing says that the work was finished")
		}
		var fr frame
		if err := json.Unmarshal(line, &fr); err != nil {
			return fmt.Errorf("read the server's answer: %w", err)
		}
		switch {
		case fr.End != nil && *fr.End != "":
			return errors.New(*fr.End)
		case fr.End != nil:
			return nil
		case fr.Step != nil:
			c.Step(fr.Step.What, fr.Step.Done, fr.Step.Total)
		case fr.Say != "":
			c.Say(fr.Say)
		default:
			if _, err := io.WriteString(c, fr.Out); err != nil {
				return fmt.Errorf("write the answer: %w", err)
			}
		}
	}
}

// control answers POST /control/{command} for who knows the secret, and hides
// from everybody else.
func control(secret string, log *slog.Logger, tools map[string]func() tool, p func() *parts) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		newTool, known := tools[r.PathValue("command")]
		open := p()
		if subtle.ConstantTimeCompare([]byte(given), []byte(secret)) != 1 || !known || open == nil {
			http.NotFound(w, r)
			return
		}
		t := newTool()
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
		d.DisallowUnknownFields()
		if err := d.Decode(t); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		log.InfoContext(r.Context(), "command from the command line", "command", r.PathValue("command"))
		f := &framer{w: w, flush: http.NewResponseController(w).Flush}
		end := ""
		if err := t.work(r.Context(), open, f); err != nil {
			end = err.Error()
		}
		f.send(frame{End: &end})
	}
}

// framer is the terms of a caller at the other end of the control channel.
type framer struct {
	mu    sync.Mutex
	w     io.Writer
	flush func() error
	err   error
}

// Write sends a result.
func (f *framer) Write(p []byte) (int, error) {
	f.send(frame{Out: string(p)})
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(p), f.err
}

// Say sends a sentence.
func (f *framer) Say(text string) { f.send(frame{Say: text}) }

// Step sends how far the work has come.
func (f *framer) Step(what string, done, total uint64) {
	f.send(frame{Step: &step{What: what, Done: done, Total: total}})
}

func (f *framer) send(fr frame) {
	line, err := json.Marshal(fr)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return
	}
	if err == nil {
		_, err = f.w.Write(append(line, '\n'))
	}
	f.err = errors.Join(err, f.flush())
}
