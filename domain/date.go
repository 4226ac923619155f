package domain

import (
	"fmt"
	"time"
)

// Date is a civil date, "2026-01-31": the day a law speaks of, in the zone of
// the party it binds, without a time. Its text sorts as its days do; "" is no
// date.
type Date string

// DateOf is the civil date with the given parts; it normalises as time.Date does.
func DateOf(year int, month time.Month, day int) Date {
	return Date(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
}

// ParseDate reads "YYYY-MM-DD" and nothing else.
func ParseDate(s string) (Date, error) {
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return "", fmt.Errorf("date %q is not of the form YYYY-MM-DD", s)
	}
	return Date(s), nil
}

// In is the date that clocks in the named zone ("Europe/Paris") show at t.
func In(zone string, t time.Time) (Date, error) {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return "", fmt.Errorf("zone %q: %w", zone, err)
	}
	return Date(t.In(loc).Format(time.DateOnly)), nil
}

// Valid reports whether d is a day of the calendar.
func (d Date) Valid() bool {
	_, err := ParseDate(string(d))
	return err == nil
}

// Before reports whether d is an earlier day than other.
func (d Date) Before(other Date) bool { return d < other }

// After reports whether d is a later day than other.
func (d Date) After(other Date) bool { return d > other }

// Year is the calendar year, 0 for an invalid date.
func (d Date) Year() int {
	if !d.Valid() {
		return 0
	}
	return d.midnight().Year()
}

// AddDays is the date n days later.
func (d Date) AddDays(n int) Date { return Date(d.midnight().AddDate(0, 0, n).Format(time.DateOnly)) }

// AddMonths is the same day n months later, or the last day of that month when
// it has no such day: a month after 31 January is the end of February.
func (d Date) AddMonths(n int) Date {
	t := d.midnight()
	last := time.Date(t.Year(), t.Month()+time.Month(n)+1, 0, 0, 0, 0, 0, time.UTC)
	return DateOf(last.Year(), last.Month(), min(t.Day(), last.Day()))
}

// UnmarshalText reads a date strictly; an empty text is no date.
func (d *Date) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = ""
		return nil
	}
	parsed, err := ParseDate(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

func (d Date) midnight() time.Time {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return time.Time{}
	}
	return t
}
