package jsonata

import (
	"math"
	"strings"
	"unicode"
)

// The words for numbers.
var (
	smallWords = strings.Fields("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen " +
		"seventeen eighteen nineteen")
	smallOrdinals = strings.Fields("zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth " +
		"fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth")
	tensWords  = strings.Fields("twenty thirty forty fifty sixty seventy eighty ninety")
	magnitudes = strings.Fields("thousand million billion trillion")
)

const (
	hundred  = 100
	thousand = 1000
	trillion = 1e12
)

// wordsOf writes a number in English words.
func wordsOf(x float64, ordinal bool) string {
	return words(x, false, ordinal)
}

// words writes x. follows reports whether it follows a greater part of the same number: then it begins with a comma or "and".
func words(x float64, follows, ordinal bool) string {
	prefix := ""
	if follows {
		prefix = " and "
	}
	switch {
	case x < float64(len(smallWords)):
		if ordinal {
			return prefix + smallOrdinals[int(x)]
		}
		return prefix + smallWords[int(x)]
	case x < hundred:
		return prefix + tens(int(x), ordinal)
	case x < thousand:
		if follows {
			prefix = ", "
		}
		return prefix + smallWords[int(x)/hundred] + " hundred" + remainder(math.Mod(x, hundred), ordinal)
	default:
		if follows {
			prefix = ", "
		}
		magnitude := 0
		unit := float64(thousand)
		for magnitude < len(magnitudes)-1 && x >= unit*thousand {
			unit *= thousand
			magnitude++
		}
		return prefix + words(math.Floor(x/unit), false, false) + " " + magnitudes[magnitude] + remainder(math.Mod(x, unit), ordinal)
	}
}

// tens writes a number from 20 to 99.
func tens(x int, ordinal bool) string {
	const base = 10
	word := tensWords[x/base-2]
	rest := x % base
	switch {
	case rest > 0 && ordinal:
		return word + "-" + smallOrdinals[rest]
	case rest > 0:
		return word + "-" + smallWords[rest]
	case ordinal:
		return strings.TrimSuffix(word, "y") + "ieth"
	default:
		return word
	}
}

// remainder writes what follows a hundred, a thousand and so on.
func remainder(x float64, ordinal bool) string {
	if x > 0 {
		return words(x, true, ordinal)
	}
	if ordinal {
		return "th"
	}
	return ""
}

// titleWords writes the first letter of each word as a capital letter, except for the word and.
func titleWords(text string) string {
	runes := []rune(text)
	start := true
	for i, r := range runes {
		isLetter := unicode.IsLetter(r)
		if isLetter && start && !(strings.HasPrefix(string(runes[i:min(len(runes), i+len("and "))]), "and ")) {
			runes[i] = unicode.ToUpper(r)
		}
		start = !isLetter
	}
	return string(runes)
}

// wordValues maps each word to its number.
var wordValues = func() map[string]float64 {
	values := map[string]float64{"hundred": hundred, "hundredth": hundred}
	for i, word := range smallWords {
		values[word], values[smallOrdinals[i]] = float64(i), float64(i)
	}
	for i, word := range tensWords {
		const base = 10
		values[word], values[strings.TrimSuffix(word, "y")+"ieth"] = float64((i+2)*base), float64((i+2)*base)
	}
	unit := float64(thousand)
	for _, word := range magnitudes {
		values[word], values[word+"th"] = unit, unit
		unit *= thousand
	}
	return values
}()

// wordsValue reads a number in English words, in lower case.
func wordsValue(text string) (float64, bool) {
	fields := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == '-' })
	parts := make([]float64, 0, len(fields)) // The parts that are to be added: a magnitude multiplies those before it that are less.
	for _, word := range fields {
		if word == "and" {
			continue
		}
		value, ok := wordValues[word]
		if !ok {
			return 0, false
		}
		if value < hundred {
			if n := len(parts); n > 0 && parts[n-1] < thousand {
				parts[n-1] += value
			} else {
				parts = append(parts, value)
			}
			continue
		}

		factor, found := 0.0, false
		for len(parts) > 0 && (parts[len(parts)-1] < value || len(parts) == 1 && value == trillion) {
			factor, found = factor+parts[len(parts)-1], true
			parts = parts[:len(parts)-1]
		}
		if !found {
			factor = 1
		}
		parts = append(parts, factor*value)
	}
	sum := 0.0
	for _, part := range parts {
		sum += part
	}
	return sum, len(fields) > 0
}
