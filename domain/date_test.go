package domain_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/hostfold/hostfold/domain"
)

func TestADateIsReadStrictly(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"2026-1-31", "2026-02-30", "31/01/2026", "2026-01-31T00:00:00Z", " 2026-01-31", "20260131"} {
		var d domain.Date
		if err := json.Unmarshal([]byte(`"`+text+`"`), &d); err == nil {
			t.Errorf("%q reads as %s", text, d)
		}
	}
	var d domain.Date
	if err := json.Unmarshal([]byte(`"2026-01-31"`), &d); err != nil || d != "2026-01-31" {
		t.Errorf("2026-01-31 reads as %q, %v", d, err)
	}
}

func TestDatesMoveByDaysAndMonths(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ got, want domain.Date }{
		{domain.Date("2026-12-31").AddDays(1), "2027-01-01"},
		{domain.Date("2026-01-31").AddDays(30), "2026-03-02"},
		{domain.Date("2026-01-31").AddMonths(1), "2026-02-28"},
		{domain.Date("2024-01-31").AddMonths(1), "2024-02-29"},
		{domain.Date("2024-02-29").AddMonths(12), "2025-02-28"},
		{domain.Date("2026-11-30").AddMonths(3), "2027-02-28"},
		{domain.Date("2026-01-15").AddMonths(36), "2029-01-15"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
	if !domain.Date("2026-01-31").Before("2026-02-01") || domain.Date("2026-01-31").Year() != 2026 {
		t.Error("2026-01-31 is not before 2026-02-01, or not in 2026")
	}
}

func TestADayBeginsInItsZone(t *testing.T) {
	t.Parallel()
	late := time.Date(2026, 12, 31, 23, 30, 0, 0, time.UTC)
	for zone, want := range map[string]domain.Date{"Europe/Paris": "2027-01-01", "UTC": "2026-12-31", "America/New_York": "2026-12-31"} {
		if got, err := domain.In(zone, late); err != nil || got != want {
			t.Errorf("in %s it is %s, %v, want %s", zone, got, err, want)
		}
	}
	if _, err := domain.In("Europe/Nowhere", late); err == nil {
		t.Error("Europe/Nowhere is a zone")
	}
}

func TestACheckNamesEveryWrongField(t *testing.T) {
	t.Parallel()
	var c domain.Check
	if got := c.Line("name", "  Ada ", 10); got != "Ada" {
		t.Errorf("the name is %q", got)
	}
	if err := c.Err(); err != nil {
		t.Fatalf("a good field is refused: %v", err)
	}
	c.Line("title", "", 10)
	c.Line("label", "two\nlines", 100)
	c.Text("message", "à\xff", 10)
	c.Country("country", "fr")
	err := c.Err()
	refusal, ok := err.(*domain.Error) //nolint:errorlint // the type itself is the promise
	if !ok || refusal.Kind != domain.KindInvalid || len(refusal.Fields) != 4 {
		t.Errorf("the refusal is %#v", err)
	}
}
