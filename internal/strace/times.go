package strace

import "strings"

// fraction reads the precision of -r and -T, microseconds when not given.
func fraction(g given) (precision, bool) {
	if !g.has {
		return precision{true, 6}, true
	}
	d, ok := digits(g.arg)
	return precision{true, d}, ok
}

func digits(unit string) (int, bool) {
	switch strings.ToLower(unit) {
	case "s":
		return 0, true
	case "ms":
		return 3, true
	case "us":
		return 6, true
	case "ns":
		return 9, true
	}
	return 0, false
}

// timestamps reads [[format:]FORMAT][,[precision:]PRECISION].
func timestamps(text string, f timeFormat) (timeFormat, bool) {
	f.on = true
	if text == "" {
		return timeFormat{on: true}, true
	}
	for _, w := range strings.Split(text, ",") {
		if w == "" {
			continue
		}
		word, isFormat := strings.CutPrefix(w, "format:")
		word, isPrecision := strings.CutPrefix(word, "precision:")
		if d, ok := digits(word); ok && !isFormat {
			f.digits = d
			continue
		}
		if isPrecision {
			return f, false
		}
		switch strings.ToLower(word) {
		case "none":
			f = timeFormat{}
		case "time":
			f.unix = false
		case "unix":
			f.unix = true
		default:
			return f, false
		}
	}
	return f, true
}
