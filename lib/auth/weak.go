package auth

import (
	"crypto/rsa"
	"math/big"
)

const (
	// minModulus is the shortest RSA key in bits (RFC 7518 section 3.3).
	minModulus = 2048
	// generator and primes make the fingerprint of ROCA.
	generator = 65537
	maxPrime  = 167
)

// weak reports whether an RSA key is too short, or was made by the generator that CVE-2017-15361 (ROCA) is about: modulo
// each small prime such a key is a power of 65537 (Nemec et al., "The Return of Coppersmith's Attack", 2017, section 2.3).
// A good key looks so by a chance of 2^-27.
func weak(key *rsa.PublicKey) bool {
	if key.N.BitLen() < minModulus {
		return true
	}
	for p := int64(3); p <= maxPrime; p += 2 {
		prime := big.NewInt(p)
		if prime.ProbablyPrime(0) && !isPower(new(big.Int).Mod(key.N, prime).Int64(), p) {
			return false
		}
	}

	return true
}

// isPower reports whether n is a power of the generator modulo p.
func isPower(n, p int64) bool {
	power := int64(1)
	for range p {
		if power == n {
			return true
		}
		power = power * generator % p
	}

	return false
}
