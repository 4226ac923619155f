package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/eventstore/feed"
	"github.com/hostfold/hostfold/eventstore/node"
)

// restoreCmd makes a data folder, and the vault in its database, of a backup.
type restoreCmd struct {
	Backends
	Dir       string `arg:"" help:"The backup's folder."  type:"path"`
	EventLog  string `help:"Take the event log from this backup instead, one of hostfold backup or of hostfold node backup." name:"event-log" placeholder:"DIR" type:"path"`
	MasterKey string `help:"Key file that the backup's vault was under, when the backup does not hold it." placeholder:"FILE" type:"path"`
}

// restoring marks a data folder that is not complete yet.
const restoring = "restoring"

// Run restores into an empty data folder and an empty database.
func (r restoreCmd) Run(ctx context.Context, g *Globals, c *console) error {
	m, err := readManifest(r.Dir)
	if err != nil {
		return err
	}
	logDir, err := r.logDir(m)
	if err != nil {
		return err
	}
	f, err := openFolder(g.Data)
	if errors.Is(err, errLocked) {
		return fmt.Errorf("%w%s: stop that process, or give another folder with --data", err, byWhom(g.Data))
	}
	if err != nil {
		return err
	}
	if err := emptyData(f); err != nil {
		return errors.Join(err, f.Close())
	}
	run := &restoration{restoreCmd: r, folder: f, log: logDir, manifest: m, console: c, globals: g}
	err = run.do(ctx)
	return errors.Join(err, f.Close())
}

// logDir is the folder of the event log's copy, "" with a store elsewhere.
func (r restoreCmd) logDir(m backupManifest) (string, error) {
	switch {
	case r.ESDBURL != "" && r.EventLog != "":
		return "", fmt.Errorf("%w: the events are in the store of ESDB_URL; restore that one with its own tools, without --event-log", errUsage)
	case r.ESDBURL != "":
		return "", nil
	case r.EventLog != "":
		inner := filepath.Join(r.EventLog, "node")
		if _, err := os.Stat(filepath.Join(inner, "backup.json")); err == nil {
			return inner, nil
		}
		return r.EventLog, nil
	case m.Log == nil:
		return "", fmt.Errorf("the backup %s holds no events, since they were in the store of ESDB_URL: restore that store first and set ESDB_URL, or name a copy of the event log with --event-log", r.Dir)
	}
	return filepath.Join(r.Dir, "node"), nil
}

// emptyData refuses a data folder in use. A key file may be there already.
func emptyData(f *folder) error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return fmt.Errorf("look into the data folder: %w", err)
	}
	for _, e := range entries {
		if !slices.Contains([]string{"lock", "format", "vault.key"}, e.Name()) {
			return fmt.Errorf("the data folder %s holds %q: restore into an empty one, named with --data, or move this one away; nothing was changed", f.dir, e.Name())
		}
	}
	return nil
}

// restoration is one run of restore.
type restoration struct {
	restoreCmd
	folder   *folder
	log      string
	manifest backupManifest
	console  *console
	globals  *Globals
	back     *backends
}

// do restores; what it made before an error is removed again.
func (r *restoration) do(ctx context.Context) (err error) {
	if err := r.folder.writeFile(restoring, []byte("a restore is at work, or was cut short\n")); err != nil {
		return err
	}
	keyFile := r.VaultKey
	if keyFile == "" {
		keyFile = r.folder.path("vault.key")
	}
	placed := false
	defer func() {
		if r.back != nil {
			err = errors.Join(err, r.back.Close())
		}
		if err != nil {
			err = errors.Join(fmt.Errorf("restore %s: %w", r.Dir, full(err)), r.undo(keyFile, placed))
		}
		err = errors.Join(err, os.Remove(r.folder.path(restoring)))
	}()
	if r.log != "" {
		r.console.Say("Restoring the event log.")
		if _, err := node.Restore(ctx, r.log, r.folder.path("node"), node.Options{Logger: r.globals.logger(r.console)}); err != nil {
			return err
		}
	}
	if placed, err = r.placeKey(keyFile); err != nil {
		return err
	}
	if r.back, err = openBackends(ctx, r.globals.logger(r.console), r.folder, r.Backends, r.console); err != nil {
		return err
	}
	if err := r.sameLog(ctx); err != nil {
		return err
	}
	if err := r.unusedDatabase(ctx); err != nil {
		return err
	}
	r.console.Say("Restoring the vault.")
	loading := vault.Loading{
		Pool: r.back.pool, Dump: r.manifest.Vault, Store: r.back.store, AcceptLost: r.AcceptLostLogins,
		Open: func(table string) (io.ReadCloser, error) { return os.Open(tablePath(r.Dir, table)) },
	}
	there := false
	if _, err := os.Stat(keyFile); err == nil {
		there = true
		if loading.Wrapper, err = vault.OpenKeyFile(keyFile); err != nil {
			return err
		}
	}
	if err := vault.Load(ctx, loading); err != nil {
		return err
	}
	return r.tell(ctx, keyFile, there)
}

func (r *restoration) tell(ctx context.Context, keyFile string, there bool) error {
	if !there {
		r.console.Say(fmt.Sprintf("The backup holds no master key: put the file with the key %s at %s before you start the server.", strings.Join(r.manifest.Vault.MasterKeys, ", "), keyFile))
	}
	r.console.Say("The read models are built when the server starts; everybody has to log in again.")
	head, err := r.back.store.Head(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.console, "restored log %s up to %s and the vault of %s into %s\n", r.manifest.LogID, head, r.manifest.MadeAt.Format("2006-01-02 15:04:05 MST"), r.folder.dir)
	return err
}

// placeKey puts the backup's master key where the server looks for it.
func (r *restoration) placeKey(keyFile string) (placed bool, err error) {
	from := r.MasterKey
	if from == "" && r.manifest.MasterKey {
		from = filepath.Join(r.Dir, "vault.key")
	}
	if from == "" || from == keyFile {
		return false, nil
	}
	if _, err := os.Stat(keyFile); !errors.Is(err, fs.ErrNotExist) {
		return false, nil // the one that is there has to open the vault
	}
	if _, err := os.Stat(from); err != nil {
		return false, fmt.Errorf("read the master key: %w", err)
	}
	return true, copyMasterKey(from, keyFile, r.manifest.Vault.MasterKeys)
}

// sameLog refuses a vault and a log that never belonged together.
func (r *restoration) sameLog(ctx context.Context) error {
	id, err := logOf(ctx, r.back.store)
	if err != nil {
		return err
	}
	if id != uuid.Nil && id != r.manifest.LogID {
		return fmt.Errorf("the vault belongs to the event log %s, and the events are of the log %s: use backups of one installation", r.manifest.LogID, id)
	}
	return nil
}

// unusedDatabase refuses a database with read models.
func (r *restoration) unusedDatabase(ctx context.Context) error {
	var there bool
	if err := r.back.pool.QueryRow(ctx, `SELECT to_regclass('feed.lane') IS NOT NULL`).Scan(&there); err != nil || !there {
		return err
	}
	id, found, err := feed.KnownLog(ctx, r.back.pool)
	if err == nil && found {
		err = fmt.Errorf("the database holds read models of the event log %s: restore into an empty database, or drop its schemas read, feed, river, web and vault if nothing in them is needed", id)
	}
	return err
}

// undo removes what was made in the data folder, which was empty.
func (r *restoration) undo(keyFile string, placed bool) error {
	errs := []error{os.RemoveAll(r.folder.path("node"))}
	if r.DatabaseURL == "" {
		errs = append(errs, os.RemoveAll(r.folder.path("postgres")))
	}
	if placed {
		errs = append(errs, os.Remove(keyFile))
	}
	return errors.Join(errs...)
}
