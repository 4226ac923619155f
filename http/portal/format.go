package portal

import (
	"bytes"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/bojanz/currency"
	"github.com/yuin/goldmark"
	"golang.org/x/text/collate"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/money"
)

var months = map[string][]string{
	"fr": {"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"},
	"en": {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
}

// prints writes dates, numbers and money as the readers of one language do.
type prints struct {
	locale string
	zone   *time.Location
}

// day is a date: "20 novembre 2022".
func (p prints) day(value any) (string, error) {
	t, err := p.moment(value)
	if err != nil {
		return "", err
	}
	number := strconv.Itoa(t.Day())
	if p.locale == "fr" && t.Day() == 1 {
		number = "1er"
	}
	return fmt.Sprintf("%s %s %d", number, months[p.locale][t.Month()-1], t.Year()), nil
}

// stamp is a date and a time of day: "20/11/2022 (12:13)".
func (p prints) stamp(t time.Time) string {
	layout := "2 Jan 2006 (15:04)"
	if p.locale == "fr" {
		layout = "02/01/2006 (15:04)"
	}
	return t.In(p.zone).Format(layout)
}

// iso is what machines read in a time element.
func (p prints) iso(value any) (string, error) {
	if d, ok := value.(domain.Date); ok {
		return string(d), nil
	}
	t, err := p.moment(value)
	return t.UTC().Format(time.RFC3339), err
}

func (p prints) moment(value any) (time.Time, error) {
	switch v := value.(type) {
	case time.Time:
		return v.In(p.zone), nil
	case *time.Time:
		return v.In(p.zone), nil
	case domain.Date:
		t, err := time.Parse(time.DateOnly, string(v))
		if err != nil {
			return t, fmt.Errorf("date %q: %w", v, err)
		}
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%T is neither a time nor a date", value)
}

// money is an amount: "1 234,50 €".
func (p prints) money(a money.Amount) (string, error) {
	amount, err := currency.NewAmount(a.Decimal(), a.Currency())
	if err != nil {
		return "", fmt.Errorf("print %s: %w", a, err)
	}
	return currency.NewFormatter(currency.NewLocale(p.locale)).Format(amount), nil
}

// decimal is a quantity: "2,5".
func (p prints) decimal(value any) string {
	s := fmt.Sprint(value)
	if p.locale == "fr" {
		s = strings.Replace(s, ".", ",", 1)
	}
	return s
}

// phone is a number of E.164 as people write it: those of France in pairs.
func phone(number string) string {
	rest, french := strings.CutPrefix(number, "+33")
	if !french || len(rest) != 9 {
		return number
	}
	parts := []string{"+33", rest[:1]}
	for i := 1; i < len(rest); i += 2 {
		parts = append(parts, rest[i:i+2])
	}
	return strings.Join(parts, "\u00a0")
}

// percent is a rate: "5,5 %".
func (p prints) percent(value any) string {
	if p.locale == "fr" {
		return p.decimal(value) + "\u00a0%"
	}
	return p.decimal(value) + "%"
}

// integer is a count with its thousands apart.
func (w *words) integer(n int) string {
	s := strconv.Itoa(n)
	apart := ","
	if w.locale == "fr" {
		apart = "\u202f"
	}
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + apart + s[i:]
	}
	return s
}

// country is a country's name.
func (p prints) country(code string) string {
	region, err := language.ParseRegion(code)
	if err != nil {
		return code
	}
	if name := display.Regions(language.Make(p.locale)).Name(region); name != "" {
		return name
	}
	return code
}

// country is a choice of a form.
type country struct{ Code, Name string }

// countries are all countries, in the order of their names.
func (p prints) countries() []country {
	var out []country
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			if code := string([]rune{a, b}); domain.IsCountry(code) {
				out = append(out, country{Code: code, Name: p.country(code)})
			}
		}
	}
	order := collate.New(language.Make(p.locale))
	slices.SortFunc(out, func(a, b country) int { return order.CompareString(a.Name, b.Name) })
	return out
}

// markdown is a text of ours as HTML; raw HTML in it is left out.
func markdown(text string) (template.HTML, error) {
	var b bytes.Buffer
	if err := goldmark.Convert([]byte(text), &b); err != nil {
		return "", fmt.Errorf("render text: %w", err)
	}
	return template.HTML(b.String()), nil //nolint:gosec // goldmark escapes, and leaves raw HTML and scripts out
}

// initials are the first letters of the first and last word of a name.
func initials(name string) string {
	parts := strings.Fields(name)
	if len(parts) == 0 {
		return "?"
	}
	out := []rune(parts[0])[:1]
	if len(parts) > 1 {
		out = append(out, []rune(parts[len(parts)-1])[0])
	}
	for i, r := range out {
		out[i] = unicode.ToUpper(r)
	}
	return string(out)
}

// tone is the colour of a status.
func tone(kind, status string) string {
	switch kind + "." + status {
	case "service.active", "domain.active", "login.success", "delegation.active", "invoice.paid", "ticket.answered",
		"erasure.completed":
		return "ok"
	case "service.suspended", "service.setup_failed", "domain.expired":
		return "bad"
	case "invoice.unpaid", "invoice.partially_paid", "ticket.on_hold", "erasure.refused", "erasure.accepted", "login.wrong_password", "login.wrong_second_factor", "login.locked":
		return "warn"
	case "service.provisioning", "ticket.open", "ticket.customer_reply", "ticket.in_progress", "delegation.invited", "erasure.submitted":
		return "info"
	}
	return ""
}

// fours is an account number in groups of four, as it is printed.
func fours(number string) string {
	number = strings.ReplaceAll(number, " ", "")
	var b strings.Builder
	for i, r := range number {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// related is the part of the portal where a thing of a kind is shown.
func related(kind string) string {
	switch kind {
	case "service", "invoice", "ticket", "domain":
		return kind + "s"
	}
	return ""
}

// unversioned is the name of a kind of event without its version.
func unversioned(kind string) string {
	if at := strings.LastIndex(kind, ".v"); at > 0 {
		return kind[:at]
	}
	return kind
}
