package contact

// Amended says who the contact is from now on. Another e-mail address is not
// verified.
type Amended struct {
	Details
	EmailChanged bool `json:"email_changed,omitempty"`
	// Kept is a copy of the details that outlives them, once a domain name has
	// or had the contact; see Claimed.
	Kept Identity `json:"kept,omitzero"`
}

// EventType is the name on disk.
func (Amended) EventType() string { return "contact.amended.v1" }

// Public leaves everything about the person to the list of contacts.
func (e Amended) Public() any {
	return struct {
		Kind         Kind `json:"kind"`
		EmailChanged bool `json:"email_changed"`
	}{e.Kind, e.EmailChanged}
}

func (e Amended) apply(c Contact) Contact {
	c.Details, c.Kept = e.Details, e.Kept != (Identity{})
	c.Verified = c.Verified && !e.EmailChanged
	return c
}

// Amendment are the changes of a contact; what is nil stays as it is.
type Amendment struct {
	Kind         *Kind    `json:"kind,omitempty"`
	Name         *string  `json:"name,omitempty"`
	Organisation *string  `json:"organisation,omitempty"`
	Email        *string  `json:"email,omitempty"`
	Phone        *string  `json:"phone,omitempty"`
	Address      *Address `json:"address,omitempty"`
}

// Amend changes what is given.
func (c Contact) Amend(a Amendment) ([]Event, error) {
	if err := c.live(); err != nil {
		return nil, err
	}
	d := c.Details
	set(&d.Kind, a.Kind)
	set(&d.Name, a.Name)
	set(&d.Organisation, a.Organisation)
	set(&d.Email, a.Email)
	set(&d.Phone, a.Phone)
	set(&d.Address, a.Address)
	d, err := d.check()
	if err != nil || d == c.Details {
		return nil, err
	}
	e := Amended{Details: d, EmailChanged: !c.reads(d.Email)}
	if len(c.Claims) > 0 {
		e.Kept = identityOf(d)
	}
	return []Event{e}, nil
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}
