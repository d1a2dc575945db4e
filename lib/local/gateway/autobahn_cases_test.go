package gateway_test

import (
	"bytes"
	"fmt"
	"maps"
	"strings"

	"github.com/gobwas/ws"
)

// The close codes of failed cases (RFC 6455, section 7.4.1).
const (
	codeProtocolError   = ws.StatusProtocolError
	codeUnsupportedData = ws.StatusUnsupportedData
	codeInvalidPayload  = ws.StatusInvalidFramePayloadData
	codeTooBig          = ws.StatusMessageTooBig
)

// The payloads of the UTF-8 cases: valid text, an encoded surrogate, and a code point above U+10FFFF.
const (
	validUTF8        = "κόσμε"
	encodedSurrogate = "\xed\xa0\x80"
	outOfRangeUTF8   = "\xf4\x90\x80\x80"
)

func pingFrame(payload string) ws.Frame      { return ws.NewPingFrame([]byte(payload)) }
func pongFrame(payload string) ws.Frame      { return ws.NewPongFrame([]byte(payload)) }
func binaryFrame(size int) ws.Frame          { return ws.NewBinaryFrame(bytes.Repeat([]byte{0xfe}, size)) }
func asterisks(size int) string              { return strings.Repeat("*", size) }
func firstFragment(payload string) ws.Frame  { return newFrame(ws.OpText, false, payload) }
func middleFragment(payload string) ws.Frame { return newFrame(ws.OpContinuation, false, payload) }
func lastFragment(payload string) ws.Frame   { return newFrame(ws.OpContinuation, true, payload) }
func rawCloseFrame(payload string) ws.Frame  { return ws.NewCloseFrame([]byte(payload)) }

func withReservedBits(bits byte, frame ws.Frame) ws.Frame {
	frame.Header.Rsv = bits
	return frame
}

func opCodeFrame(code ws.OpCode, payload string) ws.Frame { return newFrame(code, true, payload) }

// fragments splits a payload into frames of at most size bytes.
func fragments(first ws.OpCode, payload string, size int) []ws.Frame {
	var frames []ws.Frame
	for code := first; ; code = ws.OpContinuation {
		if len(payload) <= size {
			return append(frames, newFrame(code, true, payload))
		}
		frames = append(frames, newFrame(code, false, payload[:size]))
		payload = payload[size:]
	}
}

// truncatedFrame returns the encoded header of a frame and the first payloadSize bytes of its payload.
func truncatedFrame(frame ws.Frame, payloadSize int) []byte {
	var wire bytes.Buffer
	ws.MustWriteFrame(&wire, ws.MaskFrameWith(frame, [4]byte{1, 2, 3, 4}))
	return wire.Bytes()[:wire.Len()-len(frame.Payload)+payloadSize]
}

// autobahnCases returns the cases by the suite's ids, with the results that API Gateway's limits lead to. The sizes of messages,
// fragments and pieces are those of the suite.
func autobahnCases() map[string]autobahnCase {
	cases := map[string]autobahnCase{}
	for _, group := range []map[string]autobahnCase{
		controlCases(), reservedCases(), fragmentCases(), textCases(), closeCases(),
	} {
		maps.Copy(cases, group)
	}

	for id, test := range bigTextCases() {
		cases[id] = caseBeyondLimit(codeTooBig, test.steps[0]) // The first step sends the message.
	}

	for id, message := range bigMessages(ws.OpText, "9.1", "9.3", "9.5") {
		cases[id] = caseBeyondLimit(codeTooBig, message.send)
	}

	for n, size := range []int{0, 125, 126, 127, 128, 65535, 65536} {
		id := fmt.Sprintf("1.1.%d", n+1)
		if size <= 32<<10 {
			cases[id] = casePasses(sends(textFrame(asterisks(size))), receives(textFrame(asterisks(size))))
		}
		cases[fmt.Sprintf("1.2.%d", n+1)] = caseBeyondLimit(codeUnsupportedData, sends(binaryFrame(size)))
	}

	cases["1.2.8"] = caseBeyondLimit(codeUnsupportedData, sendsInPieces(997, binaryFrame(65536)))
	cases["10.1.1"] = casePasses(sends(fragments(ws.OpText, asterisks(65536), 1300)...), receives(textFrame(asterisks(65536))))
	cases["9.9.1"] = caseBeyondLimit(codeTooBig, sendsLazily(allInOnePiece, func() []ws.Frame {
		return fragments(ws.OpText, asterisks(4<<20), 4<<10)[:256] // 1 MiB of 4 MiB: the gateway refuses the message earlier.
	}))
	for id, message := range bigMessages(ws.OpBinary, "9.2", "9.4", "9.6") {
		cases[id] = caseBeyondLimit(codeUnsupportedData, message.send)
	}

	return cases
}

// bigTextCases returns the text cases of up to 1 MiB that exceed API Gateway's limits, with the suite's results.
func bigTextCases() map[string]autobahnCase {
	cases := map[string]autobahnCase{
		"1.1.6": casePasses(sends(textFrame(asterisks(65535))), receivesText(65535)),
		"1.1.7": casePasses(sends(textFrame(asterisks(65536))), receivesText(65536)),
		"1.1.8": casePasses(sendsInPieces(997, textFrame(asterisks(65536))), receivesText(65536)),
	}
	for id, message := range bigMessages(ws.OpText, "9.1", "9.3", "9.5") {
		if message.size <= 1<<20 {
			cases[id] = casePasses(message.send, receivesText(message.size))
		}
	}

	return cases
}

// bigMessage is a message of the suite's section 9.
type bigMessage struct {
	send autobahnStep
	size int // in bytes
}

// bigMessages returns the messages of three sections by case id: sent in one frame, in fragments, and in one frame that is
// written in pieces.
func bigMessages(code ws.OpCode, whole, fragmented, inPieces string) map[string]bigMessage {
	const mebibyte = 1 << 20
	messages := map[string]bigMessage{}
	for n, size := range []int{mebibyte / 16, mebibyte / 4, mebibyte, 4 * mebibyte, 8 * mebibyte, 16 * mebibyte} {
		messages[fmt.Sprintf("%s.%d", whole, n+1)] = bigMessage{sendsLazily(allInOnePiece, func() []ws.Frame {
			return []ws.Frame{newFrame(code, true, asterisks(size))}
		}), size}
	}

	for n, size := range []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, mebibyte, 4 * mebibyte} {
		messages[fmt.Sprintf("%s.%d", fragmented, n+1)] = bigMessage{sendsLazily(allInOnePiece, func() []ws.Frame {
			return fragments(code, asterisks(4*mebibyte), size)
		}), 4 * mebibyte}
	}

	for n, size := range []int{64, 128, 256, 512, 1024, 2048} {
		messages[fmt.Sprintf("%s.%d", inPieces, n+1)] = bigMessage{sendsLazily(size, func() []ws.Frame {
			return []ws.Frame{newFrame(code, true, asterisks(mebibyte))}
		}), mebibyte}
	}
	return messages
}

// controlCases returns the cases of section 2: pings and pongs.
func controlCases() map[string]autobahnCase {
	full := strings.Repeat("\xfe", 125)
	var pings, pongs []ws.Frame
	for n := range 10 {
		pings, pongs = append(pings, pingFrame(fmt.Sprint(n))), append(pongs, pongFrame(fmt.Sprint(n)))
	}

	return map[string]autobahnCase{
		"2.1":  casePasses(sends(pingFrame("")), receives(pongFrame(""))),
		"2.2":  casePasses(sends(pingFrame("Hello")), receives(pongFrame("Hello"))),
		"2.3":  casePasses(sends(pingFrame("\x00\xff\xfe")), receives(pongFrame("\x00\xff\xfe"))),
		"2.4":  casePasses(sends(pingFrame(full)), receives(pongFrame(full))),
		"2.5":  caseCloses(codeProtocolError, sends(pingFrame(full+"x"))),
		"2.6":  casePasses(sendsInPieces(1, pingFrame(full)), receives(pongFrame(full))),
		"2.7":  casePasses(sends(pongFrame(""))),
		"2.8":  casePasses(sends(pongFrame("unsolicited"))),
		"2.9":  casePasses(sends(pongFrame("unsolicited"), pingFrame("solicited")), receives(pongFrame("solicited"))),
		"2.10": casePasses(sends(pings...), receives(pongs...)),
		"2.11": casePasses(sendsInPieces(1, pings...), receives(pongs...)),
	}
}

// reservedCases returns the cases of sections 3 and 4: reserved bits and reserved opcodes.
func reservedCases() map[string]autobahnCase {
	hello := textFrame("Hello")
	failsAfterEcho := func(then autobahnStep) autobahnCase {
		return caseCloses(codeProtocolError, sends(hello), receives(hello), then)
	}
	return map[string]autobahnCase{
		"3.1": caseCloses(codeProtocolError, sends(withReservedBits(1, hello))),
		"3.2": failsAfterEcho(sends(withReservedBits(2, hello), pingFrame(""))),
		"3.3": failsAfterEcho(sendsEach(withReservedBits(3, hello), pingFrame(""))),
		"3.4": failsAfterEcho(sendsInPieces(1, withReservedBits(4, hello), pingFrame(""))),
		"3.5": caseCloses(codeProtocolError, sends(withReservedBits(5, binaryFrame(5)))),
		"3.6": caseCloses(codeProtocolError, sends(withReservedBits(6, pingFrame("")))),
		"3.7": caseCloses(codeProtocolError, sends(withReservedBits(7, closeFrame(1000, "")))),

		"4.1.1": caseCloses(codeProtocolError, sends(opCodeFrame(3, ""))),
		"4.1.2": caseCloses(codeProtocolError, sends(opCodeFrame(4, "x"))),
		"4.1.3": failsAfterEcho(sends(opCodeFrame(5, ""), pingFrame(""))),
		"4.1.4": failsAfterEcho(sends(opCodeFrame(6, "x"), pingFrame(""))),
		"4.1.5": failsAfterEcho(sendsInPieces(1, opCodeFrame(7, "x"), pingFrame(""))),
		"4.2.1": caseCloses(codeProtocolError, sends(opCodeFrame(11, ""))),
		"4.2.2": caseCloses(codeProtocolError, sends(opCodeFrame(12, "x"))),
		"4.2.3": failsAfterEcho(sends(opCodeFrame(13, ""), pingFrame(""))),
		"4.2.4": failsAfterEcho(sends(opCodeFrame(14, "x"), pingFrame(""))),
		"4.2.5": failsAfterEcho(sendsInPieces(1, opCodeFrame(15, "x"), pingFrame(""))),
	}
}

// fragmentCases returns the cases of section 5: fragmented messages, control frames between fragments, and invalid fragments.
func fragmentCases() map[string]autobahnCase {
	two := []ws.Frame{firstFragment("fragment1"), lastFragment("fragment2")}
	withPing := []ws.Frame{two[0], pingFrame("ping"), two[1]}
	whole := textFrame("fragment1fragment2")
	pongThenWhole := []autobahnStep{receives(pongFrame("ping"), whole)}
	passing := func(send func(...ws.Frame) autobahnStep) autobahnCase {
		return casePasses(send(firstFragment("1"), middleFragment("2"), pingFrame("first")), receives(pongFrame("first")),
			send(middleFragment("3"), middleFragment("4"), pingFrame("second"), lastFragment("5")), receives(pongFrame("second"), textFrame("12345")))
	}
	sendsBytewise := func(frames ...ws.Frame) autobahnStep { return sendsInPieces(1, frames...) }
	lastOnly, middleOnly := lastFragment("stray"), middleFragment("stray")
	return map[string]autobahnCase{
		"5.1":  caseCloses(codeProtocolError, sends(newFrame(ws.OpPing, false, "1"), lastFragment("2"))),
		"5.2":  caseCloses(codeProtocolError, sends(newFrame(ws.OpPong, false, "1"), lastFragment("2"))),
		"5.3":  casePasses(sends(two...), receives(whole)),
		"5.4":  casePasses(sendsEach(two...), receives(whole)),
		"5.5":  casePasses(sendsBytewise(two...), receives(whole)),
		"5.6":  casePasses(append([]autobahnStep{sends(withPing...)}, pongThenWhole...)...),
		"5.7":  casePasses(append([]autobahnStep{sendsEach(withPing...)}, pongThenWhole...)...),
		"5.8":  casePasses(append([]autobahnStep{sendsBytewise(withPing...)}, pongThenWhole...)...),
		"5.9":  caseCloses(codeProtocolError, sends(lastOnly, textFrame("Hello"))),
		"5.10": caseCloses(codeProtocolError, sendsEach(lastOnly, textFrame("Hello"))),
		"5.11": caseCloses(codeProtocolError, sendsBytewise(lastOnly, textFrame("Hello"))),
		"5.12": caseCloses(codeProtocolError, sends(middleOnly, textFrame("Hello"))),
		"5.13": caseCloses(codeProtocolError, sendsEach(middleOnly, textFrame("Hello"))),
		"5.14": caseCloses(codeProtocolError, sendsBytewise(middleOnly, textFrame("Hello"))),
		"5.15": {
			steps: []autobahnStep{sends(two[0], two[1], middleOnly, textFrame("Hello"))}, code: codeProtocolError, mayEcho: true,
		},
		"5.16": caseCloses(codeProtocolError, sends(middleOnly, two[0], two[1], middleOnly, two[0], two[1])),
		"5.17": caseCloses(codeProtocolError, sends(lastOnly, two[0], two[1], lastOnly, two[0], two[1])),
		"5.18": caseCloses(codeProtocolError, sends(firstFragment("fragment1"), textFrame("fragment2"))),
		"5.19": passing(sends),
		"5.20": passing(sendsEach),
	}
}

// textCases returns the cases of section 6: valid UTF-8, and invalid UTF-8, which must fail at its first invalid byte.
func textCases() map[string]autobahnCase {
	const umlauts = "Hello-µ@ßöäüàá-UTF-8!!"
	invalid := textFrame(validUTF8 + outOfRangeUTF8 + "edited")
	return map[string]autobahnCase{
		"6.1.1": casePasses(sends(textFrame("")), receives(textFrame(""))),
		"6.1.2": casePasses(sends(firstFragment(""), middleFragment(""), lastFragment("")), receives(textFrame(""))),
		"6.1.3": casePasses(sends(firstFragment(""), middleFragment("middle"), lastFragment("")), receives(textFrame("middle"))),
		"6.2.1": casePasses(sends(textFrame(umlauts)), receives(textFrame(umlauts))),
		"6.2.2": casePasses(sends(firstFragment("Hello-µ@ßöä"), lastFragment("üàá-UTF-8!!")), receives(textFrame(umlauts))),
		"6.2.3": casePasses(sends(fragments(ws.OpText, umlauts, 1)...), receives(textFrame(umlauts))),
		"6.2.4": casePasses(sends(fragments(ws.OpText, validUTF8, 1)...), receives(textFrame(validUTF8))),
		"6.3.1": caseCloses(codeInvalidPayload, sends(textFrame(validUTF8+encodedSurrogate+"edited"))),
		"6.3.2": caseCloses(codeInvalidPayload, sends(fragments(ws.OpText, validUTF8+encodedSurrogate+"edited", 1)...)),
		"6.4.1": caseCloses(codeInvalidPayload, sends(firstFragment(validUTF8), pingFrame("")), receives(pongFrame("")), sends(middleFragment(outOfRangeUTF8))),
		"6.4.2": caseCloses(codeInvalidPayload, sends(firstFragment(validUTF8), pingFrame("")), receives(pongFrame("")), sends(middleFragment(outOfRangeUTF8[:2]))),
		"6.4.3": caseCloses(codeInvalidPayload, sendsRaw(truncatedFrame(invalid, len(validUTF8)+len(outOfRangeUTF8)))),
		"6.4.4": caseCloses(codeInvalidPayload, sendsRaw(truncatedFrame(invalid, len(validUTF8)+2))),
	}
}

// closeCases returns the cases of section 7: closing handshakes. The bytes 03 e8 are the close code 1000.
func closeCases() map[string]autobahnCase {
	normal := closeFrame(ws.StatusNormalClosure, "")
	return map[string]autobahnCase{
		"7.1.1": caseMayEcho(sends(textFrame("Hello"), normal)),
		"7.1.2": caseCloses(1000, sends(normal, normal)),
		"7.1.3": caseCloses(1000, sends(normal, pingFrame(""))),
		"7.1.4": caseCloses(1000, sends(normal, textFrame("Hello"))),
		"7.1.5": caseCloses(1000, sends(firstFragment("fragment1"), normal, lastFragment("fragment2"))),
		"7.1.6": caseBeyondLimit(codeTooBig, sends(textFrame(asterisks(256<<10)), normal, pingFrame(""))),

		"7.3.1": caseCloses(1000, sends(rawCloseFrame(""))),
		"7.3.2": caseCloses(codeProtocolError, sends(rawCloseFrame("x"))),
		"7.3.3": caseCloses(1000, sends(normal)),
		"7.3.4": caseCloses(1000, sends(closeFrame(1000, "bye"))),
		"7.3.5": caseCloses(1000, sends(closeFrame(1000, asterisks(123)))),
		"7.3.6": caseCloses(codeProtocolError, sends(rawCloseFrame("\x03\xe8"+asterisks(124)))),
		"7.5.1": caseCloses(codeInvalidPayload, sends(rawCloseFrame("\x03\xe8"+validUTF8+encodedSurrogate))),

		"7.13.1": caseCloses(codeProtocolError, sends(closeFrame(5000, ""))),
		"7.13.2": caseCloses(codeProtocolError, sends(closeFrame(65535, ""))),
	}
}
