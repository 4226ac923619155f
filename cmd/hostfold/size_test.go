package main

import "testing"

func TestSizesAreReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]byteSize{
		"0": 0, "4096": 4096, "7B": 7, "64KiB": 64 << 10, "256MiB": 256 << 20, "1 GiB": 1 << 30, "2TiB": 2 << 40,
		"3kB": 3000, "500MB": 500e6, "1GB": 1e9, "1TB": 1e12,
	} {
		var got byteSize
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5GiB", "1PiB", "99999999999TiB", "many"} {
		var got byteSize
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken as %d", text, got)
		}
	}
}

func TestSizesAreWrittenForPeople(t *testing.T) {
	t.Parallel()
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1 << 20 * 3 / 2: "1.5 MiB", 5 << 30: "5.0 GiB", 3 << 40: "3.0 TiB"} {
		if got := inUnits(n); got != want {
			t.Errorf("%d bytes are written %q, want %q", n, got, want)
		}
	}
}
