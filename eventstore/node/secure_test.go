package node_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/eventstore/node/nodetest"
)

// user makes a user of a node and connects as him.
func (s *secured) user(login string, groups ...string) *client.Client {
	s.Helper()
	if err := node.NewUsers(s.node.Engine).Set(s.ctx, node.User{Login: login, Groups: groups}, firstPassword); err != nil {
		s.Fatal(err)
	}
	return s.as(login, firstPassword)
}

// meta sets a stream's metadata as the administrator.
func (s *secured) meta(stream, text string) {
	s.Helper()
	e := event(0)
	e.EventType, e.Data = "$metadata", []byte(text)
	s.append("$$"+stream, client.Any{}, e)
}

func TestRightsOverStreams(t *testing.T) {
	t.Parallel()
	t.Run("by default user streams are open and system streams are not", func(t *testing.T) {
		t.Parallel()
		s := secure(t)
		jo, ops := s.user("jo", "sales"), s.as("ops", firstPassword)
		for name, c := range map[string]*client.Client{"jo": jo, "ops": ops} {
			s.allowed(name+" appends", s.appends(c, "s"))
			s.allowed(name+" reads", s.reads(c, "s"))
			s.denied(name+" appends to a system stream", s.appends(c, "$mine"))
			s.denied(name+" reads users", s.reads(c, "$user-admin"))
			_, err := c.SubscribeToAll(s.ctx, client.SubscribeToAllOptions{})
			s.denied(name+" subscribes to all", err)
			r, err := c.ReadAll(s.ctx, client.ReadAllOptions{}, 1)
			if err == nil {
				_, err = r.Recv()
				r.Close()
			}
			s.denied(name+" reads all", err)
		}
		s.allowed("the administrator reads users", s.reads(s.go4, "$user-admin"))
		s.allowed("the administrator appends to a system stream", s.appends(s.go4, "$mine"))
		s.denied("the administrator appends to all", s.appends(s.go4, "$all"))
	})
	t.Run("a stream's own list counts, for logins and for groups", func(t *testing.T) {
		t.Parallel()
		s := secure(t)
		jo, al := s.user("jo", "sales"), s.user("al")
		s.append("s", client.NoStream{}, event(0))
		s.meta("s", `{"$acl":{"$r":["sales"],"$w":"al","$mr":"jo","$mw":[]}}`)
		s.allowed("jo reads by group", s.reads(jo, "s"))
		s.denied("jo appends", s.appends(jo, "s"))
		s.allowed("al appends by login", s.appends(al, "s"))
		s.denied("al reads", s.reads(al, "s"))
		s.allowed("jo reads metadata", s.reads(jo, "$$s"))
		s.denied("al reads metadata", s.reads(al, "$$s"))
		s.denied("jo writes metadata, which nobody may", s.appends(jo, "$$s"))
		s.allowed("the administrator reads", s.reads(s.go4, "s"))
		_, err := al.SubscribeToStream(s.ctx, "s", client.SubscribeToStreamOptions{})
		s.denied("al subscribes", err)
	})
	t.Run("lists can name a default, and defaults can be replaced", func(t *testing.T) {
		t.Parallel()
		s := secure(t)
		jo := s.user("jo", "sales")
		s.meta("$open", `{"$acl":"$userStreamAcl"}`)
		s.meta("closed", `{"$acl":"$systemStreamAcl"}`)
		s.meta("broken", `{"$acl":{"$r":7}}`)
		s.meta("none", `{"$acl":`)
		s.allowed("a system stream opened", s.appends(jo, "$open"))
		s.denied("a user stream closed", s.reads(jo, "closed"))
		s.denied("a list that cannot be read", s.reads(jo, "broken"))
		s.allowed("metadata that are not JSON", s.reads(jo, "none"))
		s.meta("$all", `{"$acl":{"$r":"sales"}}`)
		_, err := jo.SubscribeToAll(s.ctx, client.SubscribeToAllOptions{})
		s.allowed("the log opened", err)
		e := event(0)
		e.EventType, e.Data = "settings", []byte(`{"$userStreamAcl":{"$w":"$admins"},"$systemStreamAcl":{"$r":"$all"}}`)
		s.append("$settings", client.NoStream{}, e)
		s.denied("user streams closed to writers", s.appends(jo, "s"))
		s.allowed("but not to readers", s.reads(jo, "s"))
		s.allowed("system streams opened to readers", s.reads(jo, "$mine"))
	})
	t.Run("deleting is a right of its own, and metadata are not deleted", func(t *testing.T) {
		t.Parallel()
		s := secure(t)
		jo, al := s.user("jo"), s.user("al")
		s.append("s", client.NoStream{}, event(0))
		s.meta("s", `{"$acl":{"$d":"jo"}}`)
		deletes := func(c *client.Client, stream string) error {
			_, err := c.DeleteStream(s.ctx, stream, client.DeleteStreamOptions{ExpectedRevision: client.Any{}})
			return err
		}
		s.denied("al deletes", deletes(al, "s"))
		_, err := al.TombstoneStream(s.ctx, "s", client.TombstoneStreamOptions{ExpectedRevision: client.Any{}})
		s.denied("al tombstones", err)
		s.denied("the administrator deletes metadata", deletes(s.go4, "$$s"))
		s.allowed("jo deletes", deletes(jo, "s"))
	})
	t.Run("a link shows nothing that its reader may not read", func(t *testing.T) {
		t.Parallel()
		s := secure(t)
		jo := s.user("jo")
		if _, err := jo.AppendToStream(s.ctx, "links", client.AppendToStreamOptions{ExpectedRevision: client.NoStream{}}, link("0@$user-admin")); err != nil {
			t.Fatal(err)
		}
		r, err := jo.ReadStream(s.ctx, "links", client.ReadStreamOptions{ResolveLinkTos: true}, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		got, err := r.Recv()
		if err != nil || got.Event != nil || got.Link == nil {
			t.Errorf("read %+v (%v)", got, err)
		}
		if got := s.read("links", client.ReadStreamOptions{ResolveLinkTos: true}, 1); got[0].Event == nil {
			t.Error("the administrator does not see the link's target")
		}
	})
	t.Run("a batch append is refused batch by batch", func(t *testing.T) {
		t.Parallel()
		s := secure(t)
		s.user("jo")
		credentials := base64.StdEncoding.EncodeToString([]byte("jo:" + firstPassword))
		s.ctx = metadata.AppendToOutgoingContext(s.ctx, "authorization", "Basic "+credentials)
		b := s.batches()
		b.send("1", toAny("$mine"), true, event(0))
		b.send("2", toAny("s"), true, event(0))
		if st := b.answer().GetError(); codes.Code(st.GetCode()) != codes.PermissionDenied || !strings.HasSuffix(st.GetDetails()[0].GetTypeUrl(), "event_store.client.AccessDenied") {
			t.Errorf("answered %v", st)
		}
		if second := b.answer(); second.GetSuccess() == nil {
			t.Errorf("answered %v", second)
		}
	})
}

func TestUsersOfASecureNode(t *testing.T) {
	t.Parallel()
	t.Run("changes hold at the next call", func(t *testing.T) {
		t.Parallel()
		s := secure(t)
		jo := s.user("jo")
		s.allowed("before", s.appends(jo, "s"))
		users := node.NewUsers(s.node.Engine)
		if err := users.Set(s.ctx, node.User{Login: "jo", Groups: []string{node.GroupAdmins}}, firstPassword); err != nil {
			t.Fatal(err)
		}
		s.allowed("as administrator", s.appends(jo, "$mine"))
		if err := users.Set(s.ctx, node.User{Login: "jo"}, "another-horse"); err != nil {
			t.Fatal(err)
		}
		if err := s.appends(jo, "s"); code(err) != client.ErrorCodeUnauthenticated {
			t.Errorf("the old password answers %v", err)
		}
		jo = s.as("jo", "another-horse")
		s.allowed("with the new password", s.appends(jo, "s"))
		if found, err := users.Disable(s.ctx, "jo"); err != nil || !found {
			t.Fatalf("disable: %t, %v", found, err)
		}
		if err := s.appends(jo, "s"); code(err) != client.ErrorCodeUnauthenticated {
			t.Errorf("disabled answers %v", err)
		}
	})
	t.Run("many calls at once cost one hash", func(t *testing.T) {
		t.Parallel()
		s := secure(t)
		jo := s.user("jo")
		var calls sync.WaitGroup
		failed := make(chan error, 200)
		for i := range 200 {
			calls.Go(func() {
				if err := s.appends(jo, fmt.Sprintf("s-%d", i)); err != nil {
					failed <- err
				}
			})
		}
		calls.Wait()
		close(failed)
		for err := range failed {
			t.Error(err)
		}
	})
	t.Run("names and passwords that cannot be are refused", func(t *testing.T) {
		t.Parallel()
		users := node.NewUsers(newDisk(t).open(t))
		for _, u := range []node.User{
			{},
			{Login: "a:b"},
			{Login: "$admins"},
			{Login: "a b"},
			{Login: "a\x00"},
			{Login: "anonymous"},
			{Login: "jo", Groups: []string{""}},
			{Login: "jo", Groups: []string{"$all"}},
		} {
			if err := users.Set(t.Context(), u, firstPassword); !errors.Is(err, node.ErrUser) {
				t.Errorf("%+v answered %v", u, err)
			}
		}
		for _, p := range []string{"", "short", strings.Repeat("x", 1025)} {
			if err := users.Set(t.Context(), node.User{Login: "jo"}, p); !errors.Is(err, node.ErrUser) {
				t.Errorf("password of %d bytes answered %v", len(p), err)
			}
		}
		if found, err := users.Disable(t.Context(), "jo"); found || err != nil {
			t.Errorf("disabling nobody answered %t, %v", found, err)
		}
		if list, err := users.List(t.Context()); len(list) != 0 || err != nil {
			t.Errorf("users %v (%v)", list, err)
		}
	})
}

func TestSeedingANewStore(t *testing.T) {
	t.Parallel()
	n := nodetest.StartWith(t, node.ServeOptions{Seed: true})
	count := func() (all int) {
		for r, err := range n.Engine.ReadAll(t.Context(), eventstore.Start) {
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(r.Stream, "$") {
				t.Errorf("an event in %s", r.Stream)
			}
			all++
		}
		return all
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := n.Engine.WaitHead(ctx, eventstore.Position{Commit: 7, Prepare: 7}); err != nil {
		t.Fatalf("wait for eight events: %v", err)
	}
	n.Stop()
	before := count()
	n.Serve(t)
	n.Stop()
	if after := count(); before != 8 || after != before {
		t.Errorf("%d events, and %d after another start", before, after)
	}
	list, err := node.NewUsers(n.Engine).List(t.Context())
	if err != nil || len(list) != 2 || list[0].Login != "admin" || !slices.Equal(list[0].Groups, []string{node.GroupAdmins}) ||
		list[1].Login != "ops" || list[0].HasPassword || list[1].HasPassword {
		t.Errorf("users %+v (%v)", list, err)
	}
}

func TestASecureStartGivesFirstPasswordsOnce(t *testing.T) {
	t.Parallel()
	e := newDisk(t).open(t)
	pair, _, _ := certificate(t)
	var asked []string
	prepare := func(o node.ServeOptions) {
		if err := node.NewServer(e, o).Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	o := node.ServeOptions{Seed: true, FirstPassword: func(login string) (string, error) {
		asked = append(asked, login)
		return firstPassword, nil
	}}
	prepare(o) // Insecure first: accounts without passwords.
	o.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	prepare(o)
	prepare(o)
	if !slices.Equal(asked, []string{"admin", "ops"}) {
		t.Errorf("asked for %v", asked)
	}
	o.FirstPassword = func(string) (string, error) { return "short", nil }
	other := newDisk(t).open(t)
	if err := node.NewServer(other, o).Prepare(t.Context()); !errors.Is(err, node.ErrUser) {
		t.Errorf("a short password answered %v", err)
	}
}
