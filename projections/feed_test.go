package projections_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/hosting"
	"github.com/hostfold/hostfold/domain/user"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/projectiontest"
)

// running is the portal's event feed, with the part that wakes its waiters.
func running(t *testing.T) (*projectiontest.Side, *projections.Feed) {
	t.Helper()
	side := portal(t)
	feed := projections.NewFeed(side.Reader, side.Store, side.Codec)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- feed.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return side, feed
}

func holding(g delegation.Grants) func(context.Context) (delegation.Grants, error) {
	return func(context.Context) (delegation.Grants, error) { return g, nil }
}

// typesOf reads the feed to its end, and answers the events' names.
func typesOf(t *testing.T, feed *projections.Feed, q projections.EventQuery) []string {
	t.Helper()
	var types []string
	for {
		page, err := feed.Next(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			types = append(types, e.Type+" "+e.Subject)
		}
		if page.Next == q.After {
			return types
		}
		q.After = page.Next
	}
}

func TestFeed(t *testing.T) {
	t.Parallel()
	_, feed := running(t)
	mine := holding(owner("acc_1"))

	t.Run("shows public events in order, page by page", func(t *testing.T) {
		t.Parallel()
		whole := typesOf(t, feed, projections.EventQuery{Account: "acc_1", Rights: mine})
		paged := typesOf(t, feed, projections.EventQuery{Account: "acc_1", Rights: mine, Limit: 3})
		if diff := cmp.Diff(whole, paged); diff != "" || len(whole) < 20 {
			t.Error(diff, len(whole))
		}
		if whole[0] != "account.opened.v2 acc_1" {
			t.Error(whole[0])
		}
	})
	t.Run("shows the public form and says where it stands", func(t *testing.T) {
		t.Parallel()
		page, err := feed.Next(t.Context(), projections.EventQuery{Account: "acc_1", Rights: mine, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		e := page.Events[0]
		if e.SpecVersion != "1.0" || e.Source != "/v1/accounts/acc_1" || e.Cursor != page.Next || e.Account != "acc_1" {
			t.Errorf("%+v", e)
		}
		if diff := cmp.Diff(`{"name":"Pierre Lannoy","kind":"individual","country":"BE","currency":"EUR"}`, string(e.Data)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("shows a delegate only what the grant allows", func(t *testing.T) {
		t.Parallel()
		g := delegation.Grants{User: "usr_3", Accounts: map[string]delegation.Grant{"acc_1": {Terms: delegation.Terms{Permissions: []domain.Permission{delegation.DomainsRead}, Scope: delegation.Scope{All: true}}}}}
		got := typesOf(t, feed, projections.EventQuery{Account: "acc_1", Rights: holding(g), Types: []string{"domainname.registered.v1", "hosting.created.v1"}})
		if diff := cmp.Diff([]string{"domainname.registered.v1 dom_1"}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("is missing for a stranger", func(t *testing.T) {
		t.Parallel()
		_, err := feed.Next(t.Context(), projections.EventQuery{Account: "acc_1", Rights: holding(owner("acc_2"))})
		if domain.KindOf(err) != domain.KindMissing {
			t.Error(err)
		}
	})
	t.Run("refuses what is not public, no cursor, and no account", func(t *testing.T) {
		t.Parallel()
		for _, q := range []projections.EventQuery{
			{Account: "acc_1", Rights: mine, Types: []string{"user.registered.v1"}},
			{Account: "acc_1", Rights: mine, After: "x"},
			{Rights: mine},
		} {
			if _, err := feed.Next(t.Context(), q); domain.KindOf(err) != domain.KindInvalid {
				t.Error(q, err)
			}
		}
	})
	t.Run("shows staff everybody's", func(t *testing.T) {
		t.Parallel()
		got := typesOf(t, feed, projections.EventQuery{Rights: holding(delegation.Grants{User: "usr_9", Role: delegation.RoleAdmin}), Types: []string{"account.opened.v1"}})
		if diff := cmp.Diff([]string{"account.opened.v2 acc_1", "account.opened.v2 acc_2"}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFeedWaits(t *testing.T) {
	t.Parallel()
	side, feed := running(t)
	var asked atomic.Int32
	narrowed := delegation.Grants{User: "usr_1"}
	head, err := feed.Next(t.Context(), projections.EventQuery{Account: "acc_1", After: "now", Rights: holding(owner("acc_1"))})
	if err != nil || len(head.Events) != 0 {
		t.Fatal(head, err)
	}

	t.Run("until there is an event of the account", func(t *testing.T) {
		got := make(chan projections.EventPage, 1)
		go func() {
			page, err := feed.Next(t.Context(), projections.EventQuery{Account: "acc_1", After: head.Next, Wait: time.Minute, Rights: holding(owner("acc_1"))})
			if err != nil {
				t.Error(err)
			}
			got <- page
		}()
		side.Given("", "user-usr_1", user.ProfileUpdated{Name: "Not public", Locale: "fr"})
		side.Given("acc_2", "hosting-hst_9", hosting.Created{Account: "acc_2", Label: "not mine"})
		side.Given("acc_1", "hosting-hst_1", hosting.Renamed{Label: "mine"})
		if page := <-got; len(page.Events) != 1 || page.Events[0].Type != "hosting.renamed.v1" {
			t.Errorf("%+v", page)
		}
	})
	t.Run("and then asks for the rights again", func(t *testing.T) {
		now, err := feed.Next(t.Context(), projections.EventQuery{Account: "acc_1", After: "now", Rights: holding(owner("acc_1"))})
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan error, 1)
		waiting := make(chan struct{})
		go func() {
			_, err := feed.Next(t.Context(), projections.EventQuery{
				Account: "acc_1", After: now.Next, Wait: time.Minute,
				Rights: func(context.Context) (delegation.Grants, error) {
					if asked.Add(1) == 1 {
						defer close(waiting)
						return owner("acc_1"), nil
					}
					return narrowed, nil
				},
			})
			got <- err
		}()
		<-waiting
		side.Given("acc_1", "hosting-hst_1", hosting.Renamed{Label: "secret"})
		err = <-got
		if domain.KindOf(err) != domain.KindMissing && asked.Load() > 1 {
			t.Error(err, asked.Load())
		}
	})
	t.Run("as long as it was told", func(t *testing.T) {
		now, err := feed.Next(t.Context(), projections.EventQuery{Account: "acc_1", After: "now", Rights: holding(owner("acc_1"))})
		if err != nil {
			t.Fatal(err)
		}
		page, err := feed.Next(t.Context(), projections.EventQuery{Account: "acc_1", After: now.Next, Wait: 10 * time.Millisecond, Rights: holding(owner("acc_1"))})
		if err != nil || len(page.Events) != 0 || page.Next == "" {
			t.Error(page, err)
		}
	})
}

func TestAudit(t *testing.T) {
	t.Parallel()
	side := portal(t)
	audit := projections.NewAudit(side.Reader, side.Store, side.LogID)
	auditor := delegation.Grants{User: "usr_9", Role: delegation.RoleAdmin}

	t.Run("shows a stream as it is stored", func(t *testing.T) {
		t.Parallel()
		first, err := audit.Stream(t.Context(), auditor, "hosting-hst_1", projections.Page{Limit: 2})
		if err != nil || len(first.Items) != 2 || first.NextCursor == nil {
			t.Fatal(first, err)
		}
		rest, err := audit.Stream(t.Context(), auditor, "hosting-hst_1", projections.Page{Limit: 2, Cursor: *first.NextCursor})
		if err != nil || len(rest.Items) != 1 || rest.NextCursor != nil || rest.Items[0].Type != "hosting.provisioned.v1" {
			t.Fatal(rest, err)
		}
	})
	t.Run("finds events by what they are", func(t *testing.T) {
		t.Parallel()
		got, err := audit.Events(t.Context(), auditor, projections.AuditQuery{Account: "acc_1", Type: "invoice.paid.v1"}, projections.Page{})
		if err != nil || len(got.Items) != 1 || got.Items[0].Stream != "invoice-inv_2" {
			t.Error(got, err)
		}
	})
	t.Run("is for auditors alone", func(t *testing.T) {
		t.Parallel()
		if _, err := audit.Stream(t.Context(), owner("acc_1"), "hosting-hst_1", projections.Page{}); err == nil {
			t.Error("a customer read the raw history")
		}
		if _, err := audit.Events(t.Context(), owner("acc_1"), projections.AuditQuery{}, projections.Page{}); err == nil {
			t.Error("a customer read the raw history")
		}
	})
}
