package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/herald-progress/herald/lib/local/gateway"
)

// protocolCase is one case of the Autobahn test suite, against a gateway that echoes every text message by a post.
type protocolCase struct {
	// steps are taken in turn, on a new connection.
	steps []protocolStep
	// code is that of the gateway's close frame, which must be the next frame.
	code ws.StatusCode
	// limit says that the code is API Gateway's own, for binary messages and for big ones.
	limit bool
	// racing says that the echo of the last message may or may not come before the close.
	racing bool
}

type protocolStep func(t *testing.T, conn net.Conn)

// casePasses is a case that the browser closes in the end.
func casePasses(steps ...protocolStep) protocolCase {
	return caseCloses(ws.StatusNormalClosure, append(steps, sends(wsClose(ws.StatusNormalClosure, "")))...)
}

// caseCloses is a case that sends its own close frame.
func caseCloses(code ws.StatusCode, steps ...protocolStep) protocolCase {
	return protocolCase{steps: steps, code: code}
}

// caseFails is a case that the gateway closes.
func caseFails(code ws.StatusCode, steps ...protocolStep) protocolCase {
	return protocolCase{steps: steps, code: code}
}

// caseExceeds is a case that API Gateway does not allow.
func caseExceeds(code ws.StatusCode, steps ...protocolStep) protocolCase {
	return protocolCase{steps: steps, code: code, limit: true}
}

// caseRaces is a case whose close frame overtakes the function, or does not.
func caseRaces(steps ...protocolStep) protocolCase {
	return protocolCase{steps: steps, code: ws.StatusNormalClosure, racing: true}
}

// onePiece is longer than all frames of a case together.
const onePiece = 1 << 30

// sends writes the frames in one piece.
func sends(frames ...ws.Frame) protocolStep { return sendsChopped(onePiece, frames...) }

// sendsEach sends each frame in a piece of its own.
func sendsEach(frames ...ws.Frame) protocolStep {
	return func(t *testing.T, conn net.Conn) {
		t.Helper()
		for _, frame := range frames {
			sends(frame)(t, conn)
		}
	}
}

// sendsChopped sends the frames in pieces of so many bytes.
func sendsChopped(size int, frames ...ws.Frame) protocolStep {
	return sendsMade(size, func() []ws.Frame { return frames })
}

// enoughSent is how much of a very big message is sent, in bytes: the gateway must have refused it by then.
const enoughSent = 2 << 20

// sendsMade sends frames that are made only then, being big.
func sendsMade(size int, frames func() []ws.Frame) protocolStep {
	return func(t *testing.T, conn net.Conn) {
		t.Helper()
		var wire bytes.Buffer
		for _, frame := range frames() {
			ws.MustWriteFrame(&wire, ws.MaskFrame(frame))
		}
		wire.Truncate(min(wire.Len(), enoughSent))
		sendsRaw(slices.Collect(slices.Chunk(wire.Bytes(), size))...)(t, conn)
	}
}

// sendsRaw sends bytes as they are. The gateway may have closed already, which what is read next will tell.
func sendsRaw(pieces ...[]byte) protocolStep {
	return func(t *testing.T, conn net.Conn) {
		t.Helper()
		for _, piece := range pieces {
			if _, err := conn.Write(piece); err != nil {
				t.Logf("write: %v", err)
				return
			}
		}
	}
}

// receivesText reads a text message of so many letters.
func receivesText(size int) protocolStep {
	return func(t *testing.T, conn net.Conn) {
		t.Helper()
		receives(wsText(wsLetters(size)))(t, conn)
	}
}

// receives reads frames, which must be these.
func receives(frames ...ws.Frame) protocolStep {
	return func(t *testing.T, conn net.Conn) {
		t.Helper()
		for _, want := range frames {
			got, err := ws.ReadFrame(conn)
			if err != nil {
				t.Fatalf("read frame: %v", err)
			}
			if got.Header != want.Header || !bytes.Equal(got.Payload, want.Payload) {
				t.Fatalf("read %+v %.100q, want %+v %.100q", got.Header, got.Payload, want.Header, want.Payload)
			}
		}
	}
}

func (c protocolCase) run(t *testing.T, serverURL string) {
	t.Helper()
	conn := wsDialRaw(t, serverURL)
	for _, step := range c.steps {
		step(t, conn)
	}

	code, _ := wsReadClose(t, conn, c.racing)
	if code != c.code {
		t.Errorf("closed with %d, want %d", code, c.code)
	}
}

// echoGateway starts a gateway whose default route posts each message back.
func echoGateway(t *testing.T, cfg gateway.Config) string {
	t.Helper()
	var g *gateway.Gateway
	cfg.Routes = map[string]gateway.Function{"$default": routeFunc(func(ctx context.Context, event []byte) ([]byte, error) {
		var message wsEvent
		if err := json.Unmarshal(event, &message); err != nil {
			return nil, err
		}
		request := httptest.NewRequestWithContext(ctx, http.MethodPost,
			"/prod/@connections/"+message.RequestContext.ConnectionID, strings.NewReader(message.Body))
		g.ServeHTTP(httptest.NewRecorder(), request)
		return []byte(routeAccepted), nil
	})}
	g, serverURL := startGateway(t, cfg)
	return serverURL
}

// runCases runs each case on a connection of its own, all at the same time, against a gateway of that configuration.
func runCases(t *testing.T, cfg gateway.Config, cases map[string]protocolCase) {
	t.Helper()
	serverURL := echoGateway(t, cfg)
	for id, test := range cases {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			test.run(t, serverURL)
		})
	}
}

func TestProtocol(t *testing.T) {
	t.Parallel()
	runCases(t, gateway.Config{}, protocolCases())
}

// With API Gateway's limits out of the way, big messages pass as the suite has it.
func TestProtocolUnlimited(t *testing.T) {
	t.Parallel()
	const enough = 1 << 20
	runCases(t, gateway.Config{FrameLimit: enough, MessageLimit: enough}, bigTextCases())
}

// Every case of the suite is here, and expects what the suite does, unless API Gateway's limits forbid it.
func TestProtocolAsInAutobahn(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("CONFORMANCE_DIR")
	if dir == "" {
		t.Skip("CONFORMANCE_DIR is not set")
	}

	file, err := os.ReadFile(filepath.Join(dir, "ws", "autobahn_cases.json"))
	if err != nil {
		t.Fatal(err)
	}

	names := map[ws.StatusCode]string{
		ws.StatusNormalClosure: "NORMAL", ws.StatusProtocolError: "PROTOCOL_ERROR",
		ws.StatusInvalidFramePayloadData: "INVALID_PAYLOAD",
	}
	limited, big := 0, bigTextCases()
	ours := protocolCases()
	for _, suite := range fromJSON[[]struct {
		ID         string
		CloseCodes []string `json:"close_codes"`
	}](t, file) {
		test, found := ours[suite.ID]
		delete(ours, suite.ID)
		if test.limit {
			limited++
			test, found = big[suite.ID]
			if !found {
				continue // Binary, which API Gateway has no way to allow, or very big.
			}
		}

		if !found {
			t.Errorf("case %s is missing", suite.ID)
		} else if len(suite.CloseCodes) > 0 && !slices.Contains(suite.CloseCodes, names[test.code]) {
			t.Errorf("case %s expects %d, the suite %v", suite.ID, test.code, suite.CloseCodes)
		}
	}

	for id := range ours {
		t.Errorf("the suite has no case %s", id)
	}

	t.Logf("%d cases end by a limit of API Gateway", limited)
}
