package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// byteSize is a number of bytes that people write as 256MiB, 1GiB or 500MB.
type byteSize uint64

// sizeUnits are the units in the order in which they are looked for.
func sizeUnits() []struct {
	name string
	size uint64
} {
	return []struct {
		name string
		size uint64
	}{
		{"KiB", 1 << 10},
		{"MiB", 1 << 20},
		{"GiB", 1 << 30},
		{"TiB", 1 << 40},
		{"kB", 1e3},
		{"MB", 1e6},
		{"GB", 1e9},
		{"TB", 1e12},
		{"B", 1},
		{"", 1},
	}
}

// inUnits is a number of bytes for people to read.
func inUnits(n uint64) string {
	unit := sizeUnits()[len(sizeUnits())-2] // bytes
	for _, u := range sizeUnits()[:4] {
		if n < u.size {
			break
		}
		unit.name, unit.size = u.name, u.size
	}
	if unit.size == 1 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", float64(n)/float64(unit.size), unit.name)
}

// UnmarshalText reads a size; a number alone counts bytes.
func (b *byteSize) UnmarshalText(text []byte) error {
	for _, u := range sizeUnits() {
		number, ok := strings.CutSuffix(strings.TrimSpace(string(text)), u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 64)
		if err != nil || n > math.MaxInt64/u.size {
			break
		}
		*b = byteSize(n * u.size)
		return nil
	}
	return fmt.Errorf("%q is no size: give it as 256MiB, 1GiB or a number of bytes", text)
}
