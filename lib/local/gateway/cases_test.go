package gateway_test

import (
	"bytes"
	"fmt"
	"maps"
	"strings"

	"github.com/gobwas/ws"
)

// How cases end, by the codes of RFC 6455, section 7.4.1.
const (
	wsProtocolError  = ws.StatusProtocolError
	wsUnsupported    = ws.StatusUnsupportedData
	wsInvalidPayload = ws.StatusInvalidFramePayloadData
	wsTooBig         = ws.StatusMessageTooBig
)

// The bytes of invalid UTF-8 begin in the middle: a surrogate, and a code point beyond the last one.
const (
	utf8Greek     = "κόσμε"
	utf8Surrogate = "\xed\xa0\x80"
	utf8Beyond    = "\xf4\x90\x80\x80"
)

func wsPing(payload string) ws.Frame     { return ws.NewPingFrame([]byte(payload)) }
func wsPong(payload string) ws.Frame     { return ws.NewPongFrame([]byte(payload)) }
func wsBinary(size int) ws.Frame         { return ws.NewBinaryFrame(bytes.Repeat([]byte{0xfe}, size)) }
func wsLetters(size int) string          { return strings.Repeat("*", size) }
func wsBegin(payload string) ws.Frame    { return wsPart(ws.OpText, false, payload) }
func wsProceed(payload string) ws.Frame  { return wsPart(ws.OpContinuation, false, payload) }
func wsConclude(payload string) ws.Frame { return wsPart(ws.OpContinuation, true, payload) }
func wsRawClose(payload string) ws.Frame { return ws.NewCloseFrame([]byte(payload)) }

func wsReserved(bits byte, frame ws.Frame) ws.Frame {
	frame.Header.Rsv = bits
	return frame
}

func wsOpCode(code ws.OpCode, payload string) ws.Frame { return wsPart(code, true, payload) }

// wsFragments cuts a payload into frames of so many bytes.
func wsFragments(first ws.OpCode, payload string, size int) []ws.Frame {
	var frames []ws.Frame
	for code := first; ; code = ws.OpContinuation {
		if len(payload) <= size {
			return append(frames, wsPart(code, true, payload))
		}
		frames = append(frames, wsPart(code, false, payload[:size]))
		payload = payload[size:]
	}
}

// wsPartly returns the first bytes of a frame on the wire: its header, and some of its payload.
func wsPartly(frame ws.Frame, payload int) []byte {
	var wire bytes.Buffer
	ws.MustWriteFrame(&wire, ws.MaskFrameWith(frame, [4]byte{1, 2, 3, 4}))
	return wire.Bytes()[:wire.Len()-len(frame.Payload)+payload]
}

// protocolCases returns the cases by the suite's ids, as they go within API Gateway's limits.
func protocolCases() map[string]protocolCase {
	cases := map[string]protocolCase{}
	for _, group := range []map[string]protocolCase{
		controlCases(), reservedCases(), fragmentCases(), textCases(), closeCases(),
	} {
		maps.Copy(cases, group)
	}

	for id, test := range bigTextCases() {
		cases[id] = caseExceeds(wsTooBig, test.steps[0])
	}

	for id, made := range bigFrames(ws.OpText, "9.1", "9.3", "9.5") {
		cases[id] = caseExceeds(wsTooBig, made.sent)
	}

	for n, size := range []int{0, 125, 126, 127, 128, 65535, 65536} {
		id := fmt.Sprintf("1.1.%d", n+1)
		if size <= 32<<10 {
			cases[id] = casePasses(sends(wsText(wsLetters(size))), receives(wsText(wsLetters(size))))
		}
		cases[fmt.Sprintf("1.2.%d", n+1)] = caseExceeds(wsUnsupported, sends(wsBinary(size)))
	}

	cases["1.2.8"] = caseExceeds(wsUnsupported, sendsChopped(997, wsBinary(65536)))
	cases["10.1.1"] = casePasses(sends(wsFragments(ws.OpText, wsLetters(65536), 1300)...), receives(wsText(wsLetters(65536))))
	cases["9.9.1"] = caseExceeds(wsTooBig, sendsMade(onePiece, func() []ws.Frame {
		return wsFragments(ws.OpText, wsLetters(4<<20), 4<<10)[:256]
	}))
	for id, made := range bigFrames(ws.OpBinary, "9.2", "9.4", "9.6") {
		cases[id] = caseExceeds(wsUnsupported, made.sent)
	}

	return cases
}

// bigTextCases returns the cases whose frames are too big for API Gateway, as the suite has them, up to 1 MiB.
func bigTextCases() map[string]protocolCase {
	cases := map[string]protocolCase{
		"1.1.6": casePasses(sends(wsText(wsLetters(65535))), receivesText(65535)),
		"1.1.7": casePasses(sends(wsText(wsLetters(65536))), receivesText(65536)),
		"1.1.8": casePasses(sendsChopped(997, wsText(wsLetters(65536))), receivesText(65536)),
	}
	for id, made := range bigFrames(ws.OpText, "9.1", "9.3", "9.5") {
		if made.size <= 1<<20 {
			cases[id] = casePasses(made.sent, receivesText(made.size))
		}
	}

	return cases
}

// bigMessage is one message of the suite's ninth chapter, and its size.
type bigMessage struct {
	sent protocolStep
	size int
}

// bigFrames returns the messages of three sections: in one frame, in fragments, in one frame that is sent in pieces.
func bigFrames(code ws.OpCode, whole, fragmented, pieces string) map[string]bigMessage {
	const mega = 1 << 20
	messages := map[string]bigMessage{}
	for n, size := range []int{mega / 16, mega / 4, mega, 4 * mega, 8 * mega, 16 * mega} {
		messages[fmt.Sprintf("%s.%d", whole, n+1)] = bigMessage{sendsMade(onePiece, func() []ws.Frame {
			return []ws.Frame{wsPart(code, true, wsLetters(size))}
		}), size}
	}

	for n, size := range []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, mega, 4 * mega} {
		messages[fmt.Sprintf("%s.%d", fragmented, n+1)] = bigMessage{sendsMade(onePiece, func() []ws.Frame {
			return wsFragments(code, wsLetters(4*mega), size)
		}), 4 * mega}
	}

	for n, size := range []int{64, 128, 256, 512, 1024, 2048} {
		messages[fmt.Sprintf("%s.%d", pieces, n+1)] = bigMessage{sendsMade(size, func() []ws.Frame {
			return []ws.Frame{wsPart(code, true, wsLetters(mega))}
		}), mega}
	}
	return messages
}

// controlCases are pings and pongs.
func controlCases() map[string]protocolCase {
	full := strings.Repeat("\xfe", 125)
	var pings, pongs []ws.Frame
	for n := range 10 {
		pings, pongs = append(pings, wsPing(fmt.Sprint(n))), append(pongs, wsPong(fmt.Sprint(n)))
	}

	return map[string]protocolCase{
		"2.1":  casePasses(sends(wsPing("")), receives(wsPong(""))),
		"2.2":  casePasses(sends(wsPing("Hello")), receives(wsPong("Hello"))),
		"2.3":  casePasses(sends(wsPing("\x00\xff\xfe")), receives(wsPong("\x00\xff\xfe"))),
		"2.4":  casePasses(sends(wsPing(full)), receives(wsPong(full))),
		"2.5":  caseFails(wsProtocolError, sends(wsPing(full+"x"))),
		"2.6":  casePasses(sendsChopped(1, wsPing(full)), receives(wsPong(full))),
		"2.7":  casePasses(sends(wsPong(""))),
		"2.8":  casePasses(sends(wsPong("unasked"))),
		"2.9":  casePasses(sends(wsPong("unasked"), wsPing("asked")), receives(wsPong("asked"))),
		"2.10": casePasses(sends(pings...), receives(pongs...)),
		"2.11": casePasses(sendsChopped(1, pings...), receives(pongs...)),
	}
}

// reservedCases have reserved bits and reserved opcodes.
func reservedCases() map[string]protocolCase {
	hello := wsText("Hello")
	echoed := func(then protocolStep) protocolCase {
		return caseFails(wsProtocolError, sends(hello), receives(hello), then)
	}
	return map[string]protocolCase{
		"3.1": caseFails(wsProtocolError, sends(wsReserved(1, hello))),
		"3.2": echoed(sends(wsReserved(2, hello), wsPing(""))),
		"3.3": echoed(sendsEach(wsReserved(3, hello), wsPing(""))),
		"3.4": echoed(sendsChopped(1, wsReserved(4, hello), wsPing(""))),
		"3.5": caseFails(wsProtocolError, sends(wsReserved(5, wsBinary(5)))),
		"3.6": caseFails(wsProtocolError, sends(wsReserved(6, wsPing("")))),
		"3.7": caseFails(wsProtocolError, sends(wsReserved(7, wsClose(1000, "")))),

		"4.1.1": caseFails(wsProtocolError, sends(wsOpCode(3, ""))),
		"4.1.2": caseFails(wsProtocolError, sends(wsOpCode(4, "x"))),
		"4.1.3": echoed(sends(wsOpCode(5, ""), wsPing(""))),
		"4.1.4": echoed(sends(wsOpCode(6, "x"), wsPing(""))),
		"4.1.5": echoed(sendsChopped(1, wsOpCode(7, "x"), wsPing(""))),
		"4.2.1": caseFails(wsProtocolError, sends(wsOpCode(11, ""))),
		"4.2.2": caseFails(wsProtocolError, sends(wsOpCode(12, "x"))),
		"4.2.3": echoed(sends(wsOpCode(13, ""), wsPing(""))),
		"4.2.4": echoed(sends(wsOpCode(14, "x"), wsPing(""))),
		"4.2.5": echoed(sendsChopped(1, wsOpCode(15, "x"), wsPing(""))),
	}
}

// fragmentCases are messages in fragments, with control frames between them, and fragments out of place.
func fragmentCases() map[string]protocolCase {
	two := []ws.Frame{wsBegin("fragment1"), wsConclude("fragment2")}
	pinged := []ws.Frame{two[0], wsPing("ping"), two[1]}
	whole := wsText("fragment1fragment2")
	both := []protocolStep{receives(wsPong("ping"), whole)}
	legal := func(sent func(...ws.Frame) protocolStep) protocolCase {
		return casePasses(sent(wsBegin("1"), wsProceed("2"), wsPing("first")), receives(wsPong("first")),
			sent(wsProceed("3"), wsProceed("4"), wsPing("second"), wsConclude("5")), receives(wsPong("second"), wsText("12345")))
	}
	octets := func(frames ...ws.Frame) protocolStep { return sendsChopped(1, frames...) }
	stray, unfinished := wsConclude("stray"), wsProceed("stray")
	return map[string]protocolCase{
		"5.1":  caseFails(wsProtocolError, sends(wsPart(ws.OpPing, false, "1"), wsConclude("2"))),
		"5.2":  caseFails(wsProtocolError, sends(wsPart(ws.OpPong, false, "1"), wsConclude("2"))),
		"5.3":  casePasses(sends(two...), receives(whole)),
		"5.4":  casePasses(sendsEach(two...), receives(whole)),
		"5.5":  casePasses(octets(two...), receives(whole)),
		"5.6":  casePasses(append([]protocolStep{sends(pinged...)}, both...)...),
		"5.7":  casePasses(append([]protocolStep{sendsEach(pinged...)}, both...)...),
		"5.8":  casePasses(append([]protocolStep{octets(pinged...)}, both...)...),
		"5.9":  caseFails(wsProtocolError, sends(stray, wsText("Hello"))),
		"5.10": caseFails(wsProtocolError, sendsEach(stray, wsText("Hello"))),
		"5.11": caseFails(wsProtocolError, octets(stray, wsText("Hello"))),
		"5.12": caseFails(wsProtocolError, sends(unfinished, wsText("Hello"))),
		"5.13": caseFails(wsProtocolError, sendsEach(unfinished, wsText("Hello"))),
		"5.14": caseFails(wsProtocolError, octets(unfinished, wsText("Hello"))),
		"5.15": {
			steps: []protocolStep{sends(two[0], two[1], unfinished, wsText("Hello"))}, code: wsProtocolError, racing: true,
		},
		"5.16": caseFails(wsProtocolError, sends(unfinished, two[0], two[1], unfinished, two[0], two[1])),
		"5.17": caseFails(wsProtocolError, sends(stray, two[0], two[1], stray, two[0], two[1])),
		"5.18": caseFails(wsProtocolError, sends(wsBegin("fragment1"), wsText("fragment2"))),
		"5.19": legal(sends),
		"5.20": legal(sendsEach),
	}
}

// textCases are UTF-8 and what is not, which must fail at the first wrong byte.
func textCases() map[string]protocolCase {
	const umlauts = "Hello-µ@ßöäüàá-UTF-8!!"
	wrong := wsText(utf8Greek + utf8Beyond + "edited")
	return map[string]protocolCase{
		"6.1.1": casePasses(sends(wsText("")), receives(wsText(""))),
		"6.1.2": casePasses(sends(wsBegin(""), wsProceed(""), wsConclude("")), receives(wsText(""))),
		"6.1.3": casePasses(sends(wsBegin(""), wsProceed("middle"), wsConclude("")), receives(wsText("middle"))),
		"6.2.1": casePasses(sends(wsText(umlauts)), receives(wsText(umlauts))),
		"6.2.2": casePasses(sends(wsBegin("Hello-µ@ßöä"), wsConclude("üàá-UTF-8!!")), receives(wsText(umlauts))),
		"6.2.3": casePasses(sends(wsFragments(ws.OpText, umlauts, 1)...), receives(wsText(umlauts))),
		"6.2.4": casePasses(sends(wsFragments(ws.OpText, utf8Greek, 1)...), receives(wsText(utf8Greek))),
		"6.3.1": caseFails(wsInvalidPayload, sends(wsText(utf8Greek+utf8Surrogate+"edited"))),
		"6.3.2": caseFails(wsInvalidPayload, sends(wsFragments(ws.OpText, utf8Greek+utf8Surrogate+"edited", 1)...)),
		"6.4.1": caseFails(wsInvalidPayload, sends(wsBegin(utf8Greek), wsPing("")), receives(wsPong("")), sends(wsProceed(utf8Beyond))),
		"6.4.2": caseFails(wsInvalidPayload, sends(wsBegin(utf8Greek), wsPing("")), receives(wsPong("")), sends(wsProceed(utf8Beyond[:2]))),
		"6.4.3": caseFails(wsInvalidPayload, sendsRaw(wsPartly(wrong, len(utf8Greek)+len(utf8Beyond)))),
		"6.4.4": caseFails(wsInvalidPayload, sendsRaw(wsPartly(wrong, len(utf8Greek)+2))),
	}
}

// closeCases are closing handshakes.
func closeCases() map[string]protocolCase {
	normal := wsClose(ws.StatusNormalClosure, "")
	return map[string]protocolCase{
		"7.1.1": caseRaces(sends(wsText("Hello"), normal)),
		"7.1.2": caseCloses(1000, sends(normal, normal)),
		"7.1.3": caseCloses(1000, sends(normal, wsPing(""))),
		"7.1.4": caseCloses(1000, sends(normal, wsText("Hello"))),
		"7.1.5": caseCloses(1000, sends(wsBegin("fragment1"), normal, wsConclude("fragment2"))),
		"7.1.6": caseExceeds(wsTooBig, sends(wsText(wsLetters(256<<10)), normal, wsPing(""))),

		"7.3.1": caseCloses(1000, sends(wsRawClose(""))),
		"7.3.2": caseCloses(wsProtocolError, sends(wsRawClose("x"))),
		"7.3.3": caseCloses(1000, sends(normal)),
		"7.3.4": caseCloses(1000, sends(wsClose(1000, "bye"))),
		"7.3.5": caseCloses(1000, sends(wsClose(1000, wsLetters(123)))),
		"7.3.6": caseCloses(wsProtocolError, sends(wsRawClose("\x03\xe8"+wsLetters(124)))),
		"7.5.1": caseCloses(wsInvalidPayload, sends(wsRawClose("\x03\xe8"+utf8Greek+utf8Surrogate))),

		"7.13.1": caseCloses(wsProtocolError, sends(wsClose(5000, ""))),
		"7.13.2": caseCloses(wsProtocolError, sends(wsClose(65535, ""))),
	}
}
