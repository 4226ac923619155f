package node

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestMeasurementsAreThoseOfTheStore has the figures that the store's own
// server gives for the same latencies.
func TestMeasurementsAreThoseOfTheStore(t *testing.T) {
	t.Parallel()
	upTo := func(n int) (ms []int) {
		for i := n; i > 0; i-- {
			ms = append(ms, i)
		}
		return ms
	}
	for name, c := range map[string]struct {
		ms   []int
		want string
	}{
		"none": {nil, ""},
		"one":  {[]int{7}, "Mean 7, Median 7, Fastest 7, Quintile 1 7, Quintile 2 7, Quintile 3 7, Quintile 4 7, Quintile 5 7, 90% 7, 95% 7, 99% 7, 99.5% 7, 99.9% 7, Highest 7"},
		"ten":  {upTo(10), "Mean 5, Median 6, Fastest 1, Quintile 1 1, Quintile 2 3, Quintile 3 5, Quintile 4 7, Quintile 5 9, 90% 10, 95% 10, 99% 10, 99.5% 10, 99.9% 10, Highest 10"},
		"more than are kept": {
			upTo(1200),
			"Mean 500, Median 501, Fastest 1, Quintile 1 1, Quintile 2 201, Quintile 3 401, Quintile 4 601, Quintile 5 801, 90% 901, 95% 951, 99% 991, 99.5% 996, 99.9% 1000, Highest 1000",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var l latencies
			for _, ms := range c.ms {
				l.add(time.Duration(ms) * time.Millisecond)
			}
			var got []string
			for _, m := range l.measurements() {
				got = append(got, fmt.Sprintf("%s %d", m.key, m.ms))
			}
			if text := strings.Join(got, ", "); text != c.want {
				t.Errorf("got  %s\nwant %s", text, c.want)
			}
		})
	}
}
