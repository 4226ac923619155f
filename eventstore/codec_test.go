package eventstore_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/keystest"
)

type line struct {
	Text  string `json:"text" personal:"account,fiscal"`
	Price string `json:"price"`
}

type written struct {
	Name   string   `json:"name" personal:"self,profile"`
	Author string   `json:"author"`
	Body   string   `json:"body" personal:"author,profile"`
	IP     string   `json:"ip" personal:"self,network"`
	Lines  []line   `json:"lines"`
	CC     []string `json:"cc,omitempty" personal:"account,profile"`
	Size   int64    `json:"size"`
	Plain  string   `json:"plain"`
}

func (written) EventType() string { return "letter.written.v2" }

type renamed struct {
	Plain string `json:"plain"`
}

func (renamed) EventType() string { return "letter.renamed.v1" }

var letter = written{
	Name: "Zoé Martin", Author: "usr_9", Body: "Bonjour \"toi\" <b>", IP: "192.0.2.7",
	Lines: []line{{"premier secret", "1.00"}, {"", "2.00"}}, CC: []string{"cc@example.com"}, Size: 9007199254740993, Plain: "kept",
}

var (
	meta   = eventstore.Metadata{Account: "acc_1", OccurredAt: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)}
	anID   = uuid.MustParse("0b0c7f0e-93e5-5d5b-8d4c-55a3a9b1f001")
	stream = "letter-ltr_1"
)

func newCodec(t *testing.T) *eventstore.Codec {
	t.Helper()
	c, err := eventstore.NewCodec(domain.TypeOf[written](), domain.TypeOf[renamed]())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func recorded(e eventstore.NewEvent) eventstore.Recorded {
	return eventstore.Recorded{ID: e.ID, Stream: stream, Type: e.Type, Data: e.Data, Metadata: e.Metadata}
}

func TestPersonalFieldsAreSealedOnDiskAndReadBack(t *testing.T) {
	t.Parallel()
	keys := keystest.New()
	codec := newCodec(t).WithKeys(keys)
	stored, err := codec.Encode(t.Context(), stream, anID, letter, meta)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"Zoé", "Martin", "Bonjour", "192.0.2.7", "premier", "cc@example.com"} {
		if bytes.Contains(stored.Data, []byte(secret)) {
			t.Errorf("%q is on disk in clear: %s", secret, stored.Data)
		}
	}
	if !bytes.Contains(stored.Data, []byte(`"name":{"$enc":{"key":"key_`)) {
		t.Errorf("the sealed form is not the agreed one: %s", stored.Data)
	}
	got, m, err := codec.Decode(t.Context(), recorded(stored))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(domain.Event(letter), got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if m.Account != "acc_1" || m.Category != "letter" || m.AggregateID != "ltr_1" || m.Schema != 1 {
		t.Errorf("metadata read back as %+v", m)
	}
}

func TestErasureTurnsTheFieldsOfOneSubjectAndPurposeIntoErased(t *testing.T) {
	t.Parallel()
	keys := keystest.New()
	codec := newCodec(t).WithKeys(keys)
	stored, err := codec.Encode(t.Context(), stream, anID, letter, meta)
	if err != nil {
		t.Fatal(err)
	}
	keys.Destroy("ltr_1", eventstore.Profile)
	keys.Destroy("2026-03", eventstore.Network)
	want := letter
	want.Name, want.IP = eventstore.Erased, eventstore.Erased
	got, _, err := codec.Decode(t.Context(), recorded(stored))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(domain.Event(want), got); diff != "" {
		t.Errorf("read after erasure (-want +got):\n%s", diff)
	}
	if _, err := codec.Encode(t.Context(), stream, anID, letter, meta); !errors.Is(err, eventstore.ErrSubjectErased) {
		t.Errorf("writing about an erased subject: %v", err)
	}
}

func TestASealedFieldOpensOnlyInItsPlace(t *testing.T) {
	t.Parallel()
	codec := newCodec(t).WithKeys(keystest.New())
	stored, err := codec.Encode(t.Context(), stream, anID, letter, meta)
	if err != nil {
		t.Fatal(err)
	}
	for name, move := range map[string]func(*eventstore.Recorded){
		"another stream": func(r *eventstore.Recorded) { r.Stream = "letter-ltr_2" },
		"another event":  func(r *eventstore.Recorded) { r.ID = uuid.Nil },
		"another field":  func(r *eventstore.Recorded) { r.Data = bytes.ReplaceAll(r.Data, []byte(`"name":`), []byte(`"nom":`)) },
		"a changed ciphertext": func(r *eventstore.Recorded) {
			i := bytes.Index(r.Data, []byte(`"ct":"`)) + len(`"ct":"`) + 20
			r.Data = bytes.Clone(r.Data)
			r.Data[i] ^= 1
		},
	} {
		r := recorded(stored)
		move(&r)
		if _, _, err := codec.Decode(t.Context(), r); err == nil {
			t.Errorf("opened in %s", name)
		}
	}
}

func TestWithoutKeysNothingPersonalIsWrittenOrRead(t *testing.T) {
	t.Parallel()
	codec := newCodec(t)
	if _, err := codec.Encode(t.Context(), stream, anID, letter, meta); err == nil {
		t.Error("wrote personal data without keys")
	}
	if _, err := codec.Encode(t.Context(), stream, anID, renamed{Plain: "x"}, meta); err != nil {
		t.Errorf("a type without personal fields needs no keys: %v", err)
	}
	stored, err := codec.WithKeys(keystest.New()).Encode(t.Context(), stream, anID, letter, meta)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := codec.Decode(t.Context(), recorded(stored)); err == nil {
		t.Error("read personal data without keys")
	}
}

func TestAnOldShapeIsDecryptedThenUpcast(t *testing.T) {
	t.Parallel()
	keys := keystest.New()
	stored, err := newCodec(t).WithKeys(keys).Encode(t.Context(), stream, anID, letter, meta)
	if err != nil {
		t.Fatal(err)
	}
	stored.Type = "letter.written.v0"
	step := func(from, to, add string) eventstore.Upcaster {
		return eventstore.Upcaster{From: from, To: to, Up: func(data json.RawMessage) (json.RawMessage, error) {
			return json.RawMessage(strings.Replace(string(data), `"plain":"kept`, `"plain":"kept`+add, 1)), nil
		}}
	}
	codec, err := newCodec(t).WithKeys(keys).Upcasting(
		step("letter.written.v0", "letter.written.v1", " once"), step("letter.written.v1", "letter.written.v2", " and again"))
	if err != nil {
		t.Fatal(err)
	}
	got, m, err := codec.Decode(t.Context(), recorded(stored))
	if err != nil {
		t.Fatal(err)
	}
	want := letter
	want.Plain = "kept and again once"
	if diff := cmp.Diff(domain.Event(want), got); diff != "" {
		t.Errorf("upcast (-want +got):\n%s", diff)
	}
	if m.Type != "letter.written.v0" {
		t.Errorf("the metadata tell the stored type, got %s", m.Type)
	}
	if _, err := newCodec(t).Upcasting(step("letter.written.v1", "letter.gone.v2", "")); err == nil {
		t.Error("accepted a chain that ends nowhere")
	}
}

type wrongSubject struct {
	Name string `json:"name" personal:"nobody,profile"`
}

func (wrongSubject) EventType() string { return "x.wrong_subject.v1" }

type wrongPurpose struct {
	Name string `json:"name" personal:"self,fun"`
}

func (wrongPurpose) EventType() string { return "x.wrong_purpose.v1" }

type wrongKind struct {
	At time.Time `json:"at" personal:"self,profile"`
}

func (wrongKind) EventType() string { return "x.wrong_kind.v1" }

func TestTagsThatCannotBeFollowedAreRefusedAtStart(t *testing.T) {
	t.Parallel()
	for _, bad := range []domain.Type{domain.TypeOf[wrongSubject](), domain.TypeOf[wrongPurpose](), domain.TypeOf[wrongKind]()} {
		if _, err := eventstore.NewCodec(bad); err == nil {
			t.Errorf("%s was accepted", bad.Name)
		}
	}
	if _, err := eventstore.NewCodec(domain.TypeOf[renamed](), domain.TypeOf[renamed]()); err == nil {
		t.Error("a name listed twice was accepted")
	}
}
