package contact

import (
	"maps"
	"time"
)

// Claimed says that a domain name is about to have the contact. It is written
// before the name's own fact, so that this stream alone decides whether the
// contact may still be archived: whoever archives it sees the claim, or loses
// the race to it.
type Claimed struct {
	Domain string `json:"domain"`
	// After is how often the name's contacts had been set when it claimed the
	// contact: the claim is for the next time, and over once that has come.
	After int `json:"after"`
	// Until is when the claim is over if the name's own fact never comes.
	Until time.Time `json:"until"`
	// Kept is who the contact is, under a key that outlives the profile's: the
	// holder of a name has to be known for years after the contract's end (décret
	// 2021-1362; NIS2 art. 28). It is left out when it was kept before.
	Kept Identity `json:"kept,omitzero"`
}

// EventType is the name on disk.
func (Claimed) EventType() string { return "contact.claimed.v1" }

func (e Claimed) apply(c Contact) Contact {
	claims := make(map[string]Claim, len(c.Claims)+1)
	maps.Copy(claims, c.Claims)
	claims[e.Domain] = Claim{After: e.After, Until: e.Until}
	c.Claims, c.Kept = claims, true
	return c
}

// Claim is a domain name's last claim.
type Claim struct {
	After int
	Until time.Time
}

// open reports whether the name's fact may still come, the name's contacts
// having been set so often by now: the fact of an earlier claim comes at once
// or never, since it is decided on a state that is past.
func (c Claim) open(set int, now time.Time) bool { return c.After >= set && now.Before(c.Until) }

// Claim lets a domain name have the contact: the next time that its contacts,
// which were set so often by now, are set. A claim that comes after a later one
// needs nothing, since nothing will come of it.
func (c Contact) Claim(domainID string, set int, until time.Time) ([]Event, error) {
	if err := c.live(); err != nil {
		return nil, err
	}
	if last, ok := c.Claims[domainID]; ok && last.After > set {
		return nil, nil
	}
	e := Claimed{Domain: domainID, After: set, Until: until}
	if !c.Kept {
		e.Kept = identityOf(c.Details)
	}
	return []Event{e}, nil
}

// MayOwn refuses a contact that cannot be a domain name's owner.
func (c Contact) MayOwn() error {
	if err := c.live(); err != nil {
		return err
	}
	if !c.Verified {
		return ErrNotVerified
	}
	return nil
}

// MayServe refuses a contact that cannot be one of a domain name's.
func (c Contact) MayServe() error { return c.live() }

// Identity is who a contact is, as it is kept after the contact's erasure until
// the law's own date.
type Identity struct {
	Name         string `json:"name" personal:"self,identity"`
	Organisation string `json:"organisation,omitempty" personal:"self,identity"`
	Email        string `json:"email" personal:"self,identity"`
	Phone        string `json:"phone" personal:"self,identity"`
	Line1        string `json:"line1" personal:"self,identity"`
	Line2        string `json:"line2,omitempty" personal:"self,identity"`
	PostalCode   string `json:"postal_code,omitempty" personal:"self,identity"`
	City         string `json:"city" personal:"self,identity"`
	Region       string `json:"region,omitempty" personal:"self,identity"`
	Country      string `json:"country"`
}

func identityOf(d Details) Identity {
	return Identity{
		Name: d.Name, Organisation: d.Organisation, Email: d.Email, Phone: d.Phone,
		Line1: d.Address.Line1, Line2: d.Address.Line2, PostalCode: d.Address.PostalCode, City: d.Address.City,
		Region: d.Address.Region, Country: d.Address.Country,
	}
}
