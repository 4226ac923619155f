package eventstore

import (
	"strings"

	"github.com/google/uuid"

	"github.com/hostfold/hostfold/domain"
)

// envelope reads metadata in the very form in which Encode writes them: no
// spaces, no escapes, fields that are known. Every reader of the log reads one
// with every event, and encoding/json takes ten times as long for it. What has
// any other form is left to encoding/json.
type envelope struct {
	data []byte
	// text is data once as a string; what is read are parts of it.
	text string
	at   int
}

// readEnvelope reads the metadata, and reports false when they have another
// form; m is then of no use.
func readEnvelope(data []byte, m *Metadata) bool {
	e := envelope{data: data, text: string(data)}
	return e.object(func(name string) bool { return e.field(name, m) }) && e.at == len(data)
}

func (e *envelope) field(name string, m *Metadata) bool {
	switch name {
	case "actor":
		return m.Actor == (domain.Actor{}) && e.object(func(name string) bool { return e.actor(name, &m.Actor) })
	case "account":
		return e.string(&m.Account)
	case "on_behalf_of":
		return e.string(&m.OnBehalfOf)
	case "permission":
		permission, ok := e.quoted()
		m.Permission = domain.Permission(permission)
		return ok
	case "delegation":
		return e.string(&m.Delegation)
	case "impersonation":
		return e.string(&m.Impersonation)
	case "command_id":
		id, ok := e.quoted()
		if !ok || len(id) != len(uuid.Nil.String()) {
			return false
		}
		var err error
		m.CommandID, err = uuid.Parse(id)
		return err == nil
	case "command":
		return e.string(&m.Command)
	case "request_hash":
		return e.string(&m.RequestHash)
	case "$correlationId":
		return e.string(&m.CorrelationID)
	case "$causationId":
		return e.string(&m.CausationID)
	case "traceparent":
		return e.string(&m.TraceParent)
	case "schema":
		// One digit, and what follows is no more of the number.
		if e.at+1 >= len(e.data) || e.data[e.at] < '1' || e.data[e.at] > '9' {
			return false
		}
		m.Schema = int(e.data[e.at] - '0')
		e.at++
		return true
	case "occurred_at":
		from := e.at + 1
		return e.skip() && m.OccurredAt.UnmarshalText(e.data[from:e.at-1]) == nil
	case "given_time":
		m.GivenTime = true
		return e.take("true")
	default:
		return false
	}
}

func (e *envelope) actor(name string, a *domain.Actor) bool {
	switch name {
	case "kind":
		kind, ok := e.quoted()
		a.Kind = domain.ActorKind(kind)
		return ok
	case "id":
		return e.string(&a.ID)
	case "impersonator":
		return e.string(&a.Impersonator)
	case "token":
		return e.string(&a.Token)
	default:
		return false
	}
}

// object reads an object, whose fields the function reads one by one. One
// without any is left to encoding/json.
func (e *envelope) object(field func(name string) bool) bool {
	if !e.take("{") {
		return false
	}
	for {
		name, ok := e.quoted()
		if !ok || !e.take(":") || !field(name) {
			return false
		}
		if e.take("}") {
			return true
		}
		if !e.take(",") {
			return false
		}
	}
}

// take passes over a text that must come next.
func (e *envelope) take(text string) bool {
	if !strings.HasPrefix(e.text[e.at:], text) {
		return false
	}
	e.at += len(text)
	return true
}

func (e *envelope) string(into *string) (ok bool) {
	*into, ok = e.quoted()
	return ok
}

// quoted is a string of plain characters.
func (e *envelope) quoted() (string, bool) {
	from := e.at + 1
	if !e.skip() {
		return "", false
	}
	return e.text[from : e.at-1], true
}

// skip passes over a string of plain characters.
func (e *envelope) skip() bool {
	if e.at >= len(e.data) || e.data[e.at] != '"' {
		return false
	}
	for i := e.at + 1; i < len(e.data); i++ {
		switch c := e.data[i]; {
		case c == '"':
			e.at = i + 1
			return true
		case c < ' ' || c == '\\' || c > '~':
			return false
		}
	}
	return false
}
