package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// bill is a software bill of materials in the form of CycloneDX 1.6, with the
// members that say what is built in.
type bill struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   about       `json:"metadata"`
	Components []component `json:"components"`
}

type about struct {
	Component component `json:"component"`
}

type component struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"`
	// PURL names it as advisories do.
	PURL string `json:"purl,omitempty"`
	// Properties has the hash of a module's content, as go.sum has it.
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// printComponents prints what the linker put in: every module with its version,
// and Go itself.
func printComponents(w io.Writer) error {
	built, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("this binary does not know what it was built from: build it with go build")
	}
	b := bill{
		Format: "CycloneDX", Spec: "1.6", Version: 1,
		Metadata: about{component{Type: "application", Name: "hostfold", Version: version}},
		Components: []component{
			{Type: "platform", Name: "go", Version: runtime.Version(), PURL: "pkg:golang/std@" + runtime.Version()[len("go"):]},
			// What http/portal/assets.go embeds.
			{Type: "data", Name: "@fontsource-variable/inter", Version: "5.3.0", PURL: "pkg:npm/%40fontsource-variable/inter@5.3.0"},
			{Type: "data", Name: "@tabler/icons", Version: "3.51.0", PURL: "pkg:npm/%40tabler/icons@3.51.0"},
		},
	}
	for _, m := range built.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := component{Type: "library", Name: m.Path, Version: m.Version, PURL: "pkg:golang/" + m.Path + "@" + m.Version}
		if m.Sum != "" {
			c.Properties = []property{{"hostfold:go.sum", m.Sum}}
		}
		b.Components = append(b.Components, c)
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	if err := out.Encode(b); err != nil {
		return fmt.Errorf("print the components: %w", err)
	}
	return nil
}
