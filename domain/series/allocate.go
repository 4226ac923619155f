package series

import "github.com/hostfold/hostfold/domain"

// Opened says that a series begins.
type Opened struct {
	Kind Kind `json:"kind"`
	Year int  `json:"year"`
}

// EventType is the name on disk.
func (Opened) EventType() string { return "series.opened.v1" }

func (e Opened) apply(Series) Series {
	return Series{Kind: e.Kind, Year: e.Year, Documents: map[string]Allocation{}}
}

// NumberAllocated says that a document has a number and a date for ever.
type NumberAllocated struct {
	Number    string      `json:"number"`
	Sequence  int         `json:"sequence"`
	Document  string      `json:"document"`
	IssueDate domain.Date `json:"issue_date"`
}

// EventType is the name on disk.
func (NumberAllocated) EventType() string { return "series.number_allocated.v1" }

func (e NumberAllocated) apply(s Series) Series {
	if s.Documents == nil {
		s.Documents = map[string]Allocation{}
	}
	s.Documents[e.Document] = Allocation{Number: e.Number, IssueDate: e.IssueDate}
	s.Last, s.LastDate = e.Sequence, e.IssueDate
	return s
}

// Allocate gives the document the next number, dated today, or on the last
// date when today is a day before it (another machine's clock, or midnight
// passing). A document that has a number needs nothing. The first allocation
// opens the series of the kind and year.
func (s Series) Allocate(kind Kind, year int, document string, today domain.Date) ([]Event, error) {
	if _, has := s.Of(document); has {
		return nil, nil
	}
	date := max(today, s.LastDate)
	switch {
	case !today.Valid() || date.Year() != year:
		return nil, ErrWrongYear
	case today.AddDays(1).Before(date):
		return nil, ErrClockBehind
	}
	next := s.Last + 1
	allocated := NumberAllocated{Number: kind.print(year, next), Sequence: next, Document: document, IssueDate: date}
	if s.Kind == "" {
		return []Event{Opened{Kind: kind, Year: year}, allocated}, nil
	}
	return []Event{allocated}, nil
}
