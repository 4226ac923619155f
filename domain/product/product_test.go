package product_test

import (
	"testing"

	"github.com/hostfold/hostfold/domain/domaintest"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/product"
)

type events = []product.Event

func TestLaunch(t *testing.T) {
	t.Parallel()
	monthly := product.Price{Cycle: product.Monthly, Price: money.EUR(1200)}
	yearly := product.Price{Cycle: product.Yearly, Price: money.EUR(12000)}
	launch := func(code, name string, prices ...product.Price) func(product.Product) (events, error) {
		return func(p product.Product) (events, error) { return p.Launch(code, name, prices) }
	}
	launched := events{
		product.Drafted{Code: "vps-5", Name: "VPS-5"},
		product.Priced(monthly),
		product.Priced(yearly),
		product.VersionPublished{Version: 1, Code: "vps-5", Name: "VPS-5", Prices: []product.Price{monthly, yearly}},
	}
	t.Run("drafts, prices and publishes", func(t *testing.T) {
		t.Parallel()
		domaintest.For(t, product.Decider).When(launch("vps-5", "VPS-5", monthly, yearly)).Then(launched...)
	})
	t.Run("refuses wrong codes, no prices, twins and negative prices", func(t *testing.T) {
		t.Parallel()
		refund := product.Price{Cycle: product.Monthly, Price: money.EUR(-1)}
		c := domaintest.For(t, product.Decider)
		c.When(launch("VPS 5", "", monthly)).RefusedField("name", "code")
		c.When(launch("vps-5", "VPS-5")).RefusedField("prices")
		c.When(launch("vps-5", "VPS-5", monthly, monthly)).RefusedField("prices[1]")
		c.When(launch("vps-5", "VPS-5", refund)).RefusedField("price")
		c.When(launch("vps-5", "VPS-5", product.Price{Cycle: "weekly"})).RefusedField("cycle", "price")
		c.Given(launched...).When(launch("vps-5", "VPS-5", monthly)).Refused(product.ErrExists)
	})
	t.Run("leaves a published version as it is", func(t *testing.T) {
		t.Parallel()
		dearer := product.Price{Cycle: product.Monthly, Price: money.EUR(1300)}
		priced := domaintest.For(t, product.Decider).Given(launched...).
			When(func(p product.Product) (events, error) { return p.SetPrice(product.Monthly, money.EUR(1300)) }).Then(product.Priced(dearer))
		if got := priced.State().Published[0]; got != monthly {
			t.Errorf("version 1 costs %s now", got.Price)
		}
		priced.When(product.Product.Publish).
			Then(product.VersionPublished{Version: 2, Code: "vps-5", Name: "VPS-5", Prices: []product.Price{yearly, dearer}}).
			When(product.Product.Publish).ThenNothing()
	})
}

func TestRetire(t *testing.T) {
	t.Parallel()
	gone := domaintest.For(t, product.Decider).Given(product.Drafted{Code: "vps-5", Name: "VPS-5"}).
		When(product.Product.Retire).Then(product.Retired{})
	gone.When(product.Product.Retire).ThenNothing()
	gone.When(product.Product.Publish).Refused(product.ErrRetired)
	gone.When(func(p product.Product) (events, error) { return p.SetPrice(product.Monthly, money.EUR(1)) }).Refused(product.ErrRetired)
	domaintest.For(t, product.Decider).When(product.Product.Retire).Refused(product.ErrMissing)
	domaintest.For(t, product.Decider).Given(product.Drafted{Code: "vps-5", Name: "VPS-5"}).When(product.Product.Publish).Refused(product.ErrUnpriced)
}
