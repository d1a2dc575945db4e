package trace

import "math/bits"

// idSet is a set of the IDs of events, from 1 to MaxEventID. Bit i of byte n stands for the ID 8n+i+1. The last byte is not 0.
type idSet []byte //nolint:recvcheck // only add needs a pointer

// add adds an ID. It returns false if the set has it.
func (s *idSet) add(id int64) bool {
	n, bit := int(id-1)/8, byte(1)<<((id-1)%8)
	for len(*s) <= n {
		*s = append(*s, 0)
	}
	if (*s)[n]&bit != 0 {
		return false
	}
	(*s)[n] |= bit
	return true
}

// count returns how many IDs the set has.
func (s idSet) count() int64 {
	n := 0
	for _, b := range s {
		n += bits.OnesCount8(b)
	}
	return int64(n)
}
