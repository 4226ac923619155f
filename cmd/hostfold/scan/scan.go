// Package scan looks for words in what a machine keeps: files, dumps, logs. It
// is how an erasure is proven. A word is found in UTF-8, as JSON escapes it, in
// base64, quoted-printable, percent-encoded and in hex, also where a line
// breaks it, and where that line break is escaped in its turn. Each hit tells
// the place, the word and the encoding. What is compressed or encrypted is not
// looked into: give it what was taken apart.
package scan

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
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

// The encodings that a word is found in, as a Hit names them.
const (
	UTF8            = "UTF-8"
	JSON            = "JSON"
	Base64          = "base64"
	QuotedPrintable = "quoted-printable"
	Percent         = "percent-encoding"
	Hex             = "hex"
)

// Scanner looks for some words. It may be used by many goroutines.
//
// Hundreds of forms of words are looked for in one walk over the data: a table
// tells which two bytes begin any of them, and the first four bytes which.
type Scanner struct {
	begins [1 << 16]bool
	forms  map[[4]byte][]form
}

type form struct {
	word, as string
	bytes    []byte
}

// Hit is a word that was found.
type Hit struct {
	// Place is the file or dump.
	Place string
	Word  string
	// As is the encoding that it was found in. What is the same in several of
	// them, as ASCII is, counts as UTF-8.
	As string
}

// String says what was found where.
func (h Hit) String() string { return fmt.Sprintf("%q in %s, as %s", h.Word, h.Place, h.As) }

// New looks for words of at least six bytes; shorter ones are everywhere.
func New(words ...string) (*Scanner, error) {
	s := &Scanner{forms: map[[4]byte][]form{}}
	for _, w := range words {
		if len(w) < 6 {
			return nil, fmt.Errorf("the word %q is too short to be looked for", w)
		}
		s.add(w, UTF8, w)
		inner := inString(w)
		s.nest(w, JSON, inner, ascii(inner, `\u%04x`), ascii(inner, `\u%04X`), plain(w))
		s.addBase64(w)
		s.nest(w, QuotedPrintable, quoted(w, "%02X"), quoted(w, "%02x"))
		s.add(w, Percent, url.QueryEscape(w), url.PathEscape(w))
		s.add(w, Hex, hex.EncodeToString([]byte(w)), strings.ToUpper(hex.EncodeToString([]byte(w))))
	}
	return s, nil
}

func (s *Scanner) add(word, as string, texts ...string) {
	for _, text := range texts {
		start := [4]byte([]byte(text))
		known := func(f form) bool { return f.word == word && string(f.bytes) == text }
		if !slices.ContainsFunc(s.forms[start], known) {
			s.begins[binary.BigEndian.Uint16(start[:])] = true
			s.forms[start] = append(s.forms[start], form{word: word, as: as, bytes: []byte(text)})
		}
	}
}

// nest adds texts, what JSON makes of them in its turn, and again; and what
// COPY makes of that: a dump of jsonb that holds JSON has four backslashes.
func (s *Scanner) nest(word, as string, texts ...string) {
	for _, text := range texts {
		once := inString(text)
		s.add(word, as, text, once, inString(once), copied(text), copied(once))
	}
}

// copied is a text as COPY writes it.
func copied(text string) string { return strings.ReplaceAll(text, `\`, `\\`) }

// inString is what stands between the quotes of a JSON string.
func inString(text string) string {
	data, _ := json.Marshal(text) // every string has a form
	return string(data[1 : len(data)-1])
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
			s.add(word, Base64, e.EncodeToString(padded)[first:last])
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
	hits = s.find(place, data, hits)
	for _, soft := range []bool{true, false} {
		hits = s.find(place, joined(data, soft), hits)
	}
	return hits
}

func (s *Scanner) find(place string, data []byte, hits []Hit) []Hit {
	for i := 0; i+4 <= len(data); i++ {
		if !s.begins[binary.BigEndian.Uint16(data[i:])] {
			continue
		}
		for _, f := range s.forms[[4]byte(data[i:])] {
			if bytes.HasPrefix(data[i:], f.bytes) {
				if h := (Hit{Place: place, Word: f.word, As: f.as}); !slices.Contains(hits, h) {
					hits = append(hits, h)
				}
			}
		}
	}
	return hits
}

// joined is the data without line breaks, or without the soft ones of
// quoted-printable alone; nothing where that changes nothing.
func joined(data []byte, soft bool) []byte {
	var out []byte
	from := 0
	for i := 0; i < len(data); i++ {
		n := i
		if soft {
			if data[i] != '=' {
				continue
			}
			n++
		}
		if b := lineBreak(data[n:]); b > 0 {
			out = append(out, data[from:i]...)
			from = n + b
			i = from - 1
		}
	}
	if from == 0 {
		return nil
	}
	return append(out, data[from:]...)
}

// lineBreak is the length of the line break that data begins with, 0 without
// one. JSON and Postgres' COPY write it as \r\n, and what holds such a text in
// its turn doubles the backslashes, which is followed three times.
func lineBreak(data []byte) int {
	if len(data) == 0 || data[0] != '\r' && data[0] != '\n' && data[0] != '\\' {
		return 0
	}
	cr := oneOf(data, '\r', 'r')
	lf := oneOf(data[cr:], '\n', 'n')
	if lf == 0 {
		return 0
	}
	return cr + lf
}

// oneOf is the length of a control character, as it is or escaped.
func oneOf(data []byte, raw, escaped byte) int {
	for i, c := range data[:min(len(data), 9)] {
		switch {
		case c == raw && i == 0, c == escaped && i > 0:
			return i + 1
		case c != '\\':
			return 0
		}
	}
	return 0
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
