package message_test

import (
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

const traceID = "1-5759e988-bd862e3fe1be46a994272793"

func TestTraceIDIsTheRootOfATracingHeader(t *testing.T) {
	for header, want := range map[string]string{
		"Root=" + traceID + ";Parent=53995c3f42cd8ad8;Sampled=1": traceID,
		"Root=" + traceID: traceID,
		"Self=1-67891234-12456789abcdef012345678;Root=" + traceID:        traceID,
		"Sampled=0; Root=" + traceID + " ;Lineage=a87bd80c:1|68fd508a:5": traceID,
		"Sampled=0; Root=" + traceID + ";Lineage=a87bd80c:1|68fd508a:5":  traceID,
		"":      "",
		"Root=": "",
		traceID: "",
		"Root=1-5759e988-bd862e3fe1be46a99427279":   "", // a digit less
		"Root=1-5759e988-bd862e3fe1be46a9942727933": "", // a digit more
		"Root=1-5759E988-BD862E3FE1BE46A994272793":  "", // upper case
		"Root=2-5759e988-bd862e3fe1be46a994272793":  "",
		"root=" + traceID:                           "",
		strings.Repeat("Root=;", 1000):              "",
	} {
		if got := message.TraceID(header); got != want {
			t.Errorf("%q has the trace %q, want %q", header, got, want)
		}
	}
}

func TestTraceOfAFrame(t *testing.T) {
	data := message.Notification{Title: "Done", Message: "Your import is done", Severity: "info"}
	e := message.New(data, "", time.UnixMilli(0))
	without, err := e.Encode()
	if err != nil || strings.Contains(string(without), "trace") {
		t.Errorf("a frame without a trace is %s, %v", without, err)
	}
	e.Trace = traceID
	frame, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got := len(frame) - len(without); got != 46 {
		t.Errorf("a trace takes %d bytes of a frame, want 46", got)
	}
	parsed, err := message.Parse(frame)
	if err != nil || parsed.Trace != traceID {
		t.Errorf("the trace of the parsed frame is %q, %v", parsed.Trace, err)
	}
}

// TestTextThatIsNoTraceIsDropped checks that a frame carries an id of 35 bytes or nothing, whatever sets its trace, and that a message is
// never refused for it.
func TestTextThatIsNoTraceIsDropped(t *testing.T) {
	data := message.Notification{Title: "Done", Message: "Your import is done", Severity: "info"}
	without, err := message.New(data, "", time.UnixMilli(0)).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, trace := range []string{"x", "Root=" + traceID, traceID + "0", strings.Repeat("1", 100_000)} {
		e := message.New(data, "", time.UnixMilli(0))
		e.Trace = trace
		if frame, err := e.Encode(); err != nil || string(frame) != string(without) {
			t.Errorf("with the trace %.50q the frame is %.200s, %v", trace, frame, err)
		}
		received := strings.Replace(string(without), `{"type"`, `{"trace":"`+trace+`","type"`, 1)
		if parsed, err := message.Parse([]byte(received)); err != nil || parsed.Trace != "" {
			t.Errorf("the trace %.50q is parsed as %.50q, %v", trace, parsed.Trace, err)
		}
	}
}

func FuzzTraceID(f *testing.F) {
	f.Add("Root=" + traceID + ";Parent=53995c3f42cd8ad8;Sampled=1")
	f.Add("Root=;Root=" + traceID)
	f.Fuzz(func(t *testing.T, header string) {
		id := message.TraceID(header)
		if id != "" && (!message.ValidTraceID(id) || !strings.Contains(header, "Root="+id)) {
			t.Errorf("%q has the trace %q", header, id)
		}
	})
}
