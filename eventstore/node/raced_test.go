//go:build race

package node_test

// raced says that the race detector slows the test down some ten times.
const raced = true
