package pipeline_test

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/herald-progress/herald/lib/message"
)

// errVelocity says that a template uses something of Velocity that renderVelocity does not know, or something that is not there.
var errVelocity = errors.New("cannot render")

// The forms of Velocity that the answer to a ping uses, and no others.
var (
	velocitySet       = regexp.MustCompile(`^#set\(\$([a-z]+) = (.+)\)$`)
	velocityMap       = regexp.MustCompile(`^\{("[A-Za-z]+": "[0-9]+"(?:, "[A-Za-z]+": "[0-9]+")*)\}$`)
	velocityString    = regexp.MustCompile(`^"([^"#]*)"$`)
	velocityGet       = regexp.MustCompile(`^\$([a-z]+)\.get\(\$(.+)\)$`)
	velocitySubstring = regexp.MustCompile(`^([a-z]+)\.substring\((\d+)(?:, (\d+))?\)$`)
	velocityReference = regexp.MustCompile(`\$\{([^}]*)\}`)
	velocityContext   = regexp.MustCompile(`\$context\.[A-Za-z.]+`)
)

// velocity is the state of a template that is rendered.
type velocity struct {
	context map[string]string // the values of $context
	strings map[string]string
	maps    map[string]map[string]string
}

// renderVelocity renders a template as API Gateway does. It knows #set lines with a string, a map or the value of a map, which come first,
// and then one line with ${name} and ${name.substring(from, to)}. Anything else is an error, as is a name that is not set, which Velocity
// would leave as it is.
func renderVelocity(template string, context map[string]string) (string, error) {
	v := velocity{context: context, strings: map[string]string{}, maps: map[string]map[string]string{}}
	lines := strings.Split(template, "\n")
	for _, line := range lines[:len(lines)-1] {
		if err := v.set(line); err != nil {
			return "", err
		}
	}
	var failed error
	out := velocityReference.ReplaceAllStringFunc(lines[len(lines)-1], func(reference string) string {
		value, err := v.value(reference[2 : len(reference)-1])
		failed = errors.Join(failed, err)
		return value
	})
	if failed == nil && strings.ContainsAny(out, "$#") {
		failed = fmt.Errorf("%w: a reference is left in %s", errVelocity, out)
	}
	return out, failed
}

// set executes a #set line.
func (v velocity) set(line string) error {
	parts := velocitySet.FindStringSubmatch(line)
	if parts == nil {
		return fmt.Errorf("%w: %s", errVelocity, line)
	}
	name, expression := parts[1], parts[2]
	if entries := velocityMap.FindStringSubmatch(expression); entries != nil {
		v.maps[name] = map[string]string{}
		for entry := range strings.SplitSeq(entries[1], ", ") {
			key, value, _ := strings.Cut(entry, ": ")
			v.maps[name][strings.Trim(key, `"`)] = strings.Trim(value, `"`)
		}
		return nil
	}
	if text := velocityString.FindStringSubmatch(expression); text != nil {
		v.strings[name] = velocityContext.ReplaceAllStringFunc(text[1], func(field string) string {
			if value, ok := v.context[strings.TrimPrefix(field, "$context.")]; ok {
				return value
			}
			return field
		})
		if strings.Contains(v.strings[name], "$") {
			return fmt.Errorf("%w: no such field of $context: %s", errVelocity, line)
		}
		return nil
	}
	if get := velocityGet.FindStringSubmatch(expression); get != nil {
		key, err := v.value(get[2])
		value, ok := v.maps[get[1]][key]
		if err == nil && !ok {
			err = fmt.Errorf("%w: the map %s has no %q", errVelocity, get[1], key)
		}
		v.strings[name] = value
		return err
	}
	return fmt.Errorf("%w: %s", errVelocity, expression)
}

// value returns the value of a reference: name, or name.substring(from, to).
func (v velocity) value(reference string) (string, error) {
	if value, ok := v.strings[reference]; ok {
		return value, nil
	}
	parts := velocitySubstring.FindStringSubmatch(reference)
	if parts == nil {
		return "", fmt.Errorf("%w: %s is not set", errVelocity, reference)
	}
	text, ok := v.strings[parts[1]]
	from, _ := strconv.Atoi(parts[2])
	to := len(text)
	if parts[3] != "" {
		to, _ = strconv.Atoi(parts[3])
	}
	if !ok || from > to || to > len(text) {
		return "", fmt.Errorf("%w: %s of %q", errVelocity, reference, text)
	}
	return text[from:to], nil
}

// pingTimes has times at which the answer to a ping is rendered: each month, and the ends of fields.
func pingTimes() []time.Time {
	times := []time.Time{
		time.Date(2026, 12, 31, 23, 59, 59, 999e6, time.UTC),
		time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2028, 2, 29, 9, 8, 7, 6e6, time.UTC),
		time.Date(2099, 10, 10, 10, 10, 10, 10e6, time.UTC),
	}
	for month := time.January; month <= time.December; month++ {
		times = append(times, time.Date(2026, month, 2*int(month), 2*int(month)-1, 60-int(month), 12+int(month), int(month)*71e6, time.UTC))
	}
	return times
}

// pongFailure renders the answer to a ping, and returns how it differs from the frame of the protocol, or an empty string.
func pongFailure(template string) string {
	for _, at := range pingTimes() {
		want := `{"type":"pong","data":{},"timestamp":"` + message.Time{Time: at}.String() + `"}`
		// The forms are those of the page about $context: CLF, and milliseconds.
		got, err := renderVelocity(template, map[string]string{
			"requestTime": at.Format("02/Jan/2006:15:04:05 -0700"), "requestTimeEpoch": strconv.FormatInt(at.UnixMilli(), 10),
		})
		if err != nil {
			return err.Error()
		}
		if got != want {
			return fmt.Sprintf("the frame is %s, want %s", got, want)
		}
		frame, err := message.Parse([]byte(got))
		if err != nil || frame.Type != message.TypePong || !frame.Timestamp.Equal(at) {
			return fmt.Sprintf("a client reads %+v, error %v", frame, err)
		}
	}
	return ""
}

// pongTemplate returns the template of the answer to a ping.
func pongTemplate(tb testing.TB, template template) string {
	tb.Helper()
	response := template.one(tb, "AWS::ApiGatewayV2::IntegrationResponse", "HeraldPing").properties
	templates, _ := lookUp(response, "ResponseTemplates").(map[string]any)
	if names := slices.Collect(maps.Keys(templates)); len(names) != 1 || names[0] != "200" {
		tb.Fatalf("the templates are for %v, want 200 alone", names)
	}
	return valueText(templates["200"])
}

func TestPingIsAnsweredByThePongOfTheProtocol(t *testing.T) { checkPong(t, fullTemplate(t)) }

func checkPong(tb testing.TB, template template) {
	tb.Helper()
	if failure := pongFailure(pongTemplate(tb, template)); failure != "" {
		tb.Error(failure)
	}
}

// TestMistakesInThePongTemplateAreFound removes each character of the template, and replaces each digit by the next one: all of that must
// be found, except where only spaces differ.
func TestMistakesInThePongTemplateAreFound(t *testing.T) {
	template := pongTemplate(t, fullTemplate(t))
	tried := 0
	try := func(at int, with string) {
		tried++
		if pongFailure(template[:at]+with+template[at+1:]) == "" {
			t.Errorf("%q in the place of %q at %d is not found: …%s…", with, template[at], at, template[max(0, at-10):min(len(template), at+10)])
		}
	}
	for at, char := range template {
		if !unicode.IsSpace(char) {
			try(at, "")
		}
		if unicode.IsDigit(char) {
			try(at, string('0'+(char-'0'+1)%10))
		}
	}
	t.Logf("%d mistakes", tried)
}

func TestVelocityIsRenderedStrictly(t *testing.T) {
	context := map[string]string{"requestTime": "09/Nov/2026"}
	for template, want := range map[string]string{
		"#set($a = \"x$context.requestTime\")\n${a}!":                              "x09/Nov/2026!",
		"#set($a = \"abc\")\n${a.substring(1)}${a.substring(0, 1)}":                "bca",
		"#set($a = \"k\")\n#set($m = {\"k\": \"1\"})\n#set($b = $m.get($a))\n${b}": "1",
		"${a}":                              "",
		"$a":                                "",
		"#if($a)x#end":                      "",
		"#set($a = \"abc\")\n${a.length()}": "",
		"#set($a = \"abc\")\n${a.substring(2, 4)}":                              "",
		"#set($a = \"$context.apiId\")\nx":                                      "",
		"#set($a = \"z\")\n#set($m = {\"k\": \"1\"})\n#set($b = $m.get($a))\nx": "",
	} {
		got, err := renderVelocity(template, context)
		if (err != nil) != (want == "") || err == nil && got != want {
			t.Errorf("%s: got %q, error %v, want %q", template, got, err, want)
		}
	}
}
