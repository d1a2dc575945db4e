package auth

import (
	"crypto/rsa"
	"math/big"
)

const (
	// minModulusBits is the minimum length of an RSA key (RFC 7518 section 3.3).
	minModulusBits = 2048
	// generator and maxPrime are the parameters of the test for ROCA; see isWeak.
	generator = 65537
	maxPrime  = 167
)

// isWeak reports whether an RSA key is too short, or was made by the software of CVE-2017-15361 (ROCA). The modulus of such a key is a
// power of 65537 modulo each prime up to maxPrime (Nemec et al., "The Return of Coppersmith's Attack", 2017, section 2.3). The modulus
// of a good key has this property with a probability of 2^-27.
func isWeak(key *rsa.PublicKey) bool {
	if key.N.BitLen() < minModulusBits {
		return true
	}
	for p := int64(3); p <= maxPrime; p += 2 {
		prime := big.NewInt(p)
		isPrime := prime.ProbablyPrime(0) // exact for numbers below 2^64
		// One prime is enough to show that the key is good.
		if isPrime && !isPower(new(big.Int).Mod(key.N, prime).Int64(), p) {
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
