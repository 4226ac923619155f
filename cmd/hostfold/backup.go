package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands/vault"
	"github.com/hostfold/hostfold/eventstore"
)

// backupFormat is the version of a backup's layout: node/ holds the event log
// as `hostfold node backup` makes it, vault/TABLE.copy the vault, vault.key
// the master keys when they were asked for, and backup.json, written last,
// what there is.
const backupFormat = 1

// backupManifest is backup.json.
type backupManifest struct {
	Format  int       `json:"format"`
	Version string    `json:"version"`
	MadeAt  time.Time `json:"made_at"`
	LogID   uuid.UUID `json:"log_id"`
	// Log is the copy of the event log, nil when that is elsewhere (ESDB_URL).
	Log *backupLog `json:"log"`
	// Head is where the log ended after the vault was copied.
	Head  eventstore.Position `json:"head"`
	Vault vault.Dump          `json:"vault"`
	// MasterKey is true when the backup can be opened by whoever has it.
	MasterKey bool `json:"master_key"`
}

type backupLog struct {
	Head  eventstore.Position `json:"head"`
	Count uint64              `json:"count"`
}

// backupCmd copies all that cannot be made again.
type backupCmd struct {
	Backends      `json:"-"`
	Dir           string `arg:"" help:"Folder to make; it must not exist or be empty." type:"path"`
	WithMasterKey bool   `help:"Put the master key into the backup, which can then be read by whoever gets it. Without it keep a copy of the key file elsewhere: nobody can open the backup without."`
}

// Run backs up here or in the running server.
func (b *backupCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return runTool(ctx, g, b.Backends, c, "backup", b)
}

// work copies the log first and the vault second, so that the keys cover the
// events. The rest of the database is made of the log.
func (b *backupCmd) work(ctx context.Context, p *parts, t terms) (err error) {
	if err := emptyFolder(b.Dir); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("back up into %s: %w", b.Dir, errors.Join(full(err), os.RemoveAll(b.Dir)))
		}
	}()
	if err := os.MkdirAll(filepath.Join(b.Dir, "vault"), 0o700); err != nil {
		return err
	}
	m := backupManifest{Format: backupFormat, Version: version, LogID: p.logID, MadeAt: time.Now().UTC()}
	if p.engine != nil {
		t.Say("Copying the event log.")
		info, err := p.engine.Backup(ctx, filepath.Join(b.Dir, "node"))
		if err != nil {
			return err
		}
		m.Log = &backupLog{Head: info.Head, Count: info.Count}
	}
	t.Say("Copying the vault.")
	if m.Vault, err = vault.Copy(ctx, p.pool, func(table string) (io.WriteCloser, error) { return createSynced(tablePath(b.Dir, table)) }); err != nil {
		return err
	}
	if m.Head, err = p.store.Head(ctx); err != nil {
		return err
	}
	if b.WithMasterKey {
		if err := copyMasterKey(p.keyFile, filepath.Join(b.Dir, "vault.key"), m.Vault.MasterKeys); err != nil {
			return err
		}
		m.MasterKey = true
	}
	if err := writeManifest(b.Dir, m); err != nil {
		return err
	}
	return b.tell(m, p.keyFile, t)
}

func (b *backupCmd) tell(m backupManifest, keyFile string, t terms) error {
	switch {
	case m.MasterKey:
		t.Say("The backup holds the master key: whoever gets it reads everybody's data.")
	default:
		t.Say(fmt.Sprintf("The master key %s is not in the backup, and nobody can open it without: keep a copy of %s in another place.", strings.Join(m.Vault.MasterKeys, ", "), keyFile))
	}
	if m.Log == nil {
		_, err := fmt.Fprintf(t, "backed up the vault of log %s into %s; the events are in the store of ESDB_URL: take its backup BEFORE this one\n", m.LogID, b.Dir)
		return err
	}
	_, err := fmt.Fprintf(t, "backed up log %s into %s: %d events, up to %s, and the vault\n", m.LogID, b.Dir, m.Log.Count, m.Log.Head)
	return err
}

func tablePath(dir, table string) string { return filepath.Join(dir, "vault", table+".copy") }

// emptyFolder refuses a folder that holds something.
func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look into %s: %w", dir, err)
	case len(entries) > 0:
		return fmt.Errorf("the folder %s is not empty: name another one", dir)
	}
	return nil
}

// synced is a file that is durable once it is closed.
type synced struct{ *os.File }

func createSynced(path string) (io.WriteCloser, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return synced{f}, nil
}

// Close syncs and closes.
func (s synced) Close() error { return errors.Join(s.Sync(), s.File.Close()) }

// copyMasterKey copies a key file that holds the keys that are needed.
func copyMasterKey(from, to string, needed []string) error {
	file, err := vault.OpenKeyFile(from)
	if err != nil {
		return err
	}
	ids, err := file.IDs()
	if err != nil {
		return err
	}
	for _, id := range needed {
		if !slices.Contains(ids, id) {
			return fmt.Errorf("the key file %s does not hold the master key %s, which this vault is under", from, id)
		}
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("copy the master key: %w", err)
	}
	f, err := createSynced(to)
	if err == nil {
		_, err = f.Write(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("copy the master key: %w", err)
	}
	return nil
}

// writeManifest writes what makes a folder a whole backup.
func writeManifest(dir string, m backupManifest) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := syncDir(filepath.Join(dir, "vault")); err != nil {
		return err
	}
	partial := filepath.Join(dir, ".backup.json")
	f, err := createSynced(partial)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(partial, filepath.Join(dir, "backup.json")); err != nil {
		return err
	}
	return errors.Join(syncDir(dir), syncDir(filepath.Dir(dir)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// readManifest reads a backup's manifest and checks the vault's files.
func readManifest(dir string) (backupManifest, error) {
	var m backupManifest
	text, err := os.ReadFile(filepath.Join(dir, "backup.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%s holds no backup.json: it is another folder, or the backup was cut short; use another backup", dir)
	}
	if err != nil {
		return m, fmt.Errorf("read the backup: %w", err)
	}
	if err := json.Unmarshal(text, &m); err != nil || m.Format < 1 || len(m.Vault.Tables) == 0 {
		return m, fmt.Errorf("%s is no backup of `hostfold backup`, or its backup.json is damaged; a copy of the event log alone is restored with `hostfold node restore`", dir)
	}
	if m.Format > backupFormat {
		return m, fmt.Errorf("the backup %s has format %d, this program knows up to %d; use a newer one", dir, m.Format, backupFormat)
	}
	for _, table := range m.Vault.Tables {
		if err := checkCopy(dir, table); err != nil {
			return m, err
		}
	}
	return m, nil
}

func checkCopy(dir string, t vault.DumpTable) error {
	if !filepath.IsLocal(t.Name) || t.Name != filepath.Base(t.Name) {
		return fmt.Errorf("the backup's manifest names the table %q, which is none; use another backup", t.Name)
	}
	f, err := os.Open(tablePath(dir, t.Name))
	if err != nil {
		return fmt.Errorf("the backup is not whole: %w; use another backup", err)
	}
	digest := sha256.New()
	n, err := io.Copy(digest, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	if n != t.Size || hex.EncodeToString(digest.Sum(nil)) != t.SHA256 {
		return fmt.Errorf("the file %s is not what the backup's manifest says; use another backup", tablePath(dir, t.Name))
	}
	return nil
}
