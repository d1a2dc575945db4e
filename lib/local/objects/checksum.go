package objects

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strconv"
	"strings"
)

// The types of checksums, https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html.
const (
	fullObject = "FULL_OBJECT"
	composite  = "COMPOSITE"
)

// defaultAlgorithm is the algorithm of the checksum that S3 adds to an object that is uploaded without one.
const defaultAlgorithm = "crc64nvme"

// checksumHeader is the prefix of the headers with checksums.
const checksumHeader = "X-Amz-Checksum-"

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	nvme       = crc64.MakeTable(0x9a6c9329ac4bc9b5)
)

// algorithms are the algorithms of checksums.
var algorithms = map[string]func() hash.Hash{
	"crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"crc32c":    func() hash.Hash { return crc32.New(castagnoli) },
	"crc64nvme": func() hash.Hash { return crc64.New(nvme) },
	"sha1":      sha1.New,
	"sha256":    sha256.New,
}

// claim is the checksum that a request declares for its body.
type claim struct {
	algorithm string // Empty means that the request declares none.
	value     string // The checksum in base64. It is empty until it has come, if it follows the body.
	trails    bool   // The checksum follows the body.
}

// readClaim returns the checksum that the headers declare. They have at most one, for the body or behind it.
func readClaim(header http.Header) (claim, *s3Error) {
	var c claim
	for name, values := range header {
		algorithm, found := strings.CutPrefix(name, checksumHeader)
		algorithm = strings.ToLower(algorithm)
		if !found || algorithm == "algorithm" || algorithm == "mode" || algorithm == "type" {
			continue
		}

		if c.algorithm != "" || len(values) > 1 {
			return claim{}, invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		c = claim{algorithm: algorithm, value: values[0]}
		if !c.valid() {
			return claim{}, invalidRequest("Value for x-amz-checksum-" + algorithm + " header is invalid.")
		}
	}

	trailer := strings.ToLower(header.Get("X-Amz-Trailer"))
	algorithm, found := strings.CutPrefix(trailer, strings.ToLower(checksumHeader))
	switch {
	case !found:
		return c, nil
	case c.algorithm != "":
		return claim{}, invalidRequest("Expecting a single x-amz-checksum- header")
	case algorithms[algorithm] == nil:
		return claim{}, invalidRequest("The value specified in the x-amz-trailer header is not supported")
	}
	return claim{algorithm: algorithm, trails: true}, nil
}

// valid reports whether the claim has a known algorithm and a value of its length.
func (c claim) valid() bool {
	newHash := algorithms[c.algorithm]
	sum, err := base64.StdEncoding.DecodeString(c.value)
	return newHash != nil && err == nil && len(sum) == newHash().Size()
}

func invalidRequest(message string) *s3Error {
	return newError(http.StatusBadRequest, "InvalidRequest", message)
}

func badDigest(algorithm string) *s3Error {
	return newError(http.StatusBadRequest, "BadDigest",
		"The "+strings.ToUpper(algorithm)+" you specified did not match the calculated checksum.")
}

// checksumKind is the algorithm and the type of a checksum. An empty one stands for the default.
type checksumKind struct {
	algorithm string
	kind      string
}

// readChecksumKind returns the checksum that a CreateMultipartUpload declares.
func readChecksumKind(header http.Header) (checksumKind, *s3Error) {
	algorithm := strings.ToLower(header.Get(checksumHeader + "Algorithm"))
	kind := strings.ToUpper(header.Get(checksumHeader + "Type"))
	switch {
	case algorithm == "" && kind == "":
		return checksumKind{}, nil
	case algorithms[algorithm] == nil:
		return checksumKind{}, invalidRequest("Checksum algorithm provided is unsupported. Please try again with any of the valid types: " +
			"[CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
	}

	isSHA := strings.HasPrefix(algorithm, "sha")
	switch {
	case kind == "" && algorithm == defaultAlgorithm:
		kind = fullObject
	case kind == "":
		kind = composite
	case kind != fullObject && kind != composite:
		return checksumKind{}, invalidRequest("Value for x-amz-checksum-type header is invalid.")
	case kind == composite && algorithm == defaultAlgorithm, kind == fullObject && isSHA:
		return checksumKind{}, invalidRequest("The " + kind + " checksum type cannot be used with the " + algorithm + " checksum algorithm.")
	}
	return checksumKind{algorithm: algorithm, kind: kind}, nil
}

// checksum is the checksum of an object or of a part.
type checksum struct {
	checksumKind

	value string // In base64. That of a composite one ends in a hyphen and the number of parts.
}

// newChecksum returns the checksum of a whole object or part.
func newChecksum(algorithm string, sum []byte) checksum {
	return checksum{checksumKind{algorithm, fullObject}, base64.StdEncoding.EncodeToString(sum)}
}

// compose returns the checksum of the parts' checksums.
func compose(algorithm string, parts []*blob) checksum {
	sum := algorithms[algorithm]()
	for _, part := range parts {
		decoded, _ := base64.StdEncoding.DecodeString(part.checksum.value) // It was encoded by newChecksum.
		_, _ = sum.Write(decoded)
	}
	value := base64.StdEncoding.EncodeToString(sum.Sum(nil)) + "-" + strconv.Itoa(len(parts))
	return checksum{checksumKind{algorithm, composite}, value}
}

// headers returns the headers of the checksum by name, none for an empty checksum.
func (c checksum) headers() map[string]string {
	if c.value == "" {
		return nil
	}
	return map[string]string{http.CanonicalHeaderKey(checksumHeader + c.algorithm): c.value, checksumHeader + "Type": c.kind}
}

// element returns the name of the XML element with the checksum.
func (c checksum) element() string { return "Checksum" + strings.ToUpper(c.algorithm) }
