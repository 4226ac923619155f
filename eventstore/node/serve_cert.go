package node

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
)

// CertificateFiles is the configuration of a server whose certificate and key
// are in two PEM files. A renewed pair is taken up at the next connection,
// without a restart; what is open goes on. A new pair that cannot be used, or
// of which only one file is there yet, is logged once, and the old one stays.
// The files must be good when the server starts.
func CertificateFiles(cert, key string, logger *slog.Logger) (*tls.Config, error) {
	f := &certificateFiles{cert: cert, key: key, log: logger}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	f.seen = f.stamp()
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("load the certificate: %w", err)
	}
	f.pair = &pair
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: f.get}, nil
}

// certificateFiles is the pair in use, and what the files were when they were
// last read.
type certificateFiles struct {
	cert, key string
	log       *slog.Logger

	mu   sync.Mutex
	pair *tls.Certificate
	seen stamp
}

// stamp tells whether one of two files was replaced or written to.
type stamp [2]os.FileInfo

// stamp looks at both files, which costs little beside a handshake.
func (f *certificateFiles) stamp() (s stamp) {
	for i, name := range []string{f.cert, f.key} {
		s[i], _ = os.Stat(name) // a file that cannot be seen is one that changed
	}
	return s
}

func (s stamp) equal(o stamp) bool {
	for i := range s {
		if s[i] == nil || o[i] == nil {
			if s[i] != o[i] {
				return false
			}
			continue
		}
		if !os.SameFile(s[i], o[i]) || s[i].Size() != o[i].Size() || !s[i].ModTime().Equal(o[i].ModTime()) {
			return false
		}
	}
	return true
}

// get is the certificate for a new connection.
func (f *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.stamp()
	if now.equal(f.seen) {
		return f.pair, nil
	}
	// Read after they were looked at: what changes in between is read again.
	f.seen = now
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		f.log.Error("the renewed certificate cannot be used; the old one stays", "certificate", f.cert, "key", f.key, "error", err)
		return f.pair, nil
	}
	f.pair = &pair
	f.log.Info("the renewed certificate is in use", "certificate", f.cert, "expires", pair.Leaf.NotAfter)
	return f.pair, nil
}
