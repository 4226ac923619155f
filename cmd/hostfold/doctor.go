package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hostfold/hostfold/eventstore/esdb"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/postgres"
)

// doctorCmd checks what serve will need, and a server that runs. It changes
// nothing.
type doctorCmd struct {
	Backends
	Addr      string `help:"Address that serve will listen on." default:"127.0.0.1:8080" env:"HOSTFOLD_ADDR"`
	AdminAddr string `help:"Admin address that serve will listen on." default:"127.0.0.1:8081" env:"HOSTFOLD_ADMIN_ADDR"`
	NodeAddr  string `help:"Address of the embedded event store." default:"127.0.0.1:2113" env:"HOSTFOLD_NODE_ADDR"`
}

// check is one line of the report.
type check struct {
	what string
	run  func(ctx context.Context) (found string, err error)
}

// Run checks one thing after the other and reports them all.
func (d doctorCmd) Run(ctx context.Context, g *Globals, c *console) error {
	running, live := d.server(g.Data)
	checks := []check{
		{"data folder", func(context.Context) (string, error) { return checkFolder(g.Data) }},
		{"secrets", func(context.Context) (string, error) { return checkSecrets(g.Data) }},
		{"disk space", func(context.Context) (string, error) { return checkSpace(g.Data, uint64(d.NodeReserve)) }},
		{"database", d.database},
		{"event store", d.store},
	}
	if live {
		checks = append(checks, check{"running server", func(ctx context.Context) (string, error) { return checkServer(ctx, running) }})
	} else {
		for _, port := range [][2]string{{d.Addr, "HOSTFOLD_ADDR"}, {d.AdminAddr, "HOSTFOLD_ADMIN_ADDR"}, {d.NodeAddr, "HOSTFOLD_NODE_ADDR"}} {
			checks = append(checks, check{"address " + port[0], func(ctx context.Context) (string, error) { return checkPort(ctx, port[0], port[1]) }})
		}
	}
	failed := 0
	for _, one := range checks {
		ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
		found, err := one.run(ctx)
		cancel()
		mark := "ok   "
		if err != nil {
			mark, found = "FAIL ", err.Error()
			failed++
		}
		if _, err := fmt.Fprintf(c, "%s %s: %s\n", mark, one.what, found); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(checks))
	}
	return nil
}

// server is how to reach the server that holds the data folder, if one does.
func (d doctorCmd) server(dir string) (runFile, bool) {
	r, err := readRun(dir)
	return r, err == nil && syscall.Kill(r.PID, 0) == nil
}

func checkFolder(dir string) (string, error) {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return dir + " will be made at the first start", nil
	}
	if err != nil {
		return "", fmt.Errorf("%w; set HOSTFOLD_DATA to a folder that can be read", err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s is no folder; set HOSTFOLD_DATA to one", dir)
	}
	if err := checkFormat(dir); err != nil {
		return "", err
	}
	probe, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return "", fmt.Errorf("%w; give the folder to the user that runs hostfold", full(err))
	}
	return dir, errors.Join(probe.Close(), os.Remove(probe.Name()))
}

func checkSecrets(dir string) (string, error) {
	var open []string
	for _, name := range []string{"vault.key", "control-secret", "owner", "run.json", "demo-password"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			open = append(open, filepath.Join(dir, name))
		}
	}
	if len(open) > 0 {
		return "", fmt.Errorf("others can read %s; run: chmod 600 %s", strings.Join(open, ", "), strings.Join(open, " "))
	}
	return "readable by their owner alone", nil
}

// checkSpace looks at the nearest folder that exists.
func checkSpace(dir string, reserve uint64) (string, error) {
	for {
		var st syscall.Statfs_t
		err := syscall.Statfs(dir, &st)
		if errors.Is(err, syscall.ENOENT) && filepath.Dir(dir) != dir {
			dir = filepath.Dir(dir)
			continue
		}
		if err != nil {
			return "", fmt.Errorf("ask for the free space of %s: %w", dir, err)
		}
		free := st.Bavail * uint64(st.Bsize)
		if free < 2*reserve {
			return "", fmt.Errorf("%d MiB are free on the disk of %s; the event store refuses writes below %d MiB: free some space", free>>20, dir, reserve>>20)
		}
		return fmt.Sprintf("%d MiB are free", free>>20), nil
	}
}

func (d doctorCmd) database(ctx context.Context) (string, error) {
	if d.DatabaseURL == "" {
		bin, err := postgres.Find(ctx, d.Postgres)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("private, PostgreSQL %d in %s", bin.Version, bin.Dir), nil
	}
	pool, err := projections.Connect(ctx, d.DatabaseURL)
	if err != nil {
		return "", fmt.Errorf("%w; check DATABASE_URL and that the server runs", err)
	}
	defer pool.Close()
	v, err := checkDatabase(ctx, pool)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("PostgreSQL %d answers", v), nil
}

func (d doctorCmd) store(ctx context.Context) (string, error) {
	if d.ESDBURL == "" {
		return "the embedded node", nil
	}
	client, err := esdb.Open(esdb.Config{URL: d.ESDBURL})
	if err != nil {
		return "", fmt.Errorf("%w; ESDB_URL looks like esdb://127.0.0.1:2113?tls=false", err)
	}
	head, err := client.Head(ctx)
	if err = errors.Join(err, client.Close()); err != nil {
		return "", fmt.Errorf("%w; check ESDB_URL and that the server runs", err)
	}
	return "answers, its log ends at " + head.String(), nil
}

func checkPort(ctx context.Context, addr, option string) (string, error) {
	l, err := listen(ctx, addr, option)
	if err != nil {
		return "", err
	}
	return "free", l.Close()
}

// checkServer asks the running server how it does.
func checkServer(ctx context.Context, r runFile) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Admin+"/readyz", nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("process %d does not answer on its admin address %s; look at its log, or stop it and start again", r.PID, r.Admin)
	}
	defer res.Body.Close()
	var d struct {
		Status   phase
		Reason   string
		Degraded []string
		Lanes    []struct{ Lane, State, Error string }
	}
	if err := json.NewDecoder(res.Body).Decode(&d); err != nil {
		return "", fmt.Errorf("process %d answers something else on %s", r.PID, r.Admin)
	}
	for _, l := range d.Lanes {
		if l.State == "halted" {
			return "", fmt.Errorf("the lane %s is halted: %s; mend the cause, then run \"hostfold projections rebuild %s\"", l.Lane, l.Error, l.Lane)
		}
	}
	if d.Status != serving || len(d.Degraded) > 0 {
		return "", fmt.Errorf("process %d is %s %s %s", r.PID, d.Status, d.Reason, strings.Join(d.Degraded, ", "))
	}
	return fmt.Sprintf("process %d is ready", r.PID), nil
}
