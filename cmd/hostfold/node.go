package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"

	"github.com/hostfold/hostfold/eventstore/node"
)

// nodeServeCmd runs the event store for other processes.
type nodeServeCmd struct {
	Addr          string   `help:"Address to listen on; port 0 picks a free one." default:"127.0.0.1:2113" env:"HOSTFOLD_NODE_ADDR"`
	Insecure      bool     `help:"Serve without encryption, users and rights (the default)." xor:"tls"`
	TLSCert       string   `help:"Certificate file; with --tls-key connections are encrypted, users log in and rights are checked." name:"tls-cert" type:"path" xor:"tls" and:"key" placeholder:"FILE" env:"HOSTFOLD_NODE_TLS_CERT"`
	TLSKey        string   `help:"Key file of the certificate." name:"tls-key" type:"path" and:"key" placeholder:"FILE" env:"HOSTFOLD_NODE_TLS_KEY"`
	Advertise     string   `help:"Host and port that clients are told to connect to, where it is not the address they have named." placeholder:"HOST:PORT" env:"HOSTFOLD_NODE_ADVERTISE"`
	AnyAddress    bool     `help:"Allow an address beyond loopback without encryption. Nobody is asked for a password."`
	AdminPassword string   `help:"First password of the user admin; generated into a file by default." env:"HOSTFOLD_NODE_ADMIN_PASSWORD"`
	AdminAddr     string   `help:"Address of metrics, and of commands beside the running node; port 0 picks a free one." default:"127.0.0.1:0" env:"HOSTFOLD_NODE_ADMIN_ADDR"`
	OpsPassword   string   `help:"First password of the user ops; generated into a file by default." env:"HOSTFOLD_NODE_OPS_PASSWORD"`
	MaxAppend     byteSize `help:"Largest append: data, metadata and twice the type of its events; 1MiB to 16MiB." name:"max-append-size" default:"1MiB" placeholder:"SIZE" env:"HOSTFOLD_NODE_MAX_APPEND_SIZE"`

	nodeReserve
}

// Run serves until it is told to stop.
func (n nodeServeCmd) Run(ctx context.Context, g *Globals, c *console) (err error) {
	log := g.logger(c)
	f, engine, err := openStoreFolder(g, node.Options{ReserveBytes: uint64(n.Reserve), MaxAppendBytes: int(min(n.MaxAppend, math.MaxInt)), Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close(), f.removeRun(), f.Close()) }()
	l, secure, err := n.listen(ctx, log)
	if err != nil {
		return err
	}
	admin, err := listen(ctx, n.AdminAddr, "--admin-addr")
	if err != nil {
		return errors.Join(err, l.Close())
	}
	server := node.NewServer(engine, node.ServeOptions{
		TLS: secure, FirstPassword: n.firstPassword(f, c), Seed: true, Advertise: n.Advertise, AnyAddress: n.AnyAddress, Logger: log,
	})
	if err := server.Prepare(ctx); err != nil {
		return errors.Join(err, l.Close(), admin.Close())
	}
	run := newServices(log)
	defer func() { err = errors.Join(err, run.stop()) }()
	if err := nodeAdmin(f, engine, admin, newMetrics(), run); err != nil {
		return errors.Join(err, l.Close())
	}
	if _, err := fmt.Fprintf(c, "ready esdb://%s?tls=%t\n", l.Addr(), secure != nil); err != nil {
		return errors.Join(err, l.Close())
	}
	return server.Serve(ctx, l)
}

// openStoreFolder opens the event store of a data folder that nobody serves.
func openStoreFolder(g *Globals, o node.Options) (*folder, *node.Engine, error) {
	f, err := openFolder(g.Data)
	if errors.Is(err, errLocked) {
		return nil, nil, fmt.Errorf("%w%s: stop that process, or give another folder with --data", err, byWhom(g.Data))
	}
	if err != nil {
		return nil, nil, err
	}
	engine, err := openEngine(f.path("node"), o)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, engine, nil
}

// firstPassword takes a default account's password from the options, or makes
// one, keeps it in a file that only we can read, and says where.
func (n nodeServeCmd) firstPassword(f *folder, c *console) func(login string) (string, error) {
	given := map[string]string{"admin": n.AdminPassword, "ops": n.OpsPassword}
	return func(login string) (string, error) {
		if given[login] != "" {
			return given[login], nil
		}
		name := "node-" + login + "-password"
		password, err := f.secret(name)
		if err == nil {
			_, err = fmt.Fprintf(c, "the password of the user %s is in %s\n", login, f.path(name))
		}
		return password, err
	}
}

// listen takes the port, and answers how connections are encrypted.
func (n nodeServeCmd) listen(ctx context.Context, log *slog.Logger) (l net.Listener, secure *tls.Config, err error) {
	l, err = listen(ctx, n.Addr, "--addr")
	if err != nil {
		return nil, nil, err
	}
	if n.TLSCert == "" {
		if !n.AnyAddress && !isLoopback(l) {
			return nil, nil, errors.Join(fmt.Errorf("the event store would listen on %s, but nobody is asked for a password there: give an address of loopback with --addr, such as 127.0.0.1:2113, or a certificate with --tls-cert and --tls-key, or allow it with --any-address", l.Addr()), l.Close())
		}
		return l, nil, nil
	}
	secure, err = node.CertificateFiles(n.TLSCert, n.TLSKey, log)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("the certificate cannot be used: %w; give PEM files with --tls-cert and --tls-key", err), l.Close())
	}
	return l, secure, nil
}
