package portal

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// Assets are served under names that hold a hash of their content, so that
// browsers may keep them for good. inter.woff2 is the variable Latin cut of
// Inter from the npm package @fontsource-variable/inter 5.3.0 (OFL-1.1); the
// icons are outlines of the npm package @tabler/icons 3.51.0 (MIT).
//
//go:embed assets
var assetFiles embed.FS

//go:embed icons
var iconFiles embed.FS

const assetPath = "/portal/assets/"

// asset is one file as it is sent.
type asset struct {
	kind          string
	plain, zipped []byte
}

// assets are the files by their hashed names, and the hashed names by name.
type assets struct {
	files map[string]asset
	names map[string]string
}

var assetKinds = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".svg":   "image/svg+xml",
	".woff2": "font/woff2",
}

func loadAssets() (*assets, error) {
	a := &assets{files: map[string]asset{}, names: map[string]string{}}
	// The style sheet comes last, since it names the font by its hashed name.
	for _, name := range []string{"inter.woff2", "mark.svg", "portal.js", "portal.css"} {
		content, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			return nil, fmt.Errorf("asset %s: %w", name, err)
		}
		for plain, hashed := range a.names {
			if path.Ext(name) == ".css" {
				content = bytes.ReplaceAll(content, []byte(`url("`+plain+`")`), []byte(`url("`+path.Base(hashed)+`")`))
			}
		}
		sum := sha256.Sum256(content)
		stem, ext, _ := strings.Cut(name, ".")
		hashed := assetPath + stem + "." + hex.EncodeToString(sum[:8]) + "." + ext
		small, err := zip(content)
		if err != nil {
			return nil, fmt.Errorf("asset %s: %w", name, err)
		}
		a.names[name] = hashed
		a.files[hashed] = asset{kind: assetKinds["."+ext], plain: content, zipped: small}
	}
	return a, nil
}

// zip is content compressed, nil when that does not make it smaller.
func zip(content []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if b.Len() >= len(content)*9/10 {
		return nil, nil
	}
	return b.Bytes(), nil
}

// url is the address of a named asset.
func (a *assets) url(name string) (string, error) {
	if hashed, ok := a.names[name]; ok {
		return hashed, nil
	}
	return "", fmt.Errorf("no asset %q", name)
}

// ServeHTTP serves one asset, for a year.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := a.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	content := file.plain
	if file.zipped != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		content = file.zipped
	}
	_, _ = w.Write(content) // the client may be gone
}

// icons are inline SVG by name.
type icons map[string]template.HTML

func loadIcons() (icons, error) {
	out := icons{}
	files, err := fs.Glob(iconFiles, "icons/*.svg")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		content, err := iconFiles.ReadFile(file)
		if err != nil {
			return nil, err
		}
		_, inner, ok := strings.Cut(string(content), ">")
		if !ok {
			return nil, fmt.Errorf("icon %s is no SVG", file)
		}
		inner = strings.Replace(inner, `<path stroke="none" d="M0 0h24v24H0z" fill="none" />`, "", 1)
		svg := `<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">`
		name := strings.TrimSuffix(path.Base(file), ".svg")
		out[name] = template.HTML(svg + strings.Join(strings.Fields(inner), " ")) //nolint:gosec // compiled-in files
	}
	return out, nil
}

func (i icons) html(name string) (template.HTML, error) {
	if svg, ok := i[name]; ok {
		return svg, nil
	}
	return "", fmt.Errorf("no icon %q", name)
}
