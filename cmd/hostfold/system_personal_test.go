package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/hostfold/hostfold/domain/catalog/golden"
)

// unsaid are what lines of personal.txt have in whose field the erased customer has
// none of the words that are looked for, each with its reason.
var unsaid = map[string]string{
	"account.opened.v2 kept.company_number":          "a billing identity brings it, which this account has later",
	"account.opened.v2 kept.email":                   "as above",
	"account.profile_updated.v2 kept.company_number": "as above",
	"account.profile_updated.v2 kept.email":          "as above",
	"contact.amended.v1 kept.":                       "kept of contacts that a domain name had",
	"contact.claimed.v1 kept.":                       "as above",
	"delegation.kept.v1 email":                       "a former owner's, who is no customer any more",
	"hosting.created.v1 label":                       "a service has no end yet, and refuses an erasure",
	"hosting.renamed.v1 label":                       "as above",
	"notification.notified.v1 title":                 "of our own words",
	"user.new_device_seen.v1 ip":                     "under the key of the month, which all share",
	"user.passkey_added.v1 name":                     "a passkey takes an authenticator, which this customer has not",
	"user.passkey_renamed.v1 name":                   "as above",
}

// personalIn are all texts below a field of an event's data.
func personalIn(node any, path []string) (texts []string) {
	switch n := node.(type) {
	case string:
		if len(path) == 0 {
			return []string{n}
		}
	case []any:
		for _, item := range n {
			texts = append(texts, personalIn(item, path)...)
		}
	case map[string]any:
		if len(path) > 0 {
			return personalIn(n[path[0]], path[1:])
		}
	}
	return texts
}

// sayEveryField fails when a personal field of the catalogue has none of the words
// in any event of an export in clear, unless unsaid has it.
func sayEveryField(t *testing.T, export []byte, words []string) {
	t.Helper()
	data := map[string][]any{} // by type
	lines := bufio.NewScanner(bytes.NewReader(export))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e struct {
			Type string `json:"type"`
			Data any    `json:"data"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		data[e.Type] = append(data[e.Type], e.Data)
	}
	pinned, err := golden.Files.ReadFile("personal.txt")
	if err != nil {
		t.Fatal(err)
	}
	excused := map[string]bool{}
	for line := range strings.Lines(string(pinned)) {
		parts := strings.Fields(line)
		event, field := parts[0], parts[1]
		says := slices.ContainsFunc(data[event], func(of any) bool {
			return slices.ContainsFunc(personalIn(of, strings.Split(field, ".")), func(text string) bool {
				return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
			})
		})
		listed := false
		for of := range unsaid {
			if strings.Contains(event+" "+field, of) {
				listed, excused[of] = true, true
			}
		}
		if says == listed {
			t.Errorf("%s %s: a word that is looked for stands in it: %v; unsaid has it: %v", event, field, says, listed)
		}
	}
	for of, why := range unsaid {
		if !excused[of] {
			t.Errorf("there is no personal field %s (%s)", of, why)
		}
	}
}
