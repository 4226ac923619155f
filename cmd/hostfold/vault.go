package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/hostfold/hostfold/commands/vault"
)

// vaultCmd looks after the keys of personal data.
type vaultCmd struct {
	Rotate vaultRotateCmd `cmd:"" help:"Make a new master key and bring everything in the vault under it, also while the server runs. Backups of the vault made before need the old master key: keep a copy of the key file with them."`
}

// vaultRotateCmd rotates the master key.
type vaultRotateCmd struct {
	Backends `json:"-"`
}

// Run rotates here or in the running server.
func (r *vaultRotateCmd) Run(ctx context.Context, g *Globals, c *console) error {
	return runTool(ctx, g, r.Backends, c, "vault-rotate", r)
}

func (*vaultRotateCmd) work(ctx context.Context, p *parts, t terms) error {
	keys, err := vault.OpenKeyFile(p.keyFile)
	if err != nil {
		return err
	}
	before, err := keys.IDs()
	if err != nil {
		return err
	}
	done, err := p.vault.Rotate(ctx, func(done, total uint64) { t.Step("keys brought under the new master key", done, total) })
	if err != nil {
		return fmt.Errorf("rotate the master key: %w; nothing is lost, run this again", full(err))
	}
	after, err := keys.IDs()
	if err != nil {
		return err
	}
	t.Say(fmt.Sprintf("Backups of the vault made until now are under the master key %s, which is gone from %s.", strings.Join(before, ", "), p.keyFile))
	_, err = fmt.Fprintf(t, "%d keys are under the new master key %s\n", done.Rows, after[0])
	return err
}
