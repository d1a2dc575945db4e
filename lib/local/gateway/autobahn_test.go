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

// autobahnCase is one case of the Autobahn test suite. It runs against a gateway that echoes every text message by a post.
type autobahnCase struct {
	// steps run one after another on a new connection.
	steps []autobahnStep
	// code is the code of the gateway's close frame, which must follow.
	code ws.StatusCode
	// beyondLimit marks cases that API Gateway refuses but the suite accepts: binary and big messages.
	beyondLimit bool
	// mayEcho allows the echo of the last message before the close frame.
	mayEcho bool
}

type autobahnStep func(t *testing.T, conn net.Conn)

// casePasses is a case in which the steps succeed and the browser closes the connection with 1000.
func casePasses(steps ...autobahnStep) autobahnCase {
	return caseCloses(ws.StatusNormalClosure, append(steps, sends(closeFrame(ws.StatusNormalClosure, "")))...)
}

// caseCloses is a case that ends with a close frame with the given code from the gateway.
func caseCloses(code ws.StatusCode, steps ...autobahnStep) autobahnCase {
	return autobahnCase{steps: steps, code: code}
}

// caseBeyondLimit is a case that API Gateway refuses with the given code.
func caseBeyondLimit(code ws.StatusCode, steps ...autobahnStep) autobahnCase {
	return autobahnCase{steps: steps, code: code, beyondLimit: true}
}

// caseMayEcho is a case whose close frame may arrive before or after the echo.
func caseMayEcho(steps ...autobahnStep) autobahnCase {
	return autobahnCase{steps: steps, code: ws.StatusNormalClosure, mayEcho: true}
}

// allInOnePiece is a piece size, in bytes, that is larger than all frames of a case together.
const allInOnePiece = 1 << 30

// sends writes the frames in one piece.
func sends(frames ...ws.Frame) autobahnStep { return sendsInPieces(allInOnePiece, frames...) }

// sendsEach sends each frame in a piece of its own.
func sendsEach(frames ...ws.Frame) autobahnStep {
	return func(t *testing.T, conn net.Conn) {
		t.Helper()
		for _, frame := range frames {
			sends(frame)(t, conn)
		}
	}
}

// sendsInPieces sends the frames in pieces of size bytes.
func sendsInPieces(size int, frames ...ws.Frame) autobahnStep {
	return sendsLazily(size, func() []ws.Frame { return frames })
}

// maxSent is the greatest number of bytes that a step sends. The gateway must refuse a bigger message before it has received so many.
const maxSent = 2 << 20

// sendsLazily does what sendsInPieces does, for big frames: it builds them when the step runs.
func sendsLazily(size int, frames func() []ws.Frame) autobahnStep {
	return func(t *testing.T, conn net.Conn) {
		t.Helper()
		var wire bytes.Buffer
		for _, frame := range frames() {
			ws.MustWriteFrame(&wire, ws.MaskFrame(frame))
		}
		wire.Truncate(min(wire.Len(), maxSent))
		sendsRaw(slices.Collect(slices.Chunk(wire.Bytes(), size))...)(t, conn)
	}
}

// sendsRaw sends bytes unchanged. If the gateway has closed the connection, the next read shows it.
func sendsRaw(pieces ...[]byte) autobahnStep {
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

// receivesText reads a text message of size asterisks.
func receivesText(size int) autobahnStep {
	return func(t *testing.T, conn net.Conn) {
		t.Helper()
		receives(textFrame(asterisks(size)))(t, conn)
	}
}

// receives reads as many frames as it is given, and compares them with these.
func receives(frames ...ws.Frame) autobahnStep {
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

func (c autobahnCase) run(t *testing.T, serverURL string) {
	t.Helper()
	conn := dialRaw(t, serverURL)
	for _, step := range c.steps {
		step(t, conn)
	}

	code, _ := readClose(t, conn, c.mayEcho)
	if code != c.code {
		t.Errorf("closed with %d, want %d", code, c.code)
	}
}

// echoGateway starts a gateway whose $default function posts each message back. It returns the server's URL.
func echoGateway(t *testing.T, cfg gateway.Config) string {
	t.Helper()
	var g *gateway.Gateway
	cfg.Routes = map[string]gateway.Function{"$default": functionFunc(func(ctx context.Context, event []byte) ([]byte, error) {
		var message eventFields
		if err := json.Unmarshal(event, &message); err != nil {
			return nil, err
		}
		request := httptest.NewRequestWithContext(ctx, http.MethodPost,
			"/prod/@connections/"+message.RequestContext.ConnectionID, strings.NewReader(message.Body))
		g.ServeHTTP(httptest.NewRecorder(), request)
		return []byte(acceptedResponse), nil
	})}
	g, serverURL := startGateway(t, cfg)
	return serverURL
}

// runAutobahnCases runs the cases in parallel, each on its own connection, against one gateway.
func runAutobahnCases(t *testing.T, cfg gateway.Config, cases map[string]autobahnCase) {
	t.Helper()
	serverURL := echoGateway(t, cfg)
	for id, test := range cases {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			test.run(t, serverURL)
		})
	}
}

func TestAutobahnCases(t *testing.T) {
	t.Parallel()
	runAutobahnCases(t, gateway.Config{}, autobahnCases())
}

// If the limits are higher than API Gateway's, big messages pass, as the suite demands.
func TestAutobahnCasesWithHigherLimits(t *testing.T) {
	t.Parallel()
	const mebibyte = 1 << 20
	runAutobahnCases(t, gateway.Config{FrameLimit: mebibyte, MessageLimit: mebibyte}, bigTextCases())
}

// Each case of the suite has a case here that expects the same close code, unless API Gateway refuses its messages.
func TestAutobahnCasesAreComplete(t *testing.T) {
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
	ours := autobahnCases()
	for _, suite := range decodeJSON[[]struct {
		ID         string
		CloseCodes []string `json:"close_codes"`
	}](t, file) {
		test, found := ours[suite.ID]
		delete(ours, suite.ID)
		if test.beyondLimit {
			limited++
			test, found = big[suite.ID]
			if !found {
				continue // Binary messages and messages over 1 MiB cannot be allowed.
			}
		}

		if !found {
			t.Errorf("case %s is missing", suite.ID)
		} else if len(suite.CloseCodes) > 0 && !slices.Contains(suite.CloseCodes, names[test.code]) {
			t.Errorf("case %s expects %d, the suite expects %v", suite.ID, test.code, suite.CloseCodes)
		}
	}

	for id := range ours {
		t.Errorf("the suite has no case %s", id)
	}

	t.Logf("API Gateway refuses the messages of %d cases", limited)
}
