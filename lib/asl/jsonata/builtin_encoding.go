package jsonata

import (
	"encoding/base64"
	"net/url"
	"strings"
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
		"base64encode": {"<s-:s>", forString(func(s string) any { return base64.StdEncoding.EncodeToString([]byte(s)) })},
		"base64decode": {"<s-:s>", ifDefined(func(args []any) (any, error) {
			decoded, err := base64.StdEncoding.DecodeString(stringArg(args, 0))
			if err != nil {
				return nil, evalError("D3137", "Invalid base64 text")
			}
			return string(decoded), nil
		})},
		"encodeUrl":          {"<s-:s>", forString(func(s string) any { return escape(s, unescapedURL) })},
		"encodeUrlComponent": {"<s-:s>", forString(func(s string) any { return escape(s, unescapedComponent) })},
		"decodeUrl":          {"<s-:s>", ifDefined(unescape)},
		"decodeUrlComponent": {"<s-:s>", ifDefined(unescape)},
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

// unescape evaluates $decodeUrl and $decodeUrlComponent.
func unescape(args []any) (any, error) {
	s, err := url.PathUnescape(stringArg(args, 0))
	if err != nil {
		return nil, evalError("D3140", "Malformed URL passed to function: "+quote(stringArg(args, 0)))
	}
	return s, nil
}
