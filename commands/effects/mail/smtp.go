package mail

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// SMTP is a Sink that hands mails to a server.
type SMTP struct {
	host    string
	plain   bool
	options []gomail.Option
}

var _ Sink = (*SMTP)(nil)

// NewSMTP reads a URL: smtp://user:password@host:port or smtps://… for TLS from
// the first byte. Over smtp, TLS is used when the server offers it, and
// required when there is a password; ?tls=required and ?tls=none say otherwise.
func NewSMTP(raw string) (*SMTP, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return nil, errors.New("SMTP_URL must be like smtp://user:password@host:587 or smtps://host:465")
	}
	s := &SMTP{host: u.Hostname(), options: []gomail.Option{gomail.WithTimeout(20 * time.Second), gomail.WithoutNoop()}}
	if port := u.Port(); port != "" {
		n, err := strconv.Atoi(port)
		if err != nil {
			return nil, fmt.Errorf("SMTP_URL: port %q: %w", port, err)
		}
		s.options = append(s.options, gomail.WithPort(n))
	}
	policy := gomail.TLSOpportunistic
	if user := u.User.Username(); user != "" {
		password, _ := u.User.Password()
		s.options = append(s.options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(user), gomail.WithPassword(password))
		policy = gomail.TLSMandatory
	}
	switch tls := u.Query().Get("tls"); {
	case u.Scheme == "smtps":
		s.options = append(s.options, gomail.WithSSL())
		policy = gomail.NoTLS
	case tls == "required":
		policy = gomail.TLSMandatory
	case tls == "none":
		policy = gomail.NoTLS
	case tls != "":
		return nil, fmt.Errorf("SMTP_URL: tls is required or none, not %q", tls)
	}
	s.plain = u.Scheme != "smtps" && policy != gomail.TLSMandatory
	s.options = append(s.options, gomail.WithTLSPolicy(policy))
	_, err = gomail.NewClient(s.host, s.options...)
	if err != nil {
		return nil, fmt.Errorf("SMTP_URL: %w", err)
	}
	return s, nil
}

// Host is the server's name or address.
func (s *SMTP) Host() string { return s.host }

// Plain reports whether mail may go to the server without TLS.
func (s *SMTP) Plain() bool { return s.plain }

// Send hands the mail over, on a connection of its own.
func (s *SMTP) Send(ctx context.Context, m *gomail.Msg) error {
	client, err := gomail.NewClient(s.host, s.options...)
	if err != nil {
		return fmt.Errorf("prepare to send: %w", err)
	}
	if err := client.DialWithContext(ctx); err != nil {
		return fmt.Errorf("reach the mail server: %w", err)
	}
	sendErr := client.Send(m)
	closeErr := client.Close()
	if m.IsDelivered() {
		// Accepted: what went wrong in saying goodbye must not send it twice.
		return nil
	}
	var refused *gomail.SendError
	if errors.As(sendErr, &refused) && refused.ErrorCode() >= 500 && refused.ErrorCode() < 600 {
		return &RefusedError{Code: refused.ErrorCode(), Err: sendErr}
	}
	return errors.Join(sendErr, closeErr)
}
