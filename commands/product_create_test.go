package commands_test

import (
	"errors"
	"testing"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/commands/commandtest"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/product"
)

func TestCreateProduct(t *testing.T) {
	t.Parallel()
	d := commandtest.Dispatcher(t, commandtest.Engine(t), catalog.Types()...)
	create := commands.CreateProduct{Code: "vps-5", Name: "VPS-5", Prices: []product.Price{{Cycle: product.Monthly, Price: money.EUR(1200)}}}
	call := commandtest.StaffCall("")

	receipt, err := d.CreateProduct(t.Context(), call, create)
	if err != nil {
		t.Fatal(err)
	}
	sold, err := commands.Load(t.Context(), d.Streams(), product.Decider.At(receipt.ID))
	if err != nil || !sold.Sells(product.Monthly) || sold.Version != 1 {
		t.Errorf("on sale is %+v, %v", sold, err)
	}
	if again, err := d.CreateProduct(t.Context(), call, create); err != nil || !again.Replayed || again.ID != receipt.ID {
		t.Errorf("the repeat answers %+v, %v", again, err)
	}
	if _, err := d.CreateProduct(t.Context(), commandtest.StaffCall(""), create); !errors.Is(err, product.ErrTaken) {
		t.Errorf("a code twice: %v", err)
	}
	if _, err := d.CreateProduct(t.Context(), commandtest.StaffCall(""), commands.CreateProduct{Code: "a", Name: "A"}); domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("without prices: %v", err)
	}
	if _, err := d.CreateProduct(t.Context(), commandtest.Call(), create); !errors.Is(err, domain.ErrDenied) {
		t.Errorf("a customer: %v", err)
	}
}
