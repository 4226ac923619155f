package mail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

// Folder is a Sink that writes each mail as an .eml file, for machines without
// a mail server. The files hold personal data: they are for their owner only.
type Folder struct{ Dir string }

var (
	_ Sink    = Folder{}
	_ Remover = Folder{}
)

// Send writes the mail; the file has the name of its Message-ID, so that a
// doubled mail is the same file.
func (f Folder) Send(_ context.Context, m *gomail.Msg) error {
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of mails: %w", err)
	}
	name, _, _ := strings.Cut(strings.Trim(m.GetMessageID(), "<>"), "@")
	if name == "" || name != filepath.Base(name) {
		return fmt.Errorf("a mail without a usable Message-ID: %q", m.GetMessageID())
	}
	file, err := os.CreateTemp(f.Dir, ".mail-*")
	if err != nil {
		return fmt.Errorf("write a mail: %w", err)
	}
	_, err = m.WriteTo(file)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), filepath.Join(f.Dir, name+".eml"))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write a mail: %w", err), os.Remove(file.Name()))
	}
	return nil
}

// Remove removes the files of mails, and those that a killed process left half
// written. A mail that is being written meanwhile fails and is written again.
func (f Folder) Remove(_ context.Context, messages []string) error {
	halves, err := filepath.Glob(filepath.Join(f.Dir, ".mail-*"))
	if err != nil {
		return fmt.Errorf("look for half-written mails: %w", err)
	}
	for _, half := range halves {
		if err := os.Remove(half); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove a half-written mail: %w", err)
		}
	}
	for _, id := range messages {
		if id != filepath.Base(id) {
			return fmt.Errorf("remove a mail without a usable id: %q", id)
		}
		if err := os.Remove(filepath.Join(f.Dir, id+".eml")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove a mail: %w", err)
		}
	}
	return nil
}
