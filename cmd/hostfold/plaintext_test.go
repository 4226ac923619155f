package main

import (
	"net"
	"net/url"
	"testing"
)

func TestWhatLeavesTheMachineIsEncryptedAndChecked(t *testing.T) {
	t.Parallel()
	for text, plain := range map[string]bool{
		"postgres://u:p@db.example.com/h":                                               true, // as far as the server offers it
		"postgres://u:p@db.example.com/h?sslmode=disable":                               true,
		"postgres://u:p@db.example.com/h?sslmode=require":                               true, // whoever answers
		"postgres://u:p@db.example.com/h?sslmode=verify-full":                           false,
		"postgres://u:p@db.example.com,10.0.0.2/h?sslmode=verify-full":                  false,
		"postgres://u:p@127.0.0.1/h?sslmode=disable":                                    false,
		"postgres://u:p@[::1]/h":                                                        false,
		"host=/run/postgresql dbname=h":                                                 false,
		"postgres://u:p@127.0.0.1,db.example.com/h?sslmode=prefer":                      true,
		"postgres://u:p@10.0.0.2/h?sslmode=verify-full&target_session_attrs=read-write": false,
	} {
		if got := (Backends{DatabaseURL: text}).encrypted() != nil; got != plain {
			t.Errorf("%s is refused: %v", text, got)
		}
		if err := (Backends{DatabaseURL: text, AllowPlaintext: true}).encrypted(); err != nil {
			t.Error(err)
		}
	}
	for text, plain := range map[string]bool{
		"esdb://u:p@store.example.com:2113":                             false,
		"esdb://u:p@store.example.com:2113?tls=false":                   true,
		"esdb://u:p@store.example.com:2113?tlsVerifyCert=false":         true,
		"esdb://127.0.0.1:2113?tls=false":                               false,
		"esdb://localhost:2113,10.0.0.2:2113?tls=false":                 true,
		"esdb+discover://store.example.com:2113?tls=false":              true,
		"esdb+discover://u:p@store.example.com:2113?tlsVerifyCert=true": false,
	} {
		if got := (Backends{ESDBURL: text}).encrypted() != nil; got != plain {
			t.Errorf("%s is refused: %v", text, got)
		}
	}
	network, loopback := &net.TCPAddr{IP: net.IPv4zero, Port: 8080}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	https, http := &url.URL{Scheme: "https", Host: "portal.example.com"}, &url.URL{Scheme: "http", Host: "portal.example.com"}
	for _, c := range []struct {
		at     net.Addr
		public *url.URL
		smtp   string
		plain  bool
	}{
		{network, https, "", false},
		{network, http, "", true},
		{loopback, http, "", false},
		{loopback, http, "smtp://mail.example.com", true},
		{loopback, http, "smtp://mail.example.com?tls=none", true},
		{loopback, http, "smtp://mail.example.com?tls=required", false},
		{loopback, http, "smtp://user:secret@mail.example.com:587", false},
		{loopback, http, "smtps://mail.example.com:465", false},
		{loopback, http, "smtp://127.0.0.1:2525", false},
	} {
		s := serveCmd{SMTPURL: c.smtp}
		if got := s.encrypted(c.at, c.public) != nil; got != c.plain {
			t.Errorf("%v, %v, %s is refused: %v", c.at, c.public, c.smtp, got)
		}
		if s.AllowPlaintext = true; s.encrypted(c.at, c.public) != nil {
			t.Errorf("%v, %v, %s is refused all the same", c.at, c.public, c.smtp)
		}
	}
}
