package message

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestTheDocsNameTheLimitsOfABrowsersFrames checks the numbers in the pages for those who write a page or a client.
func TestTheDocsNameTheLimitsOfABrowsersFrames(t *testing.T) {
	withCommas := func(n int) string { return fmt.Sprintf("%d,%03d", n/1000, n%1000) }
	for _, page := range []string{"PROTOCOL.md", "README.md"} {
		text, err := os.ReadFile("../web/" + page)
		if err != nil {
			t.Fatal(err)
		}
		words := strings.Join(strings.Fields(string(text)), " ")
		for _, want := range []string{
			withCommas(MaxClientFrame) + " bytes", "t most " + withCommas(MaxHave) + " jobs", "about " + withCommas(MaxHaveBytes) + " bytes",
		} {
			if !strings.Contains(words, want) {
				t.Errorf("lib/web/%s does not say %q", page, want)
			}
		}
	}
}

// TestTheProtocolListsEachType: lib/web/PROTOCOL.md has a row for each type of the table, and for pong.
func TestTheProtocolListsEachType(t *testing.T) {
	protocol, err := os.ReadFile("../web/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(protocol)) {
		names, isRow := strings.CutPrefix(line, "| `") // a row begins with | `type` | or | `type`, `type` |
		names, _, _ = strings.Cut(names, " |")
		for name := range strings.SplitSeq(strings.TrimSuffix(names, "`"), "`, `") {
			listed[name] = isRow || listed[name]
		}
	}
	if !listed[string(TypePong)] {
		t.Errorf("the protocol does not list %s", TypePong)
	}
	for name := range types {
		if !listed[string(name)] {
			t.Errorf("the protocol does not list %s", name)
		}
	}
}

// TestTypesAgreeWithTheTable checks each type: a frame of it parses to data of the type, and only a producer's type is decoded and
// accepted in a request.
func TestTypesAgreeWithTheTable(t *testing.T) {
	for name, dataType := range types {
		raw := []byte(`{"type":"` + string(name) + `","data":{}}`)
		e, err := Parse(raw)
		if err != nil || e.Data.Type() != name {
			t.Errorf("%s is parsed as %+v: %v", name, e, err)
			continue
		}
		producer := dataType.kind != kindControl
		_, decodeErr := Decode(raw)
		for what, err := range map[string]error{
			"Decode":  decodeErr,
			"Request": Request{UserID: "u1", Message: e.Data}.Validate(),
		} {
			var bad *Invalid
			if !errors.As(err, &bad) {
				t.Errorf("%s of an empty %s: %v, want an Invalid", what, name, err)
				continue
			}
			if refused := bad.Problems[0].Field == "type" && bad.Problems[0].Rule == ruleType(); refused == producer {
				t.Errorf("%s of %s: %v; a producer may send it: %v", what, name, err, producer)
			}
		}
		if got := IsNote(e.Data); got != (dataType.kind == kindNote) {
			t.Errorf("IsNote of %s is %v", name, got)
		}
	}
	if IsNote(nil) || IsNote(Unknown{Name: "x"}) {
		t.Error("nil or data of an unknown type is a note")
	}
}
