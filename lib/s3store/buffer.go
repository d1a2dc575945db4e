package s3store

import (
	"errors"
	"io"
	"sync"
)

// blockBytes is the size of a buffer's blocks.
const blockBytes = 1 << 20

type block [blockBytes]byte

// freeBlocks are blocks that no buffer has.
var freeBlocks = sync.Pool{New: func() any { return new(block) }}

// buffer holds bytes in blocks. It grows without moving them, and takes at most one block more than they need.
type buffer struct {
	blocks []*block
	size   int
}

// append appends p.
func (b *buffer) append(p []byte) {
	for len(p) > 0 {
		used := b.size % blockBytes
		if used == 0 {
			b.blocks = append(b.blocks, freeBlocks.Get().(*block))
		}
		n := copy(b.blocks[len(b.blocks)-1][used:], p)
		p, b.size = p[n:], b.size+n
	}
}

// reader returns a reader of the bytes.
func (b *buffer) reader() io.ReadSeeker { return &blockReader{blocks: b.blocks, size: int64(b.size)} }

// reset removes all bytes, and gives the blocks to other buffers. Call it only after all of them were read: a request that has failed may
// still read its body.
func (b *buffer) reset() {
	for _, block := range b.blocks {
		freeBlocks.Put(block)
	}
	*b = buffer{}
}

// blockReader reads the bytes of a buffer.
type blockReader struct {
	blocks   []*block
	size, at int64
}

// Read implements io.Reader.
func (r *blockReader) Read(p []byte) (int, error) {
	if r.at >= r.size {
		return 0, io.EOF
	}
	from := r.at % blockBytes
	n := copy(p, r.blocks[r.at/blockBytes][from:min(blockBytes, from+r.size-r.at)])
	r.at += int64(n)
	return n, nil
}

var errSeek = errors.New("s3store: seek to before the start")

// Seek implements io.Seeker.
func (r *blockReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, errSeek
	}
	r.at = offset
	return offset, nil
}
