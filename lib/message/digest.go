package message

import (
	"fmt"
	"hash/fnv"
	"io"
)

// NotesDigest returns what tells sets of notes apart, by their ids, which are sorted: how many there are, a hyphen, and the
// 32-bit FNV-1a hash of the ids one after the other, in eight hexadecimal digits.
func NotesDigest(ids []string) string {
	sum := fnv.New32a()
	for _, id := range ids {
		_, _ = io.WriteString(sum, id) // it never fails
	}

	return fmt.Sprintf("%d-%08x", len(ids), sum.Sum32())
}
