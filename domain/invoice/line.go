package invoice

import (
	"slices"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/money"
)

const maxLines = 500

// NewLine is a line that staff ask for.
type NewLine struct {
	Description string         `json:"description"`
	Quantity    money.Quantity `json:"quantity"`
	UnitPrice   money.Amount   `json:"unit_price"`
	VATRate     money.Rate     `json:"vat_rate"`
	Period      *Period        `json:"period,omitempty"`
}

// LineAdded says that the draft has one more line.
type LineAdded struct {
	Line Line `json:"line"`
	// Totals are the draft's, with the line.
	Totals Totals `json:"totals"`
}

// EventType is the name on disk.
func (LineAdded) EventType() string { return "invoice.line_added.v1" }

func (e LineAdded) apply(inv Invoice) Invoice {
	inv.Lines = append(slices.Clone(inv.Lines), e.Line)
	inv.NextLine = e.Line.Number + 1
	return inv
}

// LineRemoved says that the draft has one line less.
type LineRemoved struct {
	Line int `json:"line"`
	// Totals are the draft's, without the line.
	Totals Totals `json:"totals"`
}

// EventType is the name on disk.
func (LineRemoved) EventType() string { return "invoice.line_removed.v1" }

func (e LineRemoved) apply(inv Invoice) Invoice {
	inv.Lines = without(inv.Lines, e.Line)
	return inv
}

// AddLine adds a line to a draft.
func (inv Invoice) AddLine(line NewLine) ([]Event, error) {
	if err := inv.mustBeDraft(); err != nil {
		return nil, err
	}
	added, err := inv.addLine("", line)
	if err != nil {
		return nil, err
	}
	return []Event{added}, nil
}

// RemoveLine takes a line out of a draft; one that is not there needs nothing.
func (inv Invoice) RemoveLine(number int) ([]Event, error) {
	if err := inv.mustBeDraft(); err != nil {
		return nil, err
	}
	left := without(inv.Lines, number)
	if len(left) == len(inv.Lines) {
		return nil, nil
	}
	totals, _, err := Sum(left, inv.Currency)
	if err != nil {
		return nil, ErrTooLarge
	}
	return []Event{LineRemoved{Line: number, Totals: totals}}, nil
}

func (inv Invoice) mustBeDraft() error {
	switch inv.Status {
	case StatusDraft:
		return nil
	case StatusNone:
		return ErrMissing
	case StatusIssuing, StatusUnpaid, StatusPartiallyPaid, StatusPaid, StatusCredited, StatusDiscarded:
	}
	return ErrNotDraft
}

func (inv Invoice) addLine(at string, in NewLine) (Event, error) {
	var c domain.Check
	line := Line{Number: inv.NextLine, Description: c.Text(at+"description", in.Description, 500), UnitPrice: in.UnitPrice, Period: in.Period}
	quantity, err := money.ParseQuantity(string(in.Quantity))
	c.That(err == nil && quantity.Positive(), at+"quantity", "must be a decimal above zero with at most four decimals")
	rate, err := money.ParseRate(string(in.VATRate))
	c.That(err == nil, at+"vat_rate", `must be a rate in percent such as "20"`)
	c.That(in.UnitPrice.Currency() == inv.Currency, at+"unit_price", "must be in "+inv.Currency)
	p := in.Period
	c.That(p == nil || p.From.Valid() && p.To.Valid() && !p.To.Before(p.From), at+"period", "must have two dates, the second not before the first")
	c.That(len(inv.Lines) < maxLines, at+"description", "is one line too many")
	if err := c.Err(); err != nil {
		return nil, err
	}
	line.Quantity, line.VATRate = quantity, rate
	if line.Net, err = line.UnitPrice.Times(quantity); err != nil {
		return nil, domain.Invalid(at+"unit_price", "is too large")
	}
	totals, _, err := Sum(append(slices.Clone(inv.Lines), line), inv.Currency)
	if err != nil {
		return nil, domain.Invalid(at+"unit_price", "is too large")
	}
	return LineAdded{Line: line, Totals: totals}, nil
}

func without(lines []Line, number int) []Line {
	return slices.DeleteFunc(slices.Clone(lines), func(l Line) bool { return l.Number == number })
}
