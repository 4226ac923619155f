package money

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"github.com/govalues/decimal"
)

// Quantity is how many, as a decimal text: "1", "2.5". It has at most four
// decimals.
type Quantity string

// Rate is a rate in percent, as a decimal text: "20", "5.5". It has at most
// four decimals and lies between 0 and 100.
type Rate string

// ParseQuantity reads a quantity and gives it its shortest text.
func ParseQuantity(s string) (Quantity, error) {
	d, err := parse(s)
	if err != nil {
		return "", fmt.Errorf("quantity %q: %w", s, err)
	}
	return Quantity(d.String()), nil
}

// ParseRate reads a rate and gives it its shortest text, so that equal rates
// have equal texts.
func ParseRate(s string) (Rate, error) {
	d, err := parse(s)
	if err != nil {
		return "", fmt.Errorf("rate %q: %w", s, err)
	}
	if d.IsNeg() || d.Cmp(decimal.Hundred) > 0 {
		return "", fmt.Errorf("rate %q is not between 0 and 100 percent", s)
	}
	return Rate(d.String()), nil
}

// Positive reports whether q is a quantity above nothing.
func (q Quantity) Positive() bool {
	d, err := parse(string(q))
	return err == nil && d.IsPos()
}

// Cmp orders rates; an unreadable rate comes first.
func (r Rate) Cmp(other Rate) int {
	a, _ := parse(string(r))
	b, _ := parse(string(other))
	return a.Cmp(b)
}

// UnmarshalText reads a quantity; an empty text is none.
func (q *Quantity) UnmarshalText(text []byte) (err error) {
	*q = ""
	if len(text) > 0 {
		*q, err = ParseQuantity(string(text))
	}
	return err
}

// UnmarshalText reads a rate; an empty text is none.
func (r *Rate) UnmarshalText(text []byte) (err error) {
	*r = ""
	if len(text) > 0 {
		*r, err = ParseRate(string(text))
	}
	return err
}

// Times is q of a, rounded half-up to the minor unit; half goes away from
// zero, so that a credit note cancels its invoice to the cent.
func (a Amount) Times(q Quantity) (Amount, error) {
	d, err := parse(string(q))
	if err != nil {
		return Amount{}, fmt.Errorf("quantity %q: %w", q, err)
	}
	return a.scale(d, 0)
}

// Percent is r percent of a, rounded half-up to the minor unit.
func (a Amount) Percent(r Rate) (Amount, error) {
	d, err := parse(string(r))
	if err != nil {
		return Amount{}, fmt.Errorf("rate %q: %w", r, err)
	}
	return a.scale(d, 2)
}

// scale is a × d ÷ 10^down, exact until the one rounding at the end.
func (a Amount) scale(d decimal.Decimal, down int) (Amount, error) {
	divisor := uint64(1)
	for range d.Scale() + down {
		divisor *= 10
	}
	high, low := bits.Mul64(magnitude(a.minor), d.Coef())
	low, carry := bits.Add64(low, divisor/2, 0)
	high += carry
	if high >= divisor {
		return Amount{}, ErrOverflow
	}
	quotient, _ := bits.Div64(high, low, divisor)
	minor := int64(quotient) //nolint:gosec // the next line refuses what does not fit
	if minor < 0 {
		return Amount{}, ErrOverflow
	}
	if (a.minor < 0) != d.IsNeg() {
		minor = -minor
	}
	return Amount{minor: minor, currency: a.currency}, nil
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n) //nolint:gosec // two's complement: right for the least number too
	}
	return uint64(n)
}

// parse reads digits, one point and a leading minus, nothing else.
func parse(s string) (decimal.Decimal, error) {
	digits := strings.TrimPrefix(s, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if !allDigits(whole) || point && !allDigits(fraction) || len(whole) > 12 || len(fraction) > 4 {
		return decimal.Decimal{}, errors.New("not a decimal with at most four decimals")
	}
	d, err := decimal.Parse(s)
	if err != nil {
		return decimal.Decimal{}, errors.New("not a decimal with at most four decimals")
	}
	return d.Trim(0), nil
}
