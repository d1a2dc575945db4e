package s3store

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

// TestBufferReturnsWhatWasAppended appends pieces of many sizes, and reads and seeks as a client of S3 may do.
func TestBufferReturnsWhatWasAppended(t *testing.T) {
	source := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, blockBytes - 1, blockBytes, blockBytes + 1, 3*blockBytes + 7} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(source.Uint32())
		}
		var b buffer
		for from := 0; from < size; {
			to := min(size, from+1+source.IntN(blockBytes/2))
			b.append(want[from:to])
			from = to
		}
		if most := size/blockBytes + 1; b.size != size || len(b.blocks) > most {
			t.Errorf("the buffer has %d bytes in %d blocks, want %d in at most %d", b.size, len(b.blocks), size, most)
		}
		if err := iotest.TestReader(b.reader(), want); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		if _, err := b.reader().Seek(-1, io.SeekStart); err == nil {
			t.Error("a seek to before the start succeeds")
		}
		b.reset()
		b.append([]byte("next"))
		if got, err := io.ReadAll(b.reader()); !bytes.Equal(got, []byte("next")) || err != nil {
			t.Errorf("after a reset the buffer has %q, error %v", got, err)
		}
	}
}
