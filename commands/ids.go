package commands

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"github.com/google/uuid"
)

// namespace is the root of every command id. It must never change: a repeat of
// an old request is recognised by ids derived from it.
const namespace = "2543a5c3-2a6b-4852-9620-278aba75e97e"

// CommandID is the id of the command that a principal's request with an
// Idempotency-Key stands for. The same fields always give the same id, and no
// two different lists of fields give the same one, since each field goes in
// with its length.
func CommandID(principal, method, route string, pathIDs []string, key string) uuid.UUID {
	fields := make([]string, 0, len(pathIDs)+4)
	fields = append(fields, principal, method, route, strconv.Itoa(len(pathIDs)))
	fields = append(fields, pathIDs...)
	fields = append(fields, key)
	return derive(uuid.MustParse(namespace), fields...)
}

// StepID is the command id of one step of a command over several streams.
func StepID(commandID uuid.UUID, step string) uuid.UUID { return derive(commandID, "step", step) }

// NewID is the id of the thing of a kind ("inv", "tkt") that a command makes;
// a repeat of the command aims at the same thing.
func NewID(commandID uuid.UUID, kind string) string {
	id := derive(commandID, "new", kind)
	return kind + "_" + hex.EncodeToString(id[:])
}

// eventID is the id of the command's index-th event in a stream.
func eventID(commandID uuid.UUID, stream string, index int) uuid.UUID {
	return derive(commandID, "event", stream, strconv.Itoa(index))
}

func derive(space uuid.UUID, fields ...string) uuid.UUID {
	var name []byte
	for _, f := range fields {
		name = binary.AppendUvarint(name, uint64(len(f)))
		name = append(name, f...)
	}
	return uuid.NewSHA1(space, name)
}
