package main

import (
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hostfold/hostfold/eventstore/node"
)

// nodeAdmin is the admin address of a node that runs alone: metrics, and the
// commands that are sent to it through run.json.
func nodeAdmin(f *folder, engine *node.Engine, l net.Listener, m *metrics, run *services) error {
	secret, err := f.secret("control-secret")
	if err != nil {
		return errors.Join(err, l.Close())
	}
	log := run.log
	log.Info("admin address", "address", l.Addr().String())
	m.watchNode(engine)
	p := &parts{backends: &backends{log: log, folder: f, engine: engine, store: engine}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.Handle("GET /metrics", m.handler())
	mux.HandleFunc("POST /control/{command}", control(secret, log, nodeTools(), func() *parts { return p }))
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !addressed(r) {
			http.Error(w, "this address is not for browsers of other sites", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
	run.start("admin server", serveHTTP(&http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}, l, log))
	return f.writeRun(runFile{PID: os.Getpid(), Admin: l.Addr().String(), Secret: secret})
}
