package node_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

// servedFolder names the folder to serve, in the process that gets killed.
const servedFolder = "HOSTFOLD_TEST_SERVED_FOLDER"

func TestCase74AcknowledgedAppendsOutliveAKill(t *testing.T) {
	if dir := os.Getenv(servedFolder); dir != "" {
		n := nodetest.StartOn(t, open(t, dir, node.Options{}), node.ServeOptions{})
		fmt.Println(n.Address)
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
		return
	}
	t.Parallel()
	dir, list := t.TempDir(), events(3)

	g, kill := apart(t, dir)
	g.append("s", client.NoStream{}, list[0])
	before := g.append("s", client.Revision(0), list[1])
	kill()

	g, kill = apart(t, dir)
	defer kill()
	var found []string
	for _, e := range g.read("s", client.ReadStreamOptions{From: client.Start{}}, 10) {
		found = append(found, e.Event.EventID.String())
	}
	if diff := cmp.Diff([]string{list[0].EventID.String(), list[1].EventID.String()}, found); diff != "" {
		t.Errorf("after the kill (-acknowledged +found):\n%s", diff)
	}
	if diff := cmp.Diff(before, g.append("s", client.NoStream{}, list[:2]...)); diff != "" {
		t.Errorf("a repeat is answered differently (-before +after):\n%s", diff)
	}
	g.refused(client.ErrorCodeWrongExpectedVersion, "s", client.NoStream{}, list[0], list[2])
	next := g.append("s", client.Revision(1), list[2])
	if next.NextExpectedVersion != 2 || next.CommitPosition <= before.CommitPosition {
		t.Errorf("the next event is at %+v, the last before the kill at %+v", next, before)
	}
}

// apart serves a folder from a process of its own, until it is killed.
func apart(t *testing.T, dir string) (g *given, kill func()) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCase74")
	child.Env = append(os.Environ(), servedFolder+"="+dir)
	child.Stderr = os.Stderr
	if _, err := child.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		if err := child.Process.Kill(); err != nil {
			t.Errorf("kill: %v", err)
		}
		_ = child.Wait() // it was killed
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		kill()
		t.Fatalf("the process does not serve: %v", err)
	}
	address := strings.TrimSpace(line)
	return with(t, &nodetest.Node{Address: address, URL: "esdb://" + address + "?tls=false"}), kill
}
