package ecmaregexp_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsonata/ecmaregexp"
)

const plenty = 10_000_000

// match returns what an expression matches in s: the text of the match and of its groups, or the error.
func match(pattern, flags, s string) string {
	re, err := ecmaregexp.Compile(pattern, flags)
	if err != nil {
		return "error"
	}
	budget := plenty
	offsets, err := re.Match(s, 0, &budget)
	if err != nil {
		return err.Error()
	}
	var parts []string
	for i := 0; i+1 < len(offsets); i += 2 {
		if offsets[i] < 0 {
			parts = append(parts, "-")
		} else {
			parts = append(parts, s[offsets[i]:offsets[i+1]])
		}
	}
	return strings.Join(parts, "|")
}

func TestExpressionsMatchAsInJavaScript(t *testing.T) {
	for _, test := range []struct{ pattern, flags, text, want string }{
		{`a+`, "", "baac", "aa"}, {`a+?`, "", "baac", "a"}, {`(a)|(b)`, "", "b", "b|-|b"}, {`(?:a|ab)c`, "", "abc", "abc"},
		{`^b`, "", "a\nb", ""}, {`^b`, "m", "a\nb", "b"}, {`a$`, "m", "a\r\nb", "a"}, {`.`, "", "\r\u2028x", "x"}, {`\s+`, "", "a\u00a0\ufeff b", "\u00a0\ufeff "},
		{`É`, "i", "xé", "é"}, {`[a-c]`, "i", "XB", "B"}, {`[^a]`, "i", "Ab", "b"}, {`\u00e9`, "", "é", "é"}, {`\x41`, "", "A", "A"}, {`\ud83d\ude00`, "", "😀", "😀"},
		{`[\ud800\u0041]`, "", "A", "A"},
		{`foo(?=bar)`, "", "foo foobar", "foo"}, {`foo(?!bar)(.)`, "", "foobar foox", "foox|x"}, {`(?<=\$)\d+`, "", "a1 $42", "42"}, {`(?<!\$)\b\d+`, "", "$42 17", "17"},
		{`(?<=(\d)(\d+))x`, "", "123x", "x|1|23"}, {`(a)\1`, "", "abaa", "aa|a"}, {`\1(a)`, "", "a", "a|a"}, {`(?<y>\d{4})-\k<y>`, "", "2001-2001", "2001-2001|2001"},
		{`(?:(a)|b)*`, "", "ab", "ab|-"}, {`(z)((a+)?(b+)?(c))*`, "", "zaacbbbcac", "zaacbbbcac|z|ac|a|-|c"}, {`(a*)*`, "", "b", "|-"}, {`(?:a*?)*?b`, "", "aab", "aab"},
		{`a{2,3}`, "", "aaaa", "aaa"}, {`a{2}`, "", "aaaa", "aa"}, {`a{,2}`, "", "a{,2}", "a{,2}"}, {`x{0}y`, "", "xy", "y"}, {`[\w-]+`, "", "a-b c", "a-b"},
		{`[\b]`, "", "\b", "\b"}, {`[^\d\s]+`, "", "12 ab", "ab"}, {`[]`, "", "a", ""}, {`[^]`, "", "\n", "\n"}, {`\bb\B`, "", "ab bb", "b"}, {`\cJ`, "", "\n", "\n"},
		{`(?=(a+))a*b\1`, "", "baaabac", "aba|a"}, {`(.*?)a(?!(a+)b\2c)\2(.*)`, "", "baaabaac", "baaabaac|ba|-|abaac"}, {`\-\/`, "", "-/", "-/"}, {`]`, "", "]", "]"},
		{`a**`, "", "", "error"}, {`(`, "", "", "error"}, {`)`, "", "", "error"}, {`[b-a]`, "", "", "error"}, {`[a`, "", "", "error"}, {`\`, "", "", "error"},
		{`a{2,1}`, "", "", "error"}, {`^*`, "", "", "error"}, {`(?a)`, "", "", "error"}, {`(((a{99}){99}){99}){99}`, "", "", "error"},
		{strings.Repeat("(", 500) + strings.Repeat(")", 500), "", "", "error"},
	} {
		if got := match(test.pattern, test.flags, test.text); got != test.want {
			t.Errorf("/%.40s/%s on %q: got %q, want %q", test.pattern, test.flags, test.text, got, test.want)
		}
	}
}

func TestMatchesEndWithinTheirBudget(t *testing.T) {
	for _, pattern := range []string{`^(a+)+$`, `(a|aa)*b`, `(.*)*x`, `(?:(?=(a*))a*)*b`, `(a?){50}b`, `(?<=(a+)+)c`} {
		re, err := ecmaregexp.Compile(pattern, "")
		if err != nil {
			t.Fatal(err)
		}
		budget := 1_000_000
		start := time.Now()
		_, err = re.Match(strings.Repeat("a", 5000), 0, &budget)
		if err == nil && budget < 0 || err != nil && !errors.Is(err, ecmaregexp.ErrBudget) {
			t.Errorf("/%s/: got %v after %s, with a budget of %d", pattern, err, time.Since(start), budget)
		}
	}
}

// FuzzMatch compares matches with those of Go, for expressions that mean the same in both languages.
func FuzzMatch(f *testing.F) {
	for _, seed := range []string{`a+b|c`, `(a)(b)?`, `[a-z]{2,}`, `^a.c$`, `(?:x|y)*z`, `(?=a)b`, `(\w+)\s\1`, `(?<!a)b`, `[^\d]`} {
		f.Add(seed, "ab xyz aabbc", "")
		f.Add(seed, "é\nc\xff", "i")
	}
	plain := regexp.MustCompile(`^([a-c]|\(|\)|\||[a-c][*+?]|\([a-c]+\)\??)*$`)
	f.Fuzz(func(t *testing.T, pattern, text, flags string) {
		re, err := ecmaregexp.Compile(pattern, flags)
		if err != nil {
			if !errors.Is(err, ecmaregexp.ErrSyntax) {
				t.Errorf("unexpected error %v", err)
			}
			return
		}

		budget := 100_000
		offsets, err := re.Match(text, 0, &budget)
		if err != nil {
			if !errors.Is(err, ecmaregexp.ErrBudget) {
				t.Errorf("unexpected error %v", err)
			}
			return
		}
		for _, offset := range offsets {
			if offset < -1 || offset > len(text) {
				t.Errorf("/%s/ on %q: got the offsets %v", pattern, text, offsets)
			}
		}
		if theirs, err := regexp.Compile(pattern); err == nil && plain.MatchString(pattern) && !strings.Contains(flags, "i") {
			if want := theirs.FindStringIndex(text); len(offsets) > 0 != (want != nil) || want != nil && !slices.Equal(offsets[:2], want) {
				t.Errorf("/%s/ on %q: got %v, Go has %v", pattern, text, offsets, want)
			}
		}
	})
}

func Example() {
	re, err := ecmaregexp.Compile(`(\d+)(?= EUR)`, "")
	if err != nil {
		fmt.Println(err)
		return
	}

	budget := 10_000
	offsets, err := re.Match("3 USD, 42 EUR", 0, &budget)
	fmt.Println(offsets, err)
	// Output: [7 9 7 9] <nil>
}
