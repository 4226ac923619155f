package product

// Retired says that the product is no longer sold; services that have it keep it.
type Retired struct{}

// EventType is the name on disk.
func (Retired) EventType() string { return "product.retired.v1" }

func (Retired) apply(p Product) Product {
	p.Retired = true
	return p
}

// Retire takes the product off sale for good; a repeat has nothing to do.
func (p Product) Retire() ([]Event, error) {
	switch {
	case !p.Exists():
		return nil, ErrMissing
	case p.Retired:
		return nil, nil
	}
	return []Event{Retired{}}, nil
}
