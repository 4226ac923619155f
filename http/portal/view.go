package portal

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/hostfold/hostfold/projections"
)

//go:embed templates
var templateFiles embed.FS

// parts are the templates that every page may use.
var parts = []string{"templates/layout.html", "templates/gate.html", "templates/status.html", "templates/device.html", "templates/factors.html", "templates/erasure.html", "templates/terms.html", "templates/contact_fields.html", "templates/address.html", "templates/staff_search.html", "templates/member_parts.html"}

// views are the pages, one set per language.
type views struct {
	words map[string]*words
	sets  map[string]map[string]*template.Template
}

func loadViews(a *assets, zone *time.Location) (*views, error) {
	known, err := loadWords()
	if err != nil {
		return nil, err
	}
	drawn, err := loadIcons()
	if err != nil {
		return nil, err
	}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	v := &views{words: known, sets: map[string]map[string]*template.Template{}}
	for locale, w := range known {
		v.sets[locale] = map[string]*template.Template{}
		base, err := template.New("").Funcs(functions(w, a, drawn, zone)).ParseFS(templateFiles, parts...)
		if err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
		for _, file := range files {
			page, err := template.Must(base.Clone()).ParseFS(templateFiles, file)
			if err != nil {
				return nil, fmt.Errorf("template %s: %w", file, err)
			}
			v.sets[locale][strings.TrimSuffix(path.Base(file), ".html")] = page
		}
	}
	return v, nil
}

// functions are what templates of one language may call.
func functions(w *words, a *assets, drawn icons, zone *time.Location) template.FuncMap {
	p := prints{locale: w.locale, zone: zone}
	all := p.countries()
	return template.FuncMap{
		"lang":      func() string { return w.locale },
		"t":         w.text,
		"n":         w.count,
		"some":      func(n int) bool { return n != 0 },
		"act":       func(kind string) string { return w.textOr("act."+unversioned(kind), "act.other", "Type", kind) },
		"looked":    func(what any) string { return w.textOr(fmt.Sprint("looked.", what), "looked.other") },
		"related":   related,
		"reason":    func(r any) string { return w.textOr(fmt.Sprint("service.reason.", r), "service.reason.other") },
		"day":       p.day,
		"stamp":     p.stamp,
		"iso":       p.iso,
		"money":     p.money,
		"number":    p.decimal,
		"phone":     phone,
		"iban":      fours,
		"percent":   p.percent,
		"country":   p.country,
		"countries": func() []country { return all },
		"markdown":  markdown,
		"initials":  initials,
		"dict":      dict,
		"tone":      func(kind string, status any) string { return tone(kind, fmt.Sprint(status)) },
		"icon":      drawn.html,
		"asset":     a.url,
	}
}

// draw renders a page as a whole, so that a fault in it is an error rather
// than half a page.
func (v *views) draw(locale, name string, p *page) ([]byte, error) {
	set, ok := v.sets[locale][name]
	if !ok {
		return nil, fmt.Errorf("no page %q in %q", name, locale)
	}
	var b bytes.Buffer
	if err := set.ExecuteTemplate(&b, "layout", p); err != nil {
		return nil, fmt.Errorf("draw page %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// page is what the layout shows; Body is the page's own part.
type page struct {
	Title, Brand string
	// Theme is "light" or "dark", or "" as the reader's system has it.
	Theme string
	// Nav names the entry of the main menu that the page belongs to.
	Nav string
	// Viewer is nil for a page that nobody is logged in to.
	Viewer *viewer
	// Base is the address of the account's pages, Path that of this page.
	Base, Path string
	// Alone is true for a page about the viewer's log-in that is no account's.
	Alone bool
	// Keep is what the language switch of the gate keeps of the address.
	Keep   template.URL
	Unread int
	May    may
	// Desk is the staff's menu on pages that are no account's, nil for customers.
	Desk *deskView
	// Staff is nil for customers.
	Staff *staffView
	// Closed is true for the pages of an account that is closed.
	Closed bool
	// Idle is after how many seconds without use the viewer's session ends; 0 for
	// a page that is nobody's.
	Idle int
	// Stream and Version keep the page up to date; "" for pages that are not.
	Stream, Version string
	// Done is the key of a message about what was just done.
	Done string
	Form form
	Body any
}

// viewer is the user who looks at the page.
type viewer struct {
	ID, Name, Email, Locale string
	// Verified is false until the user has proven its address.
	Verified bool
}

// may says what the page offers; commands and queries decide again.
type may struct {
	Services, Domains, Invoices, Tickets, Write, Notifications bool
	// Account and SeesContacts only read, Profile and Contacts change.
	Account, Profile, SeesContacts, Contacts bool
	Users, Tokens, Own                       bool
	// Mark is to mark notifications as read.
	Mark bool
}

// Page is where the page of a thing is among those of its account, "" for a
// thing that has none or that the viewer may not see.
func (m may) Page(of projections.ActResource) string {
	pages, shown := "", false
	switch of.Kind {
	case "hosting":
		pages, shown = "services/", m.Services
	case "invoice":
		pages, shown = "invoices/", m.Invoices
	case "ticket":
		pages, shown = "tickets/", m.Tickets
	case "contact":
		pages, shown = "contacts/", m.SeesContacts
	case "delegation":
		pages, shown = "users/", m.Users
	}
	if !shown {
		return ""
	}
	return pages + of.ID
}

// dict gives a template several named values.
func dict(pairs ...any) (map[string]any, error) {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("%v names no value", pairs[i])
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}
