package projections_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/catalog/golden"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/domain/privacy"
	"github.com/hostfold/hostfold/domain/subjectkey"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/keystest"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/projectiontest"
)

// exportedOtherwise are the personal fields that no export has, each with its reason.
var exportedOtherwise = map[string]string{
	"invoice.line_added.v1 line.description": "a draft is staff's; what is issued has its lines in issue_requested",
	"invoice.credit_requested.v1 reason":     "the credit note's reason, which its own event repeats",
	"message.queued.v1 html":                 "the words of the mail's text once more, with their looks",
}

// withoutWhich are events that say nothing of people, and without which rows are
// no documents that customers see.
var withoutWhich = []string{"invoice.drafted.v1", "invoice.issued.v1", "creditnote.issued.v1"}

// personalField is one line of personal.txt.
type personalField struct{ path, subject, purpose string }

// personalFields are those of personal.txt by event.
func personalFields(t *testing.T) map[string][]personalField {
	t.Helper()
	text, err := golden.Files.ReadFile("personal.txt")
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string][]personalField{}
	for line := range strings.Lines(string(text)) {
		parts := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' })
		fields[parts[0]] = append(fields[parts[0]], personalField{parts[1], parts[2], parts[3]})
	}
	return fields
}

// say puts a word into a field of an event's JSON, in each item where it is in a list.
func say(node any, path []string, word string) {
	switch n := node.(type) {
	case map[string]any:
		if len(path) == 1 {
			n[path[0]] = word
			return
		}
		say(n[path[0]], path[1:], word)
	case []any:
		for _, item := range n {
			say(item, path, word)
		}
	}
}

// streamOf is where a golden event is written: each category has one stream, but
// for a delegation that begins otherwise than by an invitation.
func streamOf(event string) string {
	category, _, _ := strings.Cut(event, ".")
	switch {
	case event == "delegation.kept.v1":
		return "delegation-dlg_2"
	case category == "account":
		return "account-acc_1"
	case category == "user":
		return "user-usr_1"
	}
	return category + "-" + category + "_1"
}

// said is what sayAll has written: the words by event and field, and the keys that
// they are encrypted with.
type said struct {
	words map[string]string
	keys  map[privacy.Gone]bool
}

// sayAll writes each event of the catalogue that says anything of people, from its
// golden JSON, with a word of its own in every personal field. After each it calls
// then.
func sayAll(t *testing.T, side *projectiontest.Side, then func()) said {
	t.Helper()
	all := said{map[string]string{}, map[privacy.Gone]bool{}}
	fields := personalFields(t)
	for _, typ := range catalog.Types() {
		if fields[typ.Name] == nil && !slices.Contains(withoutWhich, typ.Name) {
			continue
		}
		pinned, err := golden.Files.ReadFile(typ.Name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var tree map[string]any
		if err := json.Unmarshal(pinned, &tree); err != nil {
			t.Fatal(err)
		}
		stream := streamOf(typ.Name)
		for _, f := range fields[typ.Name] {
			word := fmt.Sprintf("word-%d-", len(all.words))
			all.words[typ.Name+" "+f.path] = word
			say(tree, strings.Split(f.path, "."), word)
			_, subject, _ := strings.Cut(stream, "-")
			if f.subject == "account" {
				subject = "acc_1"
			} else if f.subject != "self" {
				subject, _ = tree[f.subject].(string)
			}
			if f.purpose == string(subjectkey.Network) {
				subject = projectiontest.Noon().Format("2006-01")
			}
			all.keys[privacy.Gone{Subject: subject, Purpose: subjectkey.Purpose(f.purpose)}] = true
		}
		data, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		e, err := typ.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		side.Given("acc_1", stream, e)
		side.Settle()
		then()
	}
	return all
}

// TestEveryPersonalFieldIsInAnExport finds each word of every personal field, those
// of former names and addresses among them, in the export of the account or of the
// person that the golden events are about.
func TestEveryPersonalFieldIsInAnExport(t *testing.T) {
	t.Parallel()
	side := projectiontest.Start(t, catalog.Types(), projections.Models()...)
	words := sayAll(t, side, func() {}).words

	feed := projections.NewFeed(side.Reader, side.Store, side.Codec)
	owner := delegation.Grants{User: "usr_1", Accounts: map[string]delegation.Grant{"acc_1": {Owner: true}}}
	var exports bytes.Buffer
	for _, account := range []string{"acc_1", ""} {
		x, err := feed.Export(t.Context(), owner, account, projectiontest.Noon())
		if err != nil {
			t.Fatal(err)
		}
		if account != "" {
			err = x.Account(t.Context(), account, &exports)
		} else {
			err = x.User(t.Context(), nil, &exports)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range slices.Sorted(maps.Keys(words)) {
		held := strings.Contains(exports.String(), words[line])
		why, excused := exportedOtherwise[line]
		switch {
		case strings.Contains(line, " kept."): // what the law keeps is for the machine alone
			if held {
				t.Errorf("an export has %s", line)
			}
		case !held && !excused:
			t.Errorf("no export has %s: let one have it, or say in exportedOtherwise why not", line)
		case held && excused:
			t.Errorf("an export has %s, which exportedOtherwise says it has not: %s", line, why)
		}
	}
	for line := range exportedOtherwise {
		if words[line] == "" {
			t.Errorf("there is no personal field %s", line)
		}
	}
}

// inNoRow are what lines of personal.txt have whose field no row ever has, each
// with its reason.
var inNoRow = map[string]string{
	" kept.":                          "what the law keeps of the fields beside it is in the log alone",
	"contact.email_verified.v1 email": "the row knows the address already",
	"creditnote.issue_requested.v2 content.buyer.": "the invoice's row has the buyer",
	"impersonation.started.v1 reason":              "the history reads it from the log",
	"invoice.credit_requested.v1 reason":           "the credit note's row has it",
	"message.queued.v1 ":                           "a mail's words are read from the log",
	"user.email_changed.v2 previous":               "the row had it as the address",
	"user.email_verified.v2 email":                 "the row knows the address already",
	"user.factor_reset_requested.v1 reason":        "the export reads it from the log",
	"user.locked.v1 reason":                        "the export reads it from the log",
	"user.new_device_seen.v1 ip":                   "the vault's list of log-ins has it",
}

// wordsInRows are the words that any row of the read models has.
func wordsInRows(t *testing.T, side *projectiontest.Side, into map[string]bool) {
	t.Helper()
	rows, err := side.DB.Query(t.Context(), `
		SELECT DISTINCT m[1]
		FROM information_schema.tables, query_to_xml(format('SELECT * FROM %I.%I', table_schema, table_name), true, true, '') x,
		     regexp_matches(x::text, 'word-[0-9]+-', 'g') m
		WHERE table_schema = 'read' AND table_type = 'BASE TABLE'`)
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range found {
		into[word] = true
	}
}

// TestNoRowHasAPersonalFieldWhoseKeyIsGone destroys the key of every personal
// field, and finds no word in any row that had it, nor in those of a rebuild.
func TestNoRowHasAPersonalFieldWhoseKeyIsGone(t *testing.T) {
	t.Parallel()
	side := projectiontest.New(t, catalog.Types(), projections.Models()...)
	keys := keystest.New()
	side.Codec = side.Codec.WithKeys(keys)
	side.Run(projections.Lanes(side.Models...)...)
	before := map[string]bool{}
	all := sayAll(t, side, func() { wordsInRows(t, side, before) })
	for line, word := range all.words {
		excused := false
		for of := range inNoRow {
			excused = excused || strings.Contains(line, of)
		}
		if before[word] == excused {
			t.Errorf("%s was in a row: %v; in inNoRow: %v", line, before[word], excused)
		}
	}

	for key := range all.keys {
		keys.Destroy(key.Subject, eventstore.Purpose(key.Purpose))
		side.Given("", "privacy-usr_1", privacy.SubjectKeyDestroyed(key))
	}
	side.Settle()
	after := map[string]bool{}
	wordsInRows(t, side, after)
	for line, word := range all.words {
		if after[word] {
			t.Errorf("%s is in a row after its key was destroyed", line)
		}
	}
	side.RebuildsEqual()
}
