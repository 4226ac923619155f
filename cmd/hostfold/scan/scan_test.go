package scan_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"mime/quotedprintable"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hostfold/hostfold/cmd/hostfold/scan"
)

const word = `Zoé "Canary" <Ünal> & 𝒮ons`

// quoted is a text as a JSON string.
func quoted(t *testing.T, text string) string {
	t.Helper()
	data, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func encodings(t *testing.T) map[string]string {
	t.Helper()
	marshalled, err := json.Marshal(map[string]string{"name": "x" + word + "y"})
	if err != nil {
		t.Fatal(err)
	}
	var printable bytes.Buffer
	w := quotedprintable.NewWriter(&printable)
	if _, err := w.Write([]byte(strings.Repeat("à", 18) + word + " and what follows")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	mime := base64.StdEncoding.EncodeToString([]byte("some text that is before " + word + " and after"))
	var lines strings.Builder
	for ; len(mime) > 20; mime = mime[20:] {
		lines.WriteString(mime[:20] + "\r\n")
	}
	lines.WriteString(mime)
	ascii := `{"name":"Zo\u00e9 \"Canary\" \u003c\u00dcnal\u003e \u0026 \ud835\udcaeons"}`
	all := map[string]string{
		"quoted-printable in JSON": quoted(t, printable.String()), "base64 in lines in JSON": quoted(t, lines.String()),
		"base64 in lines in JSON in JSON, as COPY has it": strings.ReplaceAll(quoted(t, quoted(t, lines.String())), `\`, `\\`),
		"plain": "before " + word + " after", "JSON": string(marshalled), "JSON in JSON": quoted(t, string(marshalled)),
		"quoted-printable": printable.String(), "base64 in lines": lines.String(),
		"query": url.QueryEscape(word), "path": url.PathEscape(word), "hex": hex.EncodeToString([]byte("x" + word)),
		"ASCII JSON": ascii, "ASCII JSON in JSON, as COPY has it": strings.ReplaceAll(quoted(t, ascii), `\`, `\\`),
	}
	for n, before := range []string{"", "a", "ab", "abc"} {
		all["base64 at "+string(rune('0'+n))] = base64.StdEncoding.EncodeToString([]byte(before + word + "z"))
		all["base64url at "+string(rune('0'+n))] = base64.RawURLEncoding.EncodeToString([]byte(before + word))
	}
	return all
}

func TestAWordIsFoundInEveryEncoding(t *testing.T) {
	t.Parallel()
	s, err := scan.New("never there", word)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range encodings(t) {
		// In the middle, and across the border of what is looked at at once.
		for _, before := range []int{0, 100, 4<<20 - len(text)/2} {
			hits, err := s.Read(name, strings.NewReader(strings.Repeat(".", before)+text+strings.Repeat(".", 5000)))
			if err != nil {
				t.Fatal(err)
			}
			if len(hits) == 0 || strings.Contains(hits[0].Word, "never") {
				t.Errorf("%s after %d bytes: found %v in %s", name, before, hits, text)
			}
		}
	}
	hits, err := s.Read("clean", strings.NewReader(strings.Repeat("Zoe Canary, without her accents. ", 300000)))
	if err != nil || len(hits) > 0 {
		t.Errorf("found %v, %v", hits, err)
	}
}

func TestAFolderIsLookedThroughNamesIncluded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, text := range map[string]string{"a/b/clean": "nothing", "a/c/hit": "x canary-1 y", "a/canary-1.eml": ""} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := scan.New("canary-1")
	if err != nil {
		t.Fatal(err)
	}
	hits, err := s.Folder(dir)
	if err != nil || len(hits) != 2 || !strings.Contains(hits[0].Place, "hit") || !strings.Contains(hits[1].Place, "canary-1.eml") {
		t.Errorf("found %v, %v", hits, err)
	}
	if _, err := scan.New("short"); err == nil {
		t.Error("a word that is everywhere was taken")
	}
}
