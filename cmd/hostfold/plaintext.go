package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hostfold/hostfold/commands/effects/mail"
	"github.com/hostfold/hostfold/eventstore/esdb"
)

// What leaves this machine is encrypted, and goes to a server that has shown a
// certificate of the right name: passwords and personal data cross these
// connections. allowPlaintext names the way out, for networks that are
// encrypted by themselves.
const allowPlaintext = "or set HOSTFOLD_ALLOW_PLAINTEXT=true on a network that is encrypted by itself"

// encrypted refuses a database or a store on another machine that is reached
// without TLS, or whose certificate nobody looks at.
func (b Backends) encrypted() error {
	if b.AllowPlaintext {
		return nil
	}
	if b.DatabaseURL != "" && plainDatabase(b.DatabaseURL) {
		return fmt.Errorf("DATABASE_URL names a server on another machine whose connection is not encrypted and checked: add sslmode=verify-full (and sslrootcert=FILE for an authority of your own), %s", allowPlaintext)
	}
	if b.ESDBURL != "" && esdb.Plain(b.ESDBURL, isLocal) {
		return fmt.Errorf("ESDB_URL names a server on another machine whose connection is not encrypted and checked: take tls=false and tlsVerifyCert=false out (and give tlsCAFile=FILE for an authority of your own), %s", allowPlaintext)
	}
	return nil
}

// plainDatabase reports whether the connection may be made without TLS, or with
// a certificate that nobody looks at. What is no connection string is refused
// elsewhere.
func plainDatabase(text string) bool {
	c, err := pgxpool.ParseConfig(text)
	if err != nil {
		return false
	}
	checked := func(host string, t *tls.Config) bool {
		return isLocal(host) || t != nil && (!t.InsecureSkipVerify || t.VerifyPeerCertificate != nil)
	}
	ok := checked(c.ConnConfig.Host, c.ConnConfig.TLSConfig)
	for _, other := range c.ConnConfig.Fallbacks {
		ok = ok && checked(other.Host, other.TLSConfig)
	}
	return !ok
}

// isLocal reports whether a host is this machine: a socket, or the loopback.
func isLocal(host string) bool {
	if filepath.IsAbs(host) || host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// encrypted refuses to serve people over a network without TLS, and to hand
// mail over without it.
func (s serveCmd) encrypted(portal net.Addr, public *url.URL) error {
	if s.AllowPlaintext {
		return nil
	}
	if host, _, err := net.SplitHostPort(portal.String()); err == nil && !isLocal(host) && public.Scheme != "https" {
		return fmt.Errorf("the portal would be served on %s without TLS: put a proxy with TLS in front and set HOSTFOLD_PUBLIC_URL to its https:// address, %s", portal, allowPlaintext)
	}
	if s.SMTPURL == "" {
		return nil
	}
	sink, err := mail.NewSMTP(s.SMTPURL)
	if err != nil {
		return err
	}
	if sink.Plain() && !isLocal(sink.Host()) {
		return errors.New("SMTP_URL names a server on another machine that may be sent mail in clear: use smtps:// or add ?tls=required, " + allowPlaintext)
	}
	return nil
}
