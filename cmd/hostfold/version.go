package main

import (
	"fmt"
	"runtime"
)

// version is set when the binary is built.
var version = "dev"

// versionCmd prints what runs.
type versionCmd struct {
	SBOM bool `help:"Print every component that is built in, as a CycloneDX document." name:"sbom"`
}

// Run prints the version.
func (v versionCmd) Run(c *console) error {
	if v.SBOM {
		return printComponents(c)
	}
	_, err := fmt.Fprintf(c, "hostfold %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
