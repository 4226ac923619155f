package eventstore

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
)

func fullMetadata() Metadata {
	id := uuid.MustParse("2543a5c3-2a6b-4852-9620-278aba75e97e")
	return Metadata{
		Actor:   domain.Actor{Kind: domain.ActorStaff, ID: "usr_1", Impersonator: "usr_2", Token: "tok_1"},
		Account: "acc_1", OnBehalfOf: "acc_1", Permission: "services.manage", Delegation: "dlg_1", Impersonation: "imp_1", CommandID: id, Command: "RenameService", RequestHash: "9f86",
		CorrelationID: "req_1", CausationID: id.String(), TraceParent: "00-0af7-b7ad-01", Schema: 1,
		OccurredAt: time.Date(2026, 1, 31, 12, 0, 0, 123456000, time.UTC), GivenTime: true,
	}
}

func TestMetadataAsWrittenAreReadWithoutReflection(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]Metadata{
		"every field": fullMetadata(),
		"the least":   {Actor: domain.Actor{Kind: domain.ActorSystem}, Schema: 1, OccurredAt: time.Unix(0, 0).UTC()},
	} {
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var got Metadata
		if !readEnvelope(data, &got) {
			t.Errorf("%s: %s is left to encoding/json", name, data)
		}
		if diff := cmp.Diff(m, got); diff != "" {
			t.Errorf("%s (-written +read):\n%s", name, diff)
		}
	}
}

func TestMetadataOfAnotherFormAreReadAllTheSame(t *testing.T) {
	t.Parallel()
	m := fullMetadata()
	recorded := m.OccurredAt.Add(time.Hour)
	m.OriginRecordedAt, m.Origin, m.Command = &recorded, "C:7/P:7", "Nommé \"so\""
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got, err := MetaOf(Recorded{Stream: "a-b", Metadata: data})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, got.Metadata); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
	if !got.RecordedAt.Equal(recorded) {
		t.Errorf("recorded at %s", got.RecordedAt)
	}
}

func FuzzMetadataAreReadAsJSONReadsThem(f *testing.F) {
	full, err := json.Marshal(fullMetadata())
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{
		string(full), `{}`, `{"schema":1}`, `{"schema":12}`, `{"schema":1.5}`, `{"schema":1`, `{"account":"é"}`, `{"account":"\u0041"}`,
		`{"actor":{}}`, `{"actor":{"kind":"user"},"actor":{"id":"x"}}`, `{"actor":{"kind":""},"actor":{"kind":"a"}}`, `{"given_time":true}`,
		`{"occurred_at":"2026-01-31T12:00:00+02:00"}`, `{"occurred_at":"2026-01-31T12:00:00,5Z"}`, `{"command_id":"urn:uuid:x"}`,
		`{"Schema":1}`, `{"more":1}`, strings.Replace(string(full), ":", ": ", 1), string(full) + " ", string(full) + "}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, want Metadata
		if !readEnvelope(data, &got) {
			return
		}
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("%s is read, encoding/json says %v", data, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-encoding/json +here):\n%s", data, diff)
		}
	})
}
