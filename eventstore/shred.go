package eventstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
)

// sealed is an encrypted field on disk.
type sealed struct {
	Enc struct {
		Key string `json:"key"`
		CT  []byte `json:"ct"`
	} `json:"$enc"`
}

// mark is how every sealed field begins. It cannot occur inside a JSON string,
// where its quotes would be escaped.
var mark = []byte(`{"$enc":`)

// place is where a field stands. It is authenticated with the field, so that a
// ciphertext moved to another event or field does not decrypt.
type place struct {
	stream string
	id     uuid.UUID
	path   string
}

func (p place) bytes() []byte {
	var b []byte
	for _, part := range []string{p.stream, string(p.id[:]), p.path} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}

func (p place) in(name string) place {
	if p.path != "" {
		name = p.path + "." + name
	}
	p.path = name
	return p
}

func (p place) at(i int) place {
	p.path += "[" + strconv.Itoa(i) + "]"
	return p
}

// encrypt replaces the personal fields of an event's JSON by sealed ones. Empty
// strings stay, since they say nothing.
func (c *Codec) encrypt(ctx context.Context, fields []personalField, at place, data []byte, m Metadata) ([]byte, error) {
	if c.keys == nil {
		return nil, errors.New("the codec has no keys for personal data")
	}
	tree, err := parse(data)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		subject, err := f.subjectOf(tree, at.stream, m)
		if err != nil {
			return nil, err
		}
		seal := func(at place, clear string) (any, error) {
			if clear == "" {
				return clear, nil
			}
			if subject == "" {
				return nil, fmt.Errorf("the subject of %s is not known", at.path)
			}
			key, err := c.keys.KeyFor(ctx, subject, f.purpose)
			if errors.Is(err, ErrErased) {
				return nil, fmt.Errorf("%w (%w)", ErrSubjectErased, err)
			}
			if err != nil {
				return nil, fmt.Errorf("key for %s: %w", at.path, err)
			}
			var s sealed
			s.Enc.Key = key.ID
			nonce := make([]byte, key.AEAD.NonceSize(), key.AEAD.NonceSize()+len(clear)+key.AEAD.Overhead())
			if _, err := rand.Read(nonce); err != nil {
				return nil, fmt.Errorf("draw a nonce: %w", err)
			}
			s.Enc.CT = key.AEAD.Seal(nonce, nonce, []byte(clear), at.bytes())
			return s, nil
		}
		if tree, err = replace(tree, f.path, at, seal); err != nil {
			return nil, err
		}
	}
	return json.Marshal(tree)
}

// subjectOf is the id of the subject of a field in one event.
func (f personalField) subjectOf(tree any, stream string, m Metadata) (string, error) {
	switch {
	case f.purpose == Network:
		return m.OccurredAt.UTC().Format("2006-01"), nil
	case f.subject == subjectSelf:
		_, id, _ := strings.Cut(stream, "-")
		return id, nil
	case f.subject == subjectAccount:
		return m.Account, nil
	}
	object, ok := tree.(map[string]any)
	if !ok {
		return "", errors.New("the event is no JSON object")
	}
	id, _ := object[f.subject].(string)
	return id, nil
}

// replace applies change to every string that a path leads to.
func replace(node any, path []string, at place, change func(place, string) (any, error)) (any, error) {
	if node == nil {
		return nil, nil
	}
	if len(path) == 0 {
		clear, ok := node.(string)
		if !ok {
			return nil, fmt.Errorf("personal field %s is no string", at.path)
		}
		return change(at, clear)
	}
	var err error
	switch n := node.(type) {
	case map[string]any:
		if child, ok := n[path[0]]; ok {
			n[path[0]], err = replace(child, path[1:], at.in(path[0]), change)
		}
	case []any:
		for i := range n {
			if n[i], err = replace(n[i], path[1:], at.at(i), change); err != nil {
				return nil, err
			}
		}
	}
	return node, err
}

// Decrypt is an event's data with every sealed field in clear, or Erased where
// its key was destroyed. Data without a sealed field is answered as it is.
func (c *Codec) Decrypt(ctx context.Context, r Recorded) ([]byte, error) {
	if r.Binary || !bytes.Contains(r.Data, mark) {
		return r.Data, nil
	}
	if c.keys == nil {
		return nil, fmt.Errorf("event %s at %s: the codec has no keys for personal data", r.ID, r.Position)
	}
	tree, err := parse(r.Data)
	if err == nil {
		tree, err = c.open(ctx, tree, place{stream: r.Stream, id: r.ID})
	}
	if err != nil {
		return nil, fmt.Errorf("decrypt event %s at %s: %w", r.ID, r.Position, err)
	}
	return json.Marshal(tree)
}

// open decrypts the sealed fields below a node.
func (c *Codec) open(ctx context.Context, node any, at place) (any, error) {
	var err error
	switch n := node.(type) {
	case map[string]any:
		if enc, ok := n["$enc"].(map[string]any); ok && len(n) == 1 {
			return c.unseal(ctx, enc, at)
		}
		for name := range n {
			if n[name], err = c.open(ctx, n[name], at.in(name)); err != nil {
				return nil, err
			}
		}
	case []any:
		for i := range n {
			if n[i], err = c.open(ctx, n[i], at.at(i)); err != nil {
				return nil, err
			}
		}
	}
	return node, nil
}

func (c *Codec) unseal(ctx context.Context, enc map[string]any, at place) (any, error) {
	id, _ := enc["key"].(string)
	text, _ := enc["ct"].(string)
	key, err := c.keys.KeyByID(ctx, id)
	if errors.Is(err, ErrErased) {
		return Erased, nil
	}
	if err != nil {
		return nil, fmt.Errorf("key %s of %s: %w", id, at.path, err)
	}
	ct, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(ct) < key.AEAD.NonceSize() {
		return nil, fmt.Errorf("ciphertext of %s is damaged", at.path)
	}
	nonce, ct := ct[:key.AEAD.NonceSize()], ct[key.AEAD.NonceSize():]
	clear, err := key.AEAD.Open(nil, nonce, ct, at.bytes())
	if err != nil {
		return nil, fmt.Errorf("open %s with key %s: %w", at.path, id, err)
	}
	return string(clear), nil
}

// Personal is what an event says of people: its personal fields that say
// anything, by where they stand in its JSON. What only the law keeps (Identity)
// is not among them.
func (c *Codec) Personal(e domain.Event) (map[string]string, error) {
	t, known := c.types[e.EventType()]
	if !known {
		return nil, fmt.Errorf("event type %s is not in the catalogue", e.EventType())
	}
	if len(t.personal) == 0 {
		return nil, nil
	}
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", e.EventType(), err)
	}
	tree, err := parse(data)
	if err != nil {
		return nil, err
	}
	said := map[string]string{}
	for _, f := range t.personal {
		if f.purpose == Identity {
			continue
		}
		note := func(at place, text string) (any, error) {
			if text != "" {
				said[at.path] = text
			}
			return text, nil
		}
		if tree, err = replace(tree, f.path, place{}, note); err != nil {
			return nil, err
		}
	}
	return said, nil
}

// parse reads JSON into maps and lists, numbers kept to the digit.
func parse(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var tree any
	err := d.Decode(&tree)
	return tree, err
}
