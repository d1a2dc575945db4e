package message

import (
	"fmt"
	"hash/fnv"
	"io"
)

// NotesDigest returns a digest of a set of notes: the number of notes, a hyphen, and the 32-bit FNV-1a hash of their ids, one
// after the other, in eight hexadecimal digits. The caller must sort the ids: in another order the same set has another digest.
func NotesDigest(ids []string) string {
	sum := fnv.New32a()
	for _, id := range ids {
		_, _ = io.WriteString(sum, id) // A hash never returns an error.
	}

	return fmt.Sprintf("%d-%08x", len(ids), sum.Sum32())
}
