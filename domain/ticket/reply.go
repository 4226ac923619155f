package ticket

import "github.com/hostfold/hostfold/domain"

// CustomerReplied says that the customer wrote again.
type CustomerReplied struct {
	Message string `json:"message" personal:"account,profile"`
}

// EventType is the name on disk.
func (CustomerReplied) EventType() string { return "ticket.customer_replied.v1" }

// Public is the message and the new status.
func (e CustomerReplied) Public() any { return publicMessage{StatusCustomerReply, e.Message} }

func (e CustomerReplied) apply(t Ticket) Ticket {
	t.Status = StatusCustomerReply
	return t
}

// StaffReplied says that staff answered.
type StaffReplied struct {
	Message string `json:"message" personal:"account,profile"`
}

// EventType is the name on disk.
func (StaffReplied) EventType() string { return "ticket.staff_replied.v1" }

// Public is the message and the new status.
func (e StaffReplied) Public() any { return publicMessage{StatusAnswered, e.Message} }

func (e StaffReplied) apply(t Ticket) Ticket {
	t.Status = StatusAnswered
	return t
}

// Reply adds a customer's message.
func (t Ticket) Reply(message string) ([]Event, error) {
	message, err := t.message(message)
	if err != nil {
		return nil, err
	}
	return []Event{CustomerReplied{Message: message}}, nil
}

// StaffReply adds an answer.
func (t Ticket) StaffReply(message string) ([]Event, error) {
	message, err := t.message(message)
	if err != nil {
		return nil, err
	}
	return []Event{StaffReplied{Message: message}}, nil
}

// message is the checked text of a reply to a ticket that takes one.
func (t Ticket) message(text string) (string, error) {
	switch t.Status {
	case StatusNone:
		return "", ErrMissing
	case StatusClosed:
		return "", ErrClosed
	case StatusOpen, StatusAnswered, StatusCustomerReply, StatusOnHold, StatusInProgress:
	}
	var c domain.Check
	text = c.Text("message", text, messageLimit)
	return text, c.Err()
}
