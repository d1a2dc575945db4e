package objects

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxChunkLine bounds the line before a chunk, and a trailer, in bytes.
const maxChunkLine = 4 << 10

// maxTrailers bounds the lines after the last chunk.
const maxTrailers = 16

var errChunk = errors.New("objects: malformed aws-chunked body")

// decodeAWSChunked returns the request with a decoded body if the body is aws-chunked, signed or not. Otherwise it returns the request
// without a decoded length, which says nothing about its body. See
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html. Signatures of chunks are not checked. A checksum behind the
// content becomes the claim of the exchange.
func decodeAWSChunked(r *http.Request, x *exchange) *http.Request {
	decoded := r.Clone(r.Context())
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		decoded.Header.Del("X-Amz-Decoded-Content-Length")
		return decoded
	}

	x.chunks = &chunkReader{source: bufio.NewReaderSize(r.Body, maxChunkLine), claim: &x.claim}
	decoded.Body = struct {
		io.Reader
		io.Closer
	}{x.chunks, r.Body}

	length := r.Header.Get("X-Amz-Decoded-Content-Length")
	decoded.Header.Set("Content-Length", length)
	decoded.Header.Del("X-Amz-Content-Sha256")
	decoded.Header.Del("X-Amz-Decoded-Content-Length")
	size, err := strconv.ParseInt(length, 10, 64)
	if err != nil || size < 0 {
		size = -1
		decoded.Header.Del("Content-Length")
	}

	decoded.ContentLength = size
	return decoded
}

// chunkReader reads the content of an aws-chunked body.
type chunkReader struct {
	source *bufio.Reader
	claim  *claim // It receives the checksum behind the content.
	left   int64  // The bytes of the current chunk that are not read yet.
	begun  bool   // The first chunk was reached.
	err    error
}

// Read returns content of the current chunk, io.EOF after the last one. A body that ends too early is io.ErrUnexpectedEOF.
func (c *chunkReader) Read(p []byte) (int, error) {
	for c.left == 0 && c.err == nil {
		c.err = c.next()
	}

	if c.err != nil {
		return 0, c.err
	}
	n, err := c.source.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	c.err = asCut(err)
	return n, c.err
}

// end reads up to the end of the body. It returns an error if there is more content.
func (c *chunkReader) end() error {
	var more [1]byte
	n, err := c.Read(more[:])
	switch {
	case n > 0:
		return errChunk
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

// next reads up to the content of the next chunk. It returns io.EOF after the last one.
func (c *chunkReader) next() error {
	if c.begun {
		line, err := c.line()
		if err != nil {
			return err
		}
		if line != "" {
			return errChunk
		}
	}

	c.begun = true
	line, err := c.line()
	if err != nil {
		return err
	}

	digits, _, _ := strings.Cut(line, ";")
	size, err := strconv.ParseInt(digits, 16, 64)
	if err != nil || size < 0 {
		return errChunk
	}
	if size > 0 {
		c.left = size
		return nil
	}
	return c.trailers()
}

// trailers reads the lines behind the content and returns io.EOF. If they end too early, that is an error only if they lack the
// declared checksum.
func (c *chunkReader) trailers() error {
	for range maxTrailers {
		line, err := c.line()
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if err != nil || line == "" {
			if c.claim.trails && c.claim.value == "" {
				return io.ErrUnexpectedEOF
			}
			return io.EOF
		}

		name, value, _ := strings.Cut(line, ":")
		algorithm, found := strings.CutPrefix(strings.ToLower(strings.TrimSpace(name)), strings.ToLower(checksumHeader))
		if !found || c.claim.algorithm != "" && c.claim.algorithm != algorithm {
			continue
		}

		*c.claim = claim{algorithm: algorithm, value: strings.TrimSpace(value), trails: true}
		if !c.claim.valid() {
			return errChunk
		}
	}
	return errChunk
}

// line reads a line without its end.
func (c *chunkReader) line() (string, error) {
	line, err := c.source.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", fmt.Errorf("%w: %w", errChunk, err)
	}
	if err != nil {
		return "", asCut(err)
	}
	return strings.TrimSuffix(string(line[:len(line)-1]), "\r"), nil
}

// asCut returns io.ErrUnexpectedEOF for io.EOF, and other errors as they are.
func asCut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
