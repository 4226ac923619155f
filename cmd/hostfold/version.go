package main

import (
	"fmt"
	"runtime"
)

// version is set when the binary is built.
var version = "dev"

// versionCmd prints what runs.
type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(c *console) error {
	_, err := fmt.Fprintf(c, "hostfold %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
