package http_test

import (
	"bytes"
	"embed"
	"io/fs"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/go-chi/chi/v5"
)

// entry is a field of a form with what a browser offers for it; the first is
// what it sends when nothing is changed.
type entry struct {
	name   string
	values []string
}

// typed is what people type into fields that a page leaves empty.
func typed(name string) string {
	switch name {
	case "email":
		return "new@example.com"
	case "password", "current", "confirm_password":
		return password
	case "new":
		return "another horse, seventeen staples"
	case "code", "confirm_code":
		return "000000"
	case "address.line1", "address.city", "address.postal_code":
		return "75002"
	case "country", "address.country":
		return "FR"
	case "phone":
		return "+33 6 12 34 56 78"
	case "vat_number", "company_number", "address.line2", "address.region", "organisation", "expires_at", "ticket":
		return ""
	}
	return "new"
}

// collect reads the forms of all pages, as everybody sees them, by the address
// that they are sent to.
func (s *front) collect(t testing.TB) map[string][][]entry {
	t.Helper()
	forms := map[string][][]entry{}
	for _, page := range s.pages {
		if page.method != http.MethodGet || strings.HasSuffix(page.template, "/stream") || strings.HasSuffix(page.template, "/assets/") {
			continue
		}
		for _, as := range s.askers {
			a, ok := s.send(as, http.MethodGet, s.address(page, as, &draw{}), "", "")
			if !ok || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
				continue
			}
			shown, err := goquery.NewDocumentFromReader(bytes.NewReader(a.body))
			if err != nil {
				t.Fatal(err)
			}
			shown.Find("form[method=post]").Each(func(_ int, form *goquery.Selection) {
				to := chi.NewRouteContext()
				if !s.mux.Match(to, http.MethodPost, form.AttrOr("action", "")) {
					t.Errorf("%s has a form for %q", page.template, form.AttrOr("action", ""))
					return
				}
				entries := entriesOf(form)
				known := slices.ContainsFunc(forms[to.RoutePattern()], func(other []entry) bool {
					return slices.EqualFunc(entries, other, func(a, b entry) bool { return a.name == b.name })
				})
				if !known {
					forms[to.RoutePattern()] = append(forms[to.RoutePattern()], entries)
				}
			})
		}
	}
	return forms
}

// entriesOf are the fields of a form. A field stands there once for each value
// that can be sent with the others.
func entriesOf(form *goquery.Selection) (entries []entry) {
	add := func(name, value string, first bool) {
		i := slices.IndexFunc(entries, func(e entry) bool { return e.name == name })
		switch {
		case i < 0:
			entries = append(entries, entry{name, []string{value}})
		case first:
			entries[i].values = slices.Insert(entries[i].values, 0, value)
		default:
			entries[i].values = append(entries[i].values, value)
		}
	}
	form.Find("[name]").Each(func(_ int, field *goquery.Selection) {
		name := field.AttrOr("name", "")
		switch {
		case goquery.NodeName(field) == "select":
			field.Find("option").Each(func(_ int, option *goquery.Selection) {
				_, selected := option.Attr("selected")
				add(name, option.AttrOr("value", option.Text()), selected)
			})
		case field.Is("input[type=radio], input[type=checkbox], button"):
			_, checked := field.Attr("checked")
			add(name, field.AttrOr("value", "on"), checked)
		case field.Is("textarea"):
			add(name, field.Text(), false)
		default:
			add(name, field.AttrOr("value", ""), false)
		}
	})
	return entries
}

// form fills in one of the forms that are sent to an address.
func (s *front) form(o fuzzed, d *draw) string {
	var pairs []string
	add := func(name, value string) { pairs = append(pairs, escape(name)+"="+escape(value)) }
	if forms := s.forms[o.template]; o.method == http.MethodPost && len(forms) > 0 {
		for _, e := range forms[d.next(len(forms))] {
			value := e.values[0]
			switch choice := d.next(8); {
			case choice == 7:
				continue
			case choice == 6:
				value = d.textOf(e.name)
			case choice == 5:
				value = e.values[d.next(len(e.values))]
			case e.name == "idempotency_key":
				s.keys++
				value = strconv.Itoa(s.keys)
			case e.name == "token":
				value = s.mailedFor(o.template)
			case value == "":
				value = s.samples.Replace(typed(e.name))
			}
			if i := slices.Index(s.first, value); i >= 0 {
				value = s.texts[i] // what the first cast had
			}
			add(e.name, value)
		}
	}
	for n := d.next(4); n > 0 && len(d.bytes) > 0; n-- {
		name := s.fields[d.next(len(s.fields))]
		add(name, d.textOf(name))
	}
	return strings.Join(pairs, "&")
}

//go:embed portal/templates
var templates embed.FS

// fieldsOf are the names of the fields of all forms.
func fieldsOf(t testing.TB) []string {
	t.Helper()
	files, err := fs.Glob(templates, "portal/templates/*.html")
	if err != nil || len(files) == 0 {
		t.Fatal("no templates", err)
	}
	names := []string{"services", "domains", "tickets", "permissions", "country", "address.country", "done", "limit", "cursor", "status"}
	for _, file := range files {
		text, err := templates.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`name="([a-z0-9_.-]+)"`).FindAllStringSubmatch(string(text), -1) {
			names = append(names, found[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
