// Package money holds exact amounts: whole minor units of an ISO 4217 currency,
// quantities and rates as decimals, and the two roundings that invoices know.
//
// There is no float in it, it never loses a cent silently, and it formats for
// machines only: people's formats are http's part. Invoices (domain/invoice)
// are its main user.
package money

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Amount is a sum of money. Its zero value is no amount: it has no currency
// and is never written.
type Amount struct {
	minor    int64
	currency string
}

// Errors of arithmetic and parsing.
var (
	ErrCurrency = errors.New("amounts of different currencies")
	ErrOverflow = errors.New("amount too large")
)

// New is an amount of minor units, cents for euros.
func New(minor int64, currency string) (Amount, error) {
	if !IsCurrency(currency) {
		return Amount{}, fmt.Errorf("currency %q is not in ISO 4217", currency)
	}
	return Amount{minor: minor, currency: currency}, nil
}

// EUR is an amount of euro cents.
func EUR(cents int64) Amount { return Amount{minor: cents, currency: "EUR"} }

// Parse reads a decimal such as "12.34". It refuses more decimals than the
// currency has, signs other than a leading minus, spaces and exponents.
func Parse(amount, currency string) (Amount, error) {
	if !IsCurrency(currency) {
		return Amount{}, fmt.Errorf("currency %q is not in ISO 4217", currency)
	}
	digits, negative := strings.CutPrefix(amount, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	exp := exponent(currency)
	switch {
	case !allDigits(whole), point && !allDigits(fraction), len(whole) > 1 && whole[0] == '0':
		return Amount{}, fmt.Errorf("amount %q is not a decimal such as 12.34", amount)
	case len(fraction) > exp:
		return Amount{}, fmt.Errorf("amount %q has more decimals than %s has", amount, currency)
	}
	text := whole + fraction + strings.Repeat("0", exp-len(fraction))
	if negative {
		text = "-" + text
	}
	minor, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return Amount{}, fmt.Errorf("amount %q: %w", amount, ErrOverflow)
	}
	return Amount{minor: minor, currency: currency}, nil
}

// Minor is the number of minor units.
func (a Amount) Minor() int64 { return a.minor }

// Currency is the ISO 4217 code, "" for no amount.
func (a Amount) Currency() string { return a.currency }

// Sign is -1, 0 or 1.
func (a Amount) Sign() int {
	switch {
	case a.minor < 0:
		return -1
	case a.minor > 0:
		return 1
	}
	return 0
}

// Zero is nothing in the same currency.
func (a Amount) Zero() Amount { return Amount{currency: a.currency} }

// Equal reports whether both are the same sum of the same currency.
func (a Amount) Equal(b Amount) bool { return a == b }

// Cmp is -1, 0 or 1 as a is less than, equal to or more than b.
func (a Amount) Cmp(b Amount) (int, error) {
	if a.currency != b.currency {
		return 0, ErrCurrency
	}
	switch {
	case a.minor < b.minor:
		return -1, nil
	case a.minor > b.minor:
		return 1, nil
	}
	return 0, nil
}

// Add is a plus b.
func (a Amount) Add(b Amount) (Amount, error) {
	if a.currency != b.currency {
		return Amount{}, ErrCurrency
	}
	sum := a.minor + b.minor
	if (sum > a.minor) != (b.minor > 0) {
		return Amount{}, ErrOverflow
	}
	return Amount{minor: sum, currency: a.currency}, nil
}

// Sub is a minus b.
func (a Amount) Sub(b Amount) (Amount, error) {
	if b.minor == math.MinInt64 {
		return Amount{}, ErrOverflow
	}
	return a.Add(Amount{minor: -b.minor, currency: b.currency})
}

// Decimal is the number alone, with all the decimals of its currency: "12.30".
func (a Amount) Decimal() string {
	exp := exponent(a.currency)
	digits, negative := strings.CutPrefix(strconv.FormatInt(a.minor, 10), "-")
	if len(digits) <= exp {
		digits = strings.Repeat("0", exp+1-len(digits)) + digits
	}
	if exp > 0 {
		digits = digits[:len(digits)-exp] + "." + digits[len(digits)-exp:]
	}
	if negative {
		return "-" + digits
	}
	return digits
}

// String is the number and the currency: "12.30 EUR".
func (a Amount) String() string {
	if a.currency == "" {
		return "no amount"
	}
	return a.Decimal() + " " + a.currency
}

// wire is the only JSON form of an amount.
type wire struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

// MarshalJSON refuses an amount without currency, so that a forgotten one is
// never stored.
func (a Amount) MarshalJSON() ([]byte, error) {
	if a.currency == "" {
		return nil, errors.New("amount without a currency")
	}
	return json.Marshal(wire{Amount: a.Decimal(), Currency: a.currency})
}

// UnmarshalJSON reads the one form strictly.
func (a *Amount) UnmarshalJSON(data []byte) error {
	var w wire
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return fmt.Errorf("amount: %w", err)
	}
	parsed, err := Parse(w.Amount, w.Currency)
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
