package invoice

import (
	"slices"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/money"
	"github.com/hostfold/hostfold/domain/seller"
)

// Content is what a legal document says, whole: it is copied from the seller,
// the buyer and the lines when the document is frozen, and never changes after.
type Content struct {
	Currency     string         `json:"currency"`
	Seller       seller.Details `json:"seller"`
	Buyer        Buyer          `json:"buyer"`
	Lines        []Line         `json:"lines"`
	Totals       Totals         `json:"totals"`
	VATBreakdown []VAT          `json:"vat_breakdown"`
}

// Buyer is the account as the document names it.
type Buyer struct {
	Name string `json:"name" personal:"account,fiscal"`
	// Kind is individual or company: other laws hold for each.
	Kind       string `json:"kind"`
	Line1      string `json:"line1,omitempty" personal:"account,fiscal"`
	Line2      string `json:"line2,omitempty" personal:"account,fiscal"`
	PostalCode string `json:"postal_code,omitempty" personal:"account,fiscal"`
	City       string `json:"city,omitempty" personal:"account,fiscal"`
	Country    string `json:"country"`
	VATNumber  string `json:"vat_number,omitempty" personal:"account,fiscal"`
	// CompanyNumber is a company's number in its country's register: the SIREN
	// or SIRET in France.
	CompanyNumber string `json:"company_number,omitempty" personal:"account,fiscal"`
}

// Totals are the sums of a document.
type Totals struct {
	Net   money.Amount `json:"net"`
	VAT   money.Amount `json:"vat"`
	Gross money.Amount `json:"gross"`
}

// VAT is the tax of one rate: rounded once, over all lines of the rate.
type VAT struct {
	Rate money.Rate   `json:"rate"`
	Net  money.Amount `json:"net"`
	VAT  money.Amount `json:"vat"`
}

// Line is one line of a document.
type Line struct {
	// Number tells lines apart within the invoice; it is never used again.
	Number int `json:"number"`
	// Description is free text, which may name people or their domain names.
	Description string         `json:"description" personal:"account,fiscal"`
	Quantity    money.Quantity `json:"quantity"`
	UnitPrice   money.Amount   `json:"unit_price"`
	VATRate     money.Rate     `json:"vat_rate"`
	Period      *Period        `json:"period,omitempty"`
	// Net is quantity × unit price, rounded half-up.
	Net money.Amount `json:"net"`
}

// Period is the time that a line is for, both days included.
type Period struct {
	From domain.Date `json:"from"`
	To   domain.Date `json:"to"`
}

// Sum is the totals and the VAT per rate, lowest rate first.
func Sum(lines []Line, currency string) (Totals, []VAT, error) {
	zero, err := money.New(0, currency)
	if err != nil {
		return Totals{}, nil, err
	}
	var breakdown []VAT
	for _, line := range lines {
		i := slices.IndexFunc(breakdown, func(v VAT) bool { return v.Rate.Cmp(line.VATRate) == 0 })
		if i < 0 {
			i = len(breakdown)
			breakdown = append(breakdown, VAT{Rate: line.VATRate, Net: zero})
		}
		if breakdown[i].Net, err = breakdown[i].Net.Add(line.Net); err != nil {
			return Totals{}, nil, err
		}
	}
	slices.SortFunc(breakdown, func(a, b VAT) int { return a.Rate.Cmp(b.Rate) })
	totals := Totals{Net: zero, VAT: zero}
	for i := range breakdown {
		v := &breakdown[i]
		if v.VAT, err = v.Net.Percent(v.Rate); err != nil {
			return Totals{}, nil, err
		}
		if totals.Net, err = totals.Net.Add(v.Net); err != nil {
			return Totals{}, nil, err
		}
		if totals.VAT, err = totals.VAT.Add(v.VAT); err != nil {
			return Totals{}, nil, err
		}
	}
	totals.Gross, err = totals.Net.Add(totals.VAT)
	return totals, breakdown, err
}
