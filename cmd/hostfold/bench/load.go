package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// connections is how many clients ask at once.
const connections = 32

// site is a handler on a port of its own.
type site struct {
	addr   string
	server *http.Server
	done   chan error
}

func serve(s *http.Server) (*site, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &site{addr: l.Addr().String(), server: s, done: make(chan error, 1)}
	go func() { t.done <- s.Serve(l) }()
	return t, nil
}

func (t *site) close() error {
	err := t.server.Close()
	if served := <-t.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// press asks one address over kept connections for a time, and answers how long
// each answer took, all of them 200.
func press(ctx context.Context, addr, path, token string, length time.Duration) ([]time.Duration, error) {
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: " + addr + "\r\nAuthorization: Bearer " + token + "\r\n\r\n")
	end, took := time.Now().Add(length), make([][]time.Duration, connections)
	g, ctx := errgroup.WithContext(ctx)
	for i := range connections {
		g.Go(func() (err error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, conn.Close()) }()
			for r, asked := bufio.NewReader(conn), time.Now(); ctx.Err() == nil && asked.Before(end); {
				if _, err := conn.Write(request); err != nil {
					return err
				}
				if err := readAnswer(r); err != nil {
					return err
				}
				answered := time.Now()
				took[i] = append(took[i], answered.Sub(asked))
				asked = answered
			}
			return nil
		})
	}
	err := g.Wait()
	return slices.Concat(took...), err
}

// percentile is how long the slowest of the fastest share took.
func percentile(took []time.Duration, share float64) time.Duration {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[int(share*float64(len(took)-1))]
}

// readAnswer reads one answer of known length.
func readAnswer(r *bufio.Reader) error {
	status, err := r.ReadString('\n')
	if err != nil {
		return err
	}
	length := -1
	for {
		header, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if header = strings.TrimRight(header, "\r\n"); header == "" {
			break
		}
		if value, ok := strings.CutPrefix(header, "Content-Length: "); ok {
			if length, err = strconv.Atoi(value); err != nil {
				return err
			}
		}
	}
	if length < 0 || !strings.HasPrefix(status, "HTTP/1.1 200 ") {
		return fmt.Errorf("answered %q with length %d", strings.TrimSpace(status), length)
	}
	_, err = io.CopyN(io.Discard, r, int64(length))
	return err
}
