package node_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

// pemFiles are a certificate and its key on disk, as a tool renews them.
type pemFiles struct {
	*testing.T

	cert, key string
}

// write replaces a file as such tools do: whole, by a rename.
func (f *pemFiles) write(file, kind string, der []byte) {
	f.Helper()
	text := []byte("no certificate")
	if kind != "" {
		text = pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		f.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		f.Fatal(err)
	}
}

func (f *pemFiles) writeCert(pair tls.Certificate) {
	f.Helper()
	f.write(f.cert, "CERTIFICATE", pair.Certificate[0])
}

func (f *pemFiles) writeKey(pair tls.Certificate) {
	f.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		f.Fatal(err)
	}
	f.write(f.key, "PRIVATE KEY", der)
}

// quietLog keeps what is logged.
type quietLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds to the log.
func (l *quietLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// count is how often the log says something.
func (l *quietLog) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

func TestARenewedCertificateIsTakenUpWithoutARestart(t *testing.T) {
	t.Parallel()
	first, _, _ := certificate(t)
	second, _, _ := certificate(t)
	f := &pemFiles{T: t, cert: filepath.Join(t.TempDir(), "node.crt"), key: filepath.Join(t.TempDir(), "node.key")}
	f.writeCert(first)
	f.writeKey(first)
	log := &quietLog{}
	config, err := node.CertificateFiles(f.cert, f.key, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	n := nodetest.StartWith(t, node.ServeOptions{TLS: config, FirstPassword: func(string) (string, error) { return firstPassword, nil }})
	dial := func() *tls.Conn {
		t.Helper()
		d := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}
		c, err := d.DialContext(t.Context(), "tcp", n.Address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c.(*tls.Conn)
	}
	shows := func(when string, want tls.Certificate) {
		t.Helper()
		if got := dial().ConnectionState().PeerCertificates[0]; !bytes.Equal(got.Raw, want.Certificate[0]) {
			t.Errorf("%s: another certificate is shown", when)
		}
	}
	shows("at first", first)
	open := dial()

	f.writeCert(second)
	shows("with a key that does not fit yet", first)
	shows("and still", first)
	if n := log.count("the old one stays"); n != 1 {
		t.Errorf("it was logged %d times", n)
	}
	f.writeKey(second)
	shows("with both renewed", second)
	f.write(f.cert, "", nil)
	shows("with a broken file", second)
	if err := os.Remove(f.cert); err != nil {
		t.Fatal(err)
	}
	shows("without a file", second)
	f.writeCert(first)
	f.writeKey(first)
	shows("with the first again", first)
	if n := log.count("is in use"); n != 2 {
		t.Errorf("two renewals were logged %d times", n)
	}
	if err := open.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err = open.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
	if _, more := open.Read(make([]byte, 9)); err != nil || more != nil {
		t.Errorf("what was open is not any more: %v, %v", err, more)
	}
}

func TestAServerDoesNotStartWithoutItsCertificate(t *testing.T) {
	t.Parallel()
	if _, err := node.CertificateFiles(filepath.Join(t.TempDir(), "none"), "none", nil); err == nil {
		t.Error("it starts")
	}
}
