package jsonata

import (
	"encoding/base64"
	"net/url"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The characters that JavaScript does not escape, in addition to letters and digits: unescapedURL in encodeURI, unescapedComponent
// in encodeURIComponent.
const (
	unescapedURL       = unescapedComponent + ";/?:@&=+$,#"
	unescapedComponent = "-_.!~*'()"
)

// encodingFunctions returns the functions for Base64 and URLs.
func encodingFunctions() map[string]definition {
	return map[string]definition{
		"base64encode": {"<s-:s>", ifDefined(func(e *evaluation, args []any) (any, error) {
			s := stringArg(args, 0)
			if err := e.reserve(base64.StdEncoding.EncodedLen(len(s))); err != nil {
				return nil, err
			}
			return base64.StdEncoding.EncodeToString(toLatin1(s)), nil
		})},
		"base64decode": {"<s-:s>", ifDefined(func(e *evaluation, args []any) (any, error) {
			decoded := decodeBase64(stringArg(args, 0))
			if err := e.reserve(2 * len(decoded)); err != nil {
				return nil, err
			}
			return fromLatin1(decoded), nil
		})},
		"encodeUrl":          {"<s-:s>", escaped("encodeUrl", unescapedURL)},
		"encodeUrlComponent": {"<s-:s>", escaped("encodeUrlComponent", unescapedComponent)},
		"decodeUrl":          {"<s-:s>", unescaped("decodeUrl", ";/?:@&=+$,#")},
		"decodeUrlComponent": {"<s-:s>", unescaped("decodeUrlComponent", "")},
	}
}

// escape escapes s for a URL, except letters, digits and the characters in unescaped.
func escape(s, unescaped string) string {
	const hex = "0123456789ABCDEF"

	var out strings.Builder
	for i := range len(s) {
		c := s[i]
		isAlphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if isAlphanumeric || strings.IndexByte(unescaped, c) >= 0 {
			out.WriteByte(c)
		} else {
			out.Write([]byte{'%', hex[c>>4], hex[c&0xf]})
		}
	}

	return out.String()
}

// escaped returns a built-in function that escapes a text for a URL.
func escaped(name, unescaped string) func(*evaluation, []any) (any, error) {
	const escapedWidth = 3 // A byte becomes % and two digits.
	return ifDefined(func(e *evaluation, args []any) (any, error) {
		s := stringArg(args, 0)
		if err := e.reserve(escapedWidth * len(s)); err != nil {
			return nil, err
		}
		if strings.ContainsRune(s, utf8.RuneError) { // It stands for half a character of UTF-16.
			return nil, errMalformedURL(name, s)
		}
		return escape(s, unescaped), nil
	})
}

func errMalformedURL(name, s string) error {
	return evalError("D3140", "Malformed URL passed to $"+name+"(): "+quote(s))
}

// unescaped returns a built-in function that reverses escape. It does not reverse the escapes of the characters in reserved.
func unescaped(name, reserved string) func(*evaluation, []any) (any, error) {
	return ifDefined(func(e *evaluation, args []any) (any, error) {
		s := stringArg(args, 0)
		if err := e.reserve(len(s)); err != nil {
			return nil, err
		}
		var out strings.Builder
		for i := 0; i < len(s); i++ {
			if s[i] != '%' {
				out.WriteByte(s[i])
				continue
			}
			const width = len("%00")
			decoded, err := url.PathUnescape(s[i:min(i+width, len(s))])
			if err != nil {
				return nil, errMalformedURL(name, s)
			}
			if strings.Contains(reserved, decoded) {
				decoded = s[i : i+width]
			}
			out.WriteString(decoded)
			i += width - 1
		}
		if !utf8.ValidString(out.String()) {
			return nil, errMalformedURL(name, s)
		}
		return out.String(), nil
	})
}

// toLatin1 returns the low byte of each UTF-16 code unit of s.
func toLatin1(s string) []byte {
	out := make([]byte, 0, len(s))
	for _, unit := range utf16.Encode([]rune(s)) {
		out = append(out, byte(unit))
	}
	return out
}

// fromLatin1 returns a text with one character for each byte.
func fromLatin1(b []byte) string {
	var out strings.Builder
	for _, c := range b {
		out.WriteRune(rune(c))
	}
	return out.String()
}

// decodeBase64 decodes s as Node.js does: in the alphabet of URLs, too, with or without padding, and without what is in no alphabet.
func decodeBase64(s string) []byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	out := make([]byte, 0, len(s))
	var (
		bits  uint
		count int // The number of bits.
	)
	for i := range len(s) {
		c := s[i]
		switch c {
		case '-':
			c = '+'
		case '_':
			c = '/'
		case '=':
			return out
		}
		digit := strings.IndexByte(alphabet, c)
		if digit < 0 {
			continue
		}
		const digitBits, byteBits = 6, 8
		bits, count = bits<<digitBits|uint(digit), count+digitBits
		if count >= byteBits {
			count -= byteBits
			out = append(out, byte(bits>>count))
		}
	}
	return out
}
