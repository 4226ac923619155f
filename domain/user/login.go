package user

// NewDeviceSeen says that the user logged in from a device from which it never
// had. It is written at most a few times a day.
type NewDeviceSeen struct {
	// Browser and System are the device in words, "" for what it did not tell.
	Browser string `json:"browser"`
	System  string `json:"system"`
	IP      string `json:"ip" personal:"self,network"`
}

// EventType is the name on disk.
func (NewDeviceSeen) EventType() string { return "user.new_device_seen.v1" }

func (NewDeviceSeen) apply(u User) User { return u }

// SeeDevice notes a log-in from a device that is new.
func (u User) SeeDevice(browser, system, ip string) ([]Event, error) {
	if err := u.live(); err != nil {
		return nil, err
	}
	return []Event{NewDeviceSeen{Browser: browser, System: system, IP: ip}}, nil
}

// LoginFailuresObserved says how often logging in failed in one hour. One
// event per user and hour, so that strangers cannot write without limit.
type LoginFailuresObserved struct {
	// Hour is the beginning of that hour, "2026-01-31T12:00:00Z".
	Hour  string `json:"hour"`
	Count int    `json:"count"`
}

// EventType is the name on disk.
func (LoginFailuresObserved) EventType() string { return "user.login_failures_observed.v1" }

func (LoginFailuresObserved) apply(u User) User { return u }

// ObserveFailures notes failed log-ins of an hour that is over.
func (u User) ObserveFailures(hour string, count int) ([]Event, error) {
	if !u.Exists() || count < 1 {
		return nil, nil
	}
	return []Event{LoginFailuresObserved{Hour: hour, Count: count}}, nil
}
