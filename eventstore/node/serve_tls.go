package node

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
)

// encrypted accepts connections that are encrypted. Clients of the protocol
// offer HTTP/2 alone; those who offer both versions of HTTP may be either kind.
func encrypted(l net.Listener, c *tls.Config) net.Listener {
	c = c.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	c.NextProtos = []string{"h2", "http/1.1"}
	chosen := c.GetConfigForClient
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if g, ok := hello.Conn.(*greeted); ok {
			g.both = slices.Contains(hello.SupportedProtos, "h2") && slices.Contains(hello.SupportedProtos, "http/1.1")
		}
		if chosen == nil {
			return nil, nil //nolint:nilnil // The package's word for no other configuration.
		}
		return chosen(hello)
	}
	return tls.NewListener(greeting{l}, c)
}

// greeting is a listener whose connections note what clients offer.
type greeting struct{ net.Listener }

// greeted is a connection and whether its client speaks both versions of HTTP.
type greeted struct {
	net.Conn

	both bool
}

// Accept implements net.Listener.
func (l greeting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &greeted{Conn: c}, nil
}

// speaksBoth reports whether a connection's client offered both versions.
func speaksBoth(c net.Conn) bool {
	t, ok := c.(*tls.Conn)
	if !ok {
		return false
	}
	g, ok := t.NetConn().(*greeted)
	return ok && g.both
}

// covers reports whether a certificate of the configuration is for a name.
func covers(c *tls.Config, name string) bool {
	if c == nil || name == "" {
		return false
	}
	all := c.Certificates
	if c.GetCertificate != nil {
		if one, err := c.GetCertificate(&tls.ClientHelloInfo{ServerName: name}); err == nil && one != nil {
			all = []tls.Certificate{*one}
		}
	}
	for i := range all {
		leaf := all[i].Leaf
		if leaf == nil && len(all[i].Certificate) > 0 {
			leaf, _ = x509.ParseCertificate(all[i].Certificate[0]) // Nothing is covered by what cannot be read.
		}
		if leaf != nil && leaf.VerifyHostname(name) == nil {
			return true
		}
	}
	return false
}
