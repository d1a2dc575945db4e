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

var errChunk = errors.New("objects: malformed aws-chunked body")

// decodeAWSChunked returns the request with a decoded body if the body is aws-chunked, signed or not. Otherwise it returns r. See
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html. Signatures and trailing checksums are not checked.
func decodeAWSChunked(r *http.Request) *http.Request {
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return r
	}

	decoded := r.Clone(r.Context())
	decoded.Body = struct {
		io.Reader
		io.Closer
	}{&chunkReader{source: bufio.NewReaderSize(r.Body, maxChunkLine)}, r.Body}

	length := r.Header.Get("X-Amz-Decoded-Content-Length")
	decoded.Header.Set("Content-Length", length)
	decoded.Header.Del("X-Amz-Content-Sha256")
	size, err := strconv.ParseInt(length, 10, 64)
	if err != nil || size < 0 {
		size = -1
		decoded.Header.Del("Content-Length")
	}

	decoded.ContentLength = size

	encodings := strings.Split(r.Header.Get("Content-Encoding"), ",")
	if strings.TrimSpace(encodings[0]) == "aws-chunked" {
		decoded.Header.Set("Content-Encoding", strings.TrimSpace(strings.Join(encodings[1:], ",")))
	}
	if decoded.Header.Get("Content-Encoding") == "" {
		decoded.Header.Del("Content-Encoding")
	}

	return decoded
}

// chunkReader reads the content of an aws-chunked body.
type chunkReader struct {
	source *bufio.Reader
	left   int64 // The bytes of the current chunk that are not read yet.
	begun  bool  // The first chunk was reached.
	err    error
}

// Read returns content of the current chunk, io.EOF after the last one.
func (c *chunkReader) Read(p []byte) (int, error) {
	for c.left == 0 && c.err == nil {
		c.err = c.next()
	}

	if c.err != nil {
		return 0, c.err
	}
	n, err := c.source.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)

	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}

	c.err = err
	return n, err
}

// next reads up to the content of the next chunk. It returns io.EOF after the last one.
func (c *chunkReader) next() error {
	if c.begun {
		line, err := c.line()
		if err != nil || line != "" {
			return errors.Join(errChunk, err)
		}
	}

	c.begun = true
	line, err := c.line()
	if err != nil {
		return err
	}

	digits, _, _ := strings.Cut(line, ";")
	c.left, err = strconv.ParseInt(digits, 16, 64)
	if err != nil || c.left < 0 {
		c.left = 0
		return errChunk
	}
	if c.left > 0 {
		return nil
	}

	for line != "" { // The trailers. If they end too early, the content is still complete.
		line, err = c.line()
		if err != nil {
			break
		}
	}
	return io.EOF
}

// line reads a line without its end.
func (c *chunkReader) line() (string, error) {
	line, err := c.source.ReadSlice('\n')
	if err != nil {
		return "", fmt.Errorf("%w: %w", errChunk, err)
	}
	return strings.TrimSuffix(string(line[:len(line)-1]), "\r"), nil
}
