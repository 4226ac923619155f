// Package scan looks for words in what a machine keeps: files, dumps, logs. It
// is how an erasure is proven. A word is found in UTF-8, as JSON escapes it, in
// base64, quoted-printable, percent-encoded and in hex, also where a line
// breaks it. What is compressed or encrypted is not looked into: give it what
// was taken apart.
package scan

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Scanner looks for some words. It may be used by many goroutines.
type Scanner struct{ forms []form }

type form struct {
	word, as string
	bytes    []byte
}

// Hit is a word that was found.
type Hit struct {
	// Place is the file or dump.
	Place string
	Word  string
	// As is the encoding it was found in.
	As string
}

// String says what was found where.
func (h Hit) String() string { return fmt.Sprintf("%q in %s, as %s", h.Word, h.Place, h.As) }

// New looks for words of at least six bytes; shorter ones are everywhere.
func New(words ...string) (*Scanner, error) {
	s := &Scanner{}
	for _, w := range words {
		if len(w) < 6 {
			return nil, fmt.Errorf("the word %q is too short to be looked for", w)
		}
		s.add(w, "UTF-8", w)
		if err := s.addJSON(w); err != nil {
			return nil, err
		}
		s.addBase64(w)
		s.add(w, "quoted-printable", quoted(w, "%02X"), quoted(w, "%02x"))
		s.add(w, "percent-encoding", url.QueryEscape(w), url.PathEscape(w))
		s.add(w, "hex", hex.EncodeToString([]byte(w)), strings.ToUpper(hex.EncodeToString([]byte(w))))
	}
	return s, nil
}

func (s *Scanner) add(word, as string, texts ...string) {
	for _, text := range texts {
		known := func(f form) bool { return string(f.bytes) == text }
		if !slices.ContainsFunc(s.forms, known) {
			s.forms = append(s.forms, form{word: word, as: as, bytes: []byte(text)})
		}
	}
}

// addJSON adds what encoders make of a word in a JSON string, and of that in
// another one.
func (s *Scanner) addJSON(word string) error {
	text, err := json.Marshal(word)
	if err != nil {
		return err
	}
	inner := string(text[1 : len(text)-1])
	for _, escaped := range []string{inner, ascii(inner, `\u%04x`), ascii(inner, `\u%04X`), plain(word)} {
		again, err := json.Marshal(escaped)
		if err != nil {
			return err
		}
		s.add(word, "JSON", escaped, string(again[1:len(again)-1]))
	}
	return nil
}

// plain escapes quotes and backslashes alone, as Postgres does.
func plain(word string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word)
}

// ascii escapes all that is not ASCII, in UTF-16 units.
func ascii(word, unit string) string {
	var b strings.Builder
	for _, r := range word {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, unit, 0xd800+r>>10)
			fmt.Fprintf(&b, unit, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, unit, r)
		}
	}
	return b.String()
}

// addBase64 adds the characters that a word alone decides, for each place that
// it can begin at in a group of three bytes.
func (s *Scanner) addBase64(word string) {
	for before := range 3 {
		padded := append(make([]byte, before), word...)
		first, last := (before*8+5)/6, len(padded)*8/6
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			s.add(word, "base64", e.EncodeToString(padded)[first:last])
		}
	}
}

func quoted(word, unit string) string {
	var b strings.Builder
	for _, c := range []byte(word) {
		if c == '=' || c < ' ' || c > '~' {
			fmt.Fprintf(&b, "="+unit, c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// The window that is looked at, and what of it is looked at again with the next.
const (
	window = 4 << 20
	again  = 64 << 10
)

// Read looks through what a reader gives.
func (s *Scanner) Read(place string, r io.Reader) ([]Hit, error) {
	var hits []Hit
	buf, kept := make([]byte, window), 0
	for {
		n, err := io.ReadFull(r, buf[kept:])
		hits = s.look(place, buf[:kept+n], hits)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return hits, nil
		}
		if err != nil {
			return hits, fmt.Errorf("read %s: %w", place, err)
		}
		kept = copy(buf, buf[kept+n-again:kept+n])
	}
}

func (s *Scanner) look(place string, data []byte, hits []Hit) []Hit {
	soft := bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("=\r\n"), nil), []byte("=\n"), nil)
	joined := bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\r\n"), nil), []byte("\n"), nil)
	for _, f := range s.forms {
		if bytes.Contains(data, f.bytes) || bytes.Contains(soft, f.bytes) || bytes.Contains(joined, f.bytes) {
			if h := (Hit{Place: place, Word: f.word, As: f.as}); !slices.Contains(hits, h) {
				hits = append(hits, h)
			}
		}
	}
	return hits
}

// Folder looks through every file below a folder, and at their names.
func (s *Scanner) Folder(dir string) ([]Hit, error) {
	var hits []Hit
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hits = s.look("the name of "+path, []byte(d.Name()), hits)
		if !d.Type().IsRegular() {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		found, err := s.Read(path, f)
		hits = append(hits, found...)
		return errors.Join(err, f.Close())
	})
	return hits, err
}
