package projections_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hostfold/hostfold/domain/catalog"
	"github.com/hostfold/hostfold/domain/delegation"
	"github.com/hostfold/hostfold/projections"
	"github.com/hostfold/hostfold/projections/projectiontest"
)

// goldens is where each event's JSON is, and which of its fields are personal.
const goldens = "../domain/catalog/testdata"

// exportedOtherwise are the personal fields that no export has, with the reason.
var exportedOtherwise = map[string]string{
	"invoice.line_added.v1 line.description": "a draft is staff's; what is issued has its lines in issue_requested",
	"invoice.credit_requested.v1 reason":     "the credit note's reason, which its own event repeats",
	"message.queued.v1 html":                 "the words of the mail's text once more, with their looks",
}

// withoutWhich are events that say nothing of people, and without which rows are
// no documents that customers see.
var withoutWhich = []string{"invoice.drafted.v1", "invoice.issued.v1", "creditnote.issued.v1"}

// personalLines are the fields of personal.txt by event.
func personalLines(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(goldens, "personal.txt"))
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		event, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		field, _, _ := strings.Cut(rest, " ")
		fields[event] = append(fields[event], field)
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

// TestEveryPersonalFieldIsInAnExport writes each event of the catalogue that
// says anything of people, from its golden JSON, with a word of its own in every
// personal field, former names and addresses among them; and finds each word in
// the export of the account or of the person that the golden events are about.
func TestEveryPersonalFieldIsInAnExport(t *testing.T) {
	t.Parallel()
	side := projectiontest.Start(t, catalog.Types(), projections.Models()...)
	lines := personalLines(t)
	words := map[string]string{} // by event and field
	for _, typ := range catalog.Types() {
		if lines[typ.Name] == nil && !slices.Contains(withoutWhich, typ.Name) {
			continue
		}
		golden, err := os.ReadFile(filepath.Join(goldens, typ.Name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var tree map[string]any
		if err := json.Unmarshal(golden, &tree); err != nil {
			t.Fatal(err)
		}
		for _, field := range lines[typ.Name] {
			word := fmt.Sprintf("word-%d-", len(words))
			words[typ.Name+" "+field] = word
			say(tree, strings.Split(field, "."), word)
		}
		data, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		e, err := typ.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		side.Given("acc_1", streamOf(typ.Name), e)
	}
	side.Settle()

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
