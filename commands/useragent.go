package commands

import (
	"strings"

	"github.com/hostfold/hostfold/commands/vault"
)

// ClientOf is where a request comes from: the device cookie's secret, the
// header User-Agent and the address. A device that has no secret gets one.
func ClientOf(device, userAgent, ip string) vault.Client {
	if !vault.IsDeviceSecret(device) {
		device = vault.NewDeviceSecret()
	}
	return vault.Client{Device: device, Browser: named(userAgent, browsers), System: named(userAgent, systems), IP: ip}
}

// sign is a part of the header that tells a name.
type sign struct{ part, name string }

// Most browsers say that they are others as well; the first sign counts.
var (
	browsers = []sign{
		{"Edg/", "Edge"},
		{"EdgA/", "Edge"},
		{"EdgiOS/", "Edge"},
		{"OPR/", "Opera"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"Vivaldi/", "Vivaldi"},
		{"Firefox/", "Firefox"},
		{"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"},
		{"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
		{"curl/", "curl"},
		{"Go-http-client/", "Go"},
		{"python-requests/", "Python"},
		{"okhttp/", "OkHttp"},
	}
	systems = []sign{
		{"Windows", "Windows"},
		{"Android", "Android"},
		{"iPhone", "iOS"},
		{"iPad", "iPadOS"},
		{"CrOS", "ChromeOS"},
		{"Mac OS X", "macOS"},
		{"Linux", "Linux"},
		{"FreeBSD", "FreeBSD"},
	}
)

// named is the name of the first sign in a header, "" without one. Nothing of
// the header itself is kept: it may say anything, and identifies people.
func named(userAgent string, signs []sign) string {
	for _, s := range signs {
		if strings.Contains(userAgent, s.part) {
			return s.name
		}
	}
	return ""
}
