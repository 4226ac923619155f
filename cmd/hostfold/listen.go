package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
)

// listen takes an address, or says which option to change.
func listen(ctx context.Context, addr, option string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("the address %s is in use: stop the program that uses it, or set %s to another one (port 0 picks a free port)", addr, option)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("the address %s needs more rights: set %s to a port above 1023", addr, option)
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w; set %s to an address of this machine", addr, err, option)
	}
	return l, nil
}

// isLoopback reports whether only this machine can connect.
func isLoopback(l net.Listener) bool {
	tcp, ok := l.Addr().(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// How long requests under way may go on when the server stops: their contexts
// end after patience, what is left is cut off after drain. Event streams end by
// themselves.
const (
	patience = 6 * time.Second
	drain    = 10 * time.Second
)

// serveHTTP serves until ctx ends, then lets requests end.
func serveHTTP(server *http.Server, l net.Listener, log *slog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		base, cancel := context.WithCancel(context.Background())
		defer cancel()
		server.BaseContext = func(net.Listener) context.Context { return base }
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(l) }()
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
		}
		soft := time.AfterFunc(patience, cancel)
		defer soft.Stop()
		stopping, stop := context.WithTimeout(context.Background(), drain)
		defer stop()
		if err := server.Shutdown(stopping); err != nil {
			log.Warn("requests were cut off", "address", l.Addr().String(), "error", err)
			return errors.Join(server.Close(), ignoreClosed(<-ended))
		}
		return ignoreClosed(<-ended)
	}
}

// ignoreClosed drops what a server answers that was told to stop.
func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
