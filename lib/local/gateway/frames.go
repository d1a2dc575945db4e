package gateway

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// readBufferSize is the size of a connection's read buffer, in bytes. It holds frame headers and most messages, and is small
// enough for thousands of idle connections.
const readBufferSize = 512

// frameError is the error of a frame that violates the protocol or exceeds a limit. Its value is the close code.
type frameError ws.StatusCode

// Error returns a text with the close code.
func (e frameError) Error() string {
	return fmt.Sprintf("gateway: frame refused with %d", ws.StatusCode(e))
}

// frameReader reads a browser's frames (RFC 6455, section 5) and enforces the limits on frames and messages.
type frameReader struct {
	source       *bufio.Reader
	frameLimit   int
	messageLimit int

	state   ws.State // whether a fragmented message has begun
	message []byte   // the fragments read so far
	// validBytes is the number of bytes of message that are checked: they are complete UTF-8 characters.
	validBytes int
}

func newFrameReader(source io.Reader, frameLimit, messageLimit int) *frameReader {
	return &frameReader{
		source:       bufio.NewReaderSize(source, readBufferSize),
		frameLimit:   frameLimit,
		messageLimit: messageLimit,
		state:        ws.StateServerSide,
	}
}

// next returns the next complete text message or control frame. Control frames may come between the fragments of a message.
// The error is a frameError if the frame is refused, otherwise that of the source.
func (f *frameReader) next() (ws.OpCode, []byte, error) {
	for {
		header, err := ws.ReadHeader(f.source)
		switch {
		case errors.Is(err, ws.ErrHeaderLengthMSB): // The payload's length has more than 63 bits.
			return 0, nil, frameError(ws.StatusProtocolError)
		case err != nil:
			return 0, nil, fmt.Errorf("read frame header: %w", err)
		}

		if err := f.checkHeader(header); err != nil {
			return 0, nil, err
		}
		if header.OpCode.IsControl() {
			payload := make([]byte, header.Length)
			if _, err := io.ReadFull(f.source, payload); err != nil {
				return 0, nil, fmt.Errorf("read control frame: %w", err)
			}
			ws.Cipher(payload, header.Mask, 0)
			return header.OpCode, payload, nil
		}

		if err := f.readText(header); err != nil {
			return 0, nil, err
		}
		if header.Fin {
			return ws.OpText, f.takeMessage(), nil
		}

		f.state = f.state.Set(ws.StateFragmented)
	}
}

// checkHeader returns a frameError if a frame's header violates the protocol, has an opcode that API Gateway does not support,
// or exceeds a limit.
func (f *frameReader) checkHeader(header ws.Header) error {
	if err := ws.CheckHeader(header, f.state); err != nil {
		return frameError(ws.StatusProtocolError)
	}
	switch {
	case header.OpCode.IsControl():
		return nil
	case header.OpCode == ws.OpBinary:
		return frameError(ws.StatusUnsupportedData)
	case header.Length > int64(f.frameLimit) || header.Length > int64(f.messageLimit-len(f.message)):
		return frameError(ws.StatusMessageTooBig)
	default:
		return nil
	}
}

// readText appends a frame's payload to the message. It fails at the first byte that is not valid UTF-8.
func (f *frameReader) readText(header ws.Header) error {
	length := int(header.Length)
	f.message = slices.Grow(f.message, length)
	for offset := 0; offset < length; {
		end := len(f.message)
		n, err := f.source.Read(f.message[end : end+length-offset])
		f.message = f.message[:end+n]
		ws.Cipher(f.message[end:], header.Mask, offset)
		offset += n

		if !f.validateText() {
			return frameError(ws.StatusInvalidFramePayloadData)
		}
		if err != nil {
			return fmt.Errorf("read frame: %w", err)
		}
	}

	if header.Fin && f.validBytes < len(f.message) {
		return frameError(ws.StatusInvalidFramePayloadData)
	}
	return nil
}

// validateText checks the complete characters that were read. It returns false if one of them is not valid UTF-8.
func (f *frameReader) validateText() bool {
	for utf8.FullRune(f.message[f.validBytes:]) {
		r, size := utf8.DecodeRune(f.message[f.validBytes:])
		if r == utf8.RuneError && size == 1 {
			return false
		}
		f.validBytes += size
	}
	return true
}

// takeMessage returns the message and resets the reader for the next one.
func (f *frameReader) takeMessage() []byte {
	message := f.message
	f.state = f.state.Clear(ws.StateFragmented)
	f.message, f.validBytes = nil, 0
	return message
}
