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

// readBuffer is the size of a connection's read buffer, in bytes: enough for frame headers and most messages,
// small enough for thousands of idle connections.
const readBuffer = 512

// frameError is the close code for a frame that breaks the protocol or a limit.
type frameError ws.StatusCode

// Error returns the close code in words.
func (e frameError) Error() string {
	return fmt.Sprintf("gateway: frame refused with %d", ws.StatusCode(e))
}

// frameReader reads a browser's frames (RFC 6455, section 5) within API Gateway's limits.
type frameReader struct {
	source       *bufio.Reader
	frameLimit   int
	messageLimit int

	state   ws.State
	message []byte
	// valid is how many bytes of message are whole UTF-8 characters.
	valid int
}

func newFrameReader(source io.Reader, frameLimit, messageLimit int) *frameReader {
	return &frameReader{
		source:       bufio.NewReaderSize(source, readBuffer),
		frameLimit:   frameLimit,
		messageLimit: messageLimit,
		state:        ws.StateServerSide,
	}
}

// next returns the next whole text message or control frame. Control frames come between the fragments of a message.
// The error is a frameError when the browser broke the protocol or a limit, otherwise the connection's own.
func (f *frameReader) next() (ws.OpCode, []byte, error) {
	for {
		header, err := ws.ReadHeader(f.source)
		switch {
		case errors.Is(err, ws.ErrHeaderLengthMSB):
			return 0, nil, frameError(ws.StatusProtocolError)
		case err != nil:
			return 0, nil, fmt.Errorf("read frame header: %w", err)
		}

		if err := f.check(header); err != nil {
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
			return ws.OpText, f.take(), nil
		}

		f.state = f.state.Set(ws.StateFragmented)
	}
}

// check holds a frame's header against the protocol, then against API Gateway's limits.
func (f *frameReader) check(header ws.Header) error {
	if err := ws.CheckHeader(header, f.state); err != nil {
		return frameError(ws.StatusProtocolError)
	}
	switch {
	case header.OpCode.IsControl():
		return nil
	case header.OpCode == ws.OpBinary:
		return frameError(ws.StatusUnsupportedData)
	case header.Length > int64(f.frameLimit), header.Length > int64(f.messageLimit-len(f.message)):
		return frameError(ws.StatusMessageTooBig)
	default:
		return nil
	}
}

// readText appends a frame's payload to the message, and fails at the first byte that cannot be UTF-8.
func (f *frameReader) readText(header ws.Header) error {
	length := int(header.Length)
	f.message = slices.Grow(f.message, length)
	for offset := 0; offset < length; {
		end := len(f.message)
		n, err := f.source.Read(f.message[end : end+length-offset])
		f.message = f.message[:end+n]
		ws.Cipher(f.message[end:], header.Mask, offset)
		offset += n

		if !f.validate() {
			return frameError(ws.StatusInvalidFramePayloadData)
		}
		if err != nil {
			return fmt.Errorf("read frame: %w", err)
		}
	}

	if header.Fin && f.valid < len(f.message) {
		return frameError(ws.StatusInvalidFramePayloadData)
	}
	return nil
}

// validate advances over the characters that have fully arrived. It reports false when one of them is not UTF-8.
func (f *frameReader) validate() bool {
	for utf8.FullRune(f.message[f.valid:]) {
		r, size := utf8.DecodeRune(f.message[f.valid:])
		if r == utf8.RuneError && size == 1 {
			return false
		}
		f.valid += size
	}
	return true
}

// take returns the message, and forgets it.
func (f *frameReader) take() []byte {
	message := f.message
	f.state = f.state.Clear(ws.StateFragmented)
	f.message, f.valid = nil, 0
	return message
}
