package main

import (
	"bytes"
	"context"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"github.com/rogpeppe/go-internal/testscript"
)

// erase writes 20 large events to a stream of a node and deletes it for ever:
// erase URL STREAM.
func erase(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: erase URL STREAM")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	settings, err := client.ParseConnectionString(args[0])
	ts.Check(err)
	settings.Logger = client.NoopLogging()
	c, err := client.NewClient(settings)
	ts.Check(err)
	for range 20 {
		e := client.EventData{EventID: uuid.New(), EventType: "blob", ContentType: client.ContentTypeBinary, Data: bytes.Repeat([]byte{1}, 10_000)}
		_, err := c.AppendToStream(ctx, args[1], client.AppendToStreamOptions{ExpectedRevision: client.Any{}}, e)
		ts.Check(err)
	}
	_, err = c.TombstoneStream(ctx, args[1], client.TombstoneStreamOptions{ExpectedRevision: client.Any{}})
	ts.Check(err)
	ts.Check(c.Close())
}
