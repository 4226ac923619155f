package node_test

import (
	"bufio"
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

// The scripts are part of the test, so that go test runs again when they have
// changed, and only then, wherever the project lies.
//
//go:embed nodeclients/*.cjs
var nodeClients embed.FS

// needNodeClients skips a test where the clients are not installed. `make test`
// installs them and sets HOSTFOLD_NODE_CLIENTS_TESTS and NODE_PATH.
func needNodeClients(t *testing.T) {
	t.Helper()
	if os.Getenv("HOSTFOLD_NODE_CLIENTS_TESTS") == "" {
		t.Skip("make test installs the clients for Node and runs these cases")
	}
}

// byNodeClients runs a script of nodeclients/, which drives the two official
// clients for Node against a node of its own, and reports each of its cases.
func byNodeClients(t *testing.T, script string, n *nodetest.Node, scene map[string]any) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, nodeClients); err != nil {
		t.Fatal(err)
	}
	given := map[string]any{
		"address": n.Address, "soak": os.Getenv("HOSTFOLD_SOAK") != "",
		// For people: a part of a case's name.
		"only": os.Getenv("HOSTFOLD_ONLY"),
	}
	maps.Copy(given, scene)
	b, err := json.Marshal(given)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", filepath.Join(dir, "nodeclients", script))
	cmd.Env = append(os.Environ(), "HOSTFOLD_SCENE="+string(b))
	var faults bytes.Buffer
	cmd.Stderr = &faults
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start node: %v", err)
	}
	checked := nodeClientsReport(t, n, out, in)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the cases broke off: %v\n%s", err, faults.String())
	}
	if checked == 0 && os.Getenv("HOSTFOLD_ONLY") == "" {
		t.Error("nothing was checked")
	}
}

// nodeClientsReport reads what a script says to its end, and does what it asks.
func nodeClientsReport(t *testing.T, n *nodetest.Node, out io.Reader, in io.Writer) (checked int) {
	t.Helper()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Name, Error, Ask string
			Ms               int
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Errorf("not a case: %s", lines.Text())
			continue
		}
		switch line.Ask {
		case "restart":
			n.Stop()
			n.Serve(t)
			if _, err := io.WriteString(in, "done\n"); err != nil {
				t.Error(err)
			}
			continue
		case "":
		default:
			t.Errorf("it asks for %q", line.Ask)
		}
		checked++
		t.Run(line.Name, func(t *testing.T) {
			t.Logf("%s took %d ms", line.Name, line.Ms)
			if line.Error != "" {
				t.Error(line.Error)
			}
		})
	}
	if err := lines.Err(); err != nil {
		t.Errorf("read the cases: %v", err)
	}
	return checked
}

func TestCase1To21NodeClientsAppend(t *testing.T) {
	t.Parallel()
	needNodeClients(t)
	byNodeClients(t, "append.cjs", nodetest.Start(t), nil)
}

func TestCase2To72NodeClientsRead(t *testing.T) {
	t.Parallel()
	needNodeClients(t)
	e := open(t, "node", node.Options{FS: vfs.NewMem(), MaxAppendBytes: node.LargestAppend})
	byNodeClients(t, "read.cjs", nodetest.StartOn(t, e, node.ServeOptions{}), nil)
}

func TestCase22To43NodeClientsSubscribe(t *testing.T) {
	t.Parallel()
	needNodeClients(t)
	byNodeClients(t, "subscribe.cjs", nodetest.Start(t), nil)
}

func TestCase26To77NodeClientsReadTheLog(t *testing.T) {
	t.Parallel()
	needNodeClients(t)
	byNodeClients(t, "all.cjs", nodetest.Start(t), nil)
}

func TestCase36To48NodeClientsDelete(t *testing.T) {
	t.Parallel()
	needNodeClients(t)
	byNodeClients(t, "delete.cjs", nodetest.Start(t), nil)
}

func TestCase50To67NodeClientsConsumeInGroups(t *testing.T) {
	t.Parallel()
	needNodeClients(t)
	byNodeClients(t, "groups.cjs", nodetest.Start(t), nil)
}

func TestCase69To78NodeClientsMeetTheServer(t *testing.T) {
	t.Parallel()
	needNodeClients(t)
	byNodeClients(t, "server.cjs", nodetest.StartWith(t, node.ServeOptions{MayWrite: func(stream string) error {
		if strings.HasPrefix(stream, "denied-") {
			return errors.New("not from outside")
		}
		return nil
	}}), nil)
}

func TestCase69To70NodeClientsLogIn(t *testing.T) {
	t.Parallel()
	needNodeClients(t)
	s := secure(t)
	byNodeClients(t, "secure.cjs", s.node, map[string]any{"ca": s.ca, "password": firstPassword})
}
