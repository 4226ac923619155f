package account

import (
	"slices"
	"strconv"
	"strings"
)

// isFrench reports whether businesses of a country are in the French register
// Sirene: France with its departments and collectivities overseas.
func isFrench(country string) bool {
	return slices.Contains([]string{"FR", "GP", "MQ", "GF", "RE", "YT", "PM", "BL", "MF"}, country)
}

// digits reports whether s is n decimal digits.
func digits(s string, n int) bool {
	return len(s) == n && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// isSIREN checks the form and the check digit (Luhn) of a French company.
func isSIREN(s string) bool { return digits(s, 9) && luhn(s)%10 == 0 }

// laPoste is the one company whose many SIRET do not follow the general rule:
// there the plain sum of the digits is a multiple of five.
const laPoste = "356000000"

// isSIRET checks the form and the check digits of a French establishment.
func isSIRET(s string) bool {
	if !digits(s, 14) || !isSIREN(s[:9]) {
		return false
	}
	if luhn(s)%10 == 0 {
		return true
	}
	sum := 0
	for _, r := range s {
		sum += int(r - '0')
	}
	return s[:9] == laPoste && sum%5 == 0
}

// luhn is the sum of the digits, every second one from the right doubled.
func luhn(s string) int {
	sum := 0
	for i := range len(s) {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	return sum
}

// vatForms are the forms of VAT numbers by their prefix, as the European
// Commission publishes them for VIES: 9 is a digit, A a letter, X either. What
// is not listed is only checked for its characters.
var vatForms = map[string][]string{
	"AT": {"U99999999"},
	"BE": {"9999999999"},
	"BG": {"999999999", "9999999999"},
	"CY": {"99999999A"},
	"CZ": {"99999999", "999999999", "9999999999"},
	"DE": {"999999999"},
	"DK": {"99999999"},
	"EE": {"999999999"},
	"EL": {"999999999"},
	"ES": {"X9999999X"},
	"FI": {"99999999"},
	"FR": {"XX999999999"},
	"HR": {"99999999999"},
	"HU": {"99999999"},
	"IE": {"9X99999A", "9999999A", "9999999AA"},
	"IT": {"99999999999"},
	"LT": {"999999999", "999999999999"},
	"LU": {"99999999"},
	"LV": {"99999999999"},
	"MT": {"99999999"},
	"NL": {"999999999B99"},
	"PL": {"9999999999"},
	"PT": {"999999999"},
	"RO": {"99", "999", "9999", "99999", "999999", "9999999", "99999999", "999999999", "9999999999"},
	"SE": {"999999999999"},
	"SI": {"99999999"},
	"SK": {"9999999999"},
	"GB": {"999999999", "999999999999", "GD999", "HA999"},
	"XI": {"999999999", "999999999999", "GD999", "HA999"},
}

// vatPrefixes are the prefixes of a country's VAT numbers: its own code but for
// a few.
func vatPrefixes(country string) []string {
	switch {
	case country == "GR":
		return []string{"EL"}
	case country == "GB": // XI is Northern Ireland's
		return []string{"GB", "XI"}
	case country == "IM":
		return []string{"GB"}
	case country == "MC" || isFrench(country):
		return []string{"FR"}
	}
	return []string{country}
}

// isVATOf checks the form of a VAT number, written without spaces, of a
// country; that it is in force only VIES can tell.
func isVATOf(country, number string) bool {
	for _, prefix := range vatPrefixes(country) {
		forms, known := vatForms[prefix]
		if !known {
			return isVATNumber(number) || len(number) <= 20 && isCode(number)
		}
		rest, ok := strings.CutPrefix(number, prefix)
		if ok && slices.ContainsFunc(forms, func(form string) bool { return fits(rest, form) }) {
			return prefix != "FR" || isFrenchVAT(rest)
		}
	}
	return false
}

// fits reports whether s has the form of vatForms.
func fits(s, form string) bool {
	if len(s) != len(form) {
		return false
	}
	for i := range len(s) {
		digit, letter := '0' <= s[i] && s[i] <= '9', 'A' <= s[i] && s[i] <= 'Z'
		switch form[i] {
		case '9':
			if !digit {
				return false
			}
		case 'A':
			if !letter {
				return false
			}
		case 'X':
			if !digit && !letter {
				return false
			}
		default:
			if s[i] != form[i] {
				return false
			}
		}
	}
	return true
}

// isFrenchVAT checks the key of a French number: two digits that follow from
// the SIREN. Keys with letters, which some have, follow another rule.
func isFrenchVAT(rest string) bool {
	key, err := strconv.Atoi(rest[:2])
	if err != nil {
		return !strings.ContainsAny(rest[:2], "IO")
	}
	siren, err := strconv.Atoi(rest[2:])
	return err == nil && (12+3*(siren%97))%97 == key
}
