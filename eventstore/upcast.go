package eventstore

import (
	"encoding/json"
	"fmt"
)

// Upcaster turns the JSON of one old event shape into that of the next, in
// memory; what is on disk never changes. It must be pure.
type Upcaster struct {
	// From and To are event types: "invoice.issued.v1", "invoice.issued.v2".
	From, To string
	Up       func(data json.RawMessage) (json.RawMessage, error)
}

// checkUpcasters refuses a chain that does not end at a known type.
func (c *Codec) checkUpcasters() error {
	for from := range c.upcasters {
		if _, current := c.types[from]; current {
			return fmt.Errorf("%s has an upcaster and is still listed as current", from)
		}
		name := from
		for range c.upcasters {
			if u, old := c.upcasters[name]; old {
				name = u.To
			}
		}
		if _, known := c.types[name]; !known {
			return fmt.Errorf("the upcasters from %s end at %s, which is not in the catalogue", from, name)
		}
	}
	return nil
}

// upcast brings old data to its current shape, one step after the other.
func (c *Codec) upcast(name string, data []byte) (string, []byte, error) {
	for {
		u, old := c.upcasters[name]
		if !old {
			return name, data, nil
		}
		next, err := u.Up(data)
		if err != nil {
			return "", nil, fmt.Errorf("upcast %s: %w", u.From, err)
		}
		name, data = u.To, next
	}
}
