package money_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"testing"

	"github.com/hostfold/hostfold/domain/money"
)

func amount(t *testing.T, text, currency string) money.Amount {
	t.Helper()
	a, err := money.Parse(text, currency)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAnAmountHasOneJSONForm(t *testing.T) {
	t.Parallel()
	for text, a := range map[string]money.Amount{
		`{"amount":"12.34","currency":"EUR"}`:                 money.EUR(1234),
		`{"amount":"0.05","currency":"EUR"}`:                  money.EUR(5),
		`{"amount":"-0.50","currency":"EUR"}`:                 money.EUR(-50),
		`{"amount":"1500","currency":"JPY"}`:                  amount(t, "1500", "JPY"),
		`{"amount":"1.234","currency":"TND"}`:                 amount(t, "1.234", "TND"),
		`{"amount":"-92233720368547758.08","currency":"EUR"}`: money.EUR(math.MinInt64),
	} {
		data, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if string(data) != text {
			t.Errorf("%v is written as %s, want %s", a, data, text)
		}
		var back money.Amount
		if err := json.Unmarshal([]byte(text), &back); err != nil || back != a {
			t.Errorf("%s reads as %v, %v", text, back, err)
		}
	}
}

func TestAnAmountIsReadStrictly(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"amount":"12.345","currency":"EUR"}`, `{"amount":"1.5","currency":"JPY"}`, `{"amount":"1e3","currency":"EUR"}`,
		`{"amount":" 1","currency":"EUR"}`, `{"amount":"+1","currency":"EUR"}`, `{"amount":"1.","currency":"EUR"}`,
		`{"amount":".5","currency":"EUR"}`, `{"amount":"","currency":"EUR"}`, `{"amount":"-","currency":"EUR"}`,
		`{"amount":"01","currency":"EUR"}`, `{"amount":"1,5","currency":"EUR"}`, `{"amount":"1","currency":"eur"}`,
		`{"amount":"1","currency":"XXX"}`, `{"amount":"1","currency":""}`, `{"amount":"1"}`, `{"amount":1,"currency":"EUR"}`,
		`{"amount":"1","currency":"EUR","more":1}`, `{"amount":"92233720368547758.08","currency":"EUR"}`, `"1"`, `1`, `null`,
	} {
		var a money.Amount
		if err := json.Unmarshal([]byte(text), &a); err == nil {
			t.Errorf("%s reads as %v", text, a)
		}
	}
}

func TestAnAmountWithoutCurrencyIsNotWritten(t *testing.T) {
	t.Parallel()
	if data, err := json.Marshal(money.Amount{}); err == nil {
		t.Errorf("it is written as %s", data)
	}
}

func TestArithmeticRefusesOverflowAndMixedCurrencies(t *testing.T) {
	t.Parallel()
	yen := amount(t, "1", "JPY")
	for name, do := range map[string]func() (money.Amount, error){
		"add past the end":     func() (money.Amount, error) { return money.EUR(math.MaxInt64).Add(money.EUR(1)) },
		"subtract past it":     func() (money.Amount, error) { return money.EUR(math.MinInt64).Sub(money.EUR(1)) },
		"subtract the least":   func() (money.Amount, error) { return money.EUR(-1).Sub(money.EUR(math.MinInt64)) },
		"multiply past it":     func() (money.Amount, error) { return money.EUR(math.MaxInt64).Times("2") },
		"multiply far past it": func() (money.Amount, error) { return money.EUR(math.MaxInt64).Times("999999999999") },
	} {
		if got, err := do(); !errors.Is(err, money.ErrOverflow) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if got, err := money.EUR(1).Add(yen); !errors.Is(err, money.ErrCurrency) {
		t.Errorf("euro and yen: %v, %v", got, err)
	}
	if got, err := money.EUR(1).Cmp(yen); !errors.Is(err, money.ErrCurrency) {
		t.Errorf("euro against yen: %v, %v", got, err)
	}
}

func TestRoundingIsHalfUpOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		unit     int64
		quantity money.Quantity
		want     int64
	}{
		{333, "3", 999}, {1, "0.5", 1}, {1, "0.4999", 0}, {-1, "0.5", -1}, {480, "2.5", 1200}, {1005, "0.1", 101}, {0, "7", 0},
	} {
		if got, err := money.EUR(tt.unit).Times(tt.quantity); err != nil || got != money.EUR(tt.want) {
			t.Errorf("%d × %s = %v, %v, want %d", tt.unit, tt.quantity, got, err, tt.want)
		}
	}
	for _, tt := range []struct {
		net  int64
		rate money.Rate
		want int64
	}{
		{1200, "20", 240}, {1, "50", 1}, {10, "5.5", 1}, {9, "5.5", 0}, {1999, "20", 400}, {-1999, "20", -400}, {100, "0", 0},
	} {
		if got, err := money.EUR(tt.net).Percent(tt.rate); err != nil || got != money.EUR(tt.want) {
			t.Errorf("%s%% of %d = %v, %v, want %d", tt.rate, tt.net, got, err, tt.want)
		}
	}
}

func TestRatesAndQuantitiesHaveOneText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]money.Rate{"20": "20", "20.00": "20", "05.50": "5.5", "0": "0", "100": "100"} {
		if got, err := money.ParseRate(in); err != nil || got != want {
			t.Errorf("rate %s reads as %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", "-1", "100.01", "20%", "1e1", "5.55555", "NaN", "1 000"} {
		if got, err := money.ParseRate(in); err == nil {
			t.Errorf("rate %q reads as %q", in, got)
		}
	}
	var q money.Quantity
	if err := json.Unmarshal([]byte(`"2.50"`), &q); err != nil || q != "2.5" || !q.Positive() {
		t.Errorf("quantity 2.50 reads as %q, %v", q, err)
	}
	if err := json.Unmarshal([]byte(`"two"`), &q); err == nil {
		t.Error(`quantity "two" is read`)
	}
}

func FuzzAnAmountReadsBackAsItWasWritten(f *testing.F) {
	f.Add("12.34", "EUR")
	f.Add("-0.001", "KWD")
	f.Add("00", "JPY")
	f.Fuzz(func(t *testing.T, text, currency string) {
		a, err := money.Parse(text, currency)
		if err != nil {
			return
		}
		back, err := money.Parse(a.Decimal(), a.Currency())
		if err != nil || back != a {
			t.Fatalf("%q is %v, which reads as %v, %v", text, a, back, err)
		}
		want, ok := new(big.Rat).SetString(text)
		got, _ := new(big.Rat).SetString(a.Decimal())
		if !ok || want.Cmp(got) != 0 {
			t.Fatalf("%q became %s", text, a.Decimal())
		}
	})
}

func FuzzMultiplyingRoundsHalfAwayFromZero(f *testing.F) {
	f.Add(int64(480), "2.5")
	f.Add(int64(-1005), "0.1")
	f.Add(int64(math.MaxInt64), "1.0001")
	f.Fuzz(func(t *testing.T, minor int64, quantity string) {
		q, err := money.ParseQuantity(quantity)
		if err != nil {
			return
		}
		exact, ok := new(big.Rat).SetString(string(q))
		if !ok {
			t.Fatalf("quantity %q is no number", q)
		}
		exact.Mul(exact, new(big.Rat).SetInt64(minor))
		want := halfUp(exact)
		got, err := money.EUR(minor).Times(q)
		if err != nil {
			if want.IsInt64() && want.Int64() != math.MinInt64 {
				t.Fatalf("%d × %s: %v, want %s", minor, q, err, want)
			}
			return
		}
		if want.Cmp(big.NewInt(got.Minor())) != 0 {
			t.Fatalf("%d × %s = %d, want %s", minor, q, got.Minor(), want)
		}
	})
}

// halfUp rounds by another way than the package: twice the number, plus one
// away from zero, halved towards zero.
func halfUp(r *big.Rat) *big.Int {
	double := new(big.Rat).Mul(r, big.NewRat(2, 1))
	double.Add(double, big.NewRat(int64(r.Sign()), 1))
	half := double.Quo(double, big.NewRat(2, 1))
	return new(big.Int).Quo(half.Num(), half.Denom())
}
