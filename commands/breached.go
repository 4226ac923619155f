package commands

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the lists that there are name passwords by it
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Breached is a list of passwords that were stolen somewhere, in the form of Have
// I Been Pwned: a line for each, in order, with its SHA-1 in hexadecimal digits
// and, after a colon, how often it was seen. It is searched where it lies, since
// it has some forty gigabytes. It may be used by many goroutines.
type Breached struct {
	list io.ReaderAt
	size int64
}

// breachedLine is more than a line has.
const breachedLine = 128

// OpenBreached opens a list. The file stays open until the process ends.
func OpenBreached(path string) (*Breached, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the list of breached passwords: %w", err)
	}
	about, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the list of breached passwords: %w", err), f.Close())
	}
	b := &Breached{list: f, size: about.Size()}
	first, _, err := b.line(0)
	if err == nil && !isSHA1(first) {
		err = fmt.Errorf("%s: its first line has no SHA-1; give the list ordered by hash", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return b, nil
}

func isSHA1(text string) bool {
	_, err := hex.DecodeString(text)
	return err == nil && len(text) == hex.EncodedLen(sha1.Size)
}

// Has reports whether a password is on the list. No list has none.
func (b *Breached) Has(password string) (bool, error) {
	if b == nil {
		return false, nil
	}
	sum := sha1.Sum([]byte(password)) //nolint:gosec // see above
	wanted := strings.ToUpper(hex.EncodeToString(sum[:]))
	// What is wanted begins at or after from, and before to.
	for from, to := int64(0), b.size; from < to; {
		middle := from + (to-from)/2
		found, next, err := b.line(middle)
		switch {
		case err != nil:
			return false, err
		case found == wanted:
			return true, nil
		case found == "" || found > wanted:
			to = middle
		default:
			from = next
		}
	}
	return false, nil
}

// line is the hash of the first line that begins at a place or after it, and
// where the one after that begins; "" when there is none.
func (b *Breached) line(at int64) (hash string, next int64, err error) {
	buffer := make([]byte, 2*breachedLine)
	start := max(at-1, 0)
	n, err := b.list.ReadAt(buffer, start)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", 0, fmt.Errorf("read the list of breached passwords: %w", err)
	}
	text := buffer[:n]
	if at > 0 {
		_, rest, ends := bytes.Cut(text, []byte("\n"))
		if !ends {
			return "", b.size, nil
		}
		start, text = start+int64(len(text)-len(rest)), rest
	}
	whole, _, ends := bytes.Cut(text, []byte("\n"))
	next = start + int64(len(whole))
	if ends {
		next++
	}
	digits, _, _ := bytes.Cut(whole, []byte(":"))
	return strings.ToUpper(string(bytes.TrimSpace(digits))), next, nil
}
