package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hostfold/hostfold/commands"
	"github.com/hostfold/hostfold/domain"
	"github.com/hostfold/hostfold/domain/seller"
)

// sellerCmd looks after the seller.
type sellerCmd struct {
	Set sellerSetCmd `cmd:"" help:"Say who sells and on which terms. Invoices issued before keep what they said."`
}

// sellerSetCmd configures the seller.
type sellerSetCmd struct {
	Backends `json:"-"`
	File     string `arg:"" help:"JSON file with name, legal_form, address, siren, vat_number and more (docs/seller.json is an example); - is standard input." json:"-"`
	// Details is the file, as it was written.
	Details json.RawMessage `kong:"-"`
}

// Run reads the file and configures here or in the running server.
func (s *sellerSetCmd) Run(ctx context.Context, g *Globals, c *console) error {
	text, err := s.read(c)
	if err != nil {
		return fmt.Errorf("read the seller: %w", err)
	}
	s.Details = text
	if _, err := s.details(); err != nil {
		return err
	}
	return runTool(ctx, g, s.Backends, c, "seller-set", s)
}

func (s *sellerSetCmd) read(c *console) ([]byte, error) {
	if s.File == "-" {
		return io.ReadAll(c.in)
	}
	return os.ReadFile(s.File)
}

// details reads the file strictly, so that a misspelt field is not lost.
func (s *sellerSetCmd) details() (seller.Details, error) {
	var details seller.Details
	d := json.NewDecoder(bytes.NewReader(s.Details))
	d.DisallowUnknownFields()
	if err := d.Decode(&details); err != nil {
		return details, fmt.Errorf("the seller's file is no valid description: %w; docs/seller.json is an example", err)
	}
	return details, nil
}

func (s *sellerSetCmd) work(ctx context.Context, p *parts, t terms) error {
	details, err := s.details()
	if err != nil {
		return err
	}
	if _, err := commands.Execute(ctx, p.dispatcher, commandLine(), commands.SetSeller{Details: details}); err != nil {
		return refusal(err)
	}
	_, err = fmt.Fprintf(t, "the seller is %s\n", details.Name)
	return err
}

// refusal prints every field of a refused command.
func refusal(err error) error {
	var refused *domain.Error
	if !errors.As(err, &refused) || len(refused.Fields) == 0 {
		return err
	}
	if len(refused.Fields) == 1 { // the error says it already
		return fmt.Errorf("%w; nothing was changed", err)
	}
	var lines []string
	for _, f := range refused.Fields {
		lines = append(lines, f.Field+": "+f.Message)
	}
	return fmt.Errorf("%w; nothing was changed\n%s", err, strings.Join(lines, "\n"))
}
