package money

import "strings"

// currencies lists the codes of ISO 4217 that money is paid in.
const currencies = " AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD " +
	"CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD " +
	"HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD " +
	"MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG " +
	"QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS " +
	"UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG "

// Currencies whose minor unit is not a hundredth.
const (
	withoutMinor = " BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF "
	inThousandth = " BHD IQD JOD KWD LYD OMR TND "
)

// IsCurrency reports whether code is an ISO 4217 code in capitals.
func IsCurrency(code string) bool { return listed(currencies, code) }

// exponent is the number of decimals of a currency.
func exponent(code string) int {
	switch {
	case listed(withoutMinor, code):
		return 0
	case listed(inThousandth, code):
		return 3
	}
	return 2
}

func listed(codes, code string) bool {
	return len(code) == 3 && strings.Contains(codes, " "+code+" ")
}
