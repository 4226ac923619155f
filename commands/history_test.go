package commands_test

import (
	"strconv"
	"testing"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/account"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/product"
	"github.com/hostfold/hostfold/eventstore"
)

// happened writes what an aggregate's stream holds before a test begins.
func happened[S any, E domain.Event](t *testing.T, d *commands.Dispatcher, owner string, target domain.Target[S, E], events ...E) {
	t.Helper()
	meta := eventstore.Metadata{Account: owner, CommandID: uuid.New(), OccurredAt: commandtest.Noon}
	stored := make([]eventstore.NewEvent, len(events))
	for i, e := range events {
		var err error
		id := uuid.NewSHA1(meta.CommandID, []byte(strconv.Itoa(i)))
		if stored[i], err = d.Codec.Encode(t.Context(), target.Stream(), id, e, meta); err != nil {
			t.Fatalf("encode %s: %v", e.EventType(), err)
		}
	}
	if _, err := d.Store.Append(t.Context(), target.Stream(), eventstore.NoStream(), stored...); err != nil {
		t.Fatalf("append to %s: %v", target.Stream(), err)
	}
}

// anAccount opens an account of usr_1.
func anAccount(t *testing.T, d *commands.Dispatcher, id string) {
	t.Helper()
	happened(t, d, id, account.Decider.At(id), []account.Event{account.Opened{
		Owner: "usr_1", Name: "Pierre", Kind: account.Individual, Country: "FR", Currency: "EUR",
	}}...)
}

// aProduct puts prd_1 on sale by the month.
func aProduct(t *testing.T, d *commands.Dispatcher) {
	t.Helper()
	monthly := []product.Price{{Cycle: product.Monthly, Price: money.EUR(1200)}}
	happened(t, d, "", product.Decider.At("prd_1"),
		[]product.Event{
			product.Drafted{Code: "vps-5", Name: "VPS-5"},
			product.Priced(monthly[0]),
			product.VersionPublished{Version: 1, Code: "vps-5", Name: "VPS-5", Prices: monthly},
		}...)
}

// ownerCall is a new request of the owner of an account, under its path.
func ownerCall(id string) commands.Call {
	call := commandtest.Call()
	call.Account, call.Grants.Accounts = id, map[string]delegation.Grant{id: {Owner: true}}
	return call
}
